"""`python -m tests.docs` writes the answers of the pages anew, as the server gives them."""

import asyncio
import tempfile
from pathlib import Path

from server.settings import Settings
from tests.databases import Template, settings_environment
from tests.docs.pages import PAGES, ROOT, examples
from tests.docs.play import fill, play
from tests.docs.words import lines


def write(page: Path, template: Template, folder: Path) -> int:
    """Put what is answered into the page; returns how many blocks that changed."""
    with template.copied(folder) as url:
        outcomes = asyncio.run(play(page, Settings.load(settings_environment(url, folder))))
    text = page.read_text("utf-8")
    changed = 0
    for outcome in sorted(outcomes, key=lambda each: -each.fence.start):
        start, end = outcome.fence.start, outcome.fence.start + len(outcome.fence.text)
        wanted = lines(outcome.told) + "\n"
        changed += text[start:end] != wanted
        text = text[:start] + wanted + text[end:]
    page.write_text(text, "utf-8")
    return changed


def main() -> None:
    """Write every page that has an answer."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        url = f"sqlite:///{folder / 'filled.sqlite3'}"
        asyncio.run(fill(Settings.load(settings_environment(url, folder))))
        for page in PAGES:
            if any(example.answer for example in examples(page)):
                print(f"{page.relative_to(ROOT)}: {write(page, Template.of(url), folder)} answers changed")


main()
