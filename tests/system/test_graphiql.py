"""GraphiQL as people use it: a real Chromium, the real server, the demonstration agency."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from graphql import FieldNode, OperationDefinitionNode, parse
from playwright.async_api import Browser, ConsoleMessage, Page, Request, Response, async_playwright, expect

from server.demonstration.people import DEMO_PASSWORD
from server.playground import DIST
from tests import command, peers
from tests.client import Client, connected

pytestmark = pytest.mark.asyncio(loop_scope="module")

ADMINISTRATOR = "anna@nordlicht.example"
ACCOUNT_MANAGER = "kern@provider.example"
OPERATIONS = DIST.parent / "operations"
# Ready operations that are refused as they are, until somebody adds what only a person can say.
ASKING = {
    "Switch VIP off, after a question": ["CONFIRMATION_REQUIRED"],
    "Show a mailbox's password": ["WRONG_PASSWORD"],
}

# As root, without a screen, and without the browser's own calls to its maker.
CHROMIUM_OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WATCH_POLICY = """addEventListener("securitypolicyviolation", (event) =>
    console.error("policy", event.effectiveDirective, event.blockedURI))"""
MODEL = """(part) => window.__MONACO.editor.getModels().find((model) => model.uri.path.includes(part))"""
# Everything of the page that outlives it or that a screenshot, an extension or a bug report might carry away.
KEPT = """async () => JSON.stringify([
    { ...localStorage }, { ...sessionStorage }, location.href, document.cookie, history.state, window.name,
    await indexedDB.databases(), await caches.keys(), document.documentElement.outerHTML,
    window.__MONACO.editor.getModels().map((model) => model.getValue()),
])"""


@dataclass
class Playground:
    """The page in a browser of its own, and everything that went wrong on it."""

    page: Page
    url: str
    troubles: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)

    async def open(self) -> None:
        """Loads the page and waits until it knows the schema."""
        async with self.page.expect_response(lambda answer: asks(answer.request, "IntrospectionQuery")):
            await self.page.goto(f"{self.url}/graphql")
        await self.page.locator(".graphiql-query-editor .view-line").first.wait_for()

    async def sign_in(self, login: str, password: str = DEMO_PASSWORD) -> None:
        """Fills in the form and waits until somebody is signed in."""
        await self.fill_in(login, password)
        await self.page.get_by_text("Signed in as").wait_for()

    async def fill_in(self, login: str, password: str) -> None:
        """Fills in the form and sends it."""
        await self.page.get_by_label("Login").fill(login)
        await self.page.get_by_label("Password", exact=True).fill(password)
        await self.page.get_by_role("button", name="Sign in").click()

    async def open_ready(self, title: str) -> None:
        """Opens a ready operation and waits until GraphiQL has understood it."""
        name = ready_operations()[title].name
        assert name is not None
        await self.page.get_by_label("Ready operations").get_by_text(title, exact=True).click()
        await expect(self.page.locator(".graphiql-tab-active")).to_contain_text(name.value)
        await self.page.wait_for_function(
            f"(title) => ({MODEL})('operation').getValue().startsWith(`# ${{title}}\\n`)", arg=title
        )

    async def start(self) -> None:
        """Runs what stands in the tab."""
        await self.page.locator(".graphiql-execute-button").click()

    async def run(self) -> Any:  # noqa: ANN401 - whatever the server answers
        """Runs what stands in the tab; returns what GraphiQL shows as the answer."""
        await self.start()
        return await self.shown()

    async def shown(self) -> Any:  # noqa: ANN401 - whatever the server answers
        """The next answer that GraphiQL shows."""
        answer = await self.page.wait_for_function(
            f"() => !document.querySelector('.graphiql-spinner') && ({MODEL})('response').getValue()"
        )
        return json.loads(await answer.json_value())

    async def type_over(self, part: str, text: str) -> None:
        """Puts a text into one of the editors."""
        await self.page.evaluate(f"([part, text]) => ({MODEL})(part).setValue(text)", [part, text])

    async def stored(self, key: str, text: str) -> None:
        """Waits until GraphiQL has stored this text."""
        await self.page.wait_for_function(
            "([key, text]) => localStorage[`graphiql:${key}`]?.includes(text)", arg=[key, text]
        )

    async def kept(self) -> str:
        """Storage, address, document and editors, after GraphiQL has stored its tabs."""
        await self.stored("tabState", "")
        found: str = await self.page.evaluate(KEPT)
        return found

    def expect_trouble(self, pattern: str) -> None:
        """Takes what matches from the troubles; there must be some."""
        left = [trouble for trouble in self.troubles if not re.search(pattern, trouble)]
        assert len(left) < len(self.troubles), self.troubles
        self.troubles[:] = left

    def note_message(self, message: ConsoleMessage) -> None:
        """Remembers what the console complains of."""
        if message.type in {"error", "warning"}:
            self.troubles.append(f"console {message.text}")

    async def note_tokens(self, answer: Response) -> None:
        """Remembers the tokens that the server gave."""
        if asks(answer.request, "SignIn") or asks(answer.request, "Refresh"):
            for payload in (await answer.json())["data"].values():
                self.tokens += filter(None, (payload["accessToken"], payload["refreshToken"]))


def asks(request: Request, operation: str) -> bool:
    """Tells whether the request posts this operation."""
    return request.method == "POST" and f'"operationName":"{operation}"' in (request.post_data or "")


def ready_operations() -> dict[str, OperationDefinitionNode]:
    """The operation of each file, by title, in the order of the panel."""
    found: dict[str, OperationDefinitionNode] = {}
    for file in sorted(OPERATIONS.glob("*.graphql")):
        text = file.read_text("utf-8")
        (definition,) = parse(text).definitions
        assert isinstance(definition, OperationDefinitionNode)
        found[text.split("\n")[0].removeprefix("# ")] = definition
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """A Chromium without a window."""
    program = peers.require("chromium")
    if not (DIST / "index.html").is_file():
        peers.missing("the GraphiQL page is not built, run make setup where npm reaches its packages")
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=program, args=CHROMIUM_OPTIONS)
        yield started
        await started.close()


@pytest_asyncio.fixture(loop_scope="module")
async def playground(browser: Browser, demo_server: command.Server) -> AsyncIterator[Playground]:
    """The page, open, in a fresh profile. At the end nothing may have gone wrong that no test expected."""
    context = await browser.new_context(viewport={"width": 1400, "height": 900}, base_url=demo_server.url)
    await context.add_init_script(WATCH_POLICY)
    page = await context.new_page()
    opened = Playground(page, demo_server.url)
    host = urlsplit(demo_server.url).netloc

    def foreign(kind: str) -> Callable[[Any], None]:
        def note(item: Any) -> None:  # noqa: ANN401 - a request or a socket
            if urlsplit(item.url).scheme != "data" and urlsplit(item.url).netloc != host:
                opened.troubles.append(f"{kind} {item.url}")

        return note

    context.on("request", foreign("request"))
    page.on("websocket", foreign("socket"))
    page.on("response", opened.note_tokens)
    page.on("pageerror", lambda error: opened.troubles.append(f"error {error}"))
    page.on("console", opened.note_message)
    await opened.open()
    yield opened
    await context.close()
    assert opened.troubles == []


@pytest_asyncio.fixture(loop_scope="module")
async def administrator(demo_server: command.Server) -> AsyncIterator[Client]:
    """The demonstration's administrator beside the page."""
    async with connected(demo_server.url) as client:
        yield await client.sign_in(ADMINISTRATOR, DEMO_PASSWORD)


