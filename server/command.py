"""The entry point of the command `postfach`: finds the sub-command, reads the settings, speaks of failures.

Every failure that can be foreseen is one line on standard error and the exit code 1; wrong usage has 2.
"""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import sys
from collections.abc import Sequence

import asyncpg
from tortoise.exceptions import BaseORMException

from models.database import DatabaseUnavailableError
from server import commands
from server.commands import CommandError
from server.settings import Settings, SettingsError

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one sub-command and return the exit code."""
    # Database, keys, letters and exports are for nobody else on the machine.
    os.umask(0o077)
    given = sys.argv[1:] if arguments is None else arguments
    parsed = _parser(given).parse_args(given)
    try:
        settings = Settings.load() if parsed.settings else None
        code: int = parsed.run(parsed, settings)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output has seen enough; Python would complain again when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except (CommandError, SettingsError) as error:
        message = str(error)
    except DatabaseUnavailableError as error:
        message = f"the database does not answer: {error}"
    except (BaseORMException, asyncpg.PostgresError) as error:
        message = f"the database refuses: {_without_values(error)}"
    except OSError as error:
        message = f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error)
    else:
        return code
    return _fail(message)


def _parser(given: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="postfach",
        description="A GraphQL API for the mailboxes of real-estate agencies.",
        epilog="docs/operating.md lists the settings.",
    )
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    names = {module.name.rstrip("_"): module.name for module in pkgutil.iter_modules(commands.__path__)}
    # What the others import takes longer than many a sub-command runs.
    wanted = given[:1] if given and given[0] in names else names
    for name in wanted:
        importlib.import_module(f"{commands.__name__}.{names[name]}").register(subparsers)
    parser.set_defaults(settings=True)
    return parser


def _without_values(error: BaseException) -> str:
    """Return what a database says, without the detail, which may show a row."""
    cause = error.__cause__ if isinstance(error, BaseORMException) and error.__cause__ else error
    return str(cause.args[0]) if cause.args else type(cause).__name__


def _fail(message: str) -> int:
    line = " ".join(message.split())
    print(f"postfach: {line}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
