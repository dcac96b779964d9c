"""The list in the columns of another system, such as a CRM."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from serving.application.permissions import Actor, use_case
from serving.application.workspace import NOBODY, Workspace
from serving.integrations.crm_columns import column_map, lines
from serving.lists.filters import ListFilter


@dataclass(frozen=True, eq=False)
class ExportedList:
    """A list in another system's columns, as the lines of a CSV file with its heading."""

    columns: tuple[str, ...]
    lines: Iterator[str]


@use_case("contact")
def export_list(
    workspace: Workspace, actor: Actor, columns: str, choice: ListFilter, language: str | None = None
) -> ExportedList:
    """The list in the columns `salesforce`, `hubspot`, or a map of kizuna.toml.

    Raises `UsageError` for columns that nobody declared; everyone is on it unless the choice has a limit.
    """
    column_map(columns, workspace.project.settings.crm)  # a name that nobody declared is refused first
    reader = workspace.scores.current()
    mapped = column_map(columns, workspace.project.settings.crm, reader.provenance)
    workspace.record_access(actor.name, "at_risk.csv", NOBODY)
    listed = reader.listed(choice, workspace.language(language))
    return ExportedList(tuple(mapped.columns), lines(listed, mapped, reader.provenance))
