"""The doors at which mail programs ask how they are set up. The application is not started: there is no database to ask."""

import asyncio
import json
import plistlib
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from starlette.applications import Starlette

from mail.client_setup.autoconfig import autoconfig
from mail.client_setup.autodiscover import OUTLOOK, settings_response
from mail.client_setup.pacc import pacc
from mail.client_setup.profile import profile
from mail.client_setup.settings import client_settings
from mail.servers import MailServer, MailServers
from models import clock
from server.app import create_app
from server.settings import Settings
from tests.databases import settings_environment
from tests.mail.client_setup.certificates import chain, verified

PUBLIC_URL = "https://post.example"
SERVERS = MailServers(
    MailServer("imap.mail.example", 993, "tls"),
    MailServer("pop3.mail.example", 110, "starttls"),
    MailServer("smtp.mail.example", 465, "tls"),
)
AUTOCONFIG = "/mail/config-v1.1.xml"
WELL_KNOWN = "/.well-known/autoconfig/mail/config-v1.1.xml"
XML = "/autodiscover/autodiscover.xml"
JSON = "/autodiscover/autodiscover.json"
PACC = "/.well-known/user-agent-configuration.json"
PROFILE = "/mail/profile.mobileconfig"
Ask = Callable[..., httpx.Response]


def opened(folder: Path, **changes: str) -> Starlette:
    """The application with these settings, not started."""
    servers = {
        "IMAP": "imap.mail.example:993:tls",
        "POP3": "pop3.mail.example:110:starttls",
        "SUBMISSION": "smtp.mail.example:465:tls",
    }
    url = f"sqlite:///{folder}/nothing.sqlite3"
    return create_app(
        Settings.load(settings_environment(url, folder, **{"PUBLIC_URL": PUBLIC_URL, **servers, **changes}))
    )


def asking(app: Starlette) -> Ask:
    """Asks the application, of `post.example` unless another host is said."""

    async def answer(method: str, path: str, content: bytes, headers: dict[str, str]) -> httpx.Response:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app), base_url="https://post.example"
        ) as client:
            return await client.request(method, path, content=content, headers=headers)

    def ask(path: str, method: str = "GET", content: bytes = b"", **headers: str) -> httpx.Response:
        return asyncio.run(answer(method, path, content, headers))

    return ask


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Ask:
    return asking(opened(tmp_path_factory.mktemp("doors")))


def kind(answer: httpx.Response) -> str:
    return answer.headers["content-type"].partition(";")[0]


# ---------------------------------------------------------------- Mozilla


@pytest.mark.parametrize("path", [AUTOCONFIG, WELL_KNOWN])
@pytest.mark.parametrize(
    "query,host,domain",
    [
        ("?emailaddress=anna@nord.example", "autoconfig.sued.example", "nord.example"),
        ("?emailaddress=anna%40NORD.example&more=1", "post.example", "nord.example"),
        (f"?emailaddress={quote('anna@bücher.example')}", "post.example", "xn--bcher-kva.example"),
        ("", "autoconfig.nord.example", "nord.example"),
        ("", "AutoConfig.Nord.Example:8443", "nord.example"),
        ("", "nord.example", "nord.example"),
        ("?emailaddress=", "nord.example", "nord.example"),
        ("?emailaddress=anna", "autoconfig.nord.example", "nord.example"),
        ("?emailaddress=%25EMAILADDRESS%25", "autoconfig.nord.example", "nord.example"),
        ("?emailaddress=anna@<b>", "autoconfig.nord.example", "nord.example"),
        ("?emailaddress=anna@127.0.0.1", "127.0.0.1:8000", "post.example"),
        ("", '"><b>.example', "post.example"),
    ],
)
def test_every_domain_gets_the_one_document(ask: Ask, path: str, query: str, host: str, domain: str) -> None:
    answer = ask(f"{path}{query}", host=host)
    assert (answer.status_code, kind(answer)) == (200, "text/xml")
    assert answer.content == autoconfig(SERVERS, domain)
    assert answer.headers["cache-control"] == "public, max-age=300"


# ---------------------------------------------------------------- Microsoft


def request(address: str = "anna@nord.example", schema: str = OUTLOOK) -> bytes:
    return (
        f"<Autodiscover><Request><EMailAddress>{address}</EMailAddress><AcceptableResponseSchema>{schema}"
        "</AcceptableResponseSchema></Request></Autodiscover>"
    ).encode()


