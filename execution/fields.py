"""How the value of one field is had: read from an attribute, or asked of its resolver.

A field without a resolver is an attribute of its object. A resolver that nothing but permissions stands before is called
without the layers between, its arguments converted once an operation; every other one the way GraphQL's executor does.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Literal

from graphql import GraphQLError
from graphql.execution.values import get_argument_values
from graphql.pyutils import Path
from graphql.type.definition import GraphQLResolveInfoHelpers
from strawberry.execution.is_awaitable import optimized_is_awaitable
from strawberry.permission import PermissionExtension
from strawberry.schema.schema import _OperationContextAwareGraphQLResolveInfo as ResolveInfo
from strawberry.types.arguments import convert_arguments

from execution.inputs import Arguments
from execution.waiting import all_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from graphql import GraphQLField, GraphQLObjectType
    from strawberry.types.field import StrawberryField

    from execution.running import Run
    from execution.selections import Selected

HELPERS = GraphQLResolveInfoHelpers(gather=all_of, track=lambda _: None)
DEFINITION = "strawberry-definition"
MANY, AT_HAND, FIRST = "resolve_many", "resolve_at_hand", "wait_first"


@dataclass(slots=True)
class Asked:
    """A field as one request asks for it: what its resolver is called with beside the object."""

    info: Any
    arguments: dict[str, Any]
    own: Any = None
    keywords: dict[str, Any] | None = None


def together(
    many: Callable[..., Awaitable[Sequence[Any]]],
    *,
    at_hand: Callable[..., Sequence[Any] | None] | None = None,
    first: Callable[[Sequence[Any]], Awaitable[None]] | None = None,
) -> Callable[[Any], Any]:
    """Mark a resolver with what resolves it for many objects at once.

    `many(info, objects, **arguments)` returns as many values as there are objects, in their order, each what the
    resolver itself would return for that object. `at_hand(objects, **arguments)` returns the same without waiting, None
    where it would have to. `first(objects)` is what is waited for before anything else: where all fields of the objects
    begin with the same, it is waited for once, before a task is made for any of them.
    """

    def mark(resolver: Any) -> Any:
        setattr(resolver, MANY, many)
        setattr(resolver, AT_HAND, at_hand)
        setattr(resolver, FIRST, first)
        return resolver

    return mark


def attribute_of(definition: GraphQLField) -> str | None:
    """Return the attribute that a field without a resolver reads."""
    field: StrawberryField | None = definition.extensions.get(DEFINITION)
    if field is None or not field.is_basic_field or field.default_resolver is not getattr:
        return None
    return field.python_name


class Field:
    """A field of the schema where an operation selects it."""

    def __init__(
        self, parent: GraphQLObjectType, selected: Selected, definition: GraphQLField, path: Path | None
    ) -> None:
        self.parent = parent
        self.path = Path(path, selected.key, parent.name)
        self.selected = selected
        self.key = selected.key
        self.definition = definition
        self.strawberry: StrawberryField | None = definition.extensions.get(DEFINITION)
        self.attribute = attribute_of(definition)
        self.is_async = self.strawberry is None or self.strawberry.is_async
        self._permissions = self._simple_permissions()
        self._function = self._direct_function()
        self._source = self._source_name()
        self.takes_info = self._takes_info()
        """Whether the resolver is called with an object and `info` alone, or with the object; None where not within a loop."""
        self.many = getattr(self._function, MANY, None)
        # What stands before the resolver comes first, whatever it says.
        free = None if self.has_permissions else self._function
        self.at_hand: Callable[..., Sequence[Any] | None] | None = getattr(free, AT_HAND, None)
        self.first = getattr(free, FIRST, None)
        self._place = selected.name, selected.nodes, definition.type, parent, self.path
        self._constant = not any(_holds_variable(node) for node in selected.nodes)
        self._constant_arguments: dict[str, Any] | None = None
        self._arguments: Arguments | Literal[False] | None = None
        self.extras: dict[str, Any] = {}
        """What the resolver is told in its `info` beside what GraphQL has there."""

    @property
    def python_name(self) -> str:
        """The name in Python; where there is none, that in the schema."""
        return self.selected.name if self.strawberry is None else self.strawberry.python_name

    @property
    def has_permissions(self) -> bool:
        """Whether something stands before the resolver or the attribute."""
        return self.strawberry is None or bool(self.strawberry.extensions)

    def _simple_permissions(self) -> list[PermissionExtension] | None:
        """Return the permissions before the resolver, outermost first; None where something else stands there too."""
        found = []
        for extension in reversed(self.strawberry.extensions if self.strawberry else []):
            if not isinstance(extension, PermissionExtension) or not extension.supports_sync:
                return None
            if type(extension).resolve is not PermissionExtension.resolve:
                return None
            found.append(extension)
        return found

    def _direct_function(self) -> Callable[..., Any] | None:
        field = self.strawberry
        if field is None or field.base_resolver is None or self._permissions is None:
            return None
        function = field.base_resolver.wrapped_func
        if not inspect.isfunction(function) or field.base_resolver.self_parameter is not None:
            return None
        if inspect.isasyncgenfunction(function) or field.base_resolver.type_annotation is None:
            return None
        return function

    def _source_name(self) -> str | None:
        """Return the parameter that takes the object, if there is one."""
        resolver = None if self.strawberry is None else self.strawberry.base_resolver
        parameter = None if resolver is None else resolver.parent_parameter or resolver.root_parameter
        return None if parameter is None else parameter.name

    def ask(self, run: Run) -> Asked:
        """Return what the resolver is called with, the same for every object of one request.

        The path in its `info` has no places in lists.
        """
        info: Any = ResolveInfo(
            *self._place,
            run.plan.schema,
            run.plan.selections.fragments,
            None,
            run.plan.selections.operation,
            run.variables.coerced,
            run.context,
            optimized_is_awaitable,
            None,
            HELPERS,
            self.extras,
        )
        field = self.strawberry
        taken = self._take_arguments(run)
        asked = Asked(info, self._raw_arguments(run) if taken is None else taken[0])
        if self._function is not None and field is not None:
            converter = run.plan.strawberry.schema_converter
            info_class: Any = converter.config.info_class
            asked.own = _at_hand(info_class)(_raw_info=info, _field=field)
            asked.own.context = run.context
            asked.keywords = (
                convert_arguments(
                    asked.arguments,
                    field.arguments,
                    scalar_registry=converter.scalar_registry,
                    config=converter.config,
                    info=asked.own,
                )
                if taken is None
                else taken[1]
            )
        return asked

    def _take_arguments(self, run: Run) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Return the arguments, and what Strawberry makes of them, where they are of the usual kinds."""
        field = self.strawberry
        if self._function is None or field is None:
            return None
        if self._arguments is None:
            name_of = run.plan.strawberry.config.name_converter.from_argument
            named = {name_of(each): each for each in field.arguments}
            self._arguments = Arguments.of(self.definition, self.selected.details[0].node, named) or False
        return self._arguments.take(run.variables.coerced) if self._arguments else None

    def constant_arguments(self) -> dict[str, Any] | None:
        """Return the arguments where they are the same in every request, else None."""
        if not self._constant:
            return None
        try:
            return get_argument_values(self.definition, self.selected.details[0].node, None)
        except GraphQLError:
            return None

    def _raw_arguments(self, run: Run) -> dict[str, Any]:
        if not self.definition.args:
            return {}
        if self._constant_arguments is not None:
            return self._constant_arguments
        arguments = get_argument_values(self.definition, self.selected.details[0].node, run.variables)
        if self._constant:
            self._constant_arguments = arguments
        return arguments

    def values_at_hand(self, run: Run, sources: Sequence[Any]) -> Sequence[Any] | None:
        """Return the field's value for each object, None where it would have to be waited for."""
        if self.at_hand is None:
            return None
        if not self.definition.args:
            return self.at_hand(sources)
        keywords = run.asked(self).keywords
        return None if keywords is None else self.at_hand(sources, **keywords)

    def caller(self, asked: Asked) -> Callable[[Any], Any]:
        """Return the function of an object that returns the field's value, or the promise of it."""
        function, keywords, field = self._function, asked.keywords, self.strawberry
        if function is None or keywords is None or field is None or field.base_resolver is None:
            resolve, info, arguments = self.definition.resolve, asked.info, asked.arguments
            if resolve is None:
                raise AssertionError(self.key)
            return lambda source: resolve(source, info, **arguments)
        info = field.base_resolver.info_parameter
        if info is not None:
            keywords = {**keywords, info.name: asked.own}
        if self._source is None:
            return lambda _: function(**keywords)
        if _positional(function)[:1] != (self._source,):
            return _with_source(function, self._source, keywords)
        return partial(function, **keywords) if keywords else function

    def _takes_info(self) -> bool | None:
        function, field = self._function, self.strawberry
        if (
            function is None
            or field is None
            or field.base_resolver is None
            or self.is_async
            or self._permissions
        ):
            return None
        names = _positional(function)
        if self._source is None or names[:1] != (self._source,):
            return None
        info = field.base_resolver.info_parameter
        return info is not None and not field.arguments and names[1:2] == (info.name,)

    def called(self, asked: Asked) -> Any:
        """Return the function that is called in a loop over objects, with the `info` that it takes, if so."""
        return (self._function, asked.own) if self.takes_info else self.caller(asked)

    def denial(self, asked: Asked) -> Callable[[Any], tuple[Any] | None] | None:
        """Return what looks at the permissions for an object: None where it may be read, else what is read instead.

        Where that is an error, the resolver's own way says which.
        """
        if not self._permissions or self._function is None or asked.keywords is None:
            return None
        permissions = [(each, one) for each in self._permissions for one in each.permissions]
        own, keywords = asked.own, asked.keywords
        resolve, info, arguments = self.definition.resolve, asked.info, asked.arguments
        if resolve is None:
            raise AssertionError(self.key)

        def look(source: Any) -> tuple[Any] | None:
            for extension, permission in permissions:
                if permission.has_permission(source, own, **keywords) is not True:
                    if extension.fail_silently:
                        return ([] if extension.return_empty_list else None,)
                    return (resolve(source, info, **arguments),)
            return None

        return look


@lru_cache
def _at_hand(info_class: type[Any]) -> type[Any]:
    """Return a class of `info` whose context is a plain attribute: most resolvers ask for it, for each object."""
    return type(info_class.__name__, (info_class,), {"context": None})


def _positional(function: Any) -> tuple[str, ...]:
    """Return the names of the parameters that can be given by their places."""
    code = function.__code__
    names: tuple[str, ...] = code.co_varnames[: code.co_argcount]
    return names


def _with_source(function: Callable[..., Any], name: str, keywords: dict[str, Any]) -> Callable[[Any], Any]:
    return lambda source: function(**{name: source}, **keywords)


def _holds_variable(node: Any) -> bool:
    """Whether an argument of a field names a variable."""
    pending = [argument.value for argument in node.arguments or ()]
    while pending:
        value = pending.pop()
        if value.kind == "variable":
            return True
        pending += getattr(value, "values", None) or ()
        pending += [each.value for each in getattr(value, "fields", None) or ()]
    return False
