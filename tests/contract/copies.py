"""The copies that are committed: the contract itself, the SDL, and the possible types for clients' caches."""

import json
from pathlib import Path

from tests.contract.document import read

ROOT = Path(__file__).parents[2]
COPY = Path(__file__).with_name("contract.graphql")
# Beside a checkout of those who agree on the contract; a clone elsewhere has the copy alone.
ORIGINAL = ROOT.parent / "shared" / "contract.graphql"


def contract(original: Path = ORIGINAL, copy: Path = COPY) -> tuple[str, list[str]]:
    """The contract's text, and a finding when the committed copy differs from the original."""
    text = copy.read_text(encoding="utf-8")
    if not original.exists() or (agreed := original.read_text(encoding="utf-8")) == text:
        return text, []
    return agreed, [f"tests/contract/{copy.name} is not equal to ../shared/{original.name}: copy it anew"]


def possible_types(sdl: str) -> str:
    """Which types stand behind each interface and union, as JSON."""
    possible: dict[str, list[str]] = {}
    for name, definition in read(sdl).types.items():
        if definition.kind == "union_type_definition":
            possible[name] = list(definition.members)
        elif definition.kind == "object_type_definition":
            for interface in definition.interfaces:
                possible.setdefault(interface, []).append(name)
    ordered = {name: sorted(possible[name]) for name in sorted(possible)}
    return json.dumps(ordered, indent=2) + "\n"


def printed(sdl: str, folder: Path = ROOT / "schema") -> dict[Path, str]:
    """What the committed files must hold, by their paths."""
    return {
        folder / "schema.graphql": sdl.rstrip("\n") + "\n",
        folder / "possible_types.json": possible_types(sdl),
    }


def outdated(files: dict[Path, str]) -> list[str]:
    """A finding for each file that is missing or does not hold its text."""
    return [
        f"{path.parent.name}/{path.name} is not what the code prints: make schema writes it anew"
        for path, text in files.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
