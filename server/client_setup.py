"""The doors at which mail programs ask how they are set up, each with the answers of its own standard.

Everybody may ask, and the database is not: what is answered follows from the settings and from what was asked, so that
nothing tells whether an address or a domain is one of ours.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from mail.client_setup import autoconfig, autodiscover, pacc, profile
from mail.client_setup.autodiscover import AutodiscoverError
from mail.client_setup.domains import domain_name
from mail.client_setup.settings import client_settings
from models import clock
from resolvers import text
from resolvers.errors import InvalidInputError
from server.answers import RefusedError
from server.bodies import read_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from server.runtime import Runtime

AUTOCONFIG_PATHS = ("/mail/config-v1.1.xml", "/.well-known/autoconfig/mail/config-v1.1.xml")
AUTODISCOVER_JSON_PATH = "/autodiscover/autodiscover.json"
AUTODISCOVER_V1 = "AutodiscoverV1"
PUBLIC = {"Cache-Control": "public, max-age=300"}
"""Of a document that is the same for everybody."""
PRIVATE = {"Cache-Control": "no-store"}
"""Of a document that names an address."""


class _AnyCase(Route):
    """A route whose path is found in capital letters too, as Outlook writes it."""

    def __init__(self, path: str, endpoint: object, methods: list[str]) -> None:
        super().__init__(path, endpoint, methods=methods)  # type: ignore[arg-type]
        self.path_regex = re.compile(self.path_regex.pattern, re.IGNORECASE)


def client_setup_routes(runtime: Runtime) -> list[Route]:
    """Return the routes of every document that sets up a mail program."""
    doors = _Doors(runtime)
    return [
        *[Route(path, doors.autoconfig, methods=["GET"]) for path in AUTOCONFIG_PATHS],
        _AnyCase(autodiscover.PATH, doors.autodiscover, methods=["GET", "POST"]),
        _AnyCase(AUTODISCOVER_JSON_PATH, doors.autodiscover_json, methods=["GET"]),
        _AnyCase(f"{AUTODISCOVER_JSON_PATH}/v1.0/{{address}}", doors.autodiscover_json, methods=["GET"]),
        Route(pacc.PATH, doors.pacc, methods=["GET"]),
        Route(profile.PATH, doors.profile, methods=["GET"]),
    ]


class _Doors:
    def __init__(self, runtime: Runtime) -> None:
        self._servers = runtime.settings.servers
        self._public_url = runtime.settings.public_url
        self._host = urlsplit(self._public_url).hostname or ""
        self._signing = runtime.services.profile_signing
        self._pacc = pacc.pacc(self._servers, self._host)

    async def autoconfig(self, request: Request) -> Response:
        """Answer for the domain of the address, else for the one that was asked, else for the server's own."""
        asked = request.query_params.get("emailaddress", "").rpartition("@")[2]
        host = request.headers.get("host", "").partition(":")[0].lower().removeprefix("autoconfig.")
        domain = domain_name(asked) or domain_name(host) or self._host
        return Response(
            autoconfig.autoconfig(self._servers, domain), headers=PUBLIC, media_type=autoconfig.MEDIA_TYPE
        )

    async def autodiscover(self, request: Request) -> Response:
        """Answer what a mail program posts; a GET is a request that is not valid, as Exchange has it."""
        try:
            body = await read_bytes(request, autodiscover.LARGEST_BYTES) if request.method == "POST" else b""
        except RefusedError as error:
            return PlainTextResponse(f"{error.message}\n", error.status, headers={**PRIVATE, **error.headers})
        try:
            address = _address(autodiscover.asked_address(body))
            if address is None:
                raise autodiscover.invalid_request()
            found = autodiscover.settings_response(client_settings(self._servers, address))
        except AutodiscoverError as error:
            found = autodiscover.error_response(error, clock.now())
        return Response(found, headers=PRIVATE, media_type=autodiscover.MEDIA_TYPE)

    async def autodiscover_json(self, request: Request) -> Response:
        """Say where the XML is asked; names of parameters are known in capital letters too."""
        asked = {name.lower(): value for name, value in request.query_params.multi_items()}
        address = request.path_params.get("address") or asked.get("email", "")
        protocol = asked.get("protocol", "")
        if _address(address) is None:
            return _json_error("MandatoryParameterMissing", "A valid smtp address must be provided")
        if not protocol:
            return _json_error(
                "MandatoryParameterMissing",
                "A valid value must be provided for the query parameter 'Protocol'",
            )
        if protocol.lower() != AUTODISCOVER_V1.lower():
            # The value is not repeated: it is whatever somebody sent.
            return _json_error(
                "InvalidProtocol", f"The protocol is invalid. Supported values are '{AUTODISCOVER_V1}'"
            )
        return _json({"Protocol": AUTODISCOVER_V1, "Url": f"{self._public_url}{autodiscover.PATH}"})

    async def pacc(self, _: Request) -> Response:
        """Answer the very bytes whose digest `postfach dns` prints; 404 where there is no such document."""
        if self._pacc is None:
            return PlainTextResponse("Not found", 404)
        return Response(self._pacc, headers=PUBLIC, media_type=pacc.MEDIA_TYPE)

    async def profile(self, request: Request) -> Response:
        """Answer a configuration profile, signed where a certificate is set; 400 without an address."""
        address = _address(request.query_params.get("emailaddress", ""))
        if address is None:
            return PlainTextResponse("emailaddress is an e-mail address.\n", 400, headers=PRIVATE)
        found = profile.profile(client_settings(self._servers, address), self._public_url)
        if self._signing is not None:
            found = await run_in_threadpool(self._signing.sign, found)
        return Response(
            found,
            headers={**PRIVATE, "Content-Disposition": f'attachment; filename="{profile.FILE_NAME}"'},
            media_type=profile.MEDIA_TYPE,
        )


def _address(given: str) -> str | None:
    """Return an address as a mailbox would have it, else in its normal form; None for what is none."""
    try:
        return text.lookup_address(given) or text.email(given, [])
    except InvalidInputError:
        return None


def _json_error(code: str, message: str) -> Response:
    return _json({"ErrorCode": code, "ErrorMessage": message}, 400)


def _json(body: Mapping[str, str], status: int = 200) -> Response:
    return JSONResponse(body, status, headers=PRIVATE)
