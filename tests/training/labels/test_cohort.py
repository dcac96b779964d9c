"""Who can leave at an as-of date, on histories small enough to read."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.training.worlds import CONTRACT, INACTIVITY, day, world
from training.labels.cohort import STATUSES, cohort, statuses


def status_of(history, churn, as_of):  # type: ignore[no-untyped-def]
    codes = statuses(history, churn, as_of)
    return {int(k): STATUSES[c].value if c >= 0 else None for k, c in zip(history.keys, codes, strict=True)}


def test_the_cohort_holds_those_active_within_the_active_days() -> None:
    history = world(
        {
            1: [(10, "purchase", 5.0)],
            2: [(30, "purchase", 5.0)],
            3: [(35, "visit", None)],
            4: [(50, "visit", None)],
        }
    )
    assert status_of(history, INACTIVITY, day(40)) == {1: "lapsed", 2: "cohort", 3: "new", 4: None}
    assert cohort(history, INACTIVITY, day(40)).tolist() == [2]


def test_the_first_instant_of_the_active_days_counts_and_the_as_of_instant_does_not() -> None:
    history = world({1: [(20, "purchase", 1.0)], 2: [(40, "purchase", 1.0)]})
    assert cohort(history, INACTIVITY, day(40)).tolist() == [1]
    assert cohort(history, INACTIVITY, day(40) + 1).tolist() == [2]


def test_a_refund_is_no_activity_whether_by_kind_or_by_sign() -> None:
    history = world({1: [(30, "refund", -5.0)], 2: [(30, "purchase", -5.0)], 3: [(30, "purchase", None)]})
    assert status_of(history, INACTIVITY, day(40)) == {1: "new", 2: "new", 3: "cohort"}


def test_a_running_contract_is_in_the_cohort_until_it_is_ended_or_completed() -> None:
    history = world(
        {
            1: [(1, "started", None)],
            2: [(1, "started", None), (20, "cancelled", None)],
            3: [(1, "started", None), (20, "completed", None)],
            4: [(1, "started", None), (20, "cancelled", None), (30, "renewed", None)],
            5: [(1, "visit", None)],
        }
    )
    assert status_of(history, CONTRACT, day(40)) == {
        1: "cohort",
        2: "lapsed",
        3: "lapsed",
        4: "cohort",
        5: "new",
    }


@given(
    st.lists(st.tuples(st.integers(0, 60), st.sampled_from(["purchase", "refund", "visit"])), max_size=8),
    st.lists(st.tuples(st.integers(0, 30), st.sampled_from(["purchase", "visit"])), max_size=5),
)
def test_what_happens_from_the_as_of_date_on_never_changes_the_cohort(past, future) -> None:  # type: ignore[no-untyped-def]
    before = [(d / 2, kind, 1.0) for d, kind in past if d / 2 < 30]
    after = before + [(30 + d, kind, 1.0) for d, kind in future]
    one, two = world({1: before, 2: [(0, "visit", None)]}), world({1: after, 2: [(0, "visit", None)]})
    assert statuses(one, INACTIVITY, day(30)).tolist() == statuses(two, INACTIVITY, day(30)).tolist()