@pytest.mark.parametrize("path", [XML, "/Autodiscover/Autodiscover.xml", "/AutoDiscover/AUTODISCOVER.XML"])
def test_outlook_is_answered_whatever_the_case_of_the_path(ask: Ask, path: str) -> None:
    answer = ask(path, "POST", request("Anna@Nord.example"), **{"content-type": "text/xml"})
    assert (answer.status_code, kind(answer)) == (200, "text/xml")
    assert answer.content == settings_response(client_settings(SERVERS, "anna@nord.example"))
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "method,content,code",
    [
        ("GET", b"", 600),
        ("POST", b"", 600),
        ("POST", b"<a", 600),
        ("POST", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', 600),
        ("POST", request("anna"), 600),
        ("POST", request("anna@"), 600),
        ("POST", request("anna@nord.example, ben@nord.example"), 600),
        ("POST", request("a" * 300 + "@nord.example"), 600),
        ("POST", request(schema="other"), 601),
    ],
)
def test_what_is_not_a_request_gets_an_error_of_autodiscover(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, method: str, content: bytes, code: int
) -> None:
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now)
    answer = ask(XML, method, content)
    assert (answer.status_code, kind(answer)) == (200, "text/xml")
    message = "Invalid Request" if code == 600 else "Provider is not available"
    assert (
        answer.text.split()
        == (
            "<?xml version='1.0' encoding='utf-8'?>"
            ' <Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006">'
            f' <Response> <Error Time="{now:%H:%M:%S.%f}" Id="0"> <ErrorCode>{code}</ErrorCode>'
            f" <Message>{message}</Message> <DebugData /> </Error> </Response> </Autodiscover>"
        ).split()
    )


def test_a_request_of_more_than_8_kilobytes_is_not_read(ask: Ask) -> None:
    largest = request() + b" " * (8192 - len(request()))
    assert ask(XML, "POST", largest).status_code == 200
    for answer in (
        ask(XML, "POST", largest + b" "),
        ask(XML, "POST", b"", **{"content-length": "8193"}),
    ):
        assert (answer.status_code, answer.text) == (413, "A request has at most 8192 bytes.\n")


@pytest.mark.parametrize(
    "path",
    [
        f"{JSON}?Email=anna@nord.example&Protocol=AutodiscoverV1&RedirectCount=1",
        f"{JSON}?email=anna%40nord.example&protocol=autodiscoverv1",
        f"{JSON}/v1.0/anna@nord.example?Protocol=AutodiscoverV1",
        f"{JSON}/v1.0/anna%40nord.example?Protocol=AutodiscoverV1",
        "/Autodiscover/Autodiscover.json/V1.0/anna@nord.example?Protocol=AutoDiscoverV1",
    ],
)
def test_newer_outlooks_are_told_where_the_xml_is(ask: Ask, path: str) -> None:
    # The host that was asked is not believed.
    answer = ask(path, host="autodiscover.nord.example")
    assert (answer.status_code, kind(answer)) == (200, "application/json")
    assert answer.json() == {
        "Protocol": "AutodiscoverV1",
        "Url": "https://post.example/autodiscover/autodiscover.xml",
    }
    assert answer.headers["cache-control"] == "no-store"


ADDRESS_MISSING = {
    "ErrorCode": "MandatoryParameterMissing",
    "ErrorMessage": "A valid smtp address must be provided",
}
PROTOCOL_MISSING = {
    "ErrorCode": "MandatoryParameterMissing",
    "ErrorMessage": "A valid value must be provided for the query parameter 'Protocol'",
}
PROTOCOL_INVALID = {
    "ErrorCode": "InvalidProtocol",
    "ErrorMessage": "The protocol is invalid. Supported values are 'AutodiscoverV1'",
}


@pytest.mark.parametrize(
    "path,error",
    [
        (JSON, ADDRESS_MISSING),
        (f"{JSON}?Protocol=AutodiscoverV1", ADDRESS_MISSING),
        (f"{JSON}?Email=anna&Protocol=AutodiscoverV1", ADDRESS_MISSING),
        (f"{JSON}/v1.0/anna?Protocol=AutodiscoverV1", ADDRESS_MISSING),
        (f"{JSON}?Email=anna@nord.example", PROTOCOL_MISSING),
        (f"{JSON}?Email=anna@nord.example&Protocol=", PROTOCOL_MISSING),
        (f"{JSON}/v1.0/anna@nord.example?Protocol=ActiveSync", PROTOCOL_INVALID),
        (f"{JSON}?Email=anna@nord.example&Protocol=<script>", PROTOCOL_INVALID),
    ],
)
def test_what_newer_outlooks_can_not_ask_is_said_as_exchange_says_it(
    ask: Ask, path: str, error: dict[str, str]
) -> None:
    answer = ask(path)
    assert (answer.status_code, answer.json()) == (400, error)


# ---------------------------------------------------------------- PACC


