"""The GraphiQL page: what a browser is told about it, what is served beside it, and its ready operations."""

import gzip
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from graphql import (
    FieldNode,
    GraphQLSchema,
    OperationDefinitionNode,
    build_schema,
    parse,
    validate,
)
from graphql.execution.values import get_variable_values
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from server.playground import DIST, playground_assets, playground_page
from server.settings import Settings
from tests import peers

GRAPHIQL = DIST.parent
OPERATIONS = sorted((GRAPHIQL / "operations").glob("*.graphql"))
SDL = Path(__file__).parents[2] / "schema" / "schema.graphql"

PAGE = """<html data-introspection="%INTROSPECTION%">
<link href="graphiql/assets/page-A.css" nonce="%NONCE%">
<script src="graphiql/assets/page-A.js" nonce="%NONCE%"></script>"""
SCRIPT = b"console.log('page');" * 100
POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src-elem 'nonce-{nonce}'; "
    "style-src-attr 'unsafe-inline'; worker-src 'self'; connect-src 'self'; font-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PAGE_HEADERS = {
    "cache-control": "no-store",
    "content-type": "text/html; charset=utf-8",
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    """What a build leaves, in small."""
    built = tmp_path / "dist"
    assets = built / "assets"
    assets.mkdir(parents=True)
    (built / "index.html").write_text(PAGE)
    (assets / "page-A.js").write_bytes(SCRIPT)
    (assets / "page-A.js.gz").write_bytes(gzip.compress(SCRIPT))
    (assets / "page-A.css").write_text("body{}")
    (assets / "icon-A.svg").write_text("<svg/>")
    (assets / "font-A.woff2").write_bytes(b"wOF2")
    (assets / "font-A.ttf").write_bytes(b"\0\1\0\0")
    (assets / "licences-A.txt").write_text("Licences")
    (assets / "notes.md").write_text("not for the world")
    (assets / ".hidden.js").write_text("not for the world")
    (tmp_path / "secret.js").write_text("not for the world")
    return built


def settings(folder: Path, introspection: str = "on") -> Settings:
    """Settings whose keys lie in this folder."""
    return Settings.load({"POSTFACH_DATA_DIR": str(folder), "POSTFACH_INTROSPECTION": introspection})


