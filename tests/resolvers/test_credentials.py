"""Letters with credentials: who has them sent, what is stored with them, what they hold, and how many there may be."""

import hashlib
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from mail.client_setup.profile import MEDIA_TYPE, profile
from mail.client_setup.settings import client_settings
from mail.client_setup.signing import Signing
from models import clock, mailbox_passwords, outbox
from models.database import Database
from models.tables.letters import CredentialContent, CredentialDelivery, DeliveryState
from models.tables.mailboxes import Mailbox, MailboxEventKind
from models.tables.users import Role, User, UserState
from resolvers import agencies, credentials, mailboxes, recipients
from resolvers.deliveries import CredentialDelivery as Delivery
from resolvers.errors import (
    CallerError,
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    UnauthenticatedError,
)
from resolvers.node_ids import NodeKind, encode
from resolvers.request import Request
from tests import storage
from tests.mail.client_setup.certificates import chain, verified
from tests.resolvers.letters import SENT, asked, letter, office, refuse, sending, text_of
from tests.resolvers.offices import Office, audited, box_id, events, knowers, user_id
from tests.storage import contents
from tests.surroundings import CORRESPONDENT, SEALS, SERVERS

__all__ = ["office"]
pytestmark = pytest.mark.asyncio

# ---------------------------------------------------------------- who may


@pytest.mark.parametrize("who", ["anna", "boss"])
async def test_a_letter_waits_and_everything_is_written_down(
    database: Database, office: Office, who: str
) -> None:
    person: User = getattr(office, who)
    changing = (
        "sessions",
        "audit_events",
        "mailbox_events",
        "mailboxes",
        "mailbox_password_knowers",
        "credential_deliveries",
        "outbox_letters",
    )
    before = await contents(database, *changing)

    found = await sending(database, person, office.desk, "Anna@HOME.example", language="en", request_id="one")

    stored = await CredentialDelivery.get(id=found.id)
    newest = (await Mailbox.get(id=office.desk.id)).last_moment
    assert await audited(SENT) == [
        {
            "actor": person.id,
            "subject": ("mailbox", office.desk.id),
            "from": "192.0.2.7",
            "delivery": str(found.id),
            "to": "Anna@home.example",
            "content": "ONE_TIME_LINK",
            "version": 1,
        }
    ]
    assert await events(office.desk) == [(MailboxEventKind.CREDENTIALS_SENT, person.id)]
    assert await knowers(office.desk) == {(1, person.id)}
    assert found == Delivery(
        id=found.id,
        mailbox_id=office.desk.id,
        to="Anna@home.example",
        content=CredentialContent.ONE_TIME_LINK,
        state=DeliveryState.QUEUED,
        attempts=0,
        failure=None,
        requested_by_id=person.id,
        requested_at=newest,
        expires_at=newest + timedelta(hours=72),
        sent_at=None,
        opened_at=None,
    )
    assert (stored.language, stored.password_version, stored.request_id) == ("en", 1, "one")
    assert stored.fold_to == "anna@home.example"
    message = await letter(found.id)
    assert message["To"] == "Anna@home.example"
    assert message["Message-ID"] == f"<{found.id}@crm.example>"
    token = re.search(rf"{CORRESPONDENT.public_url}/credentials#([\w-]{{43}})\s", text_of(message))
    assert token is not None
    assert hashlib.sha256(token[1].encode()).hexdigest() == stored.token_hash
    assert await contents(database, *changing) == before


async def test_the_profile_in_a_letter_is_signed_where_a_certificate_is_set(
    database: Database, office: Office, tmp_path: Path
) -> None:
    files = chain(tmp_path)
    request = await storage.request(database, office.anna)
    request.services = replace(request.services, profile_signing=Signing(files.certificates, files.key))
    found = await credentials.send(request, asked(office.desk))
    message = await letter(found.id)
    (signed,) = (part for part in message.walk() if part.get_content_type() == MEDIA_TYPE)
    content = verified(signed.get_content(), files.trusted)
    assert content == profile(client_settings(SERVERS, "desk@nord.example"), CORRESPONDENT.public_url)


