"""Who asks, and what a request has at hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from models.sessions import likeness
from models.tables.users import ReadLevel, Role
from resolvers.errors import UnauthenticatedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models.database import Database
    from resolvers.services import Services


@dataclass(frozen=True, slots=True)
class Viewer:
    """The signed-in user as the database knew it when the request began. Always active."""

    id: UUID
    agency_id: UUID | None
    login: str
    role: Role
    activity_read_level: ReadLevel
    agents_log_read_level: ReadLevel
    session_id: UUID
    likeness: str = field(init=False, repr=False, compare=False)
    """What the database is asked whether it is still so (`models.sessions.still`)."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "likeness", likeness(self.stored()))

    def stored(self) -> tuple[Any, ...]:
        """Return what `viewer_of` made the viewer of, but the session, as it is stored."""
        return (
            self.id,
            self.agency_id,
            self.login,
            self.role.value,
            self.activity_read_level.value,
            self.agents_log_read_level.value,
        )

    @property
    def administers(self) -> bool:
        """May change the agency's settings."""
        return self.role is Role.ADMINISTRATOR

    @property
    def manages_accounts(self) -> bool:
        """Is the provider's contact: belongs to no agency and switches modules."""
        return self.role is Role.ACCOUNT_MANAGER


def viewer_of(row: Mapping[str, Any], session_id: UUID) -> Viewer:
    """Return the active user in a row (`id, agency_id, login, role` and both read levels)."""
    return Viewer(
        id=row["id"],
        agency_id=row["agency_id"],
        login=row["login"],
        role=Role(row["role"]),
        activity_read_level=ReadLevel(row["activity_read_level"]),
        agents_log_read_level=ReadLevel(row["agents_log_read_level"]),
        session_id=session_id,
    )


@dataclass(slots=True)
class Request:
    """One operation's surroundings. `batches` holds what its fields load together.

    `is_alone` says that the operation has one field at its root, and that this has not asked for anything yet.
    """

    database: Database
    services: Services
    viewer: Viewer | None = None
    remote_address: str | None = None
    batches: dict[Any, Any] = field(default_factory=dict)
    is_alone: bool = False

    def signed_in(self) -> Viewer:
        """Return the viewer. Raises `UnauthenticatedError` when nobody is signed in."""
        if self.viewer is None:
            raise UnauthenticatedError
        return self.viewer

    def member(self) -> tuple[Viewer, UUID] | None:
        """Return the viewer and his or her agency, or None for an account manager.

        Raises `UnauthenticatedError` when nobody is signed in.
        """
        viewer = self.signed_in()
        return None if viewer.agency_id is None else (viewer, viewer.agency_id)
