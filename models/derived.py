"""What columns named `fold_…` hold, said once: who writes a name, a login or an address writes these too."""

from __future__ import annotations

from models.folding import search_key, sort_key


def agency_order(name: str) -> str:
    """Return `agencies.fold_name`: what agencies are listed by."""
    return sort_key(name)


def user_order(last_name: str, first_name: str) -> str:
    """Return `users.fold_name`: what users are listed by, before their login."""
    return sort_key(last_name, first_name)


def user_search(login: str, first_name: str, last_name: str, email_name: str | None) -> str:
    """Return `users.fold_search`: what a search for users looks in."""
    return search_key(login, first_name, last_name, email_name)


def mailbox_search(address: str, email_name: str | None) -> str:
    """Return `mailboxes.fold_search`: what a search for mailboxes looks in."""
    return search_key(address, email_name)
