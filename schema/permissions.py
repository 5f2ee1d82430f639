"""Who reads a field: one class a sentence. Each decides from what the viewer and the loaded object carry, and waits for nothing.

`null_unless(…)` makes a field null, without an error, for everybody else; `only(…)` makes it an error. Both
go into a field's `extensions`. What may be changed is decided in the unit of work that changes it: of a
mutation only the signing in is asked here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from strawberry.permission import BasePermission, PermissionExtension

from resolvers import mailboxes
from resolvers.errors import UnauthenticatedError

if TYPE_CHECKING:
    from strawberry.extensions import FieldExtension
    from strawberry.types.field import StrawberryField

    from resolvers.request import Viewer
    from schema.context import Info


class Permission(BasePermission):
    """A sentence about a signed-in viewer and the object that a field belongs to."""

    def has_permission(self, source: Any, info: Info, **_arguments: Any) -> bool:
        """Whether the sentence is true; never for somebody who is not signed in."""
        viewer = info.context.request.viewer
        return viewer is not None and self.allows(viewer, source)

    def allows(self, viewer: Viewer, source: Any) -> bool:
        """Whether the sentence is true of this viewer."""
        raise NotImplementedError

    def on_unauthorized(self) -> None:
        """Say that nobody is signed in: the other sentences make a field null instead."""
        raise UnauthenticatedError


class SignedIn(Permission):
    """The viewer is signed in."""

    def allows(self, viewer: Viewer, source: Any) -> bool:
        """Return True: a viewer is somebody signed in and active."""
        return True


class ManagesAccounts(Permission):
    """The viewer is an account manager."""

    def allows(self, viewer: Viewer, source: Any) -> bool:
        """Ask the role alone."""
        return viewer.manages_accounts


class Administers(Permission):
    """The viewer is an administrator."""

    def allows(self, viewer: Viewer, source: Any) -> bool:
        """Ask the role alone."""
        return viewer.administers


class AdministersAgency(Permission):
    """The viewer is an administrator of this agency."""

    def allows(self, viewer: Viewer, source: Any) -> bool:
        """Compare with the agency itself."""
        return viewer.administers and viewer.agency_id == source.id


class AdministersAgencyOrIsThatUser(Permission):
    """The viewer is an administrator of this user's agency, or is this user."""

    def allows(self, viewer: Viewer, source: Any) -> bool:
        """Compare with the user."""
        return viewer.id == source.id or (viewer.administers and viewer.agency_id == source.agency_id)


class AdministersAgencyOrIsAssigned(Permission):
    """The viewer is an administrator of this mailbox's agency, or is assigned to it now."""

    def allows(self, viewer: Viewer, source: Any) -> bool:
        """Ask the mailbox."""
        return mailboxes.reads_assigned_users(viewer, source)


class ReadsPeriodsOfMailbox(Permission):
    """The viewer is an administrator of this mailbox's agency or, where it is VIP, assigned to it now."""

    def allows(self, viewer: Viewer, source: Any) -> bool:
        """Ask the mailbox."""
        return mailboxes.reads_periods(viewer, source)


class RevealsPasswordOfMailbox(Permission):
    """The viewer is assigned to this mailbox now or, where it is not VIP, an administrator of its agency."""

    def allows(self, viewer: Viewer, source: Any) -> bool:
        """Ask the mailbox."""
        return mailboxes.can_reveal(viewer, source)


class _NullUnless(PermissionExtension):
    def __init__(self, permission: Permission) -> None:
        super().__init__([permission], use_directives=False, fail_silently=True)

    def apply(self, field: StrawberryField) -> None:
        super().apply(field)
        # Null even for a list: an empty one would say that there is nothing.
        self.return_empty_list = False


def null_unless(permission: Permission) -> list[FieldExtension]:
    """Return the extensions of a nullable field that is null for everybody of whom the sentence is not true."""
    return [_NullUnless(permission)]


def signed_in() -> list[FieldExtension]:
    """Return the extensions of a root field that is an error, `UNAUTHENTICATED`, when nobody is signed in."""
    return [PermissionExtension([SignedIn()], use_directives=False)]
