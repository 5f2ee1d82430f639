"""What operators may say, what it means when they don't, and the one line when it is wrong."""

import base64
import json
import stat
import threading
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from execution.limits import NAMES, Limits
from execution.persisted import sha256
from mail.servers import MailServer
from mail.smtp import SmtpServer
from server.settings import PublicSettings, Settings, SettingsError
from tests.databases import key_ring
from tests.mail.client_setup.certificates import chain

POSTGRESQL = "postgresql://ada:s3cret%2F@db.example:5433/postfach"
ORIGINS = "origins SCHEME://HOST[:PORT], separated by commas, without a path or a wildcard"
URL = "http://HOST[:PORT] or https://HOST[:PORT], with a path perhaps"
SMTP = "smtp://, smtp+starttls:// or smtps:// and [USER:PASSWORD@]HOST:PORT"
DATABASE = "sqlite:///ABSOLUTE/PATH or postgresql://USER:PASSWORD@HOST:PORT/NAME"
KEY = base64.b64encode(bytes(32)).decode()
RING = "id:base64-of-32-bytes,…"
TRUSTED = "the path of a JSON file with documents by their SHA-256, as Relay's compiler or Apollo's manifest has them"
LIMITS = "NAME=NUMBER,… with each of these once at most: " + ", ".join(NAMES)


def load(folder: Path, **settings: str) -> Settings:
    """Settings with a data folder; names without the prefix."""
    return Settings.load(named({"DATA_DIR": str(folder / "data"), **settings}))


def named(settings: Mapping[str, str]) -> dict[str, str]:
    """The same as an environment with other things in it."""
    return {"PATH": "/bin", "HOME": "/", **{f"POSTFACH_{name}": text for name, text in settings.items()}}


def problems(folder: Path, **settings: str) -> list[str]:
    """What is wrong with these settings; nothing was made."""
    with pytest.raises(SettingsError) as caught:
        load(folder, **settings)
    assert str(caught.value) == caught.value.problems[0]
    assert not (folder / "data").exists()
    return caught.value.problems


# ---------------------------------------------------------------- defaults


def test_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings.load({})
    assert settings.data_dir == tmp_path / "var"
    assert str(settings.database_url) == f"sqlite://{tmp_path}/var/postfach.sqlite3"
    assert settings.embedded
    assert settings.access_token_lifetime == timedelta(minutes=15)
    assert settings.refresh_token_lifetime == timedelta(days=30)
    assert settings.public_url == "http://127.0.0.1:8000"
    assert not settings.secure
    assert settings.allowed_origins == frozenset()
    assert settings.smtp is None
    assert settings.smtp_from == "postfach@127.0.0.1"
    assert settings.outbox_page is False
    assert settings.imap == MailServer("imap.127.0.0.1", 993, "tls")
    assert settings.pop3 == MailServer("pop3.127.0.0.1", 995, "tls")
    assert settings.submission == MailServer("smtp.127.0.0.1", 465, "tls")
    assert settings.profile_signing is None
    assert (settings.doveadm_url, settings.doveadm_key) == (None, None)
    # Tests have no terminal.
    assert settings.log_format == "json"
    assert settings.traces_url is None
    assert settings.graphiql
    assert settings.introspection
    assert settings.compiled
    assert settings.limits == Limits()
    assert settings.operation_seconds == 15
    assert (settings.trusted_documents, settings.only_trusted) == ({}, False)


