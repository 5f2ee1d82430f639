"""What in a schema breaks the contract: it may add, and never renames, retypes or removes.

Types, nullability and defaults are compared as they are printed, more strictly than by graphql-core:
`= null` is another default than none, and a type may not become more generous either.
"""

from collections.abc import Iterable, Iterator

from tests.contract.document import Argument, Definition, Document, Field

KINDS = {
    "object_type_definition": "an object type",
    "interface_type_definition": "an interface",
    "input_object_type_definition": "an input",
    "enum_type_definition": "an enum",
    "union_type_definition": "a union",
    "scalar_type_definition": "a scalar",
}


def differences(contract: Document, schema: Document, coming: Iterable[str] = ()) -> list[str]:
    """One sentence for each break of the contract; none when the schema keeps it.

    `coming` names types (`Type`) and fields, values and members (`Type.name`) that may be missing still. An
    entry that the schema has, or that the contract does not have, is reported too.
    """
    return [*_breaks(contract, schema, frozenset(coming)), *_stale(contract, schema, sorted(coming))]


def _breaks(contract: Document, schema: Document, coming: frozenset[str]) -> Iterator[str]:
    if contract.roots != schema.roots:
        yield f"the root types are {_roots(schema)}, in the contract {_roots(contract)}"
    for name, promised in contract.types.items():
        if actual := schema.types.get(name):
            yield from _type(name, promised, actual, coming)
        elif name not in coming:
            yield f"{name} is missing"


def _type(name: str, promised: Definition, actual: Definition, coming: frozenset[str]) -> Iterator[str]:
    if promised.kind != actual.kind:
        yield f"{name} is {KINDS[actual.kind]}, in the contract {KINDS[promised.kind]}"
        return
    for interface in sorted(promised.interfaces - actual.interfaces):
        yield f"{name} does not implement {interface}"
    for member in sorted(promised.members - actual.members):
        if f"{name}.{member}" not in coming:
            yield f"{name}.{member} is missing"
    for field_name, field in promised.fields.items():
        coordinate = f"{name}.{field_name}"
        if given := actual.fields.get(field_name):
            yield from _field(coordinate, field, given)
        elif coordinate not in coming:
            yield f"{coordinate} is missing"
    inputs = {
        f"{name}.{each}": argument
        for each, argument in promised.input_fields.items()
        if f"{name}.{each}" not in coming
    }
    yield from _arguments(
        inputs, {f"{name}.{each}": argument for each, argument in actual.input_fields.items()}
    )


def _field(coordinate: str, promised: Field, actual: Field) -> Iterator[str]:
    if promised.type != actual.type:
        yield f"{coordinate} is {actual.type}, in the contract {promised.type}"
    yield from _arguments(
        {f"{coordinate}({name}:)": each for name, each in promised.arguments.items()},
        {f"{coordinate}({name}:)": each for name, each in actual.arguments.items()},
    )


def _under(name: str, inputs: dict[str, Argument]) -> dict[str, Argument]:
    return {f"{name}.{each}": argument for each, argument in inputs.items()}


def _arguments(promised: dict[str, Argument], actual: dict[str, Argument]) -> Iterator[str]:
    for coordinate, argument in promised.items():
        given = actual.get(coordinate)
        if given is None:
            yield f"{coordinate} is missing"
            continue
        if argument.type != given.type:
            yield f"{coordinate} is {given.type}, in the contract {argument.type}"
        if argument.default != given.default:
            yield f"{coordinate} has {_default(given)}, in the contract {_default(argument)}"
    for coordinate, given in actual.items():
        if coordinate not in promised and given.required:
            yield f"{coordinate} is new and required, so clients that do not know it fail"


def _stale(contract: Document, schema: Document, coming: Iterable[str]) -> Iterator[str]:
    known = frozenset(contract.coordinates)
    built = frozenset(schema.coordinates)
    for entry in coming:
        if entry not in known:
            yield f"{entry} is listed as still to come, but the contract does not know it"
        elif entry in built:
            yield f"{entry} is listed as still to come, but it is there: take it off the list"


def _default(argument: Argument) -> str:
    return "no default" if argument.default is None else f"the default {argument.default}"


def _roots(document: Document) -> str:
    return ", ".join(f"{operation}: {name}" for operation, name in sorted(document.roots.items()))
