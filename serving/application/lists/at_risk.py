"""The at-risk list: whole, a page at a time, or row by row for files of any length."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from serving.application.permissions import Actor, use_case
from serving.application.workspace import NOBODY, Workspace
from serving.lists.cursor import Cursor
from serving.lists.filters import ListFilter
from serving.schemas.responses import AtRiskReply, ListedCustomer, Provenance


@dataclass(frozen=True, eq=False)
class ListRows:
    """The customers of a list one after the other, so that a list of any length fits in memory."""

    source: Provenance
    """Where the scores came from."""
    customers: Iterator[ListedCustomer]
    planned: bool
    """Whether there is a plan for these scores, so that rows say what to do."""

    @property
    def uplifted(self) -> bool:
        """Whether an uplift model was in use, so that rows say whom contact helps."""
        return self.source.uplift is not None


@use_case("read_customer")
def list_at_risk(
    workspace: Workspace, actor: Actor, choice: ListFilter, language: str | None = None
) -> ListRows:
    """Whom to approach first, and why; the capacity [capacity.contacts] limits a list without a limit."""
    workspace.record_access(actor.name, "at_risk", NOBODY)
    reader = workspace.scores.current()
    customers = reader.listed(_limited(workspace, choice), workspace.language(language))
    return ListRows(reader.provenance, customers, reader.plan is not None)


@use_case("read_customer")
def at_risk_page(
    workspace: Workspace,
    actor: Actor,
    choice: ListFilter,
    language: str | None = None,
    cursor: str | None = None,
) -> AtRiskReply:
    """A page of the list, and the cursor of the next one.

    With a cursor the page goes on in the scores of the page before, whatever was scored since. Raises
    `UsageError` for a cursor of a list with other filters.
    """
    choice = _limited(workspace, choice)
    workspace.record_access(actor.name, "at_risk", NOBODY)
    position = None if cursor is None else Cursor.of_list(cursor, choice.fingerprint)
    scores = workspace.scores
    reader = scores.current() if position is None else scores.of_file(position.file)
    return reader.page(choice, workspace.language(language), position)


@use_case("download")
def whole_list(
    workspace: Workspace,
    actor: Actor,
    choice: ListFilter,
    language: str | None = None,
    *,
    planned_first: bool = False,
) -> ListRows:
    """The list as a file is made of it: everyone, unless the choice has a limit.

    With `planned_first` those planned come before those left out, each in the order of the list.
    """
    reader = workspace.scores.current()
    workspace.record_access(actor.name, "at_risk.csv", NOBODY)
    customers = reader.listed(choice, workspace.language(language), planned_first=planned_first)
    return ListRows(reader.provenance, customers, reader.plan is not None)


def _limited(workspace: Workspace, choice: ListFilter) -> ListFilter:
    """A choice without a limit is limited by how many customers can be approached."""
    if choice.limit is not None:
        return choice
    return choice.model_copy(update={"limit": workspace.project.settings.capacity.contacts})
