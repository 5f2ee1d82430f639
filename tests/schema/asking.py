"""Executes the schema for somebody, and takes the answers apart."""

from dataclasses import dataclass
from typing import Any

import orjson

from models.database import Database
from models.tables.users import User
from resolvers.request import Request, Viewer
from resolvers.services import Services
from schema import schema
from schema.context import Context
from tests import evidence, storage

# What an answer holds; tests take it apart and compare.
Json = Any


@dataclass(frozen=True)
class Answer:
    """The data of an operation, and its errors as clients get them."""

    data: Any
    errors: list[dict[str, Any]]

    @property
    def codes(self) -> list[str]:
        """`extensions.code` of each error."""
        return [error["extensions"]["code"] for error in self.errors]


@dataclass(frozen=True)
class Asking:
    """Asks on behalf of users, each time with a request of its own."""

    database: Database
    services: Services

    async def request(self, who: User | None) -> Request:
        """A request of somebody who has just signed in, active or not; of nobody where there is none."""
        viewer = None if who is None else await storage.viewer(who)
        return self.request_of(viewer)

    def request_of(self, viewer: Viewer | None) -> Request:
        """A request of this viewer."""
        return Request(self.database, self.services, viewer, "192.0.2.7")

    async def execute(self, who: User | Request | None, query: str, **variables: object) -> Answer:
        """Whatever is answered."""
        request = who if isinstance(who, Request) else await self.request(who)
        evidence.sent(variables)
        result = await schema.execute(query, variables, Context(request))
        answer = Answer(result.data, [dict(error.formatted) for error in result.errors or []])
        evidence.answered(orjson.dumps({"data": answer.data, "errors": answer.errors}, default=str))
        return answer

    async def data(self, who: User | Request | None, query: str, **variables: object) -> Json:
        """The data of an operation that must be without an error."""
        answer = await self.execute(who, query, **variables)
        assert answer.errors == []
        return answer.data

    async def payload(self, who: User | Request | None, mutation: str, **variables: object) -> Json:
        """The payload of the only field of a mutation, which must be without a GraphQL error."""
        (payload,) = (await self.data(who, mutation, **variables)).values()
        return payload
