"""The schema against the contract, its descriptions, and the committed copies, as a part of `make lint`."""

import argparse
import sys

from schema import schema
from tests.contract.coming import STILL_TO_COME
from tests.contract.comparison import differences
from tests.contract.copies import contract, outdated, printed
from tests.contract.document import read


def main(arguments: list[str] | None = None) -> int:
    """Print the findings on standard error; the exit code is 1 when there are any."""
    parser = argparse.ArgumentParser(prog="python -m tests.contract.check", description=__doc__)
    parser.add_argument(
        "--write", action="store_true", help="first write the committed SDL and possible types anew"
    )
    options = parser.parse_args(arguments)

    sdl = schema.as_str()
    files = printed(sdl)
    if options.write:
        for path, text in files.items():
            path.write_text(text, encoding="utf-8")

    promised, findings = contract()
    document = read(sdl)
    findings += differences(read(promised), document, STILL_TO_COME)
    findings += [f"{coordinate} has no description" for coordinate in document.undescribed]
    findings += outdated(files)
    for finding in findings:
        print(f"contract: {finding}", file=sys.stderr)
    if not findings:
        print(f"The schema keeps the contract; {len(STILL_TO_COME)} of its parts are still to come.")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
