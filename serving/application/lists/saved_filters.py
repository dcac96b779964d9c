"""Saved filters of the list: shared in the project under a name, with who saved them."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from features.errors import UsageError
from serving.application.permissions import Actor, use_case
from serving.application.workspace import Workspace
from serving.lists.filters import DEFAULTS, ListFilter, check_names
from serving.state import saved_filters as records

LONGEST_NAME = 100
"""Characters of a name."""


@dataclass(frozen=True)
class SavedFilter:
    """A filter under a name."""

    id: int
    name: str
    choice: ListFilter
    who: str
    saved_at: int
    problem: str | None
    """Why it does not fit today's scores, such as a value that nobody has any more; None where it fits."""


@use_case("read_customer")
def saved_filters(workspace: Workspace, actor: Actor) -> list[SavedFilter]:
    """Every saved filter, by name, and whether it fits the scores in use."""
    reader = workspace.scores.current()
    found = []
    for record in records.saved_filters(workspace.database):
        problem: str | None = None
        try:
            choice = ListFilter.model_validate_json(record.filters)
            check_names(reader.scores, choice, reader.subjects, reader.plan)
        except ValidationError:
            choice = ListFilter()
            problem = (
                f"cannot use the filter '{record.name}': another version of Kizuna saved it. Save it anew."
            )
        except UsageError as error:
            problem = error.message
        found.append(SavedFilter(record.id, record.name, choice, record.who, record.saved_at, problem))
    return found


@use_case("save_filter")
def save_filter(workspace: Workspace, actor: Actor, name: str, choice: ListFilter) -> int:
    """Save a filter under a new name and return its number; raises `UsageError` for a name that is taken."""
    return records.add_saved_filter(
        workspace.database, _checked_name(name), _json(choice), actor.name, workspace.clock()
    )


@use_case("save_filter")
def replace_filter(workspace: Workspace, actor: Actor, number: int, choice: ListFilter) -> None:
    """Keep another filter under the name of a saved one."""
    records.change_saved_filter(
        workspace.database, number, actor.name, workspace.clock(), filters=_json(choice)
    )


@use_case("save_filter")
def rename_filter(workspace: Workspace, actor: Actor, number: int, name: str) -> None:
    """Give a saved filter another name; raises `UsageError` for a name that is taken."""
    records.change_saved_filter(
        workspace.database, number, actor.name, workspace.clock(), name=_checked_name(name)
    )


@use_case("save_filter")
def delete_filter(workspace: Workspace, actor: Actor, number: int) -> str:
    """Delete a saved filter and return its name."""
    return records.delete_saved_filter(workspace.database, number, actor.name, workspace.clock())


def _json(choice: ListFilter) -> str:
    given = {name for name in ListFilter.model_fields if getattr(choice, name) != DEFAULTS[name]}
    return choice.model_dump_json(include=given)


def _checked_name(name: str) -> str:
    """A name without the spaces around it; raises `UsageError` for none and for one that is too long."""
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME:
        raise UsageError(
            f"cannot save this filter: its name must have 1 to {LONGEST_NAME} characters.", field="name"
        )
    return name
