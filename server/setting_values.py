"""How the text of each setting is read. A parser raises `Expected` with words that end "expected …"."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, unquote, urlsplit

import orjson
from email_validator import EmailNotValidError, validate_email

from execution.limits import NAMES as LIMIT_NAMES
from execution.limits import Limits
from execution.persisted import sha256
from mail.servers import MailServer
from mail.smtp import SmtpServer
from models.database_url import DatabaseUrl, DatabaseUrlError
from models.keys import KeyRing, KeyRingError

KEY_RING = "id:base64-of-32-bytes,…"
PORTS = range(1, 65_536)
DEFAULT_PORTS = {"http": 80, "https": 443}

_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")


class Expected(ValueError):  # noqa: N818 (it reads as a sentence: expected …)
    """The text does not parse; says what was expected, and nothing of the text."""


def folder(text: str) -> Path:
    """Read a path; a relative one is under the working folder."""
    if not text.strip() or "\0" in text:
        raise Expected("the path of a folder")
    return Path(text).absolute()


def database_url(text: str) -> DatabaseUrl:
    """Read the address of the database."""
    try:
        return DatabaseUrl.parse(text)
    except DatabaseUrlError as error:
        raise Expected(str(error)) from error


def key_ring(text: str) -> KeyRing:
    """Read a key ring."""
    try:
        return KeyRing.parse(text)
    except KeyRingError as error:
        raise Expected(f"{KEY_RING} ({error})") from error


def secret_file(text: str) -> str:
    """Read the file of this path."""
    try:
        return Path(text).read_text("utf-8")
    except (OSError, ValueError):
        raise Expected("the path of a readable text file") from None


def whole_number(allowed: range) -> Callable[[str], int]:
    """Return a parser for numbers of this range."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) not in allowed:
            raise Expected(f"a whole number from {allowed[0]} to {allowed[-1]}")
        return int(text)

    return parse


def switch(text: str) -> bool:
    """Read `on` or `off`."""
    if text not in {"on", "off"}:
        raise Expected("on or off")
    return text == "on"


def limits(text: str) -> Limits:
    """Read `NAME=NUMBER,…`; a limit that is not named keeps its default."""
    found: dict[str, int] = {}
    for each in text.split(","):
        name, _, number = (part.strip() for part in each.partition("="))
        if name not in LIMIT_NAMES or name in found or not re.fullmatch(r"[1-9][0-9]{0,8}", number):
            raise Expected(f"NAME=NUMBER,… with each of these once at most: {', '.join(LIMIT_NAMES)}")
        found[name] = int(number)
    return Limits(**found)


def trusted_documents(text: str) -> dict[str, str]:
    """Read the file of this path: documents by their SHA-256, as Relay's compiler and Apollo's manifest write them."""
    expected = Expected(
        "the path of a JSON file with documents by their SHA-256, as Relay's compiler or Apollo's manifest has them"
    )
    try:
        content = orjson.loads(Path(text).read_bytes())
        if isinstance(content, dict) and isinstance(content.get("operations"), list):
            content = {each["id"]: each["body"] for each in content["operations"]}
        if not isinstance(content, dict) or any(sha256(body) != name for name, body in content.items()):
            raise expected
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        raise expected from None
    return content


def log_format(text: str) -> Literal["text", "json"]:
    """Read `text` or `json`."""
    if text == "text":
        return "text"
    if text == "json":
        return "json"
    raise Expected("text or json")


def http_url(text: str) -> str:
    """Read an http or https URL without user, query or fragment; a slash at its end goes."""
    parts = _split(text)
    if (
        parts is None
        or parts.scheme not in DEFAULT_PORTS
        or parts.username is not None
        or parts.query
        or parts.fragment
        or text.endswith(("?", "#"))
    ):
        raise Expected("http://HOST[:PORT] or https://HOST[:PORT], with a path perhaps")
    return f"{parts.scheme}://{_authority(parts)}{parts.path.rstrip('/')}"


public_url = http_url


def origins(text: str) -> frozenset[str]:
    """Read origins as browsers send them, separated by commas; none is allowed."""
    return frozenset(_origin(each.strip()) for each in text.split(",")) if text.strip() else frozenset()


def _origin(text: str) -> str:
    parts = _split(text)
    if (
        parts is None
        or parts.username is not None
        or parts.path.rstrip("/")
        or set("?#") & set(text)
        or not _SCHEME.fullmatch(parts.scheme)
    ):
        raise Expected("origins SCHEME://HOST[:PORT], separated by commas, without a path or a wildcard")
    return f"{parts.scheme}://{_authority(parts)}"


def smtp_url(text: str) -> SmtpServer:
    """Read where letters are handed in; a user goes with a password, and both may be absent."""
    securities: dict[str, Literal["none", "starttls", "tls"]] = {
        "smtp": "none",
        "smtp+starttls": "starttls",
        "smtps": "tls",
    }
    parts = _split(text)
    if (
        parts is None
        or parts.scheme not in securities
        or parts.port is None
        or parts.path.rstrip("/")
        or set("?#") & set(text)
        or bool(parts.username) != bool(parts.password)
        or (parts.username is not None and not parts.username)
    ):
        raise Expected("smtp://, smtp+starttls:// or smtps:// and [USER:PASSWORD@]HOST:PORT")
    return SmtpServer(
        parts.hostname or "",
        parts.port,
        securities[parts.scheme],
        None if parts.username is None else unquote(parts.username),
        None if parts.password is None else unquote(parts.password),
    )


def mail_server(text: str) -> MailServer:
    """Read `HOST:PORT:tls` or `HOST:PORT:starttls`."""
    found = re.fullmatch(r"(.+):([0-9]{1,5}):(tls|starttls)", text)
    host = found[1].lower() if found else ""
    if not found or int(found[2]) not in PORTS or not _is_host(host):
        raise Expected("HOST:PORT:tls or HOST:PORT:starttls")
    return MailServer(host, int(found[2]), "tls" if found[3] == "tls" else "starttls")


def email_address(text: str) -> str:
    """Read one e-mail address."""
    try:
        return validate_email(text, check_deliverability=False, test_environment=True).normalized
    except EmailNotValidError:
        raise Expected("an e-mail address") from None


def header_value(text: str) -> str:
    """Read printable ASCII without spaces, at least one character."""
    if not re.fullmatch(r"[!-~]+", text):
        raise Expected("printable ASCII characters")
    return text


def _split(text: str) -> SplitResult | None:
    """Take a URL apart; None where it has no host, a bad port, or what no URL holds."""
    if not text.isascii() or not text.isprintable() or " " in text or "\\" in text:
        return None
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    if parts.hostname is None or not _is_host(parts.hostname) or port == 0 or parts.netloc.endswith(":"):
        return None
    return parts


def _authority(parts: SplitResult) -> str:
    host = parts.hostname or ""
    if ":" in host:
        host = f"[{host}]"
    if parts.port is None or parts.port == DEFAULT_PORTS.get(parts.scheme):
        return host
    return f"{host}:{parts.port}"


def _is_host(text: str) -> bool:
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        labels = text.removesuffix(".").split(".")
        return len(text) <= 253 and all(_LABEL.fullmatch(label) for label in labels)  # noqa: PLR2004 (RFC 1035)
    return True
