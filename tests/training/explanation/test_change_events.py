"""The events behind a change are those that a feature's number gained and lost between two dates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from features.catalog.defaults import catalog, indicators
from features.catalog.settings import FeatureSettings
from features.events.history import History
from tests.training.worlds import day, world
from training.explanation.change_events import SHOWN, events_behind_change

CATALOG = catalog(
    indicators({}), FeatureSettings(windows=(10, 30, 90)), {"purchase", "refund", "visit", "attribute.region"}
)


def ann(
    *events: tuple[float, str, float | None],
    recorded: dict[tuple[int, int], float] | None = None,
    retracted: dict[tuple[int, int], float] | None = None,
) -> History:
    return world({1: events}, recorded, retracted)


def said(history: History, column: str, then: float, now: float) -> list[tuple[float, str]]:
    found = events_behind_change(CATALOG, history, column, day(then), day(now))
    return [((one.instant - day(0)) / (day(1) - day(0)), one.role) for one in found.shown]


def test_a_window_names_what_entered_it_and_what_left_it() -> None:
    history = ann((1, "purchase", 5.0), (12, "purchase", 7.0), (18, "visit", None), (22, "purchase", 9.0))
    assert said(history, "purchase_count_10d", 15, 25) == [(22, "entered"), (12, "left")]
    assert said(history, "purchase_count_30d", 15, 25) == [(22, "entered")]


def test_where_nothing_entered_and_nothing_left_the_newest_event_is_named() -> None:
    history = ann((1, "purchase", 5.0), (12, "purchase", 7.0), (40, "purchase", 1.0))
    assert said(history, "purchase_days_since_last", 15, 25) == [(12, "last")]
    assert said(ann((40, "purchase", 1.0)), "purchase_days_since_last", 15, 25) == []


def test_an_event_that_was_learned_of_late_enters_when_it_is_known() -> None:
    history = ann((1, "purchase", 5.0), (12, "purchase", 7.0), recorded={(1, 1): 20.0})
    assert said(history, "purchase_gap_mean", 15, 25) == [(12, "entered")]


def test_an_event_that_was_retracted_leaves_when_that_is_known() -> None:
    history = ann((1, "purchase", 5.0), (12, "purchase", 7.0), retracted={(1, 1): 20.0})
    assert said(history, "purchase_count_90d", 15, 25) == [(12, "left")]
    assert said(history, "purchase_count_90d", 15, 20) == [(12, "last")]


def test_a_trend_is_explained_by_its_shorter_window() -> None:
    history = ann((1, "purchase", 5.0), (12, "purchase", 7.0), (22, "purchase", 9.0), (40, "purchase", 1.0))
    assert said(history, "purchase_count_trend_30d_90d", 35, 45) == [(40, "entered"), (12, "left")]


def test_a_refund_is_behind_sums_and_no_counts() -> None:
    history = ann((1, "purchase", 5.0), (22, "refund", -5.0))
    assert said(history, "purchase_sum_10d", 15, 25) == [(22, "entered")]
    assert said(history, "purchase_gap_mean", 15, 25) == [(1, "last")]


def test_time_as_a_customer_is_moved_by_the_clock_and_no_event() -> None:
    history = ann((1, "purchase", 5.0), (22, "purchase", 9.0))
    assert said(history, "purchase_days_since_first", 15, 25) == []


def test_many_events_are_counted_and_the_newest_named() -> None:
    history = ann(*[(16 + n / 4, "purchase", float(n)) for n in range(20)])
    found = events_behind_change(CATALOG, history, "purchase_count_10d", day(15), day(25))
    assert (found.entered, found.left, len(found.shown)) == (20, 0, SHOWN)
    assert [one.value for one in found.shown] == [19.0, 18.0, 17.0, 16.0, 15.0]


def test_an_event_brings_its_channel_place_and_detail_where_it_has_them() -> None:
    history = ann((20, "purchase", None))
    codes = np.array([0], dtype=np.int32)
    told = replace(history, channels=codes, details=codes, channel_names=("web",), detail_names=("toys",))
    (one,) = events_behind_change(CATALOG, told, "purchase_count_10d", day(15), day(25)).shown
    assert (one.kind, one.value, one.channel, one.place, one.detail) == (
        "purchase",
        None,
        "web",
        None,
        "toys",
    )


@pytest.mark.parametrize("column", CATALOG.columns)
def test_every_feature_can_be_asked_for_its_events(column: str) -> None:
    history = ann((1, "purchase", 5.0), (12, "visit", 7.0), (22, "refund", -2.0))
    found = events_behind_change(CATALOG, history, column, day(15), day(25))
    assert len(found.shown) <= 3