# ---------------------------------------------------------------- signing in


async def test_shows_who_is_signed_in_and_signs_out(
    playground: Playground, demo_server: command.Server
) -> None:
    await playground.sign_in(ADMINISTRATOR)
    await expect(playground.page.locator(".viewer")).to_contain_text("Anna Petersen")
    await expect(playground.page.locator(".viewer")).to_contain_text(f"{ADMINISTRATOR} · administrator")
    answer = await playground.run()
    assert answer["data"]["viewer"]["login"] == ADMINISTRATOR

    async with playground.page.expect_response(lambda answer: asks(answer.request, "SignOut")):
        await playground.page.get_by_role("button", name="Sign out").click()
    await expect(playground.page.get_by_role("button", name="Sign in")).to_be_visible()
    assert "Petersen" not in await playground.kept()
    answer = await playground.run()
    assert answer["data"]["viewer"] is None
    async with connected(demo_server.url) as client:
        client.token = playground.tokens[0]
        assert (await client.execute("{ viewer { login } }")).status == 401


async def test_says_that_a_sign_in_failed_and_keeps_nothing(playground: Playground) -> None:
    await playground.fill_in(ADMINISTRATOR, "not-the-password")
    await expect(playground.page.locator(".problem")).not_to_be_empty()
    await expect(playground.page.get_by_label("Password", exact=True)).to_have_value("")
    await expect(playground.page.get_by_label("Login")).to_have_value(ADMINISTRATOR)
    assert "not-the-password" not in await playground.kept()


