"""What the tables' fields share: how they refer to each other, and the one kind that both databases would store differently."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tortoise import fields

if TYPE_CHECKING:
    from tortoise.models import Model

WITHIN_AGENCY: dict[str, Any] = {
    "related_name": False,
    "on_delete": fields.NO_ACTION,
    "db_constraint": False,
}
"""A reference within one agency: the migrations hold it together with `agency_id`, which no model can say."""


def instant_to_text(value: datetime) -> str:
    """Write an aware instant as 27 characters of UTC, so that text order is time order.

    SQLite has no type for time and compares whatever text it was given: every instant in it has this form.
    """
    if value.tzinfo is not UTC:
        value = value.astimezone(UTC)
    return value.isoformat(timespec="microseconds")[:-6] + "Z"


def instant_from_text(value: str) -> datetime:
    """Read back what `instant_to_text` wrote."""
    return datetime.fromisoformat(value)


class InstantField(fields.DatetimeField[Any]):
    """An instant in UTC to the microsecond: `timestamptz` on PostgreSQL, ordered text on SQLite."""

    class _db_sqlite:  # noqa: N801 (the name is Tortoise's)
        SQL_TYPE = "TEXT"

    def to_db_value(self, value: Any, instance: type[Model] | Model) -> Any:  # noqa: ANN401 (Tortoise's signature)
        """Refuse an instant without an offset: whose noon it means is anybody's guess."""
        if isinstance(value, str):
            value = instant_from_text(value)
        if value is None:
            return None
        if value.tzinfo is None:
            message = f"{self.model_field_name} needs an offset"
            raise ValueError(message)
        dialect = self._dialect(instance)
        return instant_to_text(value) if dialect == "sqlite" else value.astimezone(UTC)

    @staticmethod
    def _dialect(instance: type[Model] | Model) -> str:
        return instance._meta.db.capabilities.dialect  # noqa: SLF001 (Tortoise keeps the dialect there)
