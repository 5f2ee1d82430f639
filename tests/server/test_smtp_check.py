"""`postfach check` with an SMTP server for letters: it goes as far as the sign-in, and sends nothing."""

import asyncio

import pytest

from tests import command
from tests.mail.smtp_servers import PASSWORD, USER, serving

pytestmark = [pytest.mark.asyncio, pytest.mark.parametrize("database_kind", ["sqlite"])]


async def test_a_mail_server_that_takes_no_letters_is_told(environment: dict[str, str]) -> None:
    async with serving() as post:

        async def told(scheme: str) -> tuple[int, str]:
            url = f"{scheme}://{USER}:{PASSWORD}@127.0.0.1:{post.port}"
            done = await asyncio.to_thread(command.run, {**environment, "POSTFACH_SMTP_URL": url}, "check")
            return done.code, done.output + done.error

        assert await told("smtp") == (0, "All is well.\n")
        begin = f"POSTFACH_SMTP_URL: 127.0.0.1:{post.port} takes no letters: "
        no_tls = "SMTP STARTTLS extension not supported by server."
        assert await told("smtp+starttls") == (1, f"{begin}{no_tls}\n")
        post.password = "another"
        assert await told("smtp") == (1, f"{begin}535 5.7.8 Authentication credentials invalid\n")
        assert post.taken == []
