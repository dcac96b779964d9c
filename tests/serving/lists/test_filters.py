"""A filter of the list is one field: condition, option, request field and query parameter follow from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest

from serving.api.openapi import specification
from serving.cli.filter_options import FilteredCommand
from serving.cli.main import kizuna, main
from serving.lists.filters import PLAN_CONDITIONS, SCORE_CONDITIONS, ListFilter
from serving.lists.list_address import list_request

ORDER_AND_LENGTH = {"limit", "order_by"}
FILTERS = sorted(set(ListFilter.model_fields) - ORDER_AND_LENGTH)


def listed(folder: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        main(["-C", str(folder), "--json", *arguments])
    assert end.value.code == 0
    customers: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["customers"]
    return customers


def test_every_filter_has_one_condition() -> None:
    assert sorted([*SCORE_CONDITIONS, *PLAN_CONDITIONS]) == FILTERS


@pytest.mark.parametrize("command", ["at-risk", "plan"])
def test_every_filter_is_an_option_of_the_commands_that_list(command: str) -> None:
    listing = kizuna.commands[command]
    assert isinstance(listing, FilteredCommand)
    names = {parameter.name for parameter in listing.get_params(click.Context(listing))}
    assert set(FILTERS) <= names


def test_every_filter_is_a_field_of_the_request_and_a_query_parameter_of_the_file() -> None:
    published = specification()
    fields = published["components"]["schemas"]["AtRiskPageRequest"]["properties"]
    assert set(FILTERS) <= set(fields)
    parameters = {one["name"] for one in published["paths"]["/v1/at_risk.csv"]["get"]["parameters"]}
    assert set(FILTERS) - {"segment"} <= parameters
    asked = list_request("tiers=casual&tiers=cooling&segment.plan=gold&min_probability=0.5")
    assert asked.alone() == ListFilter(
        tiers=("casual", "cooling"), segment={"plan": ("gold",)}, min_probability=0.5
    )


def test_the_order_of_filters_fields_changes_no_fingerprint_but_their_values_do() -> None:
    assert ListFilter(limit=3).fingerprint == ListFilter(limit=9).fingerprint
    assert ListFilter(tiers=("casual",)).fingerprint != ListFilter().fingerprint


def test_filters_of_the_scores_narrow_the_list_and_the_plan(
    own_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    likely = listed(own_shop, capsys, "at-risk", "--min-probability", "0.3", "--limit", "500")
    assert likely
    assert all(one["churn_probability"] >= 0.3 for one in likely)
    planned = listed(own_shop, capsys, "plan", "--min-probability", "0.3", "--limit", "500")
    assert {one["customer_id"] for one in planned} == {one["customer_id"] for one in likely}
    gold = listed(own_shop, capsys, "at-risk", "--segment", "plan=gold", "--limit", "500")
    everyone = listed(own_shop, capsys, "at-risk", "--limit", "500")
    assert 0 < len(gold) < len(everyone)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--segment", "gold"],
            "cannot filter by the segment 'gold': write --segment NAME=VALUE, such as plan=gold.\n",
        ),
        (
            ["--min-probability", "30"],
            "`--min-probability` cannot be 30: write a share from 0 to 1, such as 0.3.\n",
        ),
        (
            ["--min-value-at-risk", "nan"],
            "`--min-value-at-risk` cannot be nan: write an amount, such as 5000.\n",
        ),
        (
            ["--tier", "loud"],
            "`--tier`: cannot list the tier 'loud': there is none of that name. The tiers are ",
        ),
        (
            ["--touch", "x"] * 21,
            "`--touch` cannot be given 21 times: tuple should have at most 20 items",
        ),
        (
            ["--touch", "x" * 3_000],
            f"`--touch` cannot be {'x' * 60}…: string should have at most 2000 characters.\n",
        ),
    ],
)
def test_a_value_that_a_filter_cannot_have_is_refused(
    scored_shop: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["-C", str(scored_shop), "at-risk", *arguments])
    assert (end.value.code, capsys.readouterr().err[: len(message)]) == (2, message)
