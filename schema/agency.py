"""Agencies and their modules. The objects behind these types are `resolvers.agencies`'."""

from __future__ import annotations

from typing import Annotated, Any

import strawberry

from resolvers import agencies
from resolvers.agencies import Agency as AgencyRecord
from resolvers.node_ids import NodeKind
from schema.connections import After, Before, Connection, First, Last, Search, arguments, given
from schema.context import Info
from schema.enums import ModuleName
from schema.node import Node, loads
from schema.payloads import Answers, Payload
from schema.permissions import AdministersAgency, ManagesAccounts, null_unless, signed_in


@strawberry.type(description="A paid feature (Zusatzmodul), and whether the agency has it.")
class Module:
    """`resolvers.agencies.Module`."""

    name: ModuleName = strawberry.field(description="Which one.")
    enabled: bool = strawberry.field(description="Whether it is switched on.")


@strawberry.type(description="The provider's contact for an agency (Kundenbetreuer).")
class AccountManager:
    """`resolvers.errors.AccountManagerContact`."""

    name: str = strawberry.field(description="The person's name.")
    email: str = strawberry.field(description="Where to write to.")
    phone: str | None = strawberry.field(description="Where to call; null when no number is known.")


async def _domains(root: strawberry.Parent[AgencyRecord], info: Info) -> list[str]:
    return await agencies.domains(info.context.request, root.id)


async def _modules(root: strawberry.Parent[AgencyRecord], info: Info) -> Any:
    return await agencies.modules(info.context.request, root.id)


async def _office_groups(root: strawberry.Parent[AgencyRecord], info: Info) -> list[str]:
    return await agencies.office_groups(info.context.request, root.id)


@strawberry.type(description="A customer (Kundenversion): nothing crosses from one to another.")
class Agency(Node):
    """`resolvers.agencies.Agency`."""

    name: str = strawberry.field(description="What it is called.")
    domains: list[str] = strawberry.field(
        resolver=_domains, description="Its mail domains, sorted. A domain belongs to one agency."
    )
    modules: list[Module] = strawberry.field(
        resolver=_modules, description="Every module there is, in the order of ModuleName."
    )
    account_manager: AccountManager | None = strawberry.field(
        description="Whom to ask for a module; null when no contact is known."
    )
    passwords_in_letters: bool = strawberry.field(
        description="Whether letters may carry a password; off at first."
    )
    office_groups: list[str] | None = strawberry.field(
        resolver=_office_groups,
        description="The office groups in use, sorted, for a picker. Administrators of this agency.",
        extensions=null_unless(AdministersAgency()),
    )

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        """Recognise what the resolvers return."""
        return isinstance(obj, AgencyRecord)


async def _agency(info: Info) -> Any:
    return await agencies.own(info.context.request)


def _agencies(
    info: Info,
    first: First = strawberry.UNSET,
    after: After = strawberry.UNSET,
    last: Last = strawberry.UNSET,
    before: Before = strawberry.UNSET,
    search: Search = strawberry.UNSET,
) -> Any:
    return agencies.list_all(info.context.request, arguments(first, after, last, before), given(search))


@strawberry.type
class AgencyQuery:
    """Reading agencies."""

    agency: Agency | None = strawberry.field(
        resolver=_agency,
        description="The viewer's agency; null for an account manager.",
        extensions=signed_in(),
    )
    agencies: Connection[Agency] | None = strawberry.field(
        resolver=_agencies,
        description="Every agency, by name. Account managers only: null for everybody else.",
        extensions=[*null_unless(ManagesAccounts()), *signed_in()],
    )


@strawberry.type(description="An agency as it is after the mutation.")
class AgencyPayload(Payload):
    """Made by `Answers`."""

    agency: Agency | None = strawberry.field(
        description="The agency; null when there are errors.", default=None
    )


async def _set_module(
    info: Info,
    agency_id: Annotated[strawberry.ID, strawberry.argument(description="The agency.")],
    module: Annotated[ModuleName, strawberry.argument(description="Which module.")],
    enabled: Annotated[bool, strawberry.argument(description="Whether the agency has it from now on.")],
) -> Any:
    return await agencies.set_module(info.context.request, agency_id, module, enabled=enabled)


async def _set_passwords_in_letters(
    info: Info,
    allowed: Annotated[bool, strawberry.argument(description="Whether they may from now on.")],
) -> Any:
    return await agencies.set_passwords_in_letters(info.context.request, allowed=allowed)


@strawberry.type
class AgencyMutation:
    """Changing agencies."""

    set_module: AgencyPayload = strawberry.field(
        resolver=_set_module,
        description=(
            "Switches a module of an agency. Account managers only. What is VIP already stays guarded without the module."
        ),
        extensions=[*signed_in(), Answers("agency")],
    )
    set_passwords_in_letters: AgencyPayload = strawberry.field(
        resolver=_set_passwords_in_letters,
        description=(
            "Says whether letters of the viewer's agency may carry a password. Administrators. When they may not any more, a "
            "letter with a password that still waits is not sent."
        ),
        extensions=[*signed_in(), Answers("agency")],
    )


loads(NodeKind.AGENCY, agencies.by_id)