async def test_password_and_tokens_stay_in_memory(playground: Playground) -> None:
    async with playground.page.expect_request(lambda request: asks(request, "SignIn")) as sent:
        await playground.sign_in(ADMINISTRATOR)
    body = json.loads((await sent.value).post_data or "")
    assert DEMO_PASSWORD not in body["query"]
    assert body["variables"] == {"login": ADMINISTRATOR, "password": DEMO_PASSWORD}
    assert body["operationName"] == "SignIn"
    await playground.open_ready("Newest activities")
    await playground.run()
    kept = await playground.kept()
    assert "NewestActivities" in kept
    assert len(playground.tokens) == 2
    for secret in (DEMO_PASSWORD, *playground.tokens):
        assert secret not in kept
    assert await playground.page.context.cookies() == []


async def test_secrets_typed_into_a_tab_are_not_stored(playground: Playground) -> None:
    document = 'mutation { signIn(login: "a@b.example", password: "typed \\" one") { accessToken } } # kept'
    await playground.type_over("operation", document)
    await playground.type_over("variables", '{\n  "currentPassword": "typed two",\n  "login": "kept too"\n}')
    await playground.stored("tabState", "kept too")
    await playground.run()
    await playground.stored("queries", "kept too")
    stored: str = await playground.page.evaluate("JSON.stringify({ ...localStorage })")
    assert "# kept" in stored
    assert "typed" not in stored


async def test_password_that_somebody_else_set_is_changed_at_the_first_sign_in(
    playground: Playground, administrator: Client
) -> None:
    login = "neu@nordlicht.example"
    person = {"login": login, "firstName": "Nele", "lastName": "Neu", "password": "set-by-anna-1234"}
    created = await administrator.payload(
        "mutation ($input: CreateUserInput!) { createUser(input: $input) { errors { code } } }",
        {"input": person},
    )
    assert created == {"errors": []}
    await playground.fill_in(login, "set-by-anna-1234")
    await playground.page.get_by_label("New password").fill("chosen-by-nele-1234")
    await playground.page.get_by_role("button", name="Sign in").click()
    await expect(playground.page.locator(".viewer")).to_contain_text("Nele Neu")
    kept = await playground.kept()
    assert "set-by-anna-1234" not in kept
    assert "chosen-by-nele-1234" not in kept


async def test_session_is_renewed_before_its_token_ends(playground: Playground) -> None:
    await playground.page.clock.install()
    await playground.open()
    await playground.sign_in(ADMINISTRATOR)
    async with playground.page.expect_response(lambda answer: asks(answer.request, "Refresh")):
        await playground.page.clock.fast_forward("14:30")
    async with playground.page.expect_request(lambda request: asks(request, "ViewerAndAgency")) as sent:
        answer = await playground.run()
    assert answer["data"]["viewer"]["login"] == ADMINISTRATOR
    first, _, second, _ = playground.tokens
    assert first != second
    assert (await sent.value).headers["authorization"] == f"Bearer {second}"


# ---------------------------------------------------------------- what is wrong


async def test_says_that_the_session_was_ended_elsewhere(
    playground: Playground, administrator: Client
) -> None:
    await playground.sign_in(ADMINISTRATOR)
    ended = await administrator.payload("mutation { signOut(everywhere: true) { errors { code } } }")
    assert ended == {"errors": []}
    answer = await playground.run()
    assert answer["errors"]
    await expect(playground.page.locator(".problem")).to_contain_text("Sign in again")
    await expect(playground.page.get_by_role("button", name="Sign in")).to_be_visible()
    playground.expect_trouble(r"console Failed to load resource.*401")


async def test_says_that_there_were_too_many_requests(playground: Playground) -> None:
    await playground.page.route(
        "**/graphql",
        lambda route: route.fulfill(
            status=429, headers={"Retry-After": "7"}, json={"errors": [{"message": "Too many requests."}]}
        ),
    )
    assert await playground.run() == {"errors": [{"message": "Too many requests."}]}
    await expect(playground.page.locator(".problem")).to_have_text(
        "429: Too many requests. Try again in 7 s."
    )
    playground.expect_trouble(r"console Failed to load resource.*429")