def test_everything_can_be_said(tmp_path: Path) -> None:
    sealing, token = key_ring("new", "old"), key_ring("t")
    trusted = tmp_path / "documents.json"
    trusted.write_text(json.dumps({sha256("{ a }"): "{ a }"}))
    signing = chain(tmp_path)
    settings = load(
        tmp_path,
        DATABASE_URL=POSTGRESQL,
        SEALING_KEYS=sealing,
        TOKEN_KEYS=token,
        ACCESS_TOKEN_MINUTES="1",
        REFRESH_TOKEN_DAYS="365",
        PUBLIC_URL="https://Post.Example:443/",
        ALLOWED_ORIGINS="https://App.example, http://localhost:5173,capacitor://localhost",
        SMTP_URL="smtp+starttls://ada%40example:p%3Aw@mail.example:587",
        SMTP_FROM="letters@post.example",
        OUTBOX_PAGE="on",
        IMAP="Mail.example:143:starttls",
        POP3="mail.example:995:tls",
        SUBMISSION="mail.example:587:starttls",
        PROFILE_CERTIFICATE_FILE=str(signing.certificates),
        PROFILE_KEY_FILE=str(signing.key),
        DOVEADM_URL="http://127.0.0.1:8080/doveadm/v1",
        DOVEADM_KEY="k3y",
        LOG_FORMAT="text",
        TRACES_URL="http://collector.example:4318/",
        GRAPHIQL="off",
        INTROSPECTION="off",
        LIMITS="depth=7, cost=1000",
        OPERATION_SECONDS="600",
        TRUSTED_DOCUMENTS=str(trusted),
        ONLY_TRUSTED="on",
    )
    assert (settings.trusted_documents, settings.only_trusted) == ({sha256("{ a }"): "{ a }"}, True)
    assert settings.operation_seconds == 600
    assert settings.limits == Limits(depth=7, cost=1000)
    assert not settings.embedded
    assert (settings.database_url.password, settings.database_url.port) == ("s3cret/", 5433)
    assert settings.sealing_keys.text() == sealing
    assert settings.sealing_keys.first[0] == "new"
    assert settings.token_keys.text() == token
    assert settings.access_token_lifetime == timedelta(minutes=1)
    assert settings.refresh_token_lifetime == timedelta(days=365)
    assert settings.public_url == "https://post.example"
    assert settings.secure
    assert settings.allowed_origins == {
        "https://app.example",
        "http://localhost:5173",
        "capacitor://localhost",
    }
    assert settings.smtp == SmtpServer("mail.example", 587, "starttls", "ada@example", "p:w")
    assert settings.smtp_from == "letters@post.example"
    assert settings.outbox_page
    assert settings.imap == MailServer("mail.example", 143, "starttls")
    assert settings.pop3 == MailServer("mail.example", 995, "tls")
    assert settings.submission == MailServer("mail.example", 587, "starttls")
    assert settings.profile_signing is not None
    assert settings.profile_signing.signer().certificate.public_bytes(Encoding.PEM) in (
        signing.certificates.read_bytes()
    )
    assert settings.doveadm_url == "http://127.0.0.1:8080/doveadm/v1"
    assert settings.doveadm_key == "k3y"
    assert (settings.log_format, settings.graphiql, settings.introspection) == ("text", False, False)
    assert settings.traces_url == "http://collector.example:4318"
    # With PostgreSQL and given keys nothing is kept on the disk.
    assert not (tmp_path / "data").exists()


def test_the_mail_servers_follow_the_public_host(tmp_path: Path) -> None:
    settings = load(tmp_path, PUBLIC_URL="https://post.example:8443/base/")
    assert settings.public_url == "https://post.example:8443/base"
    assert settings.smtp_from == "postfach@post.example"
    assert settings.guessed_servers == (settings.imap, settings.pop3, settings.submission)
    assert settings.imap.host == "imap.post.example"


@pytest.mark.parametrize(
    "content",
    [{"x": "{ a }"}, {sha256("{ b }"): "{ a }"}, [], {"operations": [{"id": "x"}]}, {sha256("1"): 1}],
)
def test_a_file_of_documents_with_another_hash_stops_the_start(tmp_path: Path, content: object) -> None:
    file = tmp_path / "documents.json"
    file.write_text(json.dumps(content))
    assert problems(tmp_path, TRUSTED_DOCUMENTS=str(file)) == [
        f"POSTFACH_TRUSTED_DOCUMENTS: expected {TRUSTED}"
    ]


def test_what_goes_with_trusted_documents_alone(tmp_path: Path) -> None:
    assert problems(tmp_path, ONLY_TRUSTED="on", GRAPHIQL="on") == [
        "POSTFACH_TRUSTED_DOCUMENTS: expected beside POSTFACH_ONLY_TRUSTED",
        "POSTFACH_GRAPHIQL: expected off beside POSTFACH_ONLY_TRUSTED",
    ]


def test_what_signs_profiles_goes_together_and_fits(tmp_path: Path) -> None:
    files = chain(tmp_path)
    certificates, key = str(files.certificates), str(files.key)
    assert problems(tmp_path, PROFILE_KEY_FILE=key) == [
        "POSTFACH_PROFILE_CERTIFICATE_FILE: expected beside POSTFACH_PROFILE_KEY_FILE"
    ]
    assert problems(tmp_path, PROFILE_CERTIFICATE_FILE=key, PROFILE_KEY_FILE=key) == [
        "POSTFACH_PROFILE_CERTIFICATE_FILE: expected a readable file with certificates in PEM"
    ]
    assert problems(tmp_path, PROFILE_CERTIFICATE_FILE=certificates, PROFILE_KEY_FILE=certificates) == [
        "POSTFACH_PROFILE_KEY_FILE: expected a readable file with a private key in PEM, without a password"
    ]
    assert problems(tmp_path, PROFILE_CERTIFICATE_FILE=str(files.trusted), PROFILE_KEY_FILE=key) == [
        "POSTFACH_PROFILE_KEY_FILE: expected the private key of the first certificate"
    ]


