"""The settings: what operators may say, its defaults, and what is wrong with it in one line.

They come from the environment or from the file that `POSTFACH_ENV_FILE` names; the environment wins. A name
that is unknown or a value that does not parse stops the start. No message shows a value: many are secret.
"""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar
from urllib.parse import urlsplit

from execution.limits import Limits
from mail.client_setup.signing import Signing, SigningError
from mail.servers import Correspondent, MailServer, MailServers
from mail.smtp import SmtpServer
from models.database_url import DatabaseUrl
from models.keys import KeyRing
from server import setting_values as values
from server.key_files import KeyFileError, keep_keys, require_no_seals

T = TypeVar("T")

PREFIX = "POSTFACH_"
MINUTES = range(1, 24 * 60 + 1)
DAYS = range(1, 3650 + 1)
SECONDS = range(1, 600 + 1)
NAMES = (
    "DATA_DIR",
    "DATABASE_URL",
    "SEALING_KEYS",
    "SEALING_KEYS_FILE",
    "TOKEN_KEYS",
    "TOKEN_KEYS_FILE",
    "ACCESS_TOKEN_MINUTES",
    "REFRESH_TOKEN_DAYS",
    "PUBLIC_URL",
    "ALLOWED_ORIGINS",
    "SMTP_URL",
    "SMTP_FROM",
    "OUTBOX_PAGE",
    "IMAP",
    "POP3",
    "SUBMISSION",
    "PROFILE_CERTIFICATE_FILE",
    "PROFILE_KEY_FILE",
    "DOVEADM_URL",
    "DOVEADM_KEY",
    "LMTP_LISTEN",
    "EVENTS_URL",
    "LOG_FORMAT",
    "TRACES_URL",
    "GRAPHIQL",
    "INTROSPECTION",
    "LIMITS",
    "OPERATION_SECONDS",
    "TRUSTED_DOCUMENTS",
    "ONLY_TRUSTED",
    "COMPILED",
)
NOT_YET = ("LMTP_LISTEN", "EVENTS_URL")
RINGS = ("SEALING_KEYS", "TOKEN_KEYS")


class SettingsError(Exception):
    """The server can't start with these settings. `problems` has a line for each; the text is the first."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(problems[0])
        self.problems = problems


@dataclass(frozen=True)
class Settings:
    """What the server was told, checked and complete. Its representation shows no secret.

    `embedded` says that the database is SQLite. Public URL and origins have no slash at the end.
    """

    data_dir: Path
    database_url: DatabaseUrl
    sealing_keys: KeyRing
    token_keys: KeyRing
    access_token_lifetime: timedelta
    refresh_token_lifetime: timedelta
    public_url: str
    allowed_origins: frozenset[str]
    smtp: SmtpServer | None
    smtp_from: str
    outbox_page: bool
    imap: MailServer
    pop3: MailServer
    submission: MailServer
    profile_signing: Signing | None
    doveadm_url: str | None
    doveadm_key: str | None = field(repr=False)
    log_format: Literal["text", "json"]
    traces_url: str | None
    graphiql: bool
    introspection: bool
    limits: Limits
    operation_seconds: int
    trusted_documents: Mapping[str, str] = field(repr=False)
    only_trusted: bool
    compiled: bool

    @property
    def embedded(self) -> bool:
        """Whether the database is SQLite, which belongs to one server process."""
        return self.database_url.dialect == "sqlite"

    @property
    def secure(self) -> bool:
        """Whether clients reach the server by https."""
        return self.public_url.startswith("https:")

    @property
    def servers(self) -> MailServers:
        """The mail servers that clients are told of."""
        return MailServers(self.imap, self.pop3, self.submission)

    @property
    def correspondent(self) -> Correspondent:
        """As whom letters are written."""
        return Correspondent(self.smtp_from, self.public_url)

    @property
    def outbox_folder(self) -> Path:
        """Where letters land without an SMTP server."""
        return self.data_dir / "outbox"

    @property
    def guessed_servers(self) -> tuple[MailServer, ...]:
        """The mail servers (IMAP, POP3, submission) that clients would be told of if none were set."""
        return _guessed_servers(self.public_url)

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read the settings; on the embedded database, make the data folder and the keys that are missing.

        Raises `SettingsError`, and then has made nothing.
        """
        return _Reader(os.environ if environ is None else environ).settings()


@dataclass(frozen=True)
class DatabaseSettings:
    """What a command needs that reads the database alone: no key is read, and none is made."""

    database_url: DatabaseUrl
    log_format: Literal["text", "json"]

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None) -> DatabaseSettings:
        """Read them; raises `SettingsError`."""
        return _Reader(os.environ if environ is None else environ).database_settings()