@pytest_asyncio.fixture
async def browser(dist: Path, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a server that has only the page, at the root and under another base address."""
    shared = settings(tmp_path)

    def page(_request: Request) -> Response:
        return playground_page(shared, dist)

    routes = [Route("/graphql", page), playground_assets(dist)]
    app = Starlette(routes=[*routes, Mount("/base", routes=routes)])
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(base_url="http://127.0.0.1", transport=transport, trust_env=False) as client:
        yield client


# ---------------------------------------------------------------- the page


def headers_of(response: Response) -> dict[str, str]:
    """The headers without the length."""
    return {name: value for name, value in response.headers.items() if name != "content-length"}


def test_page_allows_nothing_but_what_it_brings_itself(dist: Path, tmp_path: Path) -> None:
    response = playground_page(settings(tmp_path), dist)
    nonces = set(re.findall(rb'nonce="([^"]*)"', response.body))
    assert len(nonces) == 1
    nonce = nonces.pop().decode()
    assert re.fullmatch(r"[A-Za-z0-9_-]{24}", nonce)
    assert response.status_code == 200
    assert headers_of(response) == {
        **PAGE_HEADERS,
        "content-security-policy": POLICY.format(nonce=nonce),
    }


def test_page_has_another_nonce_each_time(dist: Path, tmp_path: Path) -> None:
    shared = settings(tmp_path)
    policies = {playground_page(shared, dist).headers["content-security-policy"] for _ in range(20)}
    assert len(policies) == 20


@pytest.mark.parametrize("introspection", ["on", "off"])
def test_page_knows_whether_the_schema_is_told(dist: Path, tmp_path: Path, introspection: str) -> None:
    response = playground_page(settings(tmp_path, introspection), dist)
    assert f'data-introspection="{introspection}"'.encode() in response.body


def test_page_that_is_not_built_says_how_to_build_it(tmp_path: Path) -> None:
    response = playground_page(settings(tmp_path), tmp_path / "dist")
    assert response.status_code == 503
    assert headers_of(response) == {**PAGE_HEADERS, "content-security-policy": "default-src 'none'"}
    assert b"<code>make setup</code>" in response.body
    assert b"<script" not in response.body


# ---------------------------------------------------------------- what it loads


@pytest.mark.parametrize(
    "name,media_type",
    [
        ("page-A.js", "text/javascript; charset=utf-8"),
        ("page-A.css", "text/css; charset=utf-8"),
        ("icon-A.svg", "image/svg+xml"),
        ("font-A.woff2", "font/woff2"),
        ("font-A.ttf", "font/ttf"),
        ("licences-A.txt", "text/plain; charset=utf-8"),
    ],
)
@pytest.mark.parametrize("base", ["", "/base"])
@pytest.mark.asyncio
async def test_asset_is_served_with_its_type_and_kept_for_good(
    browser: httpx.AsyncClient, dist: Path, base: str, name: str, media_type: str
) -> None:
    answer = await browser.get(f"{base}/graphiql/assets/{name}", headers={"accept-encoding": "identity"})
    assert answer.status_code == 200
    assert answer.content == (dist / "assets" / name).read_bytes()
    assert answer.headers["content-type"] == media_type
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-security-policy"] == "default-src 'none'; script-src 'self'"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["etag"] == f'"{name}"'
    assert "content-encoding" not in answer.headers


@pytest.mark.asyncio
async def test_asset_travels_compressed_where_both_can(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/graphiql/assets/page-A.js", headers={"accept-encoding": "br, gzip"})
    assert answer.content == SCRIPT
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["etag"] == '"page-A.js.gz"'
    assert answer.headers["vary"] == "Accept-Encoding"
    assert int(answer.headers["content-length"]) < len(SCRIPT)


@pytest.mark.parametrize("known", ['"page-A.css"', 'W/"page-A.css"', '"other", "page-A.css"', "*"])
@pytest.mark.asyncio
async def test_asset_that_the_browser_has_is_not_sent_again(browser: httpx.AsyncClient, known: str) -> None:
    answer = await browser.get("/graphiql/assets/page-A.css", headers={"if-none-match": known})
    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["etag"] == '"page-A.css"'
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"


@pytest.mark.asyncio
async def test_asset_is_sent_again_when_the_browser_has_another(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/graphiql/assets/page-A.css", headers={"if-none-match": '"page-B.css"'})
    assert (answer.status_code, answer.content) == (200, b"body{}")


@pytest.mark.parametrize(
    "path",
    [
        "absent.js",
        "notes.md",
        ".hidden.js",
        "page-A.js.gz",
        "",
        ".",
        "..",
        "../index.html",
        "..%2findex.html",
        "..%2f..%2fsecret.js",
        "%2e%2e/%2e%2e/secret.js",
        "..%5c..%5csecret.js",
        "page-A.js%00.css",
        "%2fetc%2fpasswd",
        "a" * 300 + ".js",
    ],
)
@pytest.mark.asyncio
async def test_nothing_but_assets_is_served(browser: httpx.AsyncClient, path: str) -> None:
    url = httpx.URL("http://127.0.0.1").copy_with(raw_path=f"/graphiql/assets/{path}".encode())
    answer = await browser.get(url)
    assert answer.status_code == 404
    assert b"world" not in answer.content


@pytest.mark.asyncio
async def test_asset_is_only_read(browser: httpx.AsyncClient) -> None:
    answer = await browser.post("/graphiql/assets/page-A.js")
    assert answer.status_code == 405
    head = await browser.head("/graphiql/assets/page-A.css")
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "6")


# ---------------------------------------------------------------- the build


def test_built_page_loads_only_its_own_assets(tmp_path: Path) -> None:
    if not (DIST / "index.html").is_file():
        peers.missing("the GraphiQL page is not built, run make setup where npm reaches its packages")
    page = bytes(playground_page(settings(tmp_path)).body).decode()
    links = re.findall(r'(?:href|src)="([^"]*)"', page)
    assert len(links) == 4
    for link in links:
        assert re.fullmatch(r"graphiql/assets/[A-Za-z-]+-[A-Z0-9]{8}\.(?:js|css|svg|txt)", link)
        assert (DIST / "assets" / Path(link).name).is_file()
    assert "%" not in page
    styles = "".join(path.read_text("utf-8") for path in (DIST / "assets").glob("*.css"))
    assert not re.findall(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//[^)\"']*", styles)


def test_packages_are_pinned_and_name_no_host() -> None:
    package = json.loads((GRAPHIQL / "package.json").read_text("utf-8"))
    versions = [*package["dependencies"].values(), *package["devDependencies"].values()]
    assert [version for version in versions if not re.fullmatch(r"\d+\.\d+\.\d+", version)] == []
    lock = json.loads((GRAPHIQL / "package-lock.json").read_text("utf-8"))
    entries = {name: entry for name, entry in lock["packages"].items() if name}
    assert [name for name, entry in entries.items() if "resolved" in entry] == []
    assert [name for name, entry in entries.items() if "integrity" not in entry] == []


# ---------------------------------------------------------------- the ready operations


@dataclass(frozen=True)
class Ready:
    """A file of `operations/` and the variables beside it."""

    file: Path

    @property
    def text(self) -> str:
        """The document."""
        return self.file.read_text("utf-8")

    @property
    def variables(self) -> dict[str, object]:
        """What the JSON file beside it holds; nothing where there is none."""
        beside = self.file.with_suffix(".json")
        found: dict[str, object] = json.loads(beside.read_text("utf-8")) if beside.exists() else {}
        return found

    @property
    def operation(self) -> OperationDefinitionNode:
        """The one operation of the document."""
        (definition,) = parse(self.text).definitions
        assert isinstance(definition, OperationDefinitionNode)
        return definition


READY = [Ready(file) for file in OPERATIONS]
ready_operations = pytest.mark.parametrize("ready", READY, ids=[ready.file.stem for ready in READY])


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    """What clients may ask now: without what the contract promises for later."""
    return build_schema(SDL.read_text("utf-8"))


@ready_operations
def test_ready_operation_is_valid(ready: Ready, schema: GraphQLSchema) -> None:
    assert validate(schema, parse(ready.text)) == []
    definitions = ready.operation.variable_definitions or ()
    assert set(ready.variables) <= {each.variable.name.value for each in definitions}
    coerced = get_variable_values(schema, definitions, ready.variables)
    assert not isinstance(coerced, list), coerced


@ready_operations
def test_ready_operation_says_what_it_shows(ready: Ready) -> None:
    title, *rest = ready.text.split("\n")
    assert re.fullmatch(r"# [A-Z].{3,40}", title)
    assert rest[0].startswith("# ")
    assert ready.operation.name is not None


def test_ready_operations_cover_the_api() -> None:
    roots = {
        field.name.value
        for each in READY
        for field in each.operation.selection_set.selections
        if isinstance(field, FieldNode)
    }
    assert roots == {
        "viewer",
        "agency",
        "agencies",
        "activities",
        "mailbox",
        "mailboxes",
        "users",
        "node",
        "setMailboxEmailName",
        "setMailboxVip",
        "assignUser",
        "unassignUser",
        "generateMailboxPassword",
        "revealMailboxPassword",
        "sendMailboxCredentials",
        "bookMail",
        "setModule",
        "activityBooked",
    }
    assert len({each.text.split("\n")[0] for each in READY}) == len(OPERATIONS)


def test_variables_stand_beside_an_operation() -> None:
    beside = {path.stem for path in (GRAPHIQL / "operations").glob("*.json")}
    assert beside <= {path.stem for path in OPERATIONS}
