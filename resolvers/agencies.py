"""Agencies: their own people read theirs, account managers all of them, and switch their modules."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from models import audit
from models.folding import sort_key
from models.lateral import Parameters, contains
from models.tables.agencies import ModuleName
from resolvers import batches
from resolvers.acting import acting_user
from resolvers.cursors import Kind
from resolvers.errors import AccountManagerContact, ForbiddenError, NotFoundError
from resolvers.listings import Key, Listing
from resolvers.node_ids import NodeKind, decode_as, encode
from resolvers.paging import Connection
from resolvers.text import search as search_words
from resolvers.windows import Arguments

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models.database import Unit
    from resolvers.request import Request


@dataclass(frozen=True, slots=True)
class Agency:
    """A customer, and whom it asks; null where no contact is known."""

    id: UUID
    name: str
    account_manager: AccountManagerContact | None
    passwords_in_letters: bool

    @property
    def node_id(self) -> str:
        """The global id."""
        return encode(NodeKind.AGENCY, self.id)


@dataclass(frozen=True, slots=True)
class Module:
    """A paid feature, and whether the agency has it."""

    name: ModuleName
    enabled: bool


_COLUMNS = "g.id, g.name, g.contact_name, g.contact_email, g.contact_phone, g.passwords_in_letters"
_ORDER = (Key("g.fold_name", Kind.TEXT), Key("g.id", Kind.ID))


def contact(row: Mapping[str, Any]) -> AccountManagerContact | None:
    """Return the account manager in a row with the columns `contact_…`; None without name and address."""
    if row["contact_name"] is None or row["contact_email"] is None:
        return None
    return AccountManagerContact(row["contact_name"], row["contact_email"], row["contact_phone"])


def read(row: Mapping[str, Any]) -> Agency:
    """Return the agency in a row."""
    return Agency(row["id"], row["name"], contact(row), row["passwords_in_letters"])


# ---------------------------------------------------------------- reads


async def by_id(request: Request, agency_id: UUID) -> Agency | None:
    """Return an agency, loaded together with the others of its level; None where the viewer may not read it."""
    viewer = request.signed_in()
    if not viewer.manages_accounts and viewer.agency_id != agency_id:
        return None
    return await batches.batch(request, "agencies by id", partial(_load, request)).get(agency_id)


async def _load(request: Request, keys: list[UUID]) -> dict[UUID, Agency]:
    rows = await request.database.fetch(
        f"SELECT {_COLUMNS} FROM agencies g WHERE g.id = ANY($1::uuid[])", keys
    )
    return {row["id"]: read(row) for row in rows}


async def own(request: Request) -> Agency | None:
    """Return the viewer's agency; None for an account manager."""
    member = request.member()
    return None if member is None else await by_id(request, member[1])


def list_all(request: Request, arguments: Arguments, search: str | None) -> Connection[Agency]:
    """Return every agency by name. Whether the viewer is an account manager is not asked here.

    With `search` those in whose name every word of it occurs, whatever case and accents.
    Raises `InvalidInputError` for a search of more than 200 characters.
    """
    parameters = Parameters()
    conditions = [
        contains("g.fold_name", sort_key(word), parameters, is_sqlite=request.database.is_sqlite)
        for word in search_words(search, ["search"])
    ]
    listing = Listing(_COLUMNS, "agencies g", " AND ".join(conditions) or "true", _ORDER)
    return Connection(request, listing, arguments, read, values=parameters.values)


async def domains(request: Request, agency_id: UUID) -> list[str]:
    """Return an agency's domains by name. The agency was read before, so the viewer may."""

    async def load(keys: list[UUID]) -> dict[UUID, list[str]]:
        return await _names(
            request, "SELECT agency_id, name FROM domains WHERE agency_id = {} ORDER BY name", keys
        )

    return await batches.batch(request, "domains", load).get(agency_id) or []


async def office_groups(request: Request, agency_id: UUID) -> list[str]:
    """Return the names of an agency's office groups in use, sorted. For its administrators; not asked here."""

    async def load(keys: list[UUID]) -> dict[UUID, list[str]]:
        statement = "SELECT agency_id, name FROM office_groups WHERE agency_id = {} ORDER BY name"
        return await _names(request, statement, keys)

    return await batches.batch(request, "office groups of agencies", load).get(agency_id) or []


