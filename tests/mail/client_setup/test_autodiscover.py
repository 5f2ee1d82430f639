import codecs
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from mail.client_setup.autodiscover import (
    OUTLOOK,
    AutodiscoverError,
    asked_address,
    error_response,
    invalid_request,
    settings_response,
)
from mail.client_setup.settings import client_settings
from mail.servers import MailServer, MailServers
from tests.surroundings import SERVERS

REQUEST_SCHEMA = "http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"
MOBILE = "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/responseschema/2006"
NAMES = {
    "a": "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006",
    "o": "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a",
}
ANNA = client_settings(SERVERS, "anna@nord.example")


def request(address: str = "anna@nord.example", schema: str = OUTLOOK, head: str = "") -> str:
    """What Outlook posts."""
    return f"""{head}<Autodiscover xmlns="{REQUEST_SCHEMA}">
  <Request>
    <EMailAddress>{address}</EMailAddress>
    <AcceptableResponseSchema>{schema}</AcceptableResponseSchema>
  </Request>
</Autodiscover>"""


def refusal(body: bytes | str) -> tuple[int, str]:
    with pytest.raises(AutodiscoverError) as refused:
        asked_address(body.encode() if isinstance(body, str) else body)
    return refused.value.code, str(refused.value)


def test_the_address_of_a_request_is_read_whatever_the_encoding() -> None:
    assert asked_address(request().encode()) == "anna@nord.example"
    assert asked_address(request(" anna@nord.example\n").encode()) == "anna@nord.example"
    head = '<?xml version="1.0" encoding="{}"?>\n'
    assert asked_address(request("ä@nord.example", head=head.format("utf-8")).encode()) == "ä@nord.example"
    utf16 = request("ä@nord.example", head=head.format("utf-16"))
    assert asked_address(utf16.encode("utf-16")) == "ä@nord.example"
    assert asked_address(codecs.BOM_UTF8 + request().encode()) == "anna@nord.example"


def test_another_schema_is_not_ours() -> None:
    both = request().replace(
        "</Request>", f"<AcceptableResponseSchema>{MOBILE}</AcceptableResponseSchema></Request>"
    )
    assert asked_address(both.encode()) == "anna@nord.example"
    assert refusal(request(schema=MOBILE)) == (601, "Provider is not available")


ENTITIES = '<!DOCTYPE a [<!ENTITY b "anna"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>'
EXTERNAL = '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>'
OUTSIDE = '<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd">'


@pytest.mark.parametrize(
    "body",
    [
        "",
        " ",
        "anna@nord.example",
        "<",
        "<Autodiscover>",
        "<Autodiscover/>",
        "<Autodiscover><Request/></Autodiscover>",
        request(""),
        request(" ").replace("EMailAddress", "Address"),
        request().replace("EMailAddress", "EmailAddress"),
        request().replace("Request>", "Response>"),
        request().replace("AcceptableResponseSchema", "Schema"),
        request().replace("</Request>", "<EMailAddress>ben@nord.example</EMailAddress></Request>"),
        request("<b>anna@nord.example</b>"),
        request("&b;", head=ENTITIES),
        request("&c;", head=ENTITIES),
        request("&b;", head=EXTERNAL),
        request(head=OUTSIDE),
        request("&undefined;"),
        request("\x00"),
        request("&#0;"),
        b"\xff\xfe",
        "<a>" * 2700,
        "<a " + " ".join(f'b{number}=""' for number in range(1000)),
    ],
)
def test_what_is_no_request_is_told_so(body: bytes | str) -> None:
    assert refusal(body) == (600, "Invalid Request")


@pytest.mark.parametrize("name", ["none", "latin-1", "utf-16", "unicode_escape", "undefined", "idna", "zlib"])
def test_no_encoding_is_looked_up_by_the_name_that_a_request_gives(name: str) -> None:
    head = f'<?xml version="1.0" encoding="{name}"?>'
    assert asked_address(request(head=head).encode()) == "anna@nord.example"
    assert refusal(request("ä@nord.example", head=head).encode("latin-1")) == (600, "Invalid Request")


TAGS = ("Autodiscover", "Request", "EMailAddress", "AcceptableResponseSchema")
PIECES = st.sampled_from(
    [
        *(f"<{tag}>" for tag in TAGS),
        *(f"</{tag}>" for tag in TAGS),
        *(OUTLOOK, MOBILE, "anna@nord.example", "<!DOCTYPE a>", "<![CDATA[", "]]>", "<!--", "-->"),
        *(
            "&amp;",
            "&#x41;",
            "&b;",
            "<?xml version='1.0' encoding='latin-1'?>",
            "<a xmlns='a'>",
            "\0",
            "\ufffe",
        ),
    ]
)
BODIES = st.one_of(st.binary(max_size=200), st.lists(PIECES, max_size=15).map("".join).map(str.encode))


@settings(deadline=None)
@given(body=BODIES)
def test_whatever_is_sent_is_read_or_refused(body: bytes) -> None:
    try:
        found = asked_address(body)
    except AutodiscoverError as error:
        found = f"{error.code}"
    assert found


# ---------------------------------------------------------------- answers


def fields(protocol: "etree._Element") -> dict[str, str | None]:
    return {etree.QName(each).localname: each.text for each in protocol}


def protocol(kind: str, host: str, port: str, encryption: str, **more: str) -> dict[str, str]:
    return {
        "Type": kind,
        "Server": host,
        "Port": port,
        "DomainRequired": "off",
        "LoginName": "anna@nord.example",
        "SPA": "off",
        "SSL": "on",
        "Encryption": encryption,
        "AuthRequired": "on",
        **more,
    }


def test_outlook_is_told_servers_and_user() -> None:
    document = etree.fromstring(settings_response(ANNA))
    assert document.tag == f"{{{NAMES['a']}}}Autodiscover"
    account = document.find("o:Response/o:Account", NAMES)
    assert account is not None
    assert document.findtext("o:Response/o:User/o:DisplayName", None, NAMES) == "anna@nord.example"
    assert account.findtext("o:AccountType", None, NAMES) == "email"
    assert account.findtext("o:Action", None, NAMES) == "settings"
    assert [fields(each) for each in account.findall("o:Protocol", NAMES)] == [
        protocol("IMAP", "imap.mail.example", "993", "SSL"),
        protocol("POP3", "pop3.mail.example", "995", "SSL"),
        protocol("SMTP", "smtp.mail.example", "587", "TLS", UsePOPAuth="off", SMTPLast="off"),
    ]


def test_what_an_address_may_hold_is_only_text_in_the_answer() -> None:
    servers = MailServers(*[MailServer("mail.example", 993, "tls")] * 3)
    address = "o'neil&<b>/ä@nord.example"
    document = etree.fromstring(settings_response(client_settings(servers, address)))
    assert {each.text for each in document.iter(f"{{{NAMES['o']}}}LoginName")} == {address}
    assert document.find(".//o:b", NAMES) is None


def test_an_error_is_as_exchange_writes_it() -> None:
    at = datetime(2026, 3, 2, 9, 8, 7, 6, tzinfo=UTC)
    assert (
        error_response(invalid_request(), at).decode()
        == """\
<?xml version='1.0' encoding='utf-8'?>
<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006">
  <Response>
    <Error Time="09:08:07.000006" Id="0">
      <ErrorCode>600</ErrorCode>
      <Message>Invalid Request</Message>
      <DebugData />
    </Error>
  </Response>
</Autodiscover>
"""
    )
