"""What the sub-commands are told on the command line."""

from __future__ import annotations

import argparse


def parser(name: str, description: str | None) -> argparse.ArgumentParser:
    """Return the parser of a sub-command, which has its module's docstring for a description."""
    return argparse.ArgumentParser(
        prog=f"python -m bench {name}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def parser_of_rounds(name: str, description: str | None) -> argparse.ArgumentParser:
    """Return the parser of a sub-command that puts servers under load in alternating rounds."""
    found = parser(name, description)
    found.add_argument("--entries", type=int, default=100_000)
    found.add_argument("--rounds", type=int, default=3)
    found.add_argument("--seconds", type=float, default=5, help="of a round")
    found.add_argument("--connections", type=int, default=16)
    return found