async def test_the_token_is_stored_nowhere(database: Database, office: Office) -> None:
    found = await sending(database, office.anna, office.desk)
    match = re.search(r"#([\w-]{43})\s", text_of(await letter(found.id)))
    assert match is not None
    assert match[1] not in repr(await contents(database))


async def test_nobody_else_sends_one(database: Database, office: Office) -> None:
    former = await storage.user(office.agency, "former")
    await storage.period(office.desk, former, until=clock.now())
    locked = {"role": Role.ADMINISTRATOR, "state": UserState.LOCKED}
    people: list[tuple[User | None, type[CallerError]]] = [
        (None, UnauthenticatedError),
        (await storage.user(office.agency, "ben"), ForbiddenError),
        (former, ForbiddenError),
        (await storage.user(await storage.agency("sued"), "boss", role=Role.ADMINISTRATOR), NotFoundError),
        (await storage.user(None, "manager"), NotFoundError),
        (await storage.user(office.agency, "locked", **locked), UnauthenticatedError),
    ]
    for who, error in people:
        # The address is none: rights come first.
        await refuse(database, sending(database, who, office.desk, "x"), error)


async def test_administrators_send_none_of_a_vip_mailbox(database: Database, office: Office) -> None:
    await Mailbox.filter(id=office.desk.id).update(vip=True)
    await refuse(database, sending(database, office.boss, office.desk), ForbiddenError)
    assert (await sending(database, office.anna, office.desk)).state is DeliveryState.QUEUED


async def test_what_is_no_mailbox_of_the_agency_is_not_found(database: Database, office: Office) -> None:
    foreign = await storage.mailbox(await storage.agency("sued"), "desk")
    for wrong in ("", "\0", user_id(office.boss), encode(NodeKind.MAILBOX, office.anna.id), box_id(foreign)):
        error = await refuse(database, sending(database, office.boss, wrong), NotFoundError)
        assert error.path == ["input", "mailboxId"]


# ---------------------------------------------------------------- what may be asked for


async def test_an_address_that_is_none_is_refused(database: Database, office: Office) -> None:
    for to in (
        "",
        "anna",
        "anna@",
        "@home.example",
        "anna@home.example\n",
        "a\0@home.example",
        "Anna <anna@home.example>",
        "a,b@c.d e",
    ):
        error = await refuse(database, sending(database, office.anna, office.desk, to), InvalidInputError)
        assert error.path == ["input", "to"]


async def test_a_letter_to_the_mailbox_itself_is_refused_with_the_reason(
    database: Database, office: Office
) -> None:
    for to in ("desk@nord.example", "DESK@Nord.Example", "desk+phone@nord.example", "Desk+@NORD.example"):
        error = await refuse(database, sending(database, office.anna, office.desk, to), InvalidInputError)
        assert error.path == ["input", "to"]
        assert "the mailbox itself" in error.message


async def test_another_mailbox_of_the_agency_may_get_it(database: Database, office: Office) -> None:
    assert (
        await sending(database, office.anna, office.desk, "desks@nord.example")
    ).to == "desks@nord.example"


async def test_what_cannot_be_is_refused(database: Database, office: Office) -> None:
    for changes, path in (
        ({"language": "not a tag"}, "language"),
        ({"request_id": ""}, "requestId"),
        ({"request_id": "a\n"}, "requestId"),
    ):
        work = sending(database, office.anna, office.desk, **changes)
        assert (await refuse(database, work, InvalidInputError)).path == ["input", path]


async def test_it_is_written_in_the_readers_language(database: Database, office: Office) -> None:
    subjects = []
    for language in (None, "de-AT", "tlh", "en-GB"):
        found = await sending(
            database, office.anna, office.desk, f"{language}@home.example", language=language
        )
        subjects.append((await letter(found.id))["Subject"].partition(" ")[0])
    assert subjects == ["Zugangsdaten", "Zugangsdaten", "Zugangsdaten", "Credentials"]


