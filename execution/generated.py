"""Code made for one selection: objects in, the beginnings of their answers out.

Nothing of a document becomes source, which names response keys, attributes and the type by their places alone: they are put into
the code when it is compiled. So documents that ask for the same kinds of values share what Python's compiler makes, and that is
most of what a plan costs.
"""

from __future__ import annotations

from functools import lru_cache
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any

from graphql import Undefined

from execution.trouble import NotCompilableError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from execution.leaves import Leaf

CODES_KEPT, LONGEST_KEPT = 512, 8_000
"""How many sources are kept compiled, and of how many characters at the most: some megabytes in all."""


def builder(
    typename: str, entries: Sequence[tuple[str, str | None, Leaf | None]]
) -> Callable[[Sequence[Any]], list[dict[str, Any]]]:
    """Return the function that begins the answer of each object, its keys in the order of `entries`.

    An entry is a key with the attribute and the leaf that fill it; with the attribute None and no leaf the key is left
    null, to be filled later, and with the attribute `__typename` it is the type's name.
    """
    names: dict[str, Any] = {"Undefined": Undefined}
    filled = {"typename": typename}
    reads: list[str] = []
    parts: list[str] = []
    for place, (key, attribute, leaf) in enumerate(entries):
        value = f"v{place}"
        filled[f"k{place}"] = key
        if attribute == "__typename":
            value = "'typename'"
        elif attribute is None or leaf is None:
            value = "None"
        else:
            if not attribute.isidentifier():
                raise NotCompilableError("an attribute with another name")
            filled[f"a{place}"] = attribute
            names[f"c{place}"] = leaf.coerce
            if leaf.enum is not None:
                names[f"e{place}"], names[f"n{place}"] = leaf.enum, leaf.names
                reads += [
                    f"{value} = o.a{place}",
                    f"{value} = n{place}[{value}] if {value}.__class__ is e{place} else c{place}({value})",
                ]
            elif leaf.direct is not None:
                reads += [
                    f"{value} = o.a{place}",
                    f"if {value}.__class__ is not {leaf.direct.__name__}: {value} = c{place}({value})",
                ]
            else:
                # Only what is not null is written; what becomes null is for `coerce`, which says whether it may.
                names[f"w{place}"] = leaf.write
                reads += [
                    f"{value} = o.a{place}",
                    f"if {value} is not None: {value} = w{place}({value})",
                    f"if {value} is None or {value} is Undefined: {value} = c{place}(o.a{place})",
                ]
        parts.append(f"'k{place}': {value}")
    lines = ["def build(objects):", " out = []", " add = out.append", " for o in objects:"]
    lines += [f"  {line}" for line in reads]
    lines += [f"  add({{{', '.join(parts)}}})", " return out"]
    build: Callable[[Sequence[Any]], list[dict[str, Any]]] = made("\n".join(lines), filled, names)
    return build


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
