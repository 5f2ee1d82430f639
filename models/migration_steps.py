"""A migration's step whose words differ between the databases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tortoise.migrations.operations import RunSQL

if TYPE_CHECKING:
    from tortoise.migrations.schema_editor import BaseSchemaEditor
    from tortoise.migrations.schema_generator.state import State


class DialectSQL(RunSQL):
    """Runs one script on PostgreSQL and another on SQLite; there is no way back."""

    def __init__(self, *, postgresql: str, sqlite: str) -> None:
        super().__init__(sql="")
        self.scripts = {"postgres": postgresql, "sqlite": sqlite}

    async def database_forward(
        self,
        app_label: str,  # noqa: ARG002 (Tortoise's signature)
        old_state: State,  # noqa: ARG002
        new_state: State,  # noqa: ARG002
        state_editor: BaseSchemaEditor | None = None,
    ) -> None:
        """Run the script of the database at hand."""
        if state_editor is not None:
            client: Any = state_editor.client
            await client.execute_script(self.scripts[client.capabilities.dialect])