def test_what_mail_programs_are_told_needs_no_key(tmp_path: Path) -> None:
    named_here = named({"DATA_DIR": str(tmp_path / "data"), "PUBLIC_URL": "https://post.example"})
    found = PublicSettings.load(named_here)
    assert (found.public_url, found.servers) == (
        "https://post.example",
        load(tmp_path, PUBLIC_URL=found.public_url).servers,
    )
    assert str(found.database_url) == f"sqlite://{tmp_path}/data/postfach.sqlite3"
    with pytest.raises(SettingsError) as refused:
        PublicSettings.load({**named_here, "POSTFACH_IMAP": "x"})
    assert refused.value.problems == ["POSTFACH_IMAP: expected HOST:PORT:tls or HOST:PORT:starttls"]


def test_nothing_secret_is_shown(tmp_path: Path) -> None:
    sealing, token = key_ring("s"), key_ring("t")
    settings = load(
        tmp_path,
        DATABASE_URL=POSTGRESQL,
        SEALING_KEYS=sealing,
        TOKEN_KEYS=token,
        SMTP_URL="smtps://ada:p4ssword@mail.example:465",
        DOVEADM_URL="http://127.0.0.1",
        DOVEADM_KEY="k3y",
    )
    for shown in (repr(settings), str(settings), f"{settings.database_url}"):
        for secret in ("s3cret", "p4ssword", "k3y", sealing[2:20], token[2:20]):
            assert secret not in shown


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    "name,text,expected",
    [
        ("DATA_DIR", "", "the path of a folder"),
        ("DATABASE_URL", "", DATABASE),
        (
            "DATABASE_URL",
            "sqlite://relative",
            DATABASE,
        ),
        (
            "DATABASE_URL",
            "mysql://a:b@c/d",
            DATABASE,
        ),
        (
            "SEALING_KEYS",
            "",
            f"{RING} (entry 1 has no id of 1 to 64 letters, digits, '.', '_', '-' before a colon)",
        ),
        ("TOKEN_KEYS", "a:b", f"{RING} (the key of entry 1 is not base64)"),
        ("TOKEN_KEYS", "a:c2hvcnQ=", f"{RING} (the key of entry 1 has 5 bytes)"),
        ("TOKEN_KEYS", f"a:{KEY},a:{KEY}", f"{RING} (entry 2 repeats an id)"),
        ("ACCESS_TOKEN_MINUTES", "", "a whole number from 1 to 1440"),
        ("ACCESS_TOKEN_MINUTES", "0", "a whole number from 1 to 1440"),
        ("ACCESS_TOKEN_MINUTES", "1441", "a whole number from 1 to 1440"),
        ("ACCESS_TOKEN_MINUTES", "-1", "a whole number from 1 to 1440"),
        ("ACCESS_TOKEN_MINUTES", "1.5", "a whole number from 1 to 1440"),
        ("ACCESS_TOKEN_MINUTES", "\u0661\u0665", "a whole number from 1 to 1440"),
        ("REFRESH_TOKEN_DAYS", "30d", "a whole number from 1 to 3650"),
        ("PUBLIC_URL", "post.example", URL),
        (
            "PUBLIC_URL",
            "ftp://post.example",
            URL,
        ),
        (
            "PUBLIC_URL",
            "https://a@post.example",
            URL,
        ),
        (
            "PUBLIC_URL",
            "https://post.example?x",
            URL,
        ),
        (
            "PUBLIC_URL",
            "https://post.example:0",
            URL,
        ),
        (
            "PUBLIC_URL",
            "https://post example",
            URL,
        ),
        (
            "ALLOWED_ORIGINS",
            "*",
            ORIGINS,
        ),
        (
            "ALLOWED_ORIGINS",
            "null",
            ORIGINS,
        ),
        (
            "ALLOWED_ORIGINS",
            "https://a.example/x",
            ORIGINS,
        ),
        (
            "ALLOWED_ORIGINS",
            "https://*.example",
            ORIGINS,
        ),
        (
            "ALLOWED_ORIGINS",
            "https://a.example,,",
            ORIGINS,
        ),
        (
            "SMTP_URL",
            "mail.example:25",
            SMTP,
        ),
        (
            "SMTP_URL",
            "smtp://mail.example",
            SMTP,
        ),
        (
            "SMTP_URL",
            "smtp://ada@mail.example:25",
            SMTP,
        ),
        (
            "SMTP_URL",
            "http://a:b@mail.example:25",
            SMTP,
        ),
        ("SMTP_FROM", "Ada <a@b.example>", "an e-mail address"),
        ("OUTBOX_PAGE", "yes", "on or off"),
        ("IMAP", "mail.example:993", "HOST:PORT:tls or HOST:PORT:starttls"),
        ("POP3", "mail.example:99999:tls", "HOST:PORT:tls or HOST:PORT:starttls"),
        ("SUBMISSION", "mail example:465:tls", "HOST:PORT:tls or HOST:PORT:starttls"),
        ("LOG_FORMAT", "xml", "text or json"),
        ("TRACES_URL", "collector:4318", URL),
        ("GRAPHIQL", "1", "on or off"),
        ("INTROSPECTION", "", "on or off"),
        ("OPERATION_SECONDS", "0", "a whole number from 1 to 600"),
        ("ONLY_TRUSTED", "yes", "on or off"),
        ("TRUSTED_DOCUMENTS", "/nowhere/documents.json", TRUSTED),
        ("TRUSTED_DOCUMENTS", "/proc/self/status", TRUSTED),
        ("OPERATION_SECONDS", "601", "a whole number from 1 to 600"),
        ("LIMITS", "", LIMITS),
        ("LIMITS", "depth", LIMITS),
        ("LIMITS", "depth=0", LIMITS),
        ("LIMITS", "depth=1.5", LIMITS),
        ("LIMITS", "depth=1,depth=2", LIMITS),
        ("LIMITS", "depht=7", LIMITS),
        ("ENV_FILE", "/nowhere/at/all", "a readable text file"),
        ("TOKEN_KEYS_FILE", "/nowhere/at/all", "the path of a readable text file"),
    ],
)
def test_what_does_not_parse_stops_the_start(tmp_path: Path, name: str, text: str, expected: str) -> None:
    assert problems(tmp_path, **{"DATA_DIR": str(tmp_path / "data"), name: text}) == [
        f"POSTFACH_{name}: expected {expected}"
    ]


