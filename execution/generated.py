"""Code made for one selection: objects in, the beginnings of their answers out.

The names of response keys and attributes come from a valid document and from the schema. Keys are written as literals
that Python's own `repr` makes, attributes are checked to be identifiers; nothing else of a document becomes code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphql import Undefined

from execution.trouble import NotCompilableError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from execution.leaves import Leaf


def builder(
    typename: str, entries: Sequence[tuple[str, str | None, Leaf | None]]
) -> Callable[[Sequence[Any]], list[dict[str, Any]]]:
    """Return the function that begins the answer of each object, its keys in the order of `entries`.

    An entry is a key with the attribute and the leaf that fill it; with the attribute None and no leaf the key is left
    null, to be filled later, and with the attribute `__typename` it is the type's name.
    """
    names: dict[str, Any] = {"Undefined": Undefined}
    reads: list[str] = []
    parts: list[str] = []
    for place, (key, attribute, leaf) in enumerate(entries):
        value = f"v{place}"
        if attribute == "__typename":
            value = repr(typename)
        elif attribute is None or leaf is None:
            value = "None"
        else:
            if not attribute.isidentifier():
                raise NotCompilableError("an attribute with another name")
            names[f"c{place}"] = leaf.coerce
            if leaf.enum is not None:
                names[f"e{place}"], names[f"n{place}"] = leaf.enum, leaf.names
                reads += [
                    f"{value} = o.{attribute}",
                    f"{value} = n{place}[{value}] if {value}.__class__ is e{place} else c{place}({value})",
                ]
            elif leaf.direct is not None:
                reads += [
                    f"{value} = o.{attribute}",
                    f"if {value}.__class__ is not {leaf.direct.__name__}: {value} = c{place}({value})",
                ]
            else:
                # Only what is not null is written; what becomes null is for `coerce`, which says whether it may.
                names[f"w{place}"] = leaf.write
                reads += [
                    f"{value} = o.{attribute}",
                    f"if {value} is not None: {value} = w{place}({value})",
                    f"if {value} is None or {value} is Undefined: {value} = c{place}(o.{attribute})",
                ]
        parts.append(f"{key!r}: {value}")
    lines = ["def build(objects):", " out = []", " add = out.append", " for o in objects:"]
    lines += [f"  {line}" for line in reads]
    lines += [f"  add({{{', '.join(parts)}}})", " return out"]
    exec(compile("\n".join(lines), f"<{typename}>", "exec"), names)  # noqa: S102 (the module says what becomes code)
    build: Callable[[Sequence[Any]], list[dict[str, Any]]] = names["build"]
    return build
