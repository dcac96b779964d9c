"""Saved filters: shared under a name, refused under a taken one, and honest about scores that moved on."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from features.errors import Forbidden, UsageError
from serving.application.access.audit import audit
from serving.application.lists.saved_filters import (
    delete_filter,
    rename_filter,
    replace_filter,
    save_filter,
    saved_filters,
)
from serving.application.permissions import COMMAND_LINE, person
from serving.application.workspace import Workspace
from serving.lists.filters import ListFilter
from serving.state.tables import SAVED_FILTERS

ANN, BOB = person("ann", "marketer"), person("bob", "analyst")
GOLD = ListFilter(segment={"plan": ("gold",)}, min_probability=0.2)


def test_a_saved_filter_is_everybodys_with_who_saved_it(workspace: Workspace) -> None:
    save_filter(workspace, ANN, "  Gold   at risk ", GOLD)
    (only,) = saved_filters(workspace, person("vic", "viewer"))
    assert (only.name, only.choice, only.who, only.problem) == ("Gold at risk", GOLD, "ann", None)
    assert [one.details for one in audit(workspace, COMMAND_LINE).entries if one.action == "filter save"] == [
        "Gold at risk"
    ]


def test_a_name_that_exists_is_refused(workspace: Workspace) -> None:
    save_filter(workspace, ANN, "gold", GOLD)
    number = save_filter(workspace, ANN, "silver", GOLD)
    taken = "cannot save the filter 'gold': there is one of that name already. Give another name."
    for attempt in (
        lambda: save_filter(workspace, BOB, "gold", ListFilter()),
        lambda: rename_filter(workspace, BOB, number, "gold"),
    ):
        with pytest.raises(UsageError) as refused:
            attempt()
        assert (refused.value.message, refused.value.field) == (taken, "name")
    assert [(one.name, one.choice) for one in saved_filters(workspace, BOB)] == [
        ("gold", GOLD),
        ("silver", GOLD),
    ]


@pytest.mark.parametrize("name", ["", "   ", "x" * 101])
def test_a_name_must_be_one(workspace: Workspace, name: str) -> None:
    with pytest.raises(UsageError, match="its name must have 1 to 100 characters"):
        save_filter(workspace, ANN, name, GOLD)


def test_a_saved_filter_is_renamed_edited_and_deleted(workspace: Workspace) -> None:
    number = save_filter(workspace, ANN, "gold", GOLD)
    rename_filter(workspace, BOB, number, "gold plan")
    replace_filter(workspace, BOB, number, ListFilter(limit=10))
    (only,) = saved_filters(workspace, BOB)
    assert (only.id, only.name, only.choice, only.who) == (number, "gold plan", ListFilter(limit=10), "bob")
    assert delete_filter(workspace, ANN, number) == "gold plan"
    assert saved_filters(workspace, BOB) == []
    for attempt in (
        lambda: delete_filter(workspace, ANN, number),
        lambda: rename_filter(workspace, ANN, number, "late"),
    ):
        with pytest.raises(UsageError, match="it was deleted meanwhile"):
            attempt()


def test_a_filter_that_does_not_fit_todays_scores_says_so(workspace: Workspace) -> None:
    save_filter(workspace, ANN, "platinum", ListFilter(segment={"plan": ("platinum",)}))
    save_filter(workspace, ANN, "unknown", ListFilter(touch_models=("pigeon",)))
    save_filter(workspace, ANN, "z", GOLD)
    with workspace.database.writing() as connection:
        connection.execute(
            update(SAVED_FILTERS).where(SAVED_FILTERS.c.name == "z").values(filters='{"moon": "full"}')
        )
    first, second, third = saved_filters(workspace, ANN)
    assert first.problem == (
        "cannot list the plan 'platinum': there is none of that name. The values are gold, basic."
    )
    assert second.problem is not None
    assert second.problem.startswith("cannot list the touch model 'pigeon'")
    assert third.problem == "cannot use the filter 'z': another version of Kizuna saved it. Save it anew."
    replace_filter(workspace, ANN, third.id, GOLD)
    assert saved_filters(workspace, ANN)[2].problem is None


def test_a_viewer_saves_nothing(workspace: Workspace) -> None:
    viewer = person("vic", "viewer")
    for attempt in (
        lambda: save_filter(workspace, viewer, "gold", GOLD),
        lambda: replace_filter(workspace, viewer, 1, GOLD),
        lambda: rename_filter(workspace, viewer, 1, "x"),
        lambda: delete_filter(workspace, viewer, 1),
    ):
        with pytest.raises(Forbidden):
            attempt()
