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

from models.database import DatabaseUnavailableError
from server import commands
from server.commands import CommandError
from server.settings import Settings, SettingsError

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one sub-command and return the exit code."""
    # Database, keys, letters and exports are for nobody else on the machine.
    os.umask(0o077)
    parsed = _parser().parse_args(arguments)
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
        return _fail(str(error))
    except DatabaseUnavailableError as error:
        return _fail(f"the database does not answer: {error}")
    except OSError as error:
        return _fail(
            f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error)
        )
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="postfach",
        description="A GraphQL API for the mailboxes of real-estate agencies.",
        epilog="docs/operating.md lists the settings.",
    )
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in pkgutil.iter_modules(commands.__path__):
        importlib.import_module(f"{commands.__name__}.{module.name}").register(subparsers)
    parser.set_defaults(settings=True)
    return parser


def _fail(message: str) -> int:
    line = " ".join(message.split())
    print(f"postfach: {line}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
