"""What is settled about a letter stays, and a letter that was accepted or given up does not: the database says so itself."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest
from tortoise.exceptions import IntegrityError

from models import clock
from models.credential_deliveries import ASKED, DEATH, LINK_LIFETIME
from models.database import Database
from models.tables.letters import CredentialContent, CredentialDelivery, DeliveryState, OutboxLetter
from models.tables.users import Role, UserState
from tests import storage
from tests.models.settled import Stored, refuse, store
from tests.storage import contents

pytestmark = pytest.mark.asyncio


@dataclass
class Asked:
    """A letter that waits, in the agency of `stored`."""

    stored: Stored
    delivery: CredentialDelivery


async def ask(database: Database, **columns: object) -> Asked:
    stored = await store(database)
    await database.execute(
        "INSERT INTO mailbox_passwords (mailbox_id, agency_id, version, sealed, hash, changed_at)"
        " VALUES ($1, $2, 1, 's', 'h', $3)",
        stored.desk.id,
        stored.home.id,
        clock.now(),
    )
    return Asked(stored, await letter(stored, **columns))


async def letter(stored: Stored, **columns: object) -> CredentialDelivery:
    """A letter about the mailbox desk that anna asked for, waiting."""
    now = clock.now()
    plain: dict[str, Any] = {
        "agency_id": stored.home.id,
        "mailbox_id": stored.desk.id,
        "requested_by_id": stored.anna.id,
        "to_address": "anna@home.example",
        "fold_to": "anna@home.example",
        "content": CredentialContent.ONE_TIME_LINK,
        "language": "de",
        "state": DeliveryState.QUEUED,
        "attempts": 0,
        "requested_at": now,
        "expires_at": now + LINK_LIFETIME,
        "password_version": 1,
        "token_hash": uuid4().hex * 2,
    }
    made = await CredentialDelivery.create(**(plain | columns))
    await OutboxLetter.create(
        delivery_id=made.id, agency_id=stored.home.id, sealed="v1.k.x", next_attempt_at=now
    )
    return made


async def death(database: Database, delivery_id: UUID) -> str | None:
    row = await database.fetch_one(f"SELECT {DEATH} AS death FROM {ASKED} WHERE d.id = $1", delivery_id)
    assert row is not None
    found: str | None = row["death"]
    return found


CHANGES = (
    "to_address = 'other@home.example'",
    "fold_to = 'other@home.example'",
    "content = 'PASSWORD', token_hash = NULL, expires_at = NULL",
    "language = 'en'",
    "requested_at = '2019-01-01T00:00:00.000000Z'",
    "expires_at = '2099-01-01T00:00:00.000000Z'",
    "password_version = 2",
    "token_hash = 'x'",
    "requested_by_id = '{gone}'",
    "mailbox_id = '{foreign}', agency_id = '{abroad}'",
    "state = 'SENT'",
    # It still waits.
    "state = 'SENT', sent_at = '2099-01-01T00:00:00.000000Z'",
    "state = 'FAILED'",
)


async def test_what_a_letter_is_about_never_changes(database: Database) -> None:
    asked = await ask(database)
    for change in CHANGES:
        await refuse(database, "UPDATE credential_deliveries SET " + change.format(**asked.stored.names()))


async def test_a_letter_is_kept_and_its_outcome_is_final(database: Database) -> None:
    asked = await ask(database)
    await refuse(database, "DELETE FROM credential_deliveries")
    if database.is_sqlite:
        await refuse(database, "REPLACE INTO credential_deliveries SELECT * FROM credential_deliveries")
    else:
        await refuse(database, "TRUNCATE credential_deliveries CASCADE")
    await database.execute("DELETE FROM outbox_letters")
    now = clock.now()
    await database.execute("UPDATE credential_deliveries SET state = 'SENT', sent_at = $1", now)
    await refuse(database, "UPDATE credential_deliveries SET state = 'QUEUED', sent_at = NULL")
    await refuse(database, "UPDATE credential_deliveries SET state = 'FAILED', sent_at = NULL")
    await refuse(database, "UPDATE credential_deliveries SET sent_at = $1", now + LINK_LIFETIME)
    await refuse(
        database,
        "INSERT INTO outbox_letters (delivery_id, agency_id, sealed, next_attempt_at) VALUES ($1, $2, 's', $3)",
        asked.delivery.id,
        asked.stored.home.id,
        now,
    )
    await database.execute("UPDATE credential_deliveries SET opened_at = $1", now)
    await refuse(database, "UPDATE credential_deliveries SET opened_at = NULL")
    await refuse(database, "UPDATE credential_deliveries SET opened_at = $1", now + LINK_LIFETIME)


APART = (
    "'ONE_TIME_LINK', 'QUEUED', NULL, NULL, NULL, NULL",
    "'ONE_TIME_LINK', 'QUEUED', requested_at, NULL, NULL, NULL",
    "'PASSWORD', 'QUEUED', NULL, 'x', NULL, NULL",
    "'PASSWORD', 'QUEUED', NULL, NULL, NULL, requested_at",
    "'PASSWORD', 'QUEUED', NULL, NULL, requested_at, NULL",
    "'PASSWORD', 'SENT', NULL, NULL, NULL, NULL",
)


async def test_link_state_and_times_belong_together(database: Database) -> None:
    await ask(database)
    before = await contents(database)
    for columns in APART:
        statement = (
            "INSERT INTO credential_deliveries (id, agency_id, mailbox_id, requested_by_id, to_address, fold_to,"
            " language, attempts, requested_at, password_version, content, state, expires_at, token_hash, sent_at,"
            " opened_at) SELECT $1, agency_id, mailbox_id, requested_by_id, to_address, fold_to, language, 0,"
            f" requested_at, 1, {columns} FROM credential_deliveries"
        )
        with pytest.raises(
            IntegrityError, match=r"belong together|credential_deliveries_(link|expires|sent|opened)"
        ):
            await database.execute(statement, uuid4())
        assert await contents(database) == before


async def test_nothing_refers_across_agencies(database: Database) -> None:
    asked = await ask(database)
    plain = ["agency_id", "mailbox_id", "requested_by_id"]
    for column, named in (("mailbox_id", "foreign"), ("requested_by_id", "stranger")):
        chosen = ", ".join(f"'{asked.stored.names()[named]}'" if each == column else each for each in plain)
        await refuse(
            database,
            (
                f"INSERT INTO credential_deliveries (id, {', '.join(plain)}, to_address, fold_to, content, language,"
                " state, attempts, requested_at, password_version)"
                f" SELECT '{uuid4()}', {chosen}, to_address, fold_to, 'PASSWORD', language, state, 0,"
                " requested_at, 1 FROM credential_deliveries"
            ),
        )
    await refuse(database, "UPDATE outbox_letters SET agency_id = $1", asked.stored.abroad.id)


async def test_a_token_and_a_request_are_of_one_letter(database: Database) -> None:
    asked = await ask(database, request_id="once")
    copy = (
        "INSERT INTO credential_deliveries (id, agency_id, mailbox_id, requested_by_id, to_address, fold_to, content,"
        " language, state, attempts, requested_at, expires_at, password_version, token_hash, request_id)"
        " SELECT $1, agency_id, mailbox_id, requested_by_id, to_address, fold_to, content, language, state, attempts,"
        " requested_at, expires_at, password_version, {}, {} FROM credential_deliveries WHERE id = $2"
    )
    await refuse(database, copy.format("token_hash", "NULL"), uuid4(), asked.delivery.id)
    await refuse(database, copy.format("'other'", "request_id"), uuid4(), asked.delivery.id)
    await database.execute(copy.format("'other'", "'another'"), uuid4(), asked.delivery.id)


async def test_a_letter_lives_while_the_right_and_the_password_do(database: Database) -> None:
    asked = await ask(database)
    stored, delivery_id = asked.stored, asked.delivery.id
    assert await death(database, delivery_id) is None
    user = "UPDATE users SET state = $1 WHERE id = $2"
    await database.execute(user, UserState.LOCKED, stored.anna.id)
    assert await death(database, delivery_id) == "RIGHTS"
    await database.execute(user, UserState.ACTIVE, stored.anna.id)
    assert await death(database, delivery_id) is None
    await database.execute("UPDATE assignments SET until = $1 WHERE until IS NULL", clock.now())
    assert await death(database, delivery_id) == "RIGHTS"
    await database.execute("UPDATE users SET role = $1 WHERE id = $2", Role.ADMINISTRATOR, stored.anna.id)
    assert await death(database, delivery_id) is None
    vip = "UPDATE mailboxes SET vip = $1 WHERE id = $2"
    await database.execute(vip, True, stored.desk.id)  # noqa: FBT003 (a column)
    assert await death(database, delivery_id) == "RIGHTS"
    await database.execute(vip, False, stored.desk.id)  # noqa: FBT003
    await database.execute("UPDATE mailbox_passwords SET version = 2")
    assert await death(database, delivery_id) == "RENEWED"


async def test_a_newer_letter_for_the_mailbox_ends_an_older_one(database: Database) -> None:
    asked = await ask(database)
    elsewhere = await storage.mailbox(asked.stored.home, "sales")
    await database.execute(
        "INSERT INTO mailbox_passwords (mailbox_id, agency_id, version, sealed, hash, changed_at)"
        " VALUES ($1, $2, 1, 's', 'h', $3)",
        elsewhere.id,
        asked.stored.home.id,
        clock.now(),
    )
    await letter(asked.stored, mailbox_id=elsewhere.id)
    assert await death(database, asked.delivery.id) is None
    newer = await letter(asked.stored, to_address="boss@home.example")
    assert await death(database, asked.delivery.id) == "NEWER"
    assert await death(database, newer.id) is None


async def test_a_password_in_a_letter_lives_while_the_agency_allows_it(database: Database) -> None:
    asked = await ask(database, content=CredentialContent.PASSWORD, token_hash=None, expires_at=None)
    assert await death(database, asked.delivery.id) == "NOT_ALLOWED"
    await database.execute(
        "UPDATE agencies SET passwords_in_letters = $1 WHERE id = $2",
        True,  # noqa: FBT003 (a column)
        asked.stored.home.id,
    )
    assert await death(database, asked.delivery.id) is None
