"""Variables and arguments of the usual kinds, taken without asking at each request of what kind they are.

Texts, ids, whole numbers and truths stand for themselves where they are of the class that JSON gives them. Whatever else
comes, and whatever is wrong, goes the way of GraphQL and Strawberry, and gets their errors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphql import (
    GraphQLBoolean,
    GraphQLError,
    GraphQLID,
    GraphQLInt,
    GraphQLNonNull,
    GraphQLString,
    Undefined,
    VariableNode,
)
from graphql.execution.get_variable_signature import get_variable_signature
from graphql.execution.values import VariableValues, VariableValueSource, get_variable_values
from graphql.utilities import coerce_input_literal
from strawberry import ID
from strawberry.types.base import StrawberryMaybe, StrawberryOptional

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphql import FieldNode, GraphQLField, GraphQLInputType, GraphQLSchema, OperationDefinitionNode
    from strawberry.types.arguments import StrawberryArgument

MOST_ERRORS = 50
LARGEST_INT = 2**31 - 1
_CLASSES: dict[Any, type] = {GraphQLString: str, GraphQLID: str, GraphQLInt: int, GraphQLBoolean: bool}


def _class_of(kind: GraphQLInputType) -> tuple[type | None, bool]:
    """Return the class whose values stand for themselves, and whether null may not be."""
    if isinstance(kind, GraphQLNonNull):
        return _CLASSES.get(kind.of_type), True
    return _CLASSES.get(kind), False


def _fits(number: Any) -> bool:
    """Whether a whole number is an Int (section 3.5.1 of GraphQL)."""
    return bool(-LARGEST_INT - 1 <= number <= LARGEST_INT)


class Variables:
    """The variables that an operation defines."""

    def __init__(self, schema: GraphQLSchema, operation: OperationDefinitionNode) -> None:
        self._schema = schema
        self._definitions = operation.variable_definitions or ()
        self._usual: list[tuple[str, type, bool, Any]] | None = []
        for node in self._definitions:
            signature = get_variable_signature(schema, node)
            kind, required = (
                (None, False) if isinstance(signature, GraphQLError) else _class_of(signature.type)
            )
            if kind is None or node.default_value is not None:
                self._usual = None
                return
            self._usual.append((node.variable.name.value, kind, required, signature))

    def take(self, given: Mapping[str, Any]) -> VariableValues | list[GraphQLError]:
        """Return the values of what a request gave, or the errors."""
        if self._usual is not None:
            sources, coerced = {}, {}
            for name, kind, required, signature in self._usual:
                value: Any = given.get(name, Undefined)
                if value is Undefined:
                    if required:
                        break
                    sources[name] = VariableValueSource(signature)
                    continue
                if value is None:
                    if required:
                        break
                elif value.__class__ is not kind or (kind is int and not _fits(value)):
                    break
                sources[name], coerced[name] = VariableValueSource(signature, value), value
            else:
                return VariableValues(sources, coerced)
        return get_variable_values(self._schema, self._definitions, dict(given), MOST_ERRORS)


class Arguments:
    """The arguments of a field where an operation selects it, if they are of the usual kinds."""

    def __init__(
        self, arguments: dict[str, Any], keywords: dict[str, Any], variables: list[tuple[str, str, str, bool]]
    ) -> None:
        self._arguments = arguments
        self._keywords = keywords
        self._variables = variables

    @classmethod
    def of(
        cls, definition: GraphQLField, node: FieldNode, named: Mapping[str, StrawberryArgument]
    ) -> Arguments | None:
        """Return them where each that is given is of a usual kind, and no other has a default value; else None.

        `named` has Strawberry's arguments by their names in the schema.
        """
        made = cls({}, {}, [])
        given = {each.name.value: each.value for each in node.arguments or ()}
        for name, argument in definition.args.items():
            kind, required = _class_of(argument.type)
            if argument.default_value is not Undefined or argument.default is not None:
                return None
            if name not in given:
                if isinstance(argument.type, GraphQLNonNull):
                    return None
                continue
            value, known = given[name], named.get(name)
            if kind is None or known is None or not _stands_for_itself(known):
                return None
            out_name, python_name = argument.out_name or name, known.python_name
            if isinstance(value, VariableNode):
                made._variables.append((value.name.value, out_name, python_name, required))
                continue
            constant = coerce_input_literal(value, argument.type)
            if constant is Undefined:
                return None
            made._arguments[out_name] = made._keywords[python_name] = constant
        return made

    def take(self, values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Return the arguments by their names in the schema and by those in Python; None where GraphQL is to look at them."""
        arguments, keywords = dict(self._arguments), dict(self._keywords)
        for variable, name, python_name, required in self._variables:
            if variable in values:
                value = values[variable]
                if value is None and required:
                    return None
                arguments[name] = keywords[python_name] = value
            elif required:
                return None
        return arguments, keywords


def _stands_for_itself(argument: StrawberryArgument) -> bool:
    """Whether Strawberry hands the value on as it is."""
    kind: Any = argument.type
    while isinstance(kind, StrawberryOptional) and not isinstance(kind, StrawberryMaybe):
        kind = kind.of_type
    return kind in {str, int, bool, ID}
