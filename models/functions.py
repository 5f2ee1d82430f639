"""Functions that PostgreSQL is told when they are first called: a whole unit of work in one statement."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import asyncpg

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Function:
    """A function that PostgreSQL is told when a connection first calls it, and that goes with the connection.

    So each process calls what stands in its own code, whichever versions of it serve at the same time. It is made in the
    schema `pg_temp`, and returns a table.
    """

    name: str
    definition: str
    parameters: int
    statement: str = field(init=False)
    """What calls it."""

    def __post_init__(self) -> None:
        places = ", ".join(f"${number}" for number in range(1, self.parameters + 1))
        object.__setattr__(self, "statement", f"SELECT * FROM pg_temp.{self.name}({places})")

    async def call(
        self, connection: asyncpg.Connection[asyncpg.Record], parameters: Sequence[Any]
    ) -> Sequence[Mapping[str, Any]]:
        """Return the rows that it returns; a connection that does not know it is told."""
        try:
            return cast("Sequence[Mapping[str, Any]]", await connection.fetch(self.statement, *parameters))
        except (asyncpg.UndefinedFunctionError, asyncpg.InvalidSchemaNameError):
            await connection.execute(self.definition)
            return cast("Sequence[Mapping[str, Any]]", await connection.fetch(self.statement, *parameters))
