"""Browsing the list: counts, values of filters, pages that stay, chosen columns."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from features.errors import UsageError
from serving.application.customers.refuse_contact import refuse_contact
from serving.application.lists.at_risk import list_at_risk, whole_list
from serving.application.lists.browse import (
    browse_list,
    choose_columns,
    chosen_columns,
    filter_options,
    loosened_filters,
)
from serving.application.lists.make_plan import make_plan
from serving.application.permissions import COMMAND_LINE, person
from serving.application.workspace import Workspace
from serving.cli.context import CliContext
from serving.lists.customer_view import planned_first
from serving.lists.filters import ListFilter
from serving.lists.list_address import filter_pairs, list_filter
from serving.schemas.responses import ListedCustomer
from tests.serving.actions.test_playbook import HEAD
from tests.serving.shop import score_all

ALL = 10_000


def listed(workspace: Workspace, choice: ListFilter) -> list[ListedCustomer]:
    """The list as the command line prints it."""
    limit = choice.limit or ALL
    return list(list_at_risk(workspace, COMMAND_LINE, choice.model_copy(update={"limit": limit})).customers)


def choice_of(name: str, value: str) -> ListFilter:
    return list_filter([(name, value)])


def every_value(values: Mapping[str, Mapping[str, int]]) -> list[tuple[str, str, int]]:
    return [(name, value, count) for name, counts in values.items() for value, count in counts.items()]


def test_every_value_of_a_filter_is_offered_with_the_length_of_its_list(workspace: Workspace) -> None:
    options = filter_options(workspace, COMMAND_LINE)
    offered = every_value(options.values)
    named = {name for name, _, _ in offered}
    assert named >= {"tiers", "indicators", "segment.plan", "stages", "touch_models", "actions", "outcomes"}
    for name, value, count in offered:
        assert count == len(listed(workspace, choice_of(name, value))), (name, value)


@pytest.mark.parametrize(
    "choice",
    [
        ListFilter(),
        ListFilter(min_probability=0.3),
        ListFilter(limit=7),
        ListFilter(limit=7, min_value_at_risk=20.0, order_by="churn_probability"),
        ListFilter(segment={"plan": ("gold",)}, outcomes=("planned", "no_rule")),
    ],
)
def test_a_list_adds_up_to_its_customers(workspace: Workspace, choice: ListFilter) -> None:
    whole = listed(workspace, choice)
    totals = browse_list(workspace, COMMAND_LINE, choice, size=5).page.totals
    assert totals.customers == len(whole)
    assert totals.value_at_risk == pytest.approx(sum(one.value_at_risk or 0 for one in whole))
    assert totals.expected_value == pytest.approx(sum(one.expected_value or 0 for one in whole))


@pytest.mark.parametrize("limit", [None, 33])
def test_pages_go_on_and_back_through_the_whole_list(workspace: Workspace, limit: int | None) -> None:
    choice = ListFilter(limit=limit, min_probability=0.05)
    whole = listed(workspace, choice)
    assert len(whole) > 21
    pages, cursor = [], None
    while True:
        page = browse_list(workspace, COMMAND_LINE, choice, size=10, cursor=cursor).page
        pages.append(page.customers)
        if page.following is None:
            break
        cursor = page.following
    assert [one for part in pages for one in part] == whole
    for expected in reversed(pages[:-1]):
        page = browse_list(workspace, COMMAND_LINE, choice, size=10, cursor=page.previous).page
        assert page.customers == expected
    assert page.previous is None


def test_a_page_stays_in_its_scores_while_new_ones_are_put_in_use(workspace: Workspace) -> None:
    choice = ListFilter()
    first = browse_list(workspace, COMMAND_LINE, choice, size=10)
    assert first.is_newest
    score_all(workspace.project.folder, workspace.project.folder / "bundle", dates=("2024-12-01",))
    second = browse_list(workspace, COMMAND_LINE, choice, size=10, cursor=first.page.following)
    assert not second.is_newest
    assert second.page.source == first.page.source
    assert [one.rank for one in second.page.customers] == list(range(11, 21))
    back = browse_list(workspace, COMMAND_LINE, choice, size=10, cursor=second.page.previous)
    assert back.page.customers == first.page.customers
    assert browse_list(workspace, COMMAND_LINE, choice, size=10).page.source != first.page.source


def test_a_cursor_of_another_list_is_refused(workspace: Workspace) -> None:
    cursor = browse_list(workspace, COMMAND_LINE, ListFilter(), size=10).page.following
    with pytest.raises(UsageError, match="it belongs to a list with other filters"):
        browse_list(workspace, COMMAND_LINE, ListFilter(min_probability=0.5), size=10, cursor=cursor)


def test_an_empty_list_says_which_filter_to_loosen(workspace: Workspace) -> None:
    choice = ListFilter(min_value_at_risk=1e9, segment={"plan": ("gold",)})
    assert browse_list(workspace, COMMAND_LINE, choice, size=10).page.customers == []
    (only,) = loosened_filters(workspace, COMMAND_LINE, choice)
    assert (only.name, only.choice) == ("min_value_at_risk", ListFilter(segment={"plan": ("gold",)}))
    assert only.totals.customers == len(listed(workspace, only.choice))


def test_each_person_keeps_their_own_columns(workspace: Workspace) -> None:
    ann, bob = person("ann", "viewer"), person("bob", "viewer")
    assert chosen_columns(workspace, ann) is None
    choose_columns(workspace, ann, ["rank", "tier"])
    choose_columns(workspace, ann, ["tier", "reason"])
    assert chosen_columns(workspace, ann) == ("tier", "reason")
    assert chosen_columns(workspace, bob) is None


def test_a_filter_is_the_same_after_a_turn_through_an_address() -> None:
    choice = ListFilter(
        limit=5,
        min_probability=0.1 + 0.2,
        min_value_at_risk=1e7,
        tiers=("loyal", "a&b=c"),
        segment={"plan": ("gold", "金")},
        order_by="churn_probability",
    )
    assert list_filter([*filter_pairs(choice), ("rows", "50"), ("stages", "")]) == choice
    assert filter_pairs(ListFilter()) == []


def test_planned_customers_come_first_in_a_file_in_the_order_of_the_list(workspace: Workspace) -> None:
    rows = whole_list(workspace, COMMAND_LINE, ListFilter(limit=60), planned_first=True)
    assert list(rows.customers) == planned_first(listed(workspace, ListFilter(limit=60)))


@pytest.mark.parametrize("when", ["before the plan", "after the plan"])
def test_who_must_not_be_contacted_is_counted_whatever_else_leaves_them_alone(
    workspace: Workspace, when: str
) -> None:
    alone = HEAD + '[[rules]]\nname = "all"\nhold_back = "quiet"\n'
    (workspace.project.folder / "playbook.toml").write_text(alone, encoding="utf-8")
    reader = workspace.scores.current()
    (name,) = reader.customers.names(reader.scores.answers.key[reader.scores.cohort[:1]]).to_pylist()
    before = browse_list(workspace, COMMAND_LINE, ListFilter(order_by=None), size=10).page.totals.refused
    steps = [
        lambda: refuse_contact(workspace, COMMAND_LINE, name, token="a" * 20),
        lambda: make_plan(workspace, COMMAND_LINE),
    ]
    for step in steps if when == "before the plan" else reversed(steps):
        step()
    with CliContext(workspace.project.folder).workspace() as opened:
        found = browse_list(opened, COMMAND_LINE, ListFilter(order_by=None), size=10_000).page
    assert {one.outcome for one in found.customers} == {"held_back"}, "the plan leaves everybody alone"
    assert found.totals.refused == before + 1
