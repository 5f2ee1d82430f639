from pathlib import Path

from tests.contract.copies import contract, outdated, possible_types, printed

SDL = """
interface Node { id: ID! }
interface Named implements Node { id: ID! name: String }
type B implements Node & Named { id: ID! name: String }
type A implements Node { id: ID! }
union Found = B | A
"""


def test_possible_types_are_sorted_and_hold_objects_alone() -> None:
    assert possible_types(SDL) == (
        "{\n"
        '  "Found": [\n    "A",\n    "B"\n  ],\n'
        '  "Named": [\n    "B"\n  ],\n'
        '  "Node": [\n    "A",\n    "B"\n  ]\n'
        "}\n"
    )


def test_a_committed_file_must_hold_what_is_printed(tmp_path: Path) -> None:
    files = printed(SDL, tmp_path)
    where = tmp_path.name
    assert outdated(files) == [
        f"{where}/schema.graphql is not what the code prints: make schema writes it anew",
        f"{where}/possible_types.json is not what the code prints: make schema writes it anew",
    ]

    for path, text in files.items():
        path.write_text(text, encoding="utf-8")
    assert outdated(files) == []

    (tmp_path / "possible_types.json").write_text("{}\n", encoding="utf-8")
    assert outdated(files) == [
        f"{where}/possible_types.json is not what the code prints: make schema writes it anew"
    ]


def test_the_copy_stands_alone_where_there_is_no_original(tmp_path: Path) -> None:
    copy = tmp_path / "contract.graphql"
    copy.write_text(SDL, encoding="utf-8")

    assert contract(tmp_path / "absent.graphql", copy) == (SDL, [])


def test_the_original_counts_where_the_two_differ(tmp_path: Path) -> None:
    copy = tmp_path / "contract.graphql"
    copy.write_text(SDL, encoding="utf-8")
    original = tmp_path / "original.graphql"
    original.write_text(SDL, encoding="utf-8")
    assert contract(original, copy) == (SDL, [])

    original.write_text(SDL + "scalar S\n", encoding="utf-8")
    assert contract(original, copy) == (
        SDL + "scalar S\n",
        ["tests/contract/contract.graphql is not equal to ../shared/original.graphql: copy it anew"],
    )