def test_what_is_not_built_stops_the_start(tmp_path: Path) -> None:
    assert problems(tmp_path, LMTP_LISTEN="127.0.0.1:24", EVENTS_URL="redis://x") == [
        "POSTFACH_EVENTS_URL: not available yet, expected it not to be set",
        "POSTFACH_LMTP_LISTEN: not available yet, expected it not to be set",
    ]


def test_an_unknown_name_stops_the_start(tmp_path: Path) -> None:
    assert problems(tmp_path, GRAPHQL="on", TEST_REQUIRE_ALL="1", graphiql="on") == [
        "POSTFACH_GRAPHQL: unknown, expected a name that docs/operating.md lists, POSTFACH_GRAPHIQL perhaps",
        "POSTFACH_TEST_REQUIRE_ALL: unknown, expected a name that docs/operating.md lists",
        "POSTFACH_graphiql: unknown, expected a name that docs/operating.md lists",
    ]


def test_postgresql_wants_both_key_rings(tmp_path: Path) -> None:
    assert problems(tmp_path, DATABASE_URL=POSTGRESQL) == [
        f"POSTFACH_SEALING_KEYS: required with PostgreSQL, expected {RING}",
        f"POSTFACH_TOKEN_KEYS: required with PostgreSQL, expected {RING}",
    ]


def test_the_two_of_dovecot_belong_together(tmp_path: Path) -> None:
    assert problems(tmp_path, DOVEADM_KEY="k") == [
        "POSTFACH_DOVEADM_URL: expected beside POSTFACH_DOVEADM_KEY"
    ]
    assert problems(tmp_path, DOVEADM_URL="http://a") == [
        "POSTFACH_DOVEADM_KEY: expected beside POSTFACH_DOVEADM_URL"
    ]


