import pytest

from tests.contract.document import Argument, Field, read


def test_types_and_defaults_are_taken_as_printed() -> None:
    document = read("type A implements B & C { f(a: [Int!] = [1, 2], b: E = null, c: ID!): [A!]! }")

    definition = document.types["A"]
    assert definition.interfaces == {"B", "C"}
    assert definition.fields == {
        "f": Field(
            "[A!]!",
            {"a": Argument("[Int!]", "[1, 2]"), "b": Argument("E", "null"), "c": Argument("ID!", None)},
        )
    }


def test_a_default_makes_an_argument_optional() -> None:
    assert Argument("Int!", None).required
    assert not Argument("Int!", "1").required
    assert not Argument("Int", None).required


def test_coordinates_name_types_fields_values_and_members() -> None:
    document = read("type A { x: Int } input I { y: Int } enum E { P Q } union U = A scalar S")

    assert list(document.coordinates) == ["A", "A.x", "I", "I.y", "E", "E.P", "E.Q", "U", "U.A", "S"]


def test_every_part_without_a_description_is_named() -> None:
    document = read(
        """
        type A { x(a: Int, "Said." b: Int): Int "Said." y: Int }
        "Said." interface B { z: Int }
        input I { y: Int }
        enum E { P "Said." Q }
        union U = A
        scalar S
        directive @d(a: Int) on FIELD
        """
    )

    assert document.undescribed == (
        *("A", "A.x", "A.x(a:)", "B.z", "I", "I.y", "E", "E.P", "U", "S", "@d", "@d(a:)"),
    )


def test_a_blank_description_says_nothing() -> None:
    assert read('"   " scalar S').undescribed == ("S",)
    assert read('"Said." scalar S').undescribed == ()


def test_extensions_are_refused() -> None:
    with pytest.raises(ValueError, match="object_type_extension"):
        read("extend type A { x: Int }")
