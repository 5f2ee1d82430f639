"""The world in which the matrix is walked, and the door before it."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from models import clock
from models.database import Database
from models.tables.agencies import ModuleName
from models.tables.audit import AuditEvent
from models.tables.mailboxes import Assignment, MailboxEvent
from models.tables.users import ReadLevel, Role, User, UserState
from resolvers import sessions
from resolvers.errors import UnauthenticatedError
from resolvers.node_ids import NodeKind, encode
from resolvers.request import Request
from resolvers.services import Services
from resolvers.tokens import TokenPair
from tests import storage
from tests.resolvers.offices import new_password
from tests.resolvers.signing_in import PASSWORD, person
from tests.schema.asking import Asking

MAIL: dict[str, Any] = {
    "part": "RECEIVING",
    "sender": "buyer@web.example",
    "recipients": ["a@nord.example"],
    "subject": "Haus am See",
    "text": "Guten Tag",
    "mailDate": "2024-03-01T08:00:00Z",
    "contactReferences": ["K-17"],
    "propertyReferences": ["P-4"],
}
BOOK = """mutation ($input: BookMailInput!) {
  bookMail(input: $input) { activities { id kind } errors { code message } }
}"""
SWITCH = """mutation ($box: ID!, $vip: Boolean!) {
  setMailboxActive(mailboxId: $box, active: false) { errors { code } }
  setMailboxVip(mailboxId: $box, vip: $vip, confirm: true) { errors { code } }
}"""
SEND = """mutation ($box: ID!) {
  sendMailboxCredentials(input: {mailboxId: $box, to: "ben@home.example"}) { delivery { id } errors { code message } }
}"""
SETTLED = "UPDATE credential_deliveries SET state = 'SENT', sent_at = requested_at, opened_at = requested_at, failure = 'x'"
TEXTS = {"address", "login", "password", "refreshToken"}
READS_ALL = {"activity_read_level": ReadLevel.ALL, "agents_log_read_level": ReadLevel.ALL}


@dataclass(frozen=True)
class World:
    """Everybody who asks, by column, and every id that a probe names."""

    people: dict[str, User]
    ids: dict[str, str]
    services: Services
    database: Database

    async def token(self, column: str) -> str | None:
        """An access token of a new session; none for nobody."""
        who = self.people.get(column)
        return None if who is None else (await self._tokens(who)).access

    async def refresh_token(self) -> str:
        """A refresh token of a new session of the concerned user."""
        return (await self._tokens(self.people["concerned"])).refresh

    async def _tokens(self, who: User) -> TokenPair:
        viewer = await storage.viewer(who)
        return self.services.tokens.pair(viewer.session_id, 1, clock.now() + timedelta(days=1))

    async def enter(self, token: str | None) -> Request | None:
        """The request of whoever comes with this token; None where the door does not open."""
        if token is None:
            return Request(self.database, self.services, None, "192.0.2.7")
        try:
            viewer = await sessions.viewer_of_token(self.database, self.services, token)
        except UnauthenticatedError:
            return None
        return Request(self.database, self.services, viewer, "192.0.2.7")


async def build(asking: Asking) -> World:
    """One agency in which no field is null for want of a value, and another."""
    nord = await storage.agency("nord", modules=tuple(ModuleName), contact_phone="+49 40 1")
    sued = await storage.agency("sued")
    boss = await person(nord, "boss", role=Role.ADMINISTRATOR, **READS_ALL)
    ben = await person(nord, "ben", email="ben@home.example", email_name="Ben", **READS_ALL)
    anna = await person(nord, "anna", **READS_ALL)
    former = {"role": Role.ADMINISTRATOR, **READS_ALL}
    people = {
        "user": anna,
        "concerned": ben,
        "administrator": boss,
        "account manager": await person(None, "manager"),
        "stranger": await person(sued, "boss", role=Role.ADMINISTRATOR, **READS_ALL),
        "locked": await person(nord, "locked", state=UserState.LOCKED, **former),
        "deactivated": await person(nord, "gone", state=UserState.DEACTIVATED, **former),
    }
    ids = {
        "nord": encode(NodeKind.AGENCY, nord.id),
        "ben": encode(NodeKind.USER, ben.id),
        "anna": encode(NodeKind.USER, anna.id),
        "address": "desk@nord.example",
        "login": ben.login,
        "password": PASSWORD,
    }
    for local in ("desk", "chef"):
        box = await storage.mailbox(nord, local, email_name=local.title(), vip=local == "desk")
        past = await storage.period(box, ben, until=storage.LONG_AGO + timedelta(days=1))
        await storage.period(box, ben, since=storage.LONG_AGO + timedelta(days=2))
        ids[local] = encode(NodeKind.MAILBOX, box.id)
        ids[f"{local}Period"] = encode(NodeKind.MAILBOX_ASSIGNMENT, past.id)
        switched = await asking.data(boss, SWITCH, box=ids[local], vip=local == "chef")
        assert switched == {"setMailboxActive": {"errors": []}, "setMailboxVip": {"errors": []}}
        await new_password(asking.database, asking.services.seals, box)
        event = await MailboxEvent.filter(mailbox_id=box.id).first()
        assert event is not None
        ids[f"{local}Event"] = encode(NodeKind.MAILBOX_EVENT, event.id)
        mail = {**MAIL, "mailboxId": ids[local], "messageId": f"{local}@web.example"}
        booked = await asking.payload(ben, BOOK, input=mail)
        assert booked["errors"] == []
        sent = await asking.payload(ben, SEND, box=ids[local])
        assert sent["errors"] == []
        ids[f"{local}Letter"] = sent["delivery"]["id"]
        prefix = "open" if local == "desk" else "guarded"
        for activity in booked["activities"]:
            suffix = {"ACTIVITY": "Activity", "AGENTS_LOG": "Log"}[activity["kind"]]
            ids[prefix + suffix] = activity["id"]
    await asking.database.execute("DELETE FROM outbox_letters")
    await asking.database.execute(SETTLED)
    told = await AuditEvent.filter(agency_id=nord.id, action="mailbox.vip_on").get()
    ids["auditEvent"] = encode(NodeKind.AUDIT_EVENT, told.id)
    assert await Assignment.filter(until=None).count() == len(("desk", "chef"))
    return World(people, ids, asking.services, asking.database)


def declared(document: str) -> str:
    """The declarations of the variables that a document uses."""
    used = dict.fromkeys(re.findall(r"\$(\w+)", document))
    return ", ".join(f"${name}: {'String!' if name in TEXTS else 'ID!'}" for name in used)