async def test_says_that_the_server_does_not_answer_and_recovers(playground: Playground) -> None:
    await playground.page.route("**/graphql", lambda route: route.abort("connectionrefused"))
    answer = await playground.run()
    assert "does not answer" in answer["errors"][0]["message"]
    await expect(playground.page.locator(".problem")).to_contain_text("does not answer")
    playground.expect_trouble(r"console Failed to load resource.*ERR_CONNECTION_REFUSED")
    await playground.page.unroute("**/graphql")
    await playground.run()
    await expect(playground.page.locator(".problem")).to_have_count(0)


# ---------------------------------------------------------------- exploring


async def test_documentation_explains_the_schema(playground: Playground) -> None:
    await playground.page.get_by_role("button", name="Show Documentation Explorer").click()
    explorer = playground.page.get_by_label("Documentation Explorer", exact=True)
    await explorer.get_by_text("Subscription", exact=True).click()
    await explorer.get_by_text("activityBooked", exact=True).click()
    await expect(explorer).to_contain_text("Each entry once, when a booking made it visible to the viewer")


async def test_editor_checks_the_document_against_the_schema(playground: Playground) -> None:
    await playground.type_over("operation", "query { vieweR { name } }")
    await playground.page.wait_for_function(
        "() => window.__MONACO.editor.getModelMarkers({}).some((mark) => mark.message.includes('vieweR'))"
    )


@pytest.mark.parametrize("login", [ADMINISTRATOR, ACCOUNT_MANAGER])
async def test_every_ready_operation_answers(playground: Playground, login: str) -> None:
    await playground.sign_in(login)
    answered = []
    for title, operation in ready_operations().items():
        *_, selected = operation.selection_set.selections
        assert isinstance(selected, FieldNode)
        name = selected.name.value
        whose = ACCOUNT_MANAGER if name in {"agencies", "setModule"} else ADMINISTRATOR
        if whose != login or operation.operation.value == "subscription":
            continue
        await playground.open_ready(title)
        answer = await playground.run()
        assert "errors" not in answer, (title, answer)
        field_answer = answer["data"][name]
        refused = [error["code"] for error in field_answer.get("errors", [])]
        assert refused == ASKING.get(title, []), (title, answer)
        assert field_answer.get("nodes") != [], (title, answer)
        answered.append(name)
    assert len(answered) == (2 if login == ACCOUNT_MANAGER else 16)


async def test_subscription_shows_what_is_booked(playground: Playground, administrator: Client) -> None:
    await playground.sign_in(ADMINISTRATOR)
    async with playground.page.expect_websocket() as opened:
        await playground.open_ready("Follow new activities")
        await playground.start()
    socket = await opened.value
    assert urlsplit(socket.url).path == "/graphql"
    # Nobody tells when the server has begun to listen, so one more is booked until one has arrived.
    shown = asyncio.ensure_future(playground.shown())
    for number in count():
        await book(administrator, f"Eben gebucht {number}")
        if shown in (await asyncio.wait({shown}, timeout=1))[0]:
            break
    answer = await shown
    assert re.fullmatch(r"Eben gebucht \d+", answer["data"]["activityBooked"]["subject"])
    async with socket.expect_event("close"):
        await playground.start()


async def book(client: Client, subject: str) -> None:
    """Books the ready operation's mail with another subject, and so another mail."""
    found = await client.data('{ mailbox(address: "info@nordlicht.example") { id } }')
    ready = json.loads((OPERATIONS / "13-book-mail.json").read_text("utf-8"))["input"]
    mail = {**ready, "mailboxId": found["mailbox"]["id"], "subject": subject}
    payload = await client.payload(
        "mutation ($input: BookMailInput!) { bookMail(input: $input) { errors { code } } }", {"input": mail}
    )
    assert payload == {"errors": []}


async def test_narrow_window_shows_a_panel_or_the_editor(playground: Playground) -> None:
    await playground.page.set_viewport_size({"width": 480, "height": 900})
    await playground.page.evaluate("localStorage.clear()")
    await playground.open()
    panel = playground.page.get_by_label("Ready operations", exact=True)
    await expect(panel).to_have_count(0)
    await playground.sign_in(ADMINISTRATOR)
    await playground.page.get_by_role("button", name="Show Ready operations").click()
    await playground.open_ready("Newest activities")
    await expect(panel).to_have_count(0)
    answer = await playground.run()
    assert answer["data"]["activities"]["nodes"]
    width = await playground.page.evaluate("document.documentElement.scrollWidth")
    assert width == 480
