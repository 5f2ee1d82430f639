"""GraphiQL, served by ourselves: the page for a browser and what it loads, without another host.

`server/graphiql` holds the sources; `make setup` builds them into `server/graphiql/dist`.
"""

import re
import secrets
from pathlib import Path
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from server.settings import Settings

DIST: Final = Path(__file__).parent / "graphiql" / "dist"

# Whatever else lies in a folder is not served: no path, no dot file, no other type, no name longer than files have.
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
MEDIA_TYPES: Final = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
    ".txt": "text/plain",
    ".woff2": "font/woff2",
}

# A worker is ruled by the policy of its own script's answer, not by the page's.
ASSET_POLICY: Final = "default-src 'none'; script-src 'self'"

NOT_BUILT: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Postfach</title>
<h1>GraphiQL is not built</h1>
<p>Run <code>make setup</code> in the checkout: it builds the page.
The API answers POST requests at this address.</p>
</html>
"""


def playground_page(settings: Settings, dist: Path = DIST) -> Response:
    """The page for a browser that opens `/graphql`.

    It loads its assets by relative addresses and asks GraphQL at its own, so any base address works. Scripts
    and style sheets are let in by this answer's nonce alone. Where the page is not built, it says how to.
    """
    nonce = secrets.token_urlsafe(18)
    try:
        template = (dist / "index.html").read_text("utf-8")
    except FileNotFoundError:
        return HTMLResponse(NOT_BUILT, status_code=503, headers=_page_headers("default-src 'none'"))
    page = template.replace("%NONCE%", nonce).replace(
        "%INTROSPECTION%", "on" if settings.introspection else "off"
    )
    return HTMLResponse(page, headers=_page_headers(_page_policy(nonce)))


def playground_assets(dist: Path = DIST) -> Route:
    """The route of what the page loads, `/graphiql/assets/…`.

    The names carry a hash of the content, so an answer may be kept for good; what the build did not make
    is 404.
    """

    def answer(request: Request) -> Response:
        name = request.path_params["name"]
        media_type = MEDIA_TYPES.get(Path(name).suffix)
        file = dist / "assets" / name
        if not NAME.fullmatch(name) or media_type is None or not file.is_file():
            return PlainTextResponse("Not found", status_code=404)
        return _asset(file, media_type, request.headers)

    return Route("/graphiql/assets/{name}", answer, methods=["GET"])


def _asset(file: Path, media_type: str, asked: Headers) -> Response:
    compressed = file.with_name(f"{file.name}.gz")
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable",
        "Content-Security-Policy": ASSET_POLICY,
        "Cross-Origin-Resource-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
    }
    if compressed.is_file():
        headers["Vary"] = "Accept-Encoding"
        if "gzip" in asked.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
            file = compressed
    headers["ETag"] = f'"{file.name}"'
    known = {each.strip().removeprefix("W/") for each in asked.get("if-none-match", "").split(",")}
    if known & {"*", headers["ETag"]}:
        return Response(status_code=304, headers=headers)
    return FileResponse(file, headers=headers, media_type=media_type)


def _page_headers(policy: str) -> dict[str, str]:
    return {
        "Cache-Control": "no-store",
        "Content-Security-Policy": policy,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }


def _page_policy(nonce: str) -> str:
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'nonce-{nonce}'",
            f"style-src-elem 'nonce-{nonce}'",
            # The editor places its lines with style attributes.
            "style-src-attr 'unsafe-inline'",
            "worker-src 'self'",
            "connect-src 'self'",
            "font-src 'self'",
            # The editor's style sheets carry small drawings as data.
            "img-src 'self' data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )
