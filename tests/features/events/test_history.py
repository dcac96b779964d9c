"""Which events take something back: one rule, and everything that follows it."""

from __future__ import annotations

import numpy as np
import pytest

from features.catalog.defaults import IndicatorSettings, catalog, indicators
from features.catalog.definitions import amount_kinds
from features.catalog.settings import FeatureSettings
from features.engine.snapshot import snapshot
from features.events.history import customer_of_event, events_of_kinds, is_taken_back
from features.timeline import Timeline
from serving.actions.talking_points import has_returned
from serving.reports.event_index import EventIndex
from tests.worlds import history, world
from training.labels.cohort import cohort
from training.labels.labelling import label
from training.labels.settings import Churn, ChurnSettings

UTC = Timeline("UTC")
AS_OF = UTC.instant("2024-06-01")
WORLD = """
    customer  when        kind      value
    ann       2024-05-01  purchase  10
    ann       2024-05-02  purchase  -4
    bob       2024-05-01  refund    -
    bob       2024-05-03  rating    -5
    cat       2024-05-03  rating    5
    cat       2024-06-03  rating    -5
"""
MONEY = {"rating": IndicatorSettings(kinds=("rating",), amounts=True)}
RATINGS = {"rating": IndicatorSettings(kinds=("rating",), amounts=False)}


def test_refunds_and_negative_amounts_take_back_and_a_negative_rating_does_not() -> None:
    events = history(world(WORLD))
    assert is_taken_back(events, {"purchase"}).tolist() == [False, True, True, False, False, False]
    assert is_taken_back(events, {"purchase", "rating"}).tolist() == [False, True, True, True, False, True]
    assert customer_of_event(events).tolist() == [0, 0, 1, 1, 2, 2]
    assert events_of_kinds(events, {"rating", "refund"}).tolist() == [False, False, True, True, True, True]
    assert not events_of_kinds(events, {"visit"}).any()


@pytest.mark.parametrize(("declared", "active"), [(MONEY, [2]), (RATINGS, [1, 2])], ids=["money", "ratings"])
def test_features_labels_and_report_follow_the_flag_of_the_indicator(
    declared: dict[str, IndicatorSettings], active: list[int]
) -> None:
    events, known = history(world(WORLD)), indicators(declared)
    churn = Churn.of(ChurnSettings(indicators=("rating",)), known)
    assert cohort(events, churn, AS_OF).tolist() == events.keys[active].tolist()
    labels = label(events, churn, events.keys[2:], AS_OF, UTC.instant("2024-12-01"), UTC)
    assert labels.churned.tolist() == [declared is MONEY]
    features = catalog(known, FeatureSettings(windows=(60,)), events.kind_names)
    dates = np.full(events.customers, AS_OF)
    rows = snapshot(events, features, UTC, events.keys, dates)
    counts = rows.matrix[:, features.columns.index("rating_count_60d")]
    assert np.flatnonzero(counts).tolist() == active
    index = EventIndex(events, {one.name: one for one in known}, UTC)
    assert np.unique(index.row[index.behaviour & (events.instants < AS_OF)]).tolist() == [0, *active]


def test_every_stream_counts_exactly_the_events_that_do_not_take_back() -> None:
    events, known = history(world(WORLD)), indicators(RATINGS)
    back = is_taken_back(events, amount_kinds(known))
    features = catalog(known, FeatureSettings(windows=(365,)), events.kind_names)
    dates = np.full(events.customers, UTC.instant("2024-12-01"))
    rows = snapshot(events, features, UTC, events.keys, dates)
    for stream in features.streams:
        if stream.kinds != ("refund",):
            mine = events_of_kinds(events, stream.kinds) & ~back
            expected = np.bincount(customer_of_event(events)[mine], minlength=events.customers)
            counts = rows.matrix[:, features.columns.index(f"{stream.name}_count_365d")]
            assert counts.tolist() == expected.tolist(), stream.name


def test_a_refund_is_no_count_even_where_values_are_no_amounts() -> None:
    known = indicators({"purchase": IndicatorSettings(kinds=("purchase", "refund"), amounts=False)})
    events = history(world(WORLD))
    features = catalog(known, FeatureSettings(windows=(365,)), events.kind_names)
    rows = snapshot(events, features, UTC, events.keys, np.full(events.customers, AS_OF))
    assert rows.matrix[:, features.columns.index("purchase_count_365d")].tolist() == [2, 0, 0]
    assert Churn.of(ChurnSettings(), known).amounts == ()


def test_a_negative_rating_after_a_silence_is_a_return() -> None:
    events = history(
        world("""
            customer  when        kind    value
            ann       2024-01-01  rating  5
            ann       2024-05-20  rating  -5
        """)
    )
    known = indicators(RATINGS)
    churn = Churn.of(ChurnSettings(indicators=("rating",)), known)
    index = EventIndex(events, {one.name: one for one in known}, UTC)
    assert has_returned(index, churn, UTC.instant("2024-05-01")).tolist() == [True]
