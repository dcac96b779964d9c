"""What features there are: the default families, and what a project drops, replaces and adds."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from features.catalog.defaults import Deciding, catalog, indicators
from features.catalog.definitions import Catalog, Feature
from features.catalog.settings import FeatureSettings
from features.engine.snapshot import snapshot
from features.errors import ConfigurationError
from features.timeline import Timeline
from tests.worlds import ALL_KINDS, customer_key, history, world

WEB = {"name": "web_share", "stream": {"indicator": "purchase", "channels": ["web"]}, "aggregate": "share"}


def declared(kinds: tuple[str, ...] = ("purchase", "refund"), **says: Any) -> Catalog:
    """The catalogue of a project whose `[features]` says this."""
    return catalog(indicators({}), FeatureSettings.model_validate(says), kinds)


def test_behaviour_has_its_rhythm_and_the_chance_of_silence_over_the_horizon() -> None:
    columns = catalog(indicators({}), FeatureSettings(), ["visit", "nps"], horizon_days=28).columns
    rhythm = {"usage_gap_mean", "usage_gap_std", "usage_overdue", "usage_overdue_smoothed"}
    assert rhythm | {"usage_silence_28d"} <= set(columns)
    assert not any(name.startswith("survey_gap") for name in columns)


def test_clock_and_calendar_features_are_no_defaults_and_the_calendar_is_a_switch() -> None:
    assert not any("share_" in name or "calendar" in name for name in declared(ALL_KINDS).columns)
    assert declared(calendar=True).columns[-4:] == (
        "calendar_month", "calendar_day", "calendar_weekday", "calendar_day_of_year",
    )  # fmt: skip


def test_a_project_drops_features_by_pattern() -> None:
    columns = declared(drop=["purchase_distinct_*", "*_top_detail_365d"]).columns
    assert not any("distinct" in name or "top_detail" in name for name in columns)
    assert set(columns) < set(declared().columns)


@pytest.mark.parametrize(
    "pattern",
    ["purchase_of_*", "*_of_toys_count_90d", "purchase_of_toys_days_since_last", "usage_of_*_365d", "*_of_*"],
)
def test_features_of_details_are_dropped_by_name_before_any_source_brings_the_detail(pattern: str) -> None:
    assert declared(drop=[pattern]).columns == declared().columns


@pytest.mark.parametrize(
    "pattern",
    ["purchse_of_*", "purchase_of_toys_cuont_90d", "purchase_of_toys_count_91d", "purchase_of_count_90d"],
)
def test_a_misspelt_feature_of_a_detail_is_refused(pattern: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(f'`features.drop[1]` is "{pattern}", but no')):
        declared(drop=[pattern])


def test_a_catalogue_says_which_features_were_dropped_and_writes_nothing_of_it_down() -> None:
    drop = ["usage_*", "purchase_sum_*", "*_top_detail_365d"]
    less, whole = (
        declared(("purchase", "refund", "visit"), drop=drop),
        declared(("purchase", "refund", "visit")),
    )
    assert sorted(less.dropped) == sorted(set(whole.columns) - set(less.columns))
    assert whole.dropped == ()
    assert declared(drop=drop).dropped == tuple(n for n in less.dropped if n.startswith("purchase"))
    assert "dropped" not in less.to_json()


def test_an_entry_with_the_name_of_another_takes_its_place() -> None:
    entry = {
        "name": "purchase_gap_mean", "stream": {"indicator": "purchase"}, "aggregate": "gap_mean", "days": 90,
        "english": "usual gap of the season",
    }  # fmt: skip
    before, after = declared(), declared(add=[entry])
    assert after.columns == before.columns
    assert after.feature_of["purchase_gap_mean"] == Feature(
        "purchase_gap_mean", "purchase", "gap_mean", 90, "usual gap of the season"
    )
    assert after.meaning("purchase_gap_mean", "en") == "usual gap of the season"
    assert after.meaning("purchase_gap_mean", "ja") == "直近90日の購買の平均間隔（日）"


def test_an_entry_picks_events_by_kind_channel_place_and_detail() -> None:
    streams = {
        "tokyo": {"indicator": "purchase", "places": ["tokyo"]},
        "food": {"indicator": "purchase", "details": ["food"]},
        "refunds": {"indicator": "purchase", "kinds": ["refund"]},
        "web_food": {"indicator": "purchase", "channels": ["web"], "details": ["food"]},
    }
    entries = [{"name": n, "stream": s, "aggregate": "count", "days": 30} for n, s in streams.items()]
    happened = world("""
        customer  when        kind      channel  place  detail
        ann       2024-05-01  purchase  web      tokyo  food
        ann       2024-05-02  purchase  store    tokyo  toys
        ann       2024-05-03  purchase  web      osaka  toys
        ann       2024-05-04  refund    web      osaka  food
    """)
    chosen, past = declared(add=entries), history(happened)
    as_of = np.array([Timeline().instant("2024-05-20")])
    row = snapshot(past, chosen, Timeline(), np.array([customer_key("ann")]), as_of).matrix[0]
    said = dict(zip(chosen.columns, row.tolist(), strict=True))
    assert [said[name] for name in streams] == [2, 1, 1, 1]
    assert chosen.meaning("tokyo", "en") == "number of purchases (tokyo) in the last 30 days"
    assert chosen.meaning("tokyo", "ja") == "直近30日の購買回数（tokyo）"
    assert chosen.meaning("refunds", "en") == "number of refunds in the last 30 days"


def test_a_share_adds_the_two_counts_it_is_made_of() -> None:
    chosen = declared(add=[{**WEB, "days": 90}])
    assert chosen.columns[-2:] == ("purchase_web_count_90d", "web_share")
    assert chosen.unit("web_share") == "share"
    assert (
        chosen.meaning("web_share", "ja")
        == "「直近90日の購買回数」に占める「直近90日の購買回数（web）」の割合"
    )


def test_a_stream_is_declared_once_for_all_entries_that_read_it() -> None:
    chosen = declared(add=[{**WEB, "days": 90}, {**WEB, "name": "web_sum", "aggregate": "sum"}])
    assert [stream.name for stream in chosen.streams] == ["purchase", "purchase_refund", "purchase_web"]


def test_added_features_survive_being_written_down() -> None:
    ratio = {
        "name": "rising",
        "operation": "trend",
        "first": "purchase_sum_30d",
        "second": "purchase_sum_90d",
    }
    chosen = declared(calendar=True, add=[WEB, {**ratio, "english": "a", "japanese": "b"}])
    again = Catalog.from_json(chosen.to_json())
    assert again.to_json() == chosen.to_json()
    assert again.meaning("rising", "ja") == "b"


@pytest.mark.parametrize(
    ("says", "sentence"),
    [
        (
            {"drop": ["purchse_*"]},
            '`features.drop[1]` is "purchse_*", but no default feature has such a name. '
            "docs/features.md lists them.",
        ),
        (
            {"drop": ["purchase_count_30d"]},
            "`features.drop` leaves out 'purchase_count_30d', of which 'purchase_count_trend_30d_90d' is "
            'made. Add "purchase_count_trend_30d_90d" to it, or keep both.',
        ),
        (
            {"add": [{"name": "x", "stream": {"indicator": "buying"}, "aggregate": "count"}]},
            '`features.add[1].stream.indicator` is "buying", which is no indicator. There are purchase, '
            "usage, content, inquiry, survey, social, community, referral, response, campaign, contract.",
        ),
        (
            {
                "add": [
                    {"name": "x", "stream": {"indicator": "survey", "kinds": ["nsp"]}, "aggregate": "count"}
                ]
            },
            '`features.add[1].stream.kinds` has "nsp", which is no kind of survey. There are nps, csat. '
            'Write "nps".',
        ),
        (
            {"add": [{"name": "x", "stream": {"indicator": "purchases"}, "aggregate": "count"}]},
            '`features.add[1].stream.indicator` is "purchases", which is no indicator. There are purchase, '
            "usage, content, inquiry, survey, social, community, referral, response, campaign, contract. "
            'Write "purchase".',
        ),
        (
            {
                "add": [
                    {
                        "name": "x",
                        "operation": "ratio",
                        "first": "purchase_sum_9d",
                        "second": "purchase_sum_90d",
                    }
                ]
            },
            '`features.add[1].first` is "purchase_sum_9d", but there is no such feature before it. '
            'Write "purchase_sum_90d".',
        ),
        (
            {
                "add": [
                    {
                        "name": "x",
                        "operation": "trend",
                        "first": "purchase_sum_7d",
                        "second": "purchase_overdue",
                    }
                ]
            },
            '`features.add[1].second` is "purchase_overdue", but a trend compares two windows. '
            "Write a feature with a window.",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_its_key(says: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        declared(**says)
    assert refusal.value.message == sentence


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        (
            {"stream": {"indicator": "usage"}, "aggregate": "median"},
            'there is no aggregate "median", did you mean "mean"? There are count, ',
        ),
        ({"aggregate": "count"}, 'it says no events: write stream = { indicator = "purchase" }'),
        ({"stream": {"indicator": "usage"}}, "it says no aggregate: write one of docs/features.md, or an "),
        ({"operation": "share", "first": "a"}, "a share is made of two features: write first and second"),
        ({"first": "a", "second": "b"}, 'two features need an operation: write operation = "ratio"'),
        (
            {"operation": "share", "first": "a", "second": "b", "days": 9},
            "it is made of two features or of events: write either operation, first and second, or stream, "
            "aggregate and days",
        ),
        (
            {"stream": {"indicator": "usage"}, "aggregate": "overdue", "days": 9},
            "overdue is always of whole history: leave out days",
        ),
        (
            {"stream": {"indicator": "usage"}, "aggregate": "silence"},
            "silence looks ahead: write how many days",
        ),
        (
            {"stream": {"indicator": "usage"}, "aggregate": "month"},
            "month reads the as-of date alone: leave out stream and days",
        ),
        ({"name": "Web Share"}, '"Web Share" is no name of a column: write small letters, digits and _ '),
        ({"windos": 3}, "Extra inputs are not permitted"),
    ],
)  # fmt: skip
def test_an_entry_that_makes_no_sense_says_what_to_write(entry: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        FeatureSettings.model_validate({"add": [{"name": "x", **entry}]})
    assert sentence in refusal.value.errors()[0]["msg"]


def test_two_entries_of_one_name_are_refused() -> None:
    with pytest.raises(ValidationError, match='two entries have the name "web_share": give each a name'):
        FeatureSettings.model_validate({"add": [WEB, WEB]})


def test_what_decides_churn_has_more_of_its_rhythm_and_windows_that_no_other_is_near() -> None:
    def columns(active_days: int, horizon_days: int) -> set[str]:
        deciding = Deciding(("purchase",), active_days, horizon_days)
        found = catalog(indicators({}), FeatureSettings(), ["purchase", "visit"], deciding=deciding)
        return set(found.columns)

    plain = set(catalog(indicators({}), FeatureSettings(), ["purchase", "visit"]).columns)
    quarter = columns(365, 90) - plain
    assert all(name.startswith("purchase_") for name in quarter)
    assert {f"purchase_decayed_count_{days}d" for days in (11, 30, 90, 270)} <= quarter
    assert {"purchase_gap_last", "purchase_alive", "purchase_recency_share"} <= quarter
    assert not any(name.startswith("purchase_count_") for name in quarter)
    year = columns(730, 365) - plain
    assert {name for name in year if name.startswith("purchase_count_")} == {
        "purchase_count_730d",
        "purchase_count_1095d",
    }


def test_each_detail_is_a_stream_whose_name_can_be_read() -> None:
    details = {"usage": ("Search", "検索", "日本", "a, b")}
    found = catalog(indicators({}), FeatureSettings(), ["visit", "purchase"], details=details)
    assert found.stream_of["usage_of_search"].details == ("Search",)
    streams = [stream.name for stream in found.streams if stream.details]
    assert streams == ["usage_of_search", "usage_of_detail", "usage_of_detail_2", "usage_of_a_b"]
    assert found.meaning("usage_of_search_count_90d", "en") == (
        "number of uses of site or app (Search) in the last 90 days"
    )
    assert (
        found.meaning("usage_of_detail_days_since_last", "ja") == "最終サイト・アプリ利用（検索）からの日数"
    )
    assert Catalog.from_json(found.to_json()).streams == found.streams


STREAM = {"indicator": "purchase"}


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        (
            {"name": "Web share", "stream": STREAM, "aggregate": "count"},
            '"Web share" is no name of a column: write small letters, digits and _ without blanks, a letter '
            'first, as in "web_share". What people read goes into `english` and `japanese`',
        ),
        (
            {"name": "購買回数", "stream": STREAM, "aggregate": "count"},
            '"購買回数" is no name of a column: write small letters, digits and _ without blanks, a letter '
            "first. What people read goes into `english` and `japanese`",
        ),
        (
            {"name": "x", "operation": "ration", "first": "a", "second": "b"},
            'there is no operation "ration", did you mean "ratio"? There are ratio, difference, trend, share',
        ),
        (
            {"name": "x", "operation": "mean", "first": "a", "second": "b"},
            '"mean" makes a number of events: write `aggregate = "mean"` with a stream. The operations make '
            "one of two other features; there are ratio, difference, trend, share",
        ),
        (
            {"name": "x", "stream": STREAM, "aggregate": "ratio"},
            '"ratio" makes a number of two other features: write `operation = "ratio"`, first and second',
        ),
    ],
)
def test_an_added_feature_that_does_not_fit_names_the_operations_or_the_nearest_word(
    entry: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ValidationError) as refusal:
        declared(add=[entry])
    assert refusal.value.errors()[0]["msg"].removeprefix("Value error, ") == sentence


def test_a_misspelt_aggregate_is_met_with_the_nearest_one() -> None:
    with pytest.raises(ValidationError) as refusal:
        declared(add=[{"name": "x", "stream": STREAM, "aggregate": "cuont"}])
    said = refusal.value.errors()[0]["msg"].removeprefix("Value error, ")
    assert said.startswith(
        'there is no aggregate "cuont", did you mean "count"? There are count, active_days,'
    )
