import base64
import hashlib

import orjson
import pytest

from mail.client_setup.pacc import digest_record, pacc
from mail.servers import MailServer, MailServers

IMAP = MailServer("imap.mail.example", 993, "tls")
POP3 = MailServer("pop3.mail.example", 995, "tls")
SUBMISSION = MailServer("smtp.mail.example", 465, "tls")
ALL = MailServers(IMAP, POP3, SUBMISSION)


def found(servers: MailServers, provider: str = "postfach.example") -> bytes:
    document = pacc(servers, provider)
    assert document is not None
    return document


def test_the_document_names_every_server_and_that_a_password_is_wanted() -> None:
    assert orjson.loads(found(ALL)) == {
        "authentication": {"password": True},
        "info": {"provider": {"name": "postfach.example"}},
        "protocols": {
            "imap": {"host": "imap.mail.example"},
            "pop3": {"host": "pop3.mail.example"},
            "smtp": {"host": "smtp.mail.example"},
            "submit": {"host": "smtp.mail.example"},
        },
    }


def test_the_same_settings_make_the_same_bytes_and_the_digest_is_theirs() -> None:
    assert found(ALL) == found(MailServers(IMAP, POP3, SUBMISSION))
    digest = base64.b64encode(hashlib.sha256(found(ALL)).digest()).decode()
    assert digest_record(found(ALL)) == f"v=UAAC1; a=sha256; d={digest}"
    assert digest_record(found(ALL)) == "v=UAAC1; a=sha256; d=RxDCkdDcQKGQoZZFsAo4pFqzsNpF9QJ/BVAFgdbsYOE="


def test_what_is_not_as_pacc_wants_it_is_left_out() -> None:
    imap_alone = MailServers(IMAP, MailServer("pop3.mail.example", 110, "starttls"), SUBMISSION)
    assert set(orjson.loads(found(imap_alone))["protocols"]) == {"imap", "smtp", "submit"}
    pop3_alone = MailServers(MailServer("imap.mail.example", 1993, "tls"), POP3, SUBMISSION)
    assert set(orjson.loads(found(pop3_alone))["protocols"]) == {"pop3", "smtp", "submit"}


@pytest.mark.parametrize(
    "servers",
    [
        MailServers(IMAP, POP3, MailServer("smtp.mail.example", 587, "starttls")),
        MailServers(IMAP, POP3, MailServer("smtp.mail.example", 465, "starttls")),
        MailServers(
            MailServer("imap.mail.example", 143, "starttls"),
            MailServer("pop3.mail.example", 110, "starttls"),
            SUBMISSION,
        ),
    ],
)
def test_there_is_no_document_by_which_mail_could_not_be_read_and_sent(servers: MailServers) -> None:
    assert pacc(servers, "postfach.example") is None


def test_a_long_name_is_shortened_to_what_programs_show() -> None:
    name = orjson.loads(found(ALL, f"{'a' * 60}.postfach.example"))["info"]["provider"]["name"]
    assert name == "postfach.example"
