"""Letters with credentials: when what they bring is dead, whoever asks for it.

A letter dies with the right of whoever asked for it, with the password that it is about, with a newer letter for the same
mailbox and, where it carries the password, when the agency no longer allows that. A dead letter is not sent, and a dead link
shows nothing.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

from models.mailbox_passwords import MAY_REVEAL

LINK_LIFETIME = timedelta(hours=72)
"""How long a one-time link can be used, from the asking."""


class Death(StrEnum):
    """Why a letter is dead."""

    RIGHTS = "RIGHTS"
    RENEWED = "RENEWED"
    NEWER = "NEWER"
    NOT_ALLOWED = "NOT_ALLOWED"


ASKED = (
    "credential_deliveries d JOIN mailboxes m ON m.id = d.mailbox_id JOIN users u ON u.id = d.requested_by_id "
    "JOIN mailbox_passwords p ON p.mailbox_id = d.mailbox_id JOIN agencies g ON g.id = d.agency_id"
)
"""Deliveries `d` with what their life depends on: the mailbox `m`, whoever asked `u`, the password `p`, the agency `g`."""

DEATH = (
    f"(CASE WHEN NOT {MAY_REVEAL} THEN 'RIGHTS' WHEN p.version <> d.password_version THEN 'RENEWED' "
    "WHEN EXISTS (SELECT 1 FROM credential_deliveries n WHERE n.mailbox_id = d.mailbox_id "
    "AND n.requested_at > d.requested_at) THEN 'NEWER' "
    "WHEN d.content = 'PASSWORD' AND NOT g.passwords_in_letters THEN 'NOT_ALLOWED' END)"
)
"""Why a delivery of `ASKED` is dead, as `Death` names it; null while it lives.

Moments at one mailbox differ and only grow, so of two letters one is newer. Whether a link has expired or was used is asked
beside it.
"""
