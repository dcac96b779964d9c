"""Browsing the list: a page with what the whole list adds up to, the values of filters, chosen columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from serving.actions.playbook import Playbook
from serving.application.permissions import Actor, use_case
from serving.application.workspace import NOBODY, Workspace
from serving.lists.cursor import Cursor
from serving.lists.filter_values import ValueCounts, filter_values
from serving.lists.filtered_rows import ListTotals
from serving.lists.filters import DEFAULTS, ListFilter
from serving.lists.list_page import ListPage, list_page
from serving.state.saved_filters import preference, set_preference
from serving.state.scores.score_table import UPLIFT_COLUMNS
from training.bundle.list_policy import ListOrder, default_order

COLUMNS = "list columns"
"""The preference with the columns of the list."""
NO_FILTER = ("limit", "order_by")
"""Fields of a filter that lessen nobody's fitting: how many, and in which order."""


@dataclass(frozen=True, eq=False)
class FilterOptions:
    """What the filters of the list can be set to."""

    values: Mapping[str, ValueCounts]
    """For each filter by its name in an address the values that somebody has, and how many have them."""
    playbook: Playbook | None
    """What names touch models and actions; None before a plan was made."""
    default_order: ListOrder
    orders: tuple[ListOrder, ...]
    """The orders that these scores can be in: by the columns in which somebody has a number."""
    has_amounts: bool
    capacity: int
    """How many customers can be approached, by [capacity.contacts]."""


@dataclass(frozen=True)
class LoosenedFilter:
    """What a list would be without one of its filters."""

    name: str
    """The field, of an attribute `segment.NAME`."""
    choice: ListFilter
    totals: ListTotals


@dataclass(frozen=True, eq=False)
class BrowsedList:
    """A page of the list."""

    page: ListPage
    is_newest: bool
    """Whether its scores are those in use; a cursor goes on in the scores that it began with."""


@use_case("read_customer")
def browse_list(
    workspace: Workspace,
    actor: Actor,
    choice: ListFilter,
    language: str | None = None,
    *,
    size: int,
    cursor: str | None = None,
) -> BrowsedList:
    """A page of so many customers of everyone on the list, with its count, its values and the pages around.

    With a cursor the page goes on in the scores of the page before, whatever was scored since. Raises
    `UsageError` for a cursor of a list with other filters, and for a name that nothing has.
    """
    workspace.record_access(actor.name, "at_risk", NOBODY)
    position = None if cursor is None else Cursor.of_list(cursor, choice.fingerprint)
    current = workspace.scores.current()
    is_newest = position is None or position.file == current.file
    reader = current if position is None or is_newest else workspace.scores.of_file(position.file)
    return BrowsedList(list_page(reader, choice, workspace.language(language), size, position), is_newest)


@use_case("read_customer")
def filter_options(workspace: Workspace, actor: Actor) -> FilterOptions:
    """The values that the filters of the list can have in the scores and the plan in use."""
    reader = workspace.scores.current()
    amounts = reader.scores.facts.amounts
    uplift = tuple(name for name in UPLIFT_COLUMNS if reader.scores.knows(name))
    known = {"churn_probability", *uplift}
    known |= {"value_at_risk"} if amounts else set()
    known |= set() if reader.scores.answers.lifetime is None else {"lifetime_value"}
    return FilterOptions(
        filter_values(reader.scores, reader.subjects, reader.plan),
        None if reader.plan is None else reader.plan.playbook,
        default_order(amounts=amounts),
        tuple(one for one in get_args(ListOrder) if one in known),
        amounts,
        workspace.project.settings.capacity.contacts,
    )


@use_case("read_customer")
def loosened_filters(workspace: Workspace, actor: Actor, choice: ListFilter) -> list[LoosenedFilter]:
    """For each filter what the list would be without it, the longest list first."""
    filtered = workspace.scores.current().filtered
    wider = [(name, one, filtered.totals(one)) for name, one in _without_one(choice)]
    found = [LoosenedFilter(*one) for one in wider if one[2].customers]
    return sorted(found, key=lambda one: -one.totals.customers)


@use_case("read_customer")
def chosen_columns(workspace: Workspace, actor: Actor) -> tuple[str, ...] | None:
    """The columns of the list that a person chose, None where they did not choose."""
    value = preference(workspace.database, actor.name, COLUMNS)
    return None if value is None else tuple(value.split())


@use_case("read_customer")
def choose_columns(workspace: Workspace, actor: Actor, columns: Sequence[str]) -> None:
    """Remember which columns of the list a person wants to see."""
    set_preference(workspace.database, actor.name, COLUMNS, " ".join(columns))


def _without_one(choice: ListFilter) -> list[tuple[str, ListFilter]]:
    """Each filter that is set, with the choice without it."""
    found = [
        (name, choice.model_copy(update={name: DEFAULTS[name]}))
        for name in ListFilter.model_fields
        if name not in (*NO_FILTER, "segment") and getattr(choice, name) != DEFAULTS[name]
    ]
    for name in choice.segment:
        others = {one: values for one, values in choice.segment.items() if one != name}
        found.append((f"segment.{name}", choice.model_copy(update={"segment": others})))
    return found
