"""Fields of objects that are no plain attributes of them: how their values are had for all objects of a level at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from strawberry.execution.is_awaitable import optimized_is_awaitable

from execution.trouble import TroubleError
from execution.waiting import all_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from execution.fields import Field
    from execution.running import Run
    from execution.shapes import Shape


class Member:
    """A field of objects that is no plain attribute of them, or more than a leaf."""

    def __init__(self, field: Field, shape: Shape) -> None:
        self.field = field
        self.shape = shape
        self._resolves_async = field.attribute is None and field.is_async
        self.is_async = self._resolves_async or shape.is_async
        self.may_be_at_hand = field.attribute is not None or field.at_hand is not None
        """Else a resolver would be called to find out, and once more where something below has to be waited for."""

    def fill(self, run: Run, sources: Sequence[Any], answers: list[dict[str, Any]]) -> None:
        """Put the field into each answer."""
        put(answers, self.field.key, self.shape.complete(run, self._values(run, sources)))

    async def fill_async(self, run: Run, sources: Sequence[Any], answers: list[dict[str, Any]]) -> None:
        """Do the same where something has to be waited for."""
        values = await self.values(run, sources)
        put(answers, self.field.key, await self.shape.complete_async(run, values))

    def fill_at_hand(self, run: Run, sources: Sequence[Any], answers: list[dict[str, Any]]) -> bool:
        """Put the field into each answer where nothing has to be waited for; return whether it is there."""
        done = self.at_hand(run, sources)
        if done is None:
            return False
        put(answers, self.field.key, done)
        return True

    def at_hand(self, run: Run, sources: Sequence[Any]) -> list[Any] | None:
        """Return what the answer holds of the field for each object, None where something has to be waited for."""
        if not self.may_be_at_hand:
            return None
        field = self.field
        values = (
            self._values(run, sources) if field.attribute is not None else field.values_at_hand(run, sources)
        )
        return None if values is None else self.shape.complete_at_hand(run, values)

    async def values(self, run: Run, sources: Sequence[Any]) -> Sequence[Any]:
        """Return the field's value for each object."""
        if not self._resolves_async:
            return self._values(run, sources)
        field = self.field
        asked = run.asked(field)
        if field.many is not None and asked.keywords is not None:
            return await self._many(run, sources)
        call, deny = field.caller(asked), field.denial(asked)
        if len(sources) == 1:
            denied = None if deny is None else deny(sources[0])
            value = call(sources[0]) if denied is None else denied[0]
            return [await value if denied is None or optimized_is_awaitable(value) else value]
        if deny is None:
            return await all_of([call(source) for source in sources])
        values = list(map(deny, sources))
        waiting = [call(source) for source, denied in zip(sources, values, strict=True) if denied is None]
        waiting += [
            denied[0] for denied in values if denied is not None and optimized_is_awaitable(denied[0])
        ]
        granted = iter(await all_of(waiting) if waiting else [])
        found = [next(granted) if denied is None else denied[0] for denied in values]
        return [next(granted) if optimized_is_awaitable(value) else value for value in found]

    async def _many(self, run: Run, sources: Sequence[Any]) -> Sequence[Any]:
        """Ask for all objects in one call; those that may not be read are not asked for."""
        field = self.field
        asked = run.asked(field)
        deny = field.denial(asked)
        many: Any = field.many
        if deny is None:
            values: Sequence[Any] = await many(asked.own, sources, **(asked.keywords or {}))
        else:
            denied = list(map(deny, sources))
            allowed = [source for source, each in zip(sources, denied, strict=True) if each is None]
            granted = iter(await many(asked.own, allowed, **(asked.keywords or {})) if allowed else ())
            values = [next(granted) if each is None else each[0] for each in denied]
            for value in values:
                if optimized_is_awaitable(value):
                    raise TroubleError("denied")
        if len(values) != len(sources):
            raise TroubleError("another number of values")
        return values

    def _values(self, run: Run, sources: Sequence[Any]) -> Sequence[Any]:
        field = self.field
        if field.attribute is not None:
            name = field.attribute
            return [getattr(source, name) for source in sources]
        asked = run.asked(field)
        call, deny = field.caller(asked), field.denial(asked)
        if deny is None:
            values = [call(source) for source in sources]
        else:
            values = [
                call(source) if denied is None else denied[0]
                for source, denied in ((source, deny(source)) for source in sources)
            ]
        return values


def put(answers: list[dict[str, Any]], key: str, values: Sequence[Any]) -> None:
    """Put a value into each answer."""
    for answer, value in zip(answers, values, strict=True):
        answer[key] = value
