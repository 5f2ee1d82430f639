"""A small typed client of the API: GraphQL over HTTP, signed in or not, and walks through connections."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal

import httpx
from starlette.applications import Starlette

from tests import evidence

# What a JSON answer holds; tests take it apart and compare.
Json = Any
Session = Literal["BEARER", "COOKIE"]

SIGN_IN = """
mutation SignIn($login: String!, $password: String!, $newPassword: String, $session: SessionKind) {
  signIn(login: $login, password: $password, newPassword: $newPassword, session: $session) {
    accessToken refreshToken expiresAt viewer { id login } errors { __typename code message path }
  }
}
"""


@dataclass(frozen=True)
class Answer:
    """An HTTP answer of the GraphQL endpoint, with the very bytes of its body."""

    status: int
    headers: httpx.Headers
    body: bytes

    @property
    def json(self) -> Json:
        """The body, parsed."""
        return json.loads(self.body)

    @property
    def data(self) -> Json:
        """The `data` of the answer; None where there is none."""
        return self.json.get("data")

    @property
    def errors(self) -> list[dict[str, Json]]:
        """The `errors` of the answer, empty where there are none."""
        found: list[dict[str, Json]] = self.json.get("errors", [])
        return found

    @property
    def codes(self) -> list[str | None]:
        """`extensions.code` of each error."""
        return [error.get("extensions", {}).get("code") for error in self.errors]

    def good(self) -> Json:
        """The data of an answer that must be without an error."""
        assert self.status == httpx.codes.OK, (self.status, self.body)
        assert "errors" not in self.json, self.body
        return self.data


class SignInRefusedError(Exception):
    """The payload of signIn carried errors; `errors` are they."""

    def __init__(self, errors: list[dict[str, Json]]) -> None:
        super().__init__([error["code"] for error in errors])
        self.errors = errors


class Client:
    """Speaks GraphQL with one server, signed in or not. Its connections belong to whoever opened `http`."""

    def __init__(self, http: httpx.AsyncClient, token: str | None = None) -> None:
        self.http = http
        self.token = token
        self.refresh_token: str | None = None
        self.viewer_id: str | None = None
        self.login: str | None = None

    async def execute(
        self,
        query: str,
        variables: Mapping[str, Json] | None = None,
        *,
        operation: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Sends one operation and returns whatever is answered."""
        evidence.sent(variables)
        body: dict[str, Json] = {"query": query}
        if variables is not None:
            body["variables"] = variables
        if operation is not None:
            body["operationName"] = operation
        return await self.post(json.dumps(body).encode(), headers=headers)

    async def post(self, body: bytes, *, headers: Mapping[str, str] | None = None) -> Answer:
        """Sends a body as it is, which need not be a GraphQL request."""
        sent = {"content-type": "application/json", "accept": "application/json", **(headers or {})}
        if self.token is not None:
            sent.setdefault("authorization", f"Bearer {self.token}")
        answer = await self.http.post("/graphql", content=body, headers=sent)
        evidence.answered(answer.content)
        return Answer(answer.status_code, answer.headers, answer.content)

    async def data(self, query: str, variables: Mapping[str, Json] | None = None) -> Json:
        """The data of an operation that must be answered without an error."""
        return (await self.execute(query, variables)).good()

    async def payload(self, query: str, variables: Mapping[str, Json] | None = None) -> Json:
        """The payload of the only field of a mutation, which must be answered without a GraphQL error."""
        data = await self.data(query, variables)
        (payload,) = data.values()
        return payload

    async def sign_in(self, login: str, password: str, *, new_password: str | None = None) -> "Client":
        """A client with a bearer session of its own, over the same connections.

        Raises:
            SignInRefusedError: the payload carried errors.
        """
        payload = await self._sign_in(login, password, "BEARER", new_password)
        signed_in = Client(self.http, payload["accessToken"])
        signed_in.refresh_token = payload["refreshToken"]
        signed_in.viewer_id = payload["viewer"]["id"]
        signed_in.login = login
        return signed_in

    async def sign_in_by_cookie(self, login: str, password: str) -> None:
        """Signs this client in by cookies, which its connections keep: give it connections of its own.

        Raises:
            SignInRefusedError: the payload carried errors.
        """
        payload = await self._sign_in(login, password, "COOKIE", None)
        assert payload["accessToken"] is None
        assert payload["refreshToken"] is None
        self.viewer_id = payload["viewer"]["id"]
        self.login = login

    def over(self, other: "Client") -> "Client":
        """The same session over the connections of another client, in another event loop perhaps."""
        same = Client(other.http, self.token)
        same.refresh_token, same.viewer_id, same.login = self.refresh_token, self.viewer_id, self.login
        return same

    async def _sign_in(self, login: str, password: str, session: Session, new_password: str | None) -> Json:
        variables = {"login": login, "password": password, "session": session, "newPassword": new_password}
        payload = await self.payload(SIGN_IN, variables)
        if payload["errors"]:
            raise SignInRefusedError(payload["errors"])
        return payload

    async def walk(
        self,
        query: str,
        path: str,
        variables: Mapping[str, Json] | None = None,
        *,
        size: int,
        backwards: bool = False,
    ) -> list[Json]:
        """Every page of a connection, in the order in which they were asked for.

        `query` declares `$first`, `$after`, `$last` and `$before` and selects `pageInfo` whole; `path` leads
        to the connection, `mailbox.activities`. It ends where the server says that there is no more that way,
        and fails when it comes to the same place twice.
        """
        pages: list[Json] = []
        cursor: str | None = None
        seen: set[str] = set()
        while True:
            ends = {"last": size, "before": cursor} if backwards else {"first": size, "after": cursor}
            page: Json = await self.data(query, {**(variables or {}), **ends})
            for name in path.split("."):
                page = page[name]
            pages.append(page)
            info = page["pageInfo"]
            if not info["hasPreviousPage" if backwards else "hasNextPage"]:
                return pages
            cursor = info["startCursor" if backwards else "endCursor"]
            assert cursor is not None, "more is promised after an empty page"
            assert cursor not in seen, "the walk goes in a circle"
            seen.add(cursor)


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Client]:
    """A client without a session of the server at this URL, with connections of its own."""
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=60, limits=limits) as http:
        yield Client(http)


@asynccontextmanager
async def inside(app: Starlette) -> AsyncIterator[Client]:
    """A client without a session of an application in this process, whose lifespan runs already."""
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(base_url="http://127.0.0.1", transport=transport, trust_env=False) as http:
        yield Client(http)


def nodes(pages: list[Json], *, backwards: bool = False) -> list[Json]:
    """The nodes of all pages of a walk, in the order of the list, whichever way it was walked."""
    in_order = reversed(pages) if backwards else pages
    return [node for page in in_order for node in page["nodes"]]
