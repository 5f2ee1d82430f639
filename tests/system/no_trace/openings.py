"""What a viewer must not do in one of two worlds: it opens what is hidden, as product.md says it does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphql import (
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    get_argument_values,
    get_operation_ast,
    get_variable_values,
)

from models.mails import identity
from tests.oracle.rule import fold
from tests.oracle.world import PASSWORD
from tests.system.no_trace.parsing import parsed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.system.no_trace.door import Asked
    from tests.system.no_trace.hidden import Hidden


@dataclass(frozen=True)
class Openings:
    """Knows them for one viewer."""

    schema: GraphQLSchema
    viewer_id: str | None
    login: str | None
    hidden: Hidden
    guards: frozenset[str]
    """Ids of `hidden.guards`."""

    def are_in(self, asked: Asked) -> bool:
        """Whether the operation has one of them, or ends what the viewer goes on with."""
        tree = parsed(asked.document)
        operation = get_operation_ast(tree, None)
        if operation is None or operation.operation is not OperationType.MUTATION:
            return False
        return any(
            self._opens(name, arguments) for name, arguments in self._fields(operation, asked.variables)
        )

    def _fields(
        self, operation: OperationDefinitionNode, variables: Mapping[str, Any]
    ) -> list[tuple[str, dict[str, Any]]]:
        values = get_variable_values(self.schema, operation.variable_definitions or (), dict(variables))
        if isinstance(values, list):
            # Refused before anything is done.
            return []
        found = []
        root = self.schema.mutation_type
        for node in operation.selection_set.selections:
            if root is not None and isinstance(node, FieldNode) and node.name.value in root.fields:
                try:
                    arguments = get_argument_values(root.fields[node.name.value], node, values)
                except GraphQLError:
                    continue
                found.append((node.name.value, arguments))
        return found

    def _opens(self, name: str, arguments: Mapping[str, Any]) -> bool:
        match name:
            case "setMailboxVip":
                switches_off = not arguments["vip"] and bool(arguments.get("confirm"))
                return switches_off and arguments["mailboxId"] in self.guards
            case "setUserRights" | "setUserState":
                return bool(arguments["userId"] == self.viewer_id)
            case "assignUser":
                return arguments["userId"] == self.viewer_id and arguments["mailboxId"] in self.guards
            case "signIn":
                # As somebody else one sees other things.
                return arguments["password"] == PASSWORD and fold(arguments["login"]) != fold(
                    self.login or ""
                )
            case "bookMail":
                return _identity(arguments["input"]) in self.hidden.identities
        return False


def _identity(given: Mapping[str, Any]) -> str:
    return identity(
        given["messageId"].strip(),
        given["sender"].strip(),
        given["recipients"],
        given["subject"],
        given["text"],
    )
