"""Code made for one selection: objects in, the beginnings of their answers out.

Nothing of a document becomes source, which names response keys, attributes and the type by their places alone: they are put into
the code when it is compiled. So documents that ask for the same kinds of values share what Python's compiler makes, and that is
most of what a plan costs.
"""

from __future__ import annotations

from functools import lru_cache
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple

from graphql import Undefined

from execution.trouble import NotCompilableError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from execution.leaves import Leaf

CODES_KEPT, LONGEST_KEPT = 512, 8_000
"""How many sources are kept compiled, and of how many characters at the most: some megabytes in all."""


class Entry(NamedTuple):
    """A key of an answer, and where its value comes from.

    An attribute with the leaf that writes it, or what a function of the object returns, with the `info` that it takes or without;
    the attribute `__typename` is the type's name. Where there is neither, the key is left null, to be filled later.
    """

    key: str
    attribute: str | None = None
    leaf: Leaf | None = None
    takes_info: bool | None = None


def builder(
    typename: str, entries: Sequence[Entry]
) -> Callable[[Sequence[Any], Sequence[Any]], list[dict[str, Any]]]:
    """Return the function that begins the answer of each object, its keys in the order of `entries`.

    It takes the objects, and the functions to call in the order of their entries, each with its `info` where it takes one.
    """
    names: dict[str, Any] = {"Undefined": Undefined}
    filled = {"typename": typename}
    lines = ["def build(objects, calls):", " out = []", " add = out.append"]
    reads: list[str] = []
    parts: list[str] = []
    calls = 0
    for place, (key, attribute, leaf, takes_info) in enumerate(entries):
        value = f"v{place}"
        filled[f"k{place}"] = key
        if attribute == "__typename":
            value = "'typename'"
        elif leaf is None:
            value = "None"
        else:
            if takes_info is not None:
                lines.append(f" f{place}{f', i{place}' if takes_info else ''} = calls[{calls}]")
                calls += 1
                reads.append(f"{value} = f{place}(o{f', i{place}' if takes_info else ''})")
            elif attribute is not None and attribute.isidentifier():
                filled[f"a{place}"] = attribute
                reads.append(f"{value} = o.a{place}")
            else:
                raise NotCompilableError("an attribute with another name")
            reads += _written(place, leaf, names)
        parts.append(f"'k{place}': {value}")
    lines += [" for o in objects:", *[f"  {line}" for line in reads]]
    lines += [f"  add({{{', '.join(parts)}}})", " return out"]
    build: Callable[[Sequence[Any], Sequence[Any]], list[dict[str, Any]]]
    build = made("\n".join(lines), filled, names)
    return build


def _written(place: int, leaf: Leaf, names: dict[str, Any]) -> list[str]:
    """Return what makes of a value what the answer holds; `names` gets what is called there."""
    value = f"v{place}"
    names[f"c{place}"] = leaf.coerce
    if leaf.enum is not None:
        names[f"e{place}"], names[f"n{place}"] = leaf.enum, leaf.names
        return [f"{value} = n{place}[{value}] if {value}.__class__ is e{place} else c{place}({value})"]
    if leaf.direct is not None:
        return [f"if {value}.__class__ is not {leaf.direct.__name__}: {value} = c{place}({value})"]
    # Only what is not null is written; what becomes null is for `coerce`, which says whether it may.
    names[f"w{place}"] = leaf.write
    return [
        f"r = {value}",
        f"if r is not None: {value} = w{place}(r)",
        f"if {value} is None or {value} is Undefined: {value} = c{place}(r)",
    ]


def made(source: str, filled: Mapping[str, str], names: dict[str, Any]) -> Any:
    """Return the function that a source defines, with these global names.

    `filled` says which attributes and strings stand in it instead of those that are written there.
    """
    code = _kept(source) if len(source) <= LONGEST_KEPT else _compiled(source)
    code = code.replace(
        co_names=tuple(filled.get(each, each) for each in code.co_names),
        co_consts=tuple(_filled(each, filled) for each in code.co_consts),
    )
    return FunctionType(code, names)


def _filled(constant: Any, filled: Mapping[str, str]) -> Any:
    """Return a constant of the code with other strings in it: the keys of a dictionary are one, in a tuple."""
    if isinstance(constant, str):
        return filled.get(constant, constant)
    return tuple(_filled(each, filled) for each in constant) if isinstance(constant, tuple) else constant


def _compiled(source: str) -> CodeType:
    module = compile(source, "<execution.generated>", "exec")
    return next(each for each in module.co_consts if isinstance(each, CodeType))


_kept = lru_cache(CODES_KEPT)(_compiled)