async def _names(request: Request, statement: str, keys: list[UUID]) -> dict[UUID, list[str]]:
    found: dict[UUID, list[str]] = {}
    for row in await request.database.fetch(statement.format("ANY($1::uuid[])"), keys):
        found.setdefault(row["agency_id"], []).append(row["name"])
    return found


async def modules(request: Request, agency_id: UUID) -> list[Module]:
    """Return every module in the order of `ModuleName`, and whether the agency has it."""

    async def load(keys: list[UUID]) -> dict[UUID, list[str]]:
        statement = "SELECT agency_id, name FROM modules WHERE agency_id = {} AND enabled"
        return await _names(request, statement, keys)

    enabled = await batches.batch(request, "modules", load).get(agency_id) or []
    return [Module(name, name.value in enabled) for name in ModuleName]


# ---------------------------------------------------------------- units of work


async def set_module(request: Request, agency_id: str, module: ModuleName, *, enabled: bool) -> Agency:
    """Switch a module of an agency on or off, as an account manager; what it is already changes nothing.

    Raises `ForbiddenError` for those who read the agency, `NotFoundError` for everybody else's.
    """
    viewer = request.signed_in()
    wanted = decode_as(NodeKind.AGENCY, agency_id)
    if wanted is None or not (viewer.manages_accounts or viewer.agency_id == wanted):
        raise NotFoundError("There is no such agency.", ["agencyId"])
    if not viewer.manages_accounts:
        raise ForbiddenError("Modules are switched by the account manager.")

    async def work(unit: Unit) -> Agency:
        await unit.lock_agency(wanted, alone=True)
        acting = await acting_user(unit, request)
        row = await unit.fetch_one(f"SELECT {_COLUMNS} FROM agencies g WHERE g.id = $1", wanted)
        if row is None:
            raise NotFoundError("There is no such agency.", ["agencyId"])
        if await _switch(unit, wanted, module, enabled=enabled):
            await audit.record(
                unit,
                "agency.module",
                agency_id=wanted,
                actor_id=acting.id,
                remote_address=request.remote_address,
                subject=("agency", wanted),
                details={"module": module.value, "enabled": enabled},
            )
        return read(row)

    return await request.database.transact(work)


async def set_passwords_in_letters(request: Request, *, allowed: bool) -> Agency:
    """Say whether letters of the viewer's agency may carry a password; what it is already changes nothing.

    A letter that waits with a password in it does not leave any more when they may not. Raises `NotFoundError` for those of no
    agency and `ForbiddenError` for all but administrators.
    """
    member = request.member()
    if member is None:
        raise NotFoundError("There is no agency to set that for.")
    agency_id = member[1]

    async def work(unit: Unit) -> Agency:
        # Alone: no letter is asked for by a right that is just being taken away.
        await unit.lock_agency(agency_id, alone=True)
        acting = await acting_user(unit, request)
        if not acting.administers:
            raise ForbiddenError("Only administrators say what letters may carry.")
        row = await unit.fetch_one(f"SELECT {_COLUMNS} FROM agencies g WHERE g.id = $1", agency_id)
        if row is None:
            raise NotFoundError("There is no agency to set that for.")
        agency = read(row)
        if agency.passwords_in_letters == allowed:
            return agency
        await unit.execute("UPDATE agencies SET passwords_in_letters = $2 WHERE id = $1", agency_id, allowed)
        await audit.record(
            unit,
            "agency.passwords_in_letters",
            agency_id=agency_id,
            actor_id=acting.id,
            remote_address=request.remote_address,
            subject=("agency", agency_id),
            details={"allowed": allowed},
        )
        unit.after_commit(request.services.outbox.wake)
        return replace(agency, passwords_in_letters=allowed)

    return await request.database.transact(work)


async def _switch(unit: Unit, agency_id: UUID, module: ModuleName, *, enabled: bool) -> bool:
    """Return whether that changed something."""
    row = await unit.fetch_one(
        "SELECT id, enabled FROM modules WHERE agency_id = $1 AND name = $2", agency_id, module.value
    )
    if (row is not None and row["enabled"]) == enabled:
        return False
    if row is None:
        await unit.execute(
            "INSERT INTO modules (id, agency_id, name, enabled) VALUES ($1, $2, $3, $4)",
            uuid4(),
            agency_id,
            module.value,
            enabled,
        )
    else:
        await unit.execute("UPDATE modules SET enabled = $2 WHERE id = $1", row["id"], enabled)
    return True
