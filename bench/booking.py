"""Bookings a second through `bookMail`, beside the bare inserts of the same rows in one transaction each.

    python -m bench booking [--entries N] [--rounds N] [--seconds N] [--connections N]

Each connection books new e-mails at a mailbox of its own, and nobody listens for what is booked. The bare inserts go over as many
connections to the database, by prepared statements, without HTTP, a rule, a lock or an audit: four of them in a transaction.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from dataclasses import dataclass
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import uvloop

from bench import commands
from bench.contestants import Postfach, cpu_seconds, served
from bench.databases import machine
from bench.load import Asked, Load, run
from models import bulk, clock
from models.mails import identity, preview, search_text
from resolvers import node_ids
from resolvers.node_ids import NodeKind

BOOK = """mutation Book($input: BookMailInput!) {
  bookMail(input: $input) { activities { id occurredAt vip } errors { code message path } }
}"""
TEXT = "Sehr geehrte Damen und Herren, bitte senden Sie mir Unterlagen zu Ihrem Angebot. " * 3
LARGEST_RATE = 1_500
"""So many bookings a second are prepared."""


@dataclass(frozen=True, slots=True)
class Writer:
    """Somebody who is assigned to a mailbox now."""

    login: str
    id: UUID
    agency_id: UUID
    mailbox_id: UUID
    address: str


async def writers(url: str, number: int = 16) -> list[Writer]:
    """Return people, each with another mailbox."""
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(
            "SELECT DISTINCT ON (o.address) u.login, u.id, u.agency_id, o.id AS mailbox_id, o.address FROM assignments a "
            "JOIN users u ON u.id = a.user_id JOIN mailboxes o ON o.id = a.mailbox_id WHERE a.until IS NULL "
            "ORDER BY o.address, u.login LIMIT $1",
            number,
        )
        return [Writer(*row) for row in rows]
    finally:
        await connection.close()


def mail(writer: Writer, mark: str) -> dict[str, Any]:
    """Return an e-mail that the writer's mailbox reads, another one for each mark."""
    return {
        "messageId": f"{mark}@bench.example",
        "sender": "kunde@web.example",
        "recipients": [writer.address],
        "subject": f"Anfrage {mark}",
        "text": TEXT,
        "contactReferences": [f"K-{mark}"],
    }


def bookings(server: Postfach, people: list[Writer], turn: int, number: int) -> list[Asked]:
    """Return requests that book so many new e-mails; those at one place of as many as there are people are of one of them."""
    return [
        server.operation(
            writer.login,
            BOOK,
            {
                "input": {
                    "mailboxId": node_ids.encode(NodeKind.MAILBOX, writer.mailbox_id),
                    "part": "RECEIVING",
                    **mail(writer, f"{turn}.{place}"),
                }
            },
        )
        for place in range(number)
        for writer in (people[place % len(people)],)
    ]


def rows_of(writer: Writer, mark: str) -> dict[str, tuple[Any, ...]]:
    """Return the rows that a booking leaves behind."""
    content, mail_id, moment = mail(writer, mark), uuid4(), clock.now()
    message_id, sender, recipients = content["messageId"], content["sender"], content["recipients"]
    subject, text = content["subject"], content["text"]
    return {
        "mails": (
            *(
                mail_id,
                writer.agency_id,
                identity(message_id, sender, recipients, subject, text),
                message_id,
                sender,
            ),
            *(
                "\n".join(recipients),
                subject,
                preview(text),
                text,
                search_text(subject, text, sender, recipients),
                None,
            ),
        ),
        "mail_mailboxes": (writer.agency_id, mail_id, writer.mailbox_id, 1),
        "bookings": (
            *(uuid4(), writer.agency_id, mail_id, writer.mailbox_id, "RECEIVING", moment, writer.id, 1),
        ),
        "activities": (
            *(uuid4(), writer.agency_id, mail_id, "ACTIVITY", "INCOMING", f"K-{mark}", None, moment, False),
            *(writer.mailbox_id, 1),
        ),
    }


async def bare(url: str, people: list[Writer], turn: int, seconds: float) -> float:
    """Insert rows as fast as it goes; return how many e-mails a second."""
    done, end = 0, 0.0

    async def insert(connection: asyncpg.Connection[asyncpg.Record], writer: Writer) -> None:
        nonlocal done
        statements = {
            table: await connection.prepare(
                f"INSERT INTO {table} ({', '.join(columns)}) VALUES "
                f"({', '.join(f'${place}' for place in range(1, len(columns) + 1))})"
            )
            for table, columns in bulk.COLUMNS.items()
            if table in {"mails", "mail_mailboxes", "bookings", "activities"}
        }
        for number in count():
            if time.monotonic() >= end:
                return
            rows = rows_of(writer, f"bare{turn}.{number}.{writer.mailbox_id}")
            async with connection.transaction():
                for table, row in rows.items():
                    await statements[table].fetch(*row)
            done += 1

    connections = [await asyncpg.connect(url) for _ in people]
    begun = time.monotonic()
    end = begun + seconds
    await asyncio.gather(*map(insert, connections, people))
    taken = time.monotonic() - begun
    for connection in connections:
        await connection.close()
    return done / taken


def main(arguments: list[str]) -> None:
    """Run the measurement."""
    parser = commands.parser_of_rounds("booking", __doc__)
    chosen = parser.parse_args(arguments)
    print(machine())
    with served(chosen.entries) as (_, url, server):
        people = asyncio.run(writers(url, chosen.connections))
        ours, limit, spent = [], [], []
        for turn in range(-1, chosen.rounds):
            seconds = chosen.seconds if turn >= 0 else 1.0
            requests = bookings(server, people, turn, int(LARGEST_RATE * seconds))
            before = cpu_seconds(server.process)
            measured = run(Load(server.port, seconds, requests, chosen.connections, once=True, same=False))
            assert not measured.failures, measured.failures[0]
            processor = 1e6 * (cpu_seconds(server.process) - before) / measured.answers
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                inserted = runner.run(bare(url, people, turn, seconds))
            if turn >= 0:
                ours.append(measured.per_second)
                limit.append(inserted)
                spent.append(processor)
                print(
                    f"round {turn + 1}: bookMail {measured.per_second:.0f} a second, bare inserts {inserted:.0f}",
                    flush=True,
                )
        rate, bound = statistics.median(ours), statistics.median(limit)
        print(
            f"bookMail {rate:.0f} a second, bare inserts {bound:.0f}: {rate / bound:.2f} of them; "
            f"of the server's processor {statistics.median(spent):.0f} µs a booking"
        )
