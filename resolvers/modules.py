"""The modules of an agency, as far as switching something on asks for one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resolvers.agencies import contact
from resolvers.errors import ModuleNotEnabledError

if TYPE_CHECKING:
    from uuid import UUID

    from models.database import Unit
    from models.tables.agencies import ModuleName


async def require(unit: Unit, agency_id: UUID, module: ModuleName, message: str) -> None:
    """Raise `ModuleNotEnabledError`, with the account manager to ask, where the agency lacks the module.

    The unit holds the agency's lock, so that the module stays as it is until it ends.
    """
    row = await unit.fetch_one(
        "SELECT a.contact_name, a.contact_email, a.contact_phone, "
        "EXISTS (SELECT 1 FROM modules o "
        "WHERE o.agency_id = a.id AND o.name = $2 AND o.enabled) AS is_enabled "
        "FROM agencies a WHERE a.id = $1",
        agency_id,
        module.value,
    )
    if row is None or not row["is_enabled"]:
        raise ModuleNotEnabledError(message, module, None if row is None else contact(row))
