"""Who acts, as of now: a unit of work decides rights by this, never by what the request began with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resolvers.errors import UnauthenticatedError
from resolvers.request import viewer_of

if TYPE_CHECKING:
    from models.database import Unit
    from resolvers.request import Request, Viewer


async def acting_user(unit: Unit, request: Request) -> Viewer:
    """Return the viewer as the database knows him or her now, and hold user and session as they are until the unit ends.

    Call it right after the agency's lock. Raises `UnauthenticatedError` when nobody is signed in, the session
    has ended or the user is no longer active.
    """
    viewer = request.signed_in()
    row = await unit.fetch_one(
        "SELECT u.id, u.agency_id, u.login, u.role, u.activity_read_level, u.agents_log_read_level "
        "FROM users u JOIN sessions s ON s.user_id = u.id "
        "WHERE u.id = $1 AND s.id = $2 AND s.ended_at IS NULL AND u.state = 'ACTIVE' "
        # The session as well: whoever had to wait for the user would else see it as it was before.
        "FOR SHARE",
        viewer.id,
        viewer.session_id,
    )
    if row is None:
        raise UnauthenticatedError
    return viewer_of(row, viewer.session_id)
