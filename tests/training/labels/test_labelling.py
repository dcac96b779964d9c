"""Who left and what they spent, on histories small enough to read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import HorizonNotCovered
from features.timeline import ALWAYS, DAY, Timeline
from tests.reference import Event, in_history
from tests.training.worlds import CONTRACT, INACTIVITY, ORIGIN, day, world
from tests.worlds import history as history_of
from training.labels.cohort import IN_COHORT, cohort, label_events, statuses
from training.labels.labelling import label, latest_labelled
from training.labels.settings import Churn

UTC = Timeline("UTC")


def test_an_event_learned_of_later_does_not_make_a_cohort_but_does_decide_the_label() -> None:
    history = world(
        {1: [(30, "purchase", 5.0)], 2: [(35, "purchase", 5.0), (45, "purchase", 7.0)]},
        recorded={(1, 0): 41, (2, 1): 60},
    )
    assert cohort(history, INACTIVITY, day(40)).tolist() == [2]
    labels = label(history, INACTIVITY, np.array([2]), day(40), day(50), UTC)
    assert labels.churned.tolist() == [False]
    assert labels.value.tolist() == [7.0]


def test_an_event_that_was_retracted_makes_a_cohort_until_then_and_decides_no_label() -> None:
    history = world(
        {1: [(30, "purchase", 5.0)], 2: [(35, "purchase", 5.0), (45, "purchase", 7.0)]},
        retracted={(1, 0): 41, (2, 1): 60},
    )
    assert cohort(history, INACTIVITY, day(40)).tolist() == [1, 2]
    assert cohort(history, INACTIVITY, day(41)).tolist() == [1, 2]
    assert cohort(history, INACTIVITY, day(42)).tolist() == [2]
    labels = label(history, INACTIVITY, np.array([1, 2]), day(40), day(50), UTC)
    assert labels.churned.tolist() == [True, True]
    assert labels.value.tolist() == [0.0, 0.0]


RECORDS = st.lists(
    st.builds(
        Event,
        customer=st.integers(0, 2),
        at=st.integers(0, 60).map(day),
        kind=st.sampled_from(["purchase", "refund", "started", "cancelled", "completed", "visit"]),
        value=st.sampled_from([None, 3.0, -4.0]),
        detail=st.sampled_from([None, "basic", "box"]),
        recorded=st.sampled_from([None, None, day(25), day(50)]),
        retracted=st.sampled_from([None, None, day(30), day(55)]),
    ),
    max_size=12,
)


@given(RECORDS, st.integers(0, 60), st.sampled_from([INACTIVITY, CONTRACT]))
def test_statuses_are_those_of_the_events_known_then_and_labels_those_of_what_counts_today(
    events: list[Event], number: int, churn: Churn
) -> None:
    events = [replace(event, event_id=f"{at:02}") for at, event in enumerate(events)]
    everybody, as_of = [0, 1, 2], day(number)
    whole = history_of(events, with_customers=everybody)
    then = [replace(e, recorded=None, retracted=None) for e in events if in_history(e, as_of)]
    known = history_of(then, with_customers=everybody)
    assert statuses(whole, churn, as_of).tolist() == statuses(known, churn, as_of).tolist()
    today = history_of([e for e in events if e.retracted is None], with_customers=everybody)
    found, plain = (label(one, churn, whole.keys, as_of, day(200), UTC) for one in (whole, today))
    assert found.churned.tolist() == plain.churned.tolist()
    assert found.value.tobytes() == plain.value.tobytes()


def test_churn_is_no_activity_from_the_lead_to_the_end_of_the_horizon() -> None:
    churn = Churn(**{**INACTIVITY.__dict__, "horizon": INACTIVITY.horizon.__class__(10, 5)})
    history = world(
        {
            1: [(44, "purchase", 1.0)],
            2: [(45, "purchase", 2.0)],
            3: [(54.999, "purchase", 4.0)],
            4: [(55, "purchase", 8.0)],
        }
    )
    labels = label(history, churn, history.keys, day(40), day(55), UTC)
    assert labels.churned.tolist() == [True, False, False, True]
    assert labels.value.tolist() == [0.0, 2.0, 4.0, 0.0]


def test_the_recurring_amount_of_a_contract_is_no_spend_of_the_horizon_but_a_purchase_is() -> None:
    history = world(
        {
            1: [(10, "started", 1000.0), (45, "renewed", 1000.0)],
            2: [(10, "started", 1000.0), (45, "purchase", 30.0)],
        }
    )
    assert label(history, CONTRACT, np.array([1, 2]), day(40), day(50), UTC).value.tolist() == [0.0, 30.0]


def test_the_value_takes_refunds_off_and_forgets_other_kinds() -> None:
    history = world(
        {1: [(41, "purchase", 10.0), (42, "refund", -4.0), (43, "visit", 99.0), (44, "purchase", None)]}
    )
    assert label(history, INACTIVITY, np.array([1]), day(40), day(50), UTC).value.tolist() == [6.0]


def test_a_customer_without_events_has_churned_and_spent_nothing() -> None:
    history = world({5: [(41, "purchase", 10.0)]})
    labels = label(history, INACTIVITY, np.array([1, 5, 9]), day(40), day(50), UTC)
    assert labels.churned.tolist() == [True, False, True]
    assert labels.value.tolist() == [0.0, 10.0, 0.0]


def test_a_contract_churns_by_a_cancellation_that_comes_before_its_completion() -> None:
    history = world(
        {
            1: [(1, "started", None), (42, "cancelled", None)],
            2: [(1, "started", None), (42, "completed", None), (43, "cancelled", None)],
            3: [(1, "started", None)],
            4: [(1, "started", None), (50, "cancelled", None)],
        }
    )
    labels = label(history, CONTRACT, history.keys, day(40), day(50), UTC)
    assert labels.churned.tolist() == [True, False, False, False]


def test_a_horizon_the_data_does_not_reach_is_refused_with_the_dates() -> None:
    churn = Churn(**{**INACTIVITY.__dict__, "horizon": INACTIVITY.horizon.__class__(60, 0)})
    history = world({1: [(1, "purchase", 1.0)]})
    with pytest.raises(HorizonNotCovered) as refusal:
        label(
            history, churn, np.array([1]), UTC.instant("2017-11-15"), UTC.instant("2018-01-01T04:01:00"), UTC
        )
    assert refusal.value.message == (
        "cannot label 2017-11-15: churn is decided 60 days later, so events are needed until 2018-01-14, "
        "but they end on 2018-01-01. The latest date with a label is 2017-11-02."
    )


def test_the_latest_labelled_date_is_a_covered_local_midnight() -> None:
    tokyo = Timeline("Asia/Tokyo")
    newest = latest_labelled(tokyo.instant("2024-03-10T15:00:00"), INACTIVITY.horizon, tokyo)
    assert tokyo.name(newest) == "2024-02-29"
    assert tokyo.name(latest_labelled(tokyo.instant("2024-03-10"), INACTIVITY.horizon, tokyo)) == "2024-02-29"


@given(st.lists(st.tuples(st.integers(0, 100), st.floats(-50, 50)), max_size=12), st.integers(0, 60))
def test_labels_equal_a_plain_reading_of_the_events(events, as_of) -> None:  # type: ignore[no-untyped-def]
    history = world({7: [(d, "purchase", v) for d, v in events]})
    labels = label(history, INACTIVITY, np.array([7]), day(as_of), day(200), UTC)
    inside = [v for d, v in sorted(events, key=lambda e: e[0]) if as_of <= d < as_of + 10]
    assert labels.churned[0] == (not any(v >= 0 for v in inside))
    assert labels.value[0] == pytest.approx(sum(inside), abs=1e-9)


def test_days_are_counted_from_the_origin_of_these_worlds() -> None:
    assert day(1) - ORIGIN == DAY
    assert world({1: [(1, "visit", None)]}, recorded={(1, 0): 2}).recorded[0] != ALWAYS


@given(RECORDS, st.sampled_from([INACTIVITY, CONTRACT]), st.integers(5, 45))
def test_events_that_mean_nothing_to_a_label_change_none(records: list[Event], churn: Churn, on: int) -> None:
    history = history_of(records)
    few = label_events(history, churn)
    assert few.events <= history.events
    keys = history.keys
    whole, part = (label(one, churn, keys, day(on), day(60), UTC) for one in (history, few))
    np.testing.assert_array_equal(part.churned, whole.churned)
    np.testing.assert_array_equal(part.value, whole.value)
    np.testing.assert_array_equal(
        statuses(few, churn, day(on)) == IN_COHORT, statuses(history, churn, day(on)) == IN_COHORT
    )
