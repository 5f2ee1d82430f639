"""What lies beside the code is packed with it: the image is made from a wheel."""

import tomllib
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("server", "schema", "resolvers", "mail", "models", "execution")
NOT_PACKED = {"README.md"}


def packed(package: str, path: PurePosixPath, patterns: dict[str, list[str]]) -> bool:
    return any(path.match(each) for each in patterns["*"] if len(path.parts) == 1) or any(
        path.parent == PurePosixPath(each).parent and path.match(each) for each in patterns.get(package, [])
    )


@pytest.mark.parametrize("room", ROOMS)
def test_every_file_of_a_room_is_packed(room: str) -> None:
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"][
        "package-data"
    ]
    left_out = []
    for file in sorted((ROOT / room).rglob("*")):
        # The page of GraphiQL is packed as it was built, without its sources.
        if not file.is_file() or file.suffix in {".py", ".pyc"} or "graphiql" in file.relative_to(ROOT).parts:
            continue
        package = next(each for each in file.parents if (each / "__init__.py").exists())
        name = ".".join(package.relative_to(ROOT).parts)
        path = PurePosixPath(file.relative_to(package).as_posix())
        if file.name not in NOT_PACKED and not packed(name, path, patterns):
            left_out.append(str(file.relative_to(ROOT)))
    assert left_out == []
