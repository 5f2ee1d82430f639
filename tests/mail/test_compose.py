"""What `deploy/compose.yaml` needs is made by its script, once, and is what Postfach's settings take."""

from __future__ import annotations

import re
import stat
import subprocess
from pathlib import Path

import pytest

from server.settings import DatabaseSettings, Settings
from tests import peers
from tests.mail.configured import DEPLOY

COMPOSE = (DEPLOY / "compose.yaml").read_text("utf-8")
BROUGHT = {"mail.pem", "mail.key"}
"""The operator's own."""


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """The folder as the script makes it."""
    peers.require("openssl")
    run(tmp_path / "secrets")
    return tmp_path / "secrets"


def run(folder: Path) -> None:
    subprocess.run([DEPLOY / "compose" / "secrets.sh", folder], check=True, capture_output=True)


def test_every_secret_is_made_once_and_for_nobody_else(secrets: Path) -> None:
    named = set(re.findall(r"\{file: secrets/([\w.]+)\}", COMPOSE))
    assert {each.name for each in secrets.iterdir()} == named - BROUGHT
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    before = {each.name: each.read_text() for each in secrets.iterdir()}
    (secrets / "doveadm_key").unlink()
    run(secrets)
    after = {each.name: each.read_text() for each in secrets.iterdir()}
    assert {name for name in before if before[name] != after[name]} == {"doveadm_key"}
    assert len(set(before.values())) == len(before)


def test_postfach_and_its_filter_take_them_as_settings(secrets: Path) -> None:
    given = dict(re.findall(r"^      (POSTFACH_\w+): (.+)$", COMPOSE, re.MULTILINE))
    given |= {
        "POSTFACH_ENV_FILE": str(secrets / "postfach.env"),
        "POSTFACH_SEALING_KEYS_FILE": str(secrets / "sealing.keys"),
        "POSTFACH_TOKEN_KEYS_FILE": str(secrets / "token.keys"),
        "POSTFACH_PUBLIC_URL": "https://postfach.example",
    }
    settings = Settings.load(
        {name: value.replace("${MAIL_HOST}", "mail.example") for name, value in given.items()}
    )
    assert settings.database_url.user == "postfach"
    assert settings.servers.imap.host == "mail.example"
    assert (settings.doveadm_url, settings.doveadm_key) == (
        "http://dovecot:8080",
        (secrets / "doveadm_key").read_text().strip(),
    )
    milter = DatabaseSettings.load({"POSTFACH_ENV_FILE": str(secrets / "milter.env")})
    assert (milter.database_url.user, milter.database_url.host) == ("postfach_milter", "database")


def test_what_is_built_and_mounted_is_there() -> None:
    for path in re.findall(r"- \./([\w./]+):/", COMPOSE):
        assert (DEPLOY / path).is_file(), path
    image = (DEPLOY / "compose" / "mail.Dockerfile").read_text("utf-8")
    for path in re.findall(r"^COPY (\S+) ", image, re.MULTILINE):
        assert (DEPLOY / path).exists(), path
    for script in (DEPLOY / "compose").glob("*.sh"):
        subprocess.run(["sh", "-n", script], check=True)
