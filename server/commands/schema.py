"""`postfach schema`: prints the SDL."""

from __future__ import annotations

import argparse
import sys
from typing import Any


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser("schema", help="print the SDL")
    parser.set_defaults(run=run, settings=False)


def run(arguments: argparse.Namespace, settings: None) -> int:  # noqa: ARG001 (every sub-command's signature)
    """Print the schema as the server serves it."""
    # Building the schema takes time that the other sub-commands need not spend.
    from schema import schema  # noqa: PLC0415

    sys.stdout.write(schema.as_str().rstrip("\n") + "\n")
    return 0
