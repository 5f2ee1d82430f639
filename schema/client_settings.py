"""What sets up a mail program. The objects behind these types are `resolvers.client_settings`'."""

from __future__ import annotations

import strawberry

from resolvers import client_settings
from schema.context import Info
from schema.enums import ConnectionSecurity, MailProtocol


@strawberry.type(description="Where one protocol is spoken, and how safely.")
class MailServer:
    """`mail.client_setup.settings.MailServer`."""

    protocol: MailProtocol = strawberry.field(description="What is spoken there.")
    host: str = strawberry.field(description="Its name, in lower case.")
    port: int = strawberry.field(description="The TCP port, from 1 to 65535.")
    security: ConnectionSecurity = strawberry.field(description="How the connection is kept from others.")


def _profile_url(root: strawberry.Parent[client_settings.ClientSettings], info: Info) -> str:
    return client_settings.profile_url(info.context.request, root)


async def _thunderbird_code(
    root: strawberry.Parent[client_settings.ClientSettings], info: Info
) -> str | None:
    return await client_settings.thunderbird_code(info.context.request, root)


@strawberry.type(description="What a mail program needs besides the password.")
class ClientSettings:
    """`resolvers.client_settings.ClientSettings`."""

    username: str = strawberry.field(description="Always the whole address.")
    incoming: list[MailServer] = strawberry.field(
        description="Where mail is read: IMAP, then POP3. The first one is the one to prefer."
    )
    outgoing: list[MailServer] = strawberry.field(description="Where mail is handed in, with the same user.")
    profile_url: str = strawberry.field(
        resolver=_profile_url,
        description=(
            "Where iPhone, iPad and Mac get a configuration profile, which sets up all but the password. "
            "As a QR code it is for the camera."
        ),
    )
    thunderbird_code: str | None = strawberry.field(
        resolver=_thunderbird_code,
        description=(
            "The text of a QR code that adds the account, without its password and with the viewer's sender name, "
            "to Thunderbird on a phone. Null for what its format can't say."
        ),
    )