def test_pacc_is_the_bytes_whose_digest_is_published(ask: Ask, tmp_path: Path) -> None:
    answer = ask(PACC, host="ua-auto-config.nord.example")
    assert (answer.status_code, kind(answer)) == (200, "application/json")
    assert answer.content == pacc(SERVERS, "post.example")
    assert answer.headers["cache-control"] == "public, max-age=300"
    elsewhere = asking(opened(tmp_path, SUBMISSION="smtp.mail.example:587:starttls"))
    assert elsewhere(PACC).status_code == 404


# ---------------------------------------------------------------- Apple


def test_a_profile_is_made_for_every_address(ask: Ask) -> None:
    answer = ask(f"{PROFILE}?emailaddress=Anna%40Nord.example")
    assert (answer.status_code, kind(answer)) == (200, "application/x-apple-aspen-config")
    assert answer.content == profile(client_settings(SERVERS, "anna@nord.example"), PUBLIC_URL)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-disposition"] == 'attachment; filename="mail.mobileconfig"'


@pytest.mark.parametrize("query", ["", "?emailaddress=", "?emailaddress=anna", "?emailaddress=a@b@c.example"])
def test_a_profile_is_not_made_without_an_address(ask: Ask, query: str) -> None:
    answer = ask(f"{PROFILE}{query}")
    assert (answer.status_code, answer.text) == (400, "emailaddress is an e-mail address.\n")


def test_a_profile_is_signed_where_a_certificate_is_set(tmp_path: Path) -> None:
    files = chain(tmp_path, "rsa")
    app = opened(tmp_path, PROFILE_CERTIFICATE_FILE=str(files.certificates), PROFILE_KEY_FILE=str(files.key))
    answer = asking(app)(f"{PROFILE}?emailaddress=anna@nord.example")
    assert (answer.status_code, kind(answer)) == (200, "application/x-apple-aspen-config")
    assert verified(answer.content, files.trusted) == profile(
        client_settings(SERVERS, "anna@nord.example"), PUBLIC_URL
    )


# ---------------------------------------------------------------- whatever is sent


@pytest.mark.parametrize(
    "path,allowed",
    [
        (AUTOCONFIG, {"GET", "HEAD"}),
        (WELL_KNOWN, {"GET", "HEAD"}),
        (XML, {"GET", "HEAD", "POST"}),
        (JSON, {"GET", "HEAD"}),
        (PACC, {"GET", "HEAD"}),
        (PROFILE, {"GET", "HEAD"}),
    ],
)
def test_another_method_is_not_allowed(ask: Ask, path: str, allowed: set[str]) -> None:
    answer = ask(path, "DELETE")
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == allowed


TEXT = st.one_of(
    st.text(max_size=60),
    st.sampled_from(["anna@nord.example", "@", "AutodiscoverV1", '"><b>', "%", "\0", "\ud800", "\ufffe"]),
    st.emails(),
)
NAMES = st.sampled_from(["emailaddress", "Email", "email", "Protocol", "PROTOCOL", "", "x"])
PATHS = st.one_of(
    st.sampled_from([AUTOCONFIG, WELL_KNOWN, XML, JSON, PACC, PROFILE]),
    TEXT.map(lambda text: f"{JSON}/v1.0/{quote(text, safe='', errors='surrogatepass')}"),
)
KNOWN = {200, 400, 404}


@settings(deadline=None)
@given(
    path=PATHS,
    query=st.lists(st.tuples(NAMES, TEXT), max_size=3),
    method=st.sampled_from(["GET", "POST", "HEAD"]),
    body=st.one_of(
        st.binary(max_size=100), TEXT.map(lambda text: request(text.encode(errors="replace").decode()))
    ),
    host=st.from_regex(r"[ -~]{0,40}", fullmatch=True),
)
def test_whatever_is_sent_is_answered_and_each_answer_is_what_it_says(
    ask: Ask, path: str, query: list[tuple[str, str]], method: str, body: bytes, host: str
) -> None:
    parts = (f"{name}={quote(value, errors='surrogatepass')}" for name, value in query)
    answer = ask(f"{path}?{'&'.join(parts)}", method, body if method == "POST" else b"", host=host)
    assert answer.status_code in (KNOWN | {405} if method == "POST" else KNOWN), answer.text
    if method == "HEAD" or answer.status_code == 405:
        return
    if kind(answer) == "text/xml":
        etree.fromstring(answer.content)
    elif kind(answer) == "application/json":
        assert json.loads(answer.content)
    elif kind(answer) == "application/x-apple-aspen-config":
        assert plistlib.loads(answer.content)["PayloadType"] == "Configuration"
    else:
        assert answer.status_code != 200