def test_no_message_repeats_a_value(tmp_path: Path) -> None:
    secret = "s3cret"
    for name in ("DATABASE_URL", "SEALING_KEYS", "TOKEN_KEYS", "SMTP_URL", "ACCESS_TOKEN_MINUTES", "NEW"):
        assert all(secret not in line for line in problems(tmp_path, **{name: f"{secret}:{secret}"}))


# ---------------------------------------------------------------- files


def test_a_file_may_hold_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "settings.env"
    file.write_text(
        "# A comment\n\n"
        "export POSTFACH_PUBLIC_URL=https://file.example\n"
        "POSTFACH_LOG_FORMAT = 'text'\n"
        'POSTFACH_ALLOWED_ORIGINS="https://a.example"\n'
        "OTHER=x\n"
    )
    settings = load(tmp_path, ENV_FILE=str(file), LOG_FORMAT="json")
    assert settings.public_url == "https://file.example"
    assert settings.allowed_origins == {"https://a.example"}
    # The environment comes first.
    assert settings.log_format == "json"


def test_a_file_is_looked_at_as_closely(tmp_path: Path) -> None:
    file = tmp_path / "settings.env"
    file.write_text("POSTFACH_X=1\nnonsense s3cret\nPOSTFACH_ENV_FILE=x\nPOSTFACH_GRAPHIQL=maybe\n")
    assert problems(tmp_path, ENV_FILE=str(file)) == [
        "POSTFACH_ENV_FILE: expected NAME=VALUE in line 2",
        "POSTFACH_ENV_FILE: expected in the environment, not in the file itself",
        "POSTFACH_X: unknown, expected a name that docs/operating.md lists",
        "POSTFACH_GRAPHIQL: expected on or off",
    ]


def test_keys_may_come_from_files(tmp_path: Path) -> None:
    ring = key_ring("a", "b")
    file = tmp_path / "ring"
    file.write_text(ring.replace(",", ",\n") + "\n")
    settings = load(tmp_path, DATABASE_URL=POSTGRESQL, SEALING_KEYS_FILE=str(file), TOKEN_KEYS_FILE=str(file))
    assert settings.sealing_keys.text() == settings.token_keys.text() == ring
    assert problems(tmp_path, TOKEN_KEYS_FILE=str(file), TOKEN_KEYS=ring) == [
        "POSTFACH_TOKEN_KEYS_FILE: expected only one of it and POSTFACH_TOKEN_KEYS"
    ]
    file.write_text("s3cret")
    (problem,) = problems(tmp_path, TOKEN_KEYS_FILE=str(file))
    assert problem.startswith(f"POSTFACH_TOKEN_KEYS_FILE: expected {RING}")
    assert "s3cret" not in problem


# ---------------------------------------------------------------- the keys that are made


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_embedded_database_makes_its_keys_once(tmp_path: Path) -> None:
    first = load(tmp_path)
    data = tmp_path / "data"
    assert sorted(path.name for path in data.iterdir()) == ["sealing.keys", "token.keys"]
    assert (mode(data), mode(data / "sealing.keys"), mode(data / "token.keys")) == (0o700, 0o600, 0o600)
    assert first.sealing_keys.text() != first.token_keys.text()
    assert len(first.sealing_keys.first[1]) == 32
    second = load(tmp_path)
    assert (second.sealing_keys, second.token_keys) == (first.sealing_keys, first.token_keys)
    given = key_ring("mine")
    assert load(tmp_path, TOKEN_KEYS=given).token_keys.text() == given
    assert load(tmp_path).token_keys == first.token_keys


def test_processes_that_make_keys_at_once_agree(tmp_path: Path) -> None:
    found: list[Settings] = []
    together = threading.Barrier(8)

    def start() -> None:
        together.wait()
        found.append(load(tmp_path))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({(each.sealing_keys.text(), each.token_keys.text()) for each in found}) == 1
    assert len(found) == 8
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["sealing.keys", "token.keys"]


def test_a_data_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(SettingsError, match=r"^POSTFACH_DATA_DIR: .*data can't be made: File exists$"):
        load(tmp_path)


def test_a_spoiled_key_file_is_told_and_kept(tmp_path: Path) -> None:
    load(tmp_path)
    file = tmp_path / "data" / "token.keys"
    file.write_text("s3cret")
    with pytest.raises(SettingsError) as caught:
        load(tmp_path)
    assert str(caught.value).startswith(f"POSTFACH_DATA_DIR: {file} holds no key ring: entry 1")
    assert "s3cret" not in str(caught.value)
    assert file.read_text() == "s3cret"
