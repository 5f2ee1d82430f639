"""Domains as the documents name them."""

from __future__ import annotations

import re

import idna

LONGEST = 253
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_LAST_LABEL = re.compile(r"(?!-)(?=.*[a-z])[a-z0-9-]{1,63}(?<!-)")
"""Not of digits alone, so that no address of IPv4 is a domain."""


def domain_name(text: str) -> str | None:
    """Return a domain in lower case and ASCII, without a dot at its end; None for what is none."""
    if len(text) > LONGEST:
        return None
    try:
        name = text.lower() if text.isascii() else idna.encode(text, uts46=True).decode()
    except idna.IDNAError:
        return None
    name = name.removesuffix(".")
    *labels, last = name.split(".")
    if not labels or not all(map(_LABEL.fullmatch, labels)) or not _LAST_LABEL.fullmatch(last):
        return None
    return name


def shortened(domain: str, most: int) -> str:
    """Return as much of a domain's end as `most` characters hold, whole labels if any."""
    while len(domain) > most and "." in domain:
        domain = domain.partition(".")[2]
    return domain[:most]