@dataclass(frozen=True)
class PublicSettings:
    """What mail programs are told, and where the database is: no key is read, and none is made."""

    database_url: DatabaseUrl
    public_url: str
    servers: MailServers

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None) -> PublicSettings:
        """Read them; raises `SettingsError`."""
        return _Reader(os.environ if environ is None else environ).public_settings()


class _Reader:
    """Reads one setting after the other and collects what is wrong."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.problems: list[str] = []
        self.texts = {**self._from_file(environ), **_ours(environ)}
        self.texts.pop("ENV_FILE", None)
        for name in sorted(self.texts):
            if name not in NAMES:
                self._refuse(name, "unknown, expected a name that docs/operating.md lists" + _guess(name))
            elif name in NOT_YET:
                self._refuse(name, "not available yet, expected it not to be set")

    def settings(self) -> Settings:
        """Return the settings, complete; the keys are made last, when nothing is wrong."""
        read = self._read
        data_dir, database_url = self._database()
        public_url, servers = self._public()
        host = urlsplit(public_url).hostname or ""
        minutes = read("ACCESS_TOKEN_MINUTES", values.whole_number(MINUTES), 15)
        days = read("REFRESH_TOKEN_DAYS", values.whole_number(DAYS), 30)
        self._both("DOVEADM_URL", "DOVEADM_KEY")
        self._both("PROFILE_CERTIFICATE_FILE", "PROFILE_KEY_FILE")
        only_trusted = read("ONLY_TRUSTED", values.switch, default=False)
        if only_trusted and "TRUSTED_DOCUMENTS" not in self.texts:
            self._refuse("TRUSTED_DOCUMENTS", f"expected beside {PREFIX}ONLY_TRUSTED")
        if only_trusted and self.texts.get("GRAPHIQL") == "on":
            self._refuse("GRAPHIQL", f"expected off beside {PREFIX}ONLY_TRUSTED")
        rings = {name: self._ring(name, required=database_url.dialect != "sqlite") for name in RINGS}
        make = partial(
            Settings,
            data_dir=data_dir,
            database_url=database_url,
            access_token_lifetime=timedelta(minutes=minutes),
            refresh_token_lifetime=timedelta(days=days),
            public_url=public_url,
            allowed_origins=read("ALLOWED_ORIGINS", values.origins, frozenset[str]()),
            smtp=read("SMTP_URL", values.smtp_url, None),
            smtp_from=read(
                "SMTP_FROM", values.email_address, f"postfach@{'localhost' if ':' in host else host}"
            ),
            outbox_page=read("OUTBOX_PAGE", values.switch, default=False),
            imap=servers.imap,
            pop3=servers.pop3,
            submission=servers.submission,
            profile_signing=self._profile_signing(),
            doveadm_url=read("DOVEADM_URL", values.http_url, None),
            doveadm_key=read("DOVEADM_KEY", values.header_value, None),
            log_format=read("LOG_FORMAT", values.log_format, _log_format()),
            traces_url=read("TRACES_URL", values.http_url, None),
            graphiql=read("GRAPHIQL", values.switch, default=not only_trusted),
            introspection=read("INTROSPECTION", values.switch, default=True),
            limits=read("LIMITS", values.limits, Limits()),
            operation_seconds=read("OPERATION_SECONDS", values.whole_number(SECONDS), 15),
            trusted_documents=read("TRUSTED_DOCUMENTS", values.trusted_documents, dict[str, str]()),
            only_trusted=only_trusted,
            compiled=read("COMPILED", values.switch, default=True),
        )
        if self.problems:
            raise SettingsError(self.problems)
        given = {name: ring for name, ring in rings.items() if ring is not None}
        try:
            if rings["SEALING_KEYS"] is None and database_url.dialect == "sqlite":
                require_no_seals(data_dir, database_url.path)
            kept = keep_keys(data_dir, rings) if database_url.dialect == "sqlite" else given
        except KeyFileError as error:
            raise SettingsError([f"{PREFIX}DATA_DIR: {error}"]) from error
        return make(sealing_keys=kept["SEALING_KEYS"], token_keys=kept["TOKEN_KEYS"])

    def database_settings(self) -> DatabaseSettings:
        """Return where the database is and how to log."""
        found = DatabaseSettings(
            self._database()[1], self._read("LOG_FORMAT", values.log_format, _log_format())
        )
        if self.problems:
            raise SettingsError(self.problems)
        return found

    def public_settings(self) -> PublicSettings:
        """Return what mail programs are told and where the database is."""
        found = PublicSettings(self._database()[1], *self._public())
        if self.problems:
            raise SettingsError(self.problems)
        return found

    def _public(self) -> tuple[str, MailServers]:
        public_url = self._read("PUBLIC_URL", values.http_url, "http://127.0.0.1:8000")
        names = ("IMAP", "POP3", "SUBMISSION")
        guessed = zip(names, _guessed_servers(public_url), strict=True)
        return public_url, MailServers(
            *[self._read(name, values.mail_server, each) for name, each in guessed]
        )

    def _database(self) -> tuple[Path, DatabaseUrl]:
        data_dir = self._read("DATA_DIR", values.folder, Path("var").absolute())
        embedded = DatabaseUrl("sqlite", path=str(data_dir / "postfach.sqlite3"))
        return data_dir, self._read("DATABASE_URL", values.database_url, embedded)

    def _both(self, *names: str) -> None:
        """Refuse that only some of these are set."""
        there = [name for name in names if name in self.texts]
        if there:
            for name in set(names) - set(there):
                self._refuse(name, f"expected beside {PREFIX}{there[0]}")

    def _profile_signing(self) -> Signing | None:
        """Read what signs configuration profiles; None when it is not set, or not right."""
        names = ("PROFILE_CERTIFICATE_FILE", "PROFILE_KEY_FILE")
        files = [Path(self.texts[name]).absolute() for name in names if name in self.texts]
        if len(files) < len(names):
            return None
        try:
            return Signing(*files)
        except SigningError as error:
            self._refuse(names[error.is_of_key], f"expected {error.expected}")
            return None

    def _ring(self, name: str, *, required: bool) -> KeyRing | None:
        """Read a key ring from its setting or from its file; None when neither is there and right."""
        file = f"{name}_FILE"
        if name in self.texts and file in self.texts:
            self._refuse(file, f"expected only one of it and {PREFIX}{name}")
            return None
        if file in self.texts:
            text = self._read(file, values.secret_file, None)
            return None if text is None else self._parse(file, values.key_ring, text, None)
        if required and name not in self.texts:
            self._refuse(name, f"required with PostgreSQL, expected {values.KEY_RING}")
        return self._read(name, values.key_ring, None)

    def _read(self, name: str, parse: Callable[[str], T], default: T) -> T:
        text = self.texts.get(name)
        return default if text is None else self._parse(name, parse, text, default)

    def _parse(self, name: str, parse: Callable[[str], T], text: str, default: T) -> T:
        try:
            return parse(text)
        except values.Expected as error:
            self._refuse(name, f"expected {error}")
            return default

    def _refuse(self, name: str, reason: str) -> None:
        self.problems.append(f"{PREFIX}{name}: {reason}")

    def _from_file(self, environ: Mapping[str, str]) -> dict[str, str]:
        path = environ.get(f"{PREFIX}ENV_FILE")
        if path is None:
            return {}
        try:
            lines = Path(path).read_text("utf-8").splitlines()
        except (OSError, ValueError):
            self._refuse("ENV_FILE", "expected a readable text file")
            return {}
        found: dict[str, str] = {}
        for number, line in enumerate(lines, 1):
            text = line.strip().removeprefix("export ").strip()
            if not text or text.startswith("#"):
                continue
            name, equals, value = (part.strip() for part in text.partition("="))
            if not equals or not name.isidentifier():
                self._refuse("ENV_FILE", f"expected NAME=VALUE in line {number}")
            else:
                found[name] = _unquoted(value)
        if f"{PREFIX}ENV_FILE" in found:
            self._refuse("ENV_FILE", "expected in the environment, not in the file itself")
        return _ours(found)


def _ours(environ: Mapping[str, str]) -> dict[str, str]:
    return {name.removeprefix(PREFIX): text for name, text in environ.items() if name.startswith(PREFIX)}


def _guessed_servers(public_url: str) -> tuple[MailServer, ...]:
    host = urlsplit(public_url).hostname
    ports = (("imap", 993), ("pop3", 995), ("smtp", 465))
    return tuple(MailServer(f"{name}.{host}", port, "tls") for name, port in ports)


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1]
    return value


def _guess(name: str) -> str:
    close = difflib.get_close_matches(name, NAMES, 1)
    return f", {PREFIX}{close[0]} perhaps" if close else ""


def _log_format() -> Literal["text", "json"]:
    return "text" if sys.stderr.isatty() else "json"
