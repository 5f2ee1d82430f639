"""What sets up a mail program. The objects behind these types are `mail.client_setup.settings`'."""

from __future__ import annotations

import strawberry

from schema.enums import ConnectionSecurity, MailProtocol


@strawberry.type(description="Where one protocol is spoken, and how safely.")
class MailServer:
    """`mail.client_setup.settings.MailServer`."""

    protocol: MailProtocol = strawberry.field(description="What is spoken there.")
    host: str = strawberry.field(description="Its name, in lower case.")
    port: int = strawberry.field(description="The TCP port, from 1 to 65535.")
    security: ConnectionSecurity = strawberry.field(description="How the connection is kept from others.")


@strawberry.type(description="What a mail program needs besides the password.")
class ClientSettings:
    """`mail.client_setup.settings.ClientSettings`."""

    username: str = strawberry.field(description="Always the whole address.")
    incoming: list[MailServer] = strawberry.field(
        description="Where mail is read: IMAP, then POP3. The first one is the one to prefer."
    )
    outgoing: list[MailServer] = strawberry.field(description="Where mail is handed in, with the same user.")