async def test_a_mailbox_without_a_password_has_none_to_send(database: Database, office: Office) -> None:
    fresh = await storage.mailbox(office.agency, "fresh")
    error = await refuse(database, sending(database, office.boss, fresh), ConflictError)
    assert error.path == ["input", "mailboxId"]


# ---------------------------------------------------------------- the password itself


async def test_a_password_is_in_a_letter_only_where_the_agency_allows_it(
    database: Database, office: Office
) -> None:
    await storage.agency("sued", passwords_in_letters=True)
    content = {"content": CredentialContent.PASSWORD}
    error = await refuse(database, sending(database, office.anna, office.desk, **content), ForbiddenError)
    assert error.path == ["input", "content"]
    await agencies.set_passwords_in_letters(await storage.request(database, office.boss), allowed=True)
    found = await sending(database, office.anna, office.desk, **content)
    row = await mailbox_passwords.of(database, office.desk.id)
    assert row is not None
    password = mailbox_passwords.opened(SEALS, row.sealed, office.desk.address, 1)
    assert password in text_of(await letter(found.id))
    assert (found.content, found.expires_at) == (CredentialContent.PASSWORD, None)
    assert (await CredentialDelivery.get(id=found.id)).token_hash is None
    assert password not in repr(await contents(database))


async def test_only_administrators_say_what_letters_may_carry(database: Database, office: Office) -> None:
    for who, error in (
        (None, UnauthenticatedError),
        (office.anna, ForbiddenError),
        (await storage.user(None, "manager"), NotFoundError),
    ):
        request = await storage.request(database, who)
        await refuse(database, agencies.set_passwords_in_letters(request, allowed=True), error)
    other = await storage.agency("sued")
    request = await storage.request(database, office.boss)
    for _ in range(2):
        found = await agencies.set_passwords_in_letters(request, allowed=True)
        assert (found.id, found.passwords_in_letters) == (office.agency.id, True)
    assert await audited("agency.passwords_in_letters") == [
        {
            "actor": office.boss.id,
            "subject": ("agency", office.agency.id),
            "from": "192.0.2.7",
            "allowed": True,
        }
    ]
    await other.refresh_from_db()
    assert other.passwords_in_letters is False


# ---------------------------------------------------------------- whole or not at all


async def test_a_letter_that_cannot_be_written_leaves_nothing(
    database: Database, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> bytes:
        raise RuntimeError("no room")

    monkeypatch.setattr(outbox, "sealed", fail)
    request: Request = await storage.request(database, office.anna)
    before = await contents(database)
    with pytest.raises(RuntimeError):
        await credentials.send(request, asked(office.desk))
    assert await contents(database) == before


# ---------------------------------------------------------------- addresses that suggest themselves


async def test_private_addresses_suggest_themselves_to_those_who_may_read_them(
    database: Database, office: Office
) -> None:
    people = {
        name: await storage.user(office.agency, name, email=address, **more)
        for name, address, more in (
            ("zoe", "zoe@home.example", {}),
            ("ben", "ben@home.example", {}),
            ("mute", None, {}),
            ("itself", "Desk+x@nord.example", {}),
            ("locked", "locked@home.example", {"state": UserState.LOCKED}),
            ("former", "former@home.example", {}),
        )
    }
    for name, who in people.items():
        await storage.period(office.desk, who, until=clock.now() if name == "former" else None)
    await User.filter(id=office.anna.id).update(email="anna@home.example")

    async def suggested(who: User) -> list[tuple[str, UUID]]:
        request = await storage.request(database, who)
        box = await mailboxes.by_id(request, office.desk.id)
        assert box is not None
        return [(each.address, each.user_id) for each in await recipients.suggested(request, box)]

    assert await suggested(office.boss) == [
        ("anna@home.example", office.anna.id),
        ("ben@home.example", people["ben"].id),
        ("zoe@home.example", people["zoe"].id),
    ]
    assert await suggested(people["zoe"]) == [("zoe@home.example", people["zoe"].id)]
    assert await suggested(people["mute"]) == []
