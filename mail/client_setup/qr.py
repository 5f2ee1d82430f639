"""QR codes for phones: an account for Thunderbird, and addresses for any camera."""

from __future__ import annotations

import io

import orjson
import segno

from mail.client_setup.settings import ClientSettings, ConnectionSecurity, MailProtocol, MailServer

_PROTOCOLS = {MailProtocol.IMAP: 0, MailProtocol.POP3: 1, MailProtocol.SMTP: 0}
_SECURITIES = {
    ConnectionSecurity.UNENCRYPTED: 0,
    ConnectionSecurity.STARTTLS: 2,
    ConnectionSecurity.TLS: 3,
}
_PASSWORD_IN_CLEAR = 1
QUIET_ZONE = 4
"""Blank modules around a code, as ISO/IEC 18004 wants them."""


def thunderbird_account(settings: ClientSettings, *, name: str | None = None) -> str:
    """Return what Thunderbird's mobile app reads from a code to add an account: its format "Export for Mobile", version 1.

    Without a password: the app asks for it. Raises `ValueError` for an address or a host that is not ASCII, which
    the format does not know.
    """
    incoming, outgoing = settings.incoming[0], settings.outgoing[0]
    if not f"{settings.username}{incoming.host}{outgoing.host}".isascii():
        raise ValueError("an address or a host with letters beyond ASCII")
    sender = [_server(outgoing, settings), [settings.username, name or ""]]
    return orjson.dumps([1, [1, 1], _server(incoming, settings), [sender]]).decode()


def _server(server: MailServer, settings: ClientSettings) -> list[int | str]:
    return [
        _PROTOCOLS[server.protocol],
        server.host,
        server.port,
        _SECURITIES[server.security],
        _PASSWORD_IN_CLEAR,
        settings.username,
    ]


def qr_svg(text: str) -> bytes:
    """Return the code as a drawing for a page: it fills the box that it is put in."""
    return _picture(text, kind="svg", xmldecl=False, omitsize=True)


def qr_png(text: str, *, module: int = 4) -> bytes:
    """Return the code as a picture for letters, whose readers seldom show drawings; a module has `module` pixels."""
    return _picture(text, kind="png", scale=module)


def _picture(text: str, *, kind: str, **more: int) -> bytes:
    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(out, kind=kind, border=QUIET_ZONE, light="white", **more)
    return out.getvalue()
