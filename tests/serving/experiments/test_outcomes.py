"""Outcomes of a campaign: what counts by a review date, by hand and against a plain version."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.event_store import EventStore
from features.events.schema import REFUND
from features.timeline import DAY
from serving.experiments.outcome_kernels import NEVER_ACTIVE, outcome_sums
from serving.experiments.outcomes import CampaignOutcomes, OutcomeRules, _event_rows, campaign_outcomes
from tests.serving.experiments.made_campaign import START, assignment, rules
from tests.serving.reports.small import INDICATORS, UTC, churn, store
from tests.worlds import Event, events, history

MONTH, QUARTER = UTC.instant("2025-02-01"), UTC.instant("2025-04-01")
DATES = (MONTH, QUARTER)


def outcomes(made: EventStore, arms: dict[str, str], **settings: object) -> CampaignOutcomes:
    return campaign_outcomes(made, rules(**settings), assignment(made, arms), DATES)


def of(found: CampaignOutcomes, outcome: str, customer: int = 0) -> list[float]:
    return [float(value) for value in found.values[outcome][customer]]


def test_who_buys_within_the_horizon_before_the_date_is_retained(tmp_path: Path) -> None:
    made = store(
        tmp_path,
        """
        ann 2024-12-20 purchase 10
        ann 2025-01-20 purchase 10
        bob 2024-12-31 purchase 10
        cat 2024-12-31 purchase 10
        cat 2025-03-31 purchase 10
        """,
    )
    found = outcomes(made, {"ann": "t", "bob": "c", "cat": "t"}, horizon_days=60)
    # By the first date 31 days have passed: what was bought before the start does not count.
    assert [of(found, "retained", place) for place in range(3)] == [[1, 0], [0, 0], [0, 1]]
    assert [of(found, "churned_value", place) for place in range(3)] == [[0, 100], [100, 100], [100, 0]]


def test_what_happens_at_the_start_counts_and_what_happens_at_the_date_does_not(tmp_path: Path) -> None:
    made = store(
        tmp_path,
        """
        ann 2024-12-31T23:59:59 purchase 1
        ann 2025-01-01 purchase 2
        ann 2025-01-31T23:59:59 purchase 4
        ann 2025-02-01 purchase 8
        ann 2025-04-01 purchase 16
        """,
    )
    assert of(outcomes(made, {"ann": "t"}), "spend") == [6, 14]


def test_refunds_are_taken_off_spend_and_make_nobody_active(tmp_path: Path) -> None:
    made = store(
        tmp_path,
        """
        ann 2024-12-20 purchase 10
        ann 2025-01-10 refund -30
        ann 2025-01-11 purchase -5
        """,
    )
    found = outcomes(made, {"ann": "t"})
    assert of(found, "spend") == [-35, -35]
    assert of(found, "retained") == [0, 0]
    assert of(found, "active_days") == [0, 0]


def test_a_day_counts_once_and_surveys_and_contacts_make_no_day_active(tmp_path: Path) -> None:
    made = store(
        tmp_path,
        """
        ann 2025-01-05T08:00 visit
        ann 2025-01-05T21:00 purchase 3
        ann 2025-01-06T00:00 visit
        ann 2025-01-09 nps 9
        ann 2025-01-10 email_sent - - - spring
        """,
    )
    found = outcomes(made, {"ann": "t"})
    assert of(found, "active_days") == [2, 2]
    assert of(found, "nps") == [100, 100]


def test_the_last_answer_counts_and_who_was_not_asked_has_none(tmp_path: Path) -> None:
    made = store(
        tmp_path,
        """
        ann 2024-12-05 nps 10
        ann 2025-01-05 nps 8
        ann 2025-03-05 nps 2
        bob 2024-12-05 nps 10
        """,
    )
    found = outcomes(made, {"ann": "t", "bob": "c"})
    assert of(found, "nps") == [0, -100]
    assert np.isnan(found.values["nps"][1]).all()


def test_a_contract_that_runs_at_the_date_is_retained_and_a_change_of_plan_is_no_end(tmp_path: Path) -> None:
    made = store(
        tmp_path,
        """
        ann 2024-06-01 started 10
        ann 2025-01-15 cancelled
        ann 2025-03-01 started 10
        bob 2024-06-01 started 10
        bob 2025-01-31T20:00 cancelled
        bob 2025-02-01T04:00 started 20
        """,
    )
    found = outcomes(made, {"ann": "t", "bob": "c"}, type="contract", horizon_days=30)
    assert of(found, "retained", 0) == [0, 1]
    assert of(found, "retained", 1) == [1, 1]


@pytest.mark.parametrize("kind", ["contract", "inactivity"])
def test_before_the_first_review_date_there_are_contacts_and_no_outcomes(tmp_path: Path, kind: str) -> None:
    made = store(
        tmp_path,
        """
        ann 2024-06-01 started 10
        ann 2024-12-20 purchase 10
        ann 2025-01-02 call_made 3 - spring
        """,
    )
    settings = rules(type=kind, horizon_days=30)
    found = campaign_outcomes(made, settings, assignment(made, {"ann": "t"}), ())
    assert found.values["retained"].shape == (1, 0)


def test_contacts_of_the_campaign_are_told_from_others_and_counted_with_their_cost(tmp_path: Path) -> None:
    made = store(
        tmp_path,
        """
        ann 2024-12-31 call_made 700 - - spring
        ann 2025-01-02 call_made 800 - - spring
        ann 2025-01-03 email_sent - - - spring
        ann 2025-02-03 email_sent 5 - - newsletter
        bob 2025-02-10 call_made 800 - - spring
        """,
    )
    found = outcomes(made, {"ann": "t", "bob": "c"})
    assert found.contacts.tolist() == [[2, 2], [0, 1]]
    assert found.cost.tolist() == [[800, 800], [0, 800]]
    assert found.unpriced.tolist() == [[1, 1], [0, 0]]
    assert found.other_contacts.tolist() == [[0, 1], [0, 0]]
    assert found.reached.tolist() == [[True, True], [False, True]]


@pytest.mark.parametrize(("second", "contacts"), [("table", 2), ("other", 1)])
def test_a_contact_that_two_sources_tell_of_counts_once_and_repeats_of_one_source_count(
    tmp_path: Path, second: str, contacts: int
) -> None:
    made = EventStore(tmp_path)
    for source, number in (("table", "1"), (second, "2")):
        row = {
            "customer_id": ["ann"],
            "occurred_at": ["2025-01-02"],
            "kind": ["call_made"],
            "value": [800.0],
            "detail": ["spring"],
            "event_id": [number],
        }
        made.add(pa.table(row), source=source, timeline=UTC, now=UTC.instant("2026-01-01"))
    found = outcomes(EventStore(tmp_path), {"ann": "t"})
    assert found.contacts.tolist() == [[contacts, contacts]]
    assert found.cost.tolist() == [[800 * contacts, 800 * contacts]]


def told(folder: Path, *contacts: tuple[str, str, str, str | None]) -> EventStore:
    """A store with contacts of Ann as source, moment, kind and detail."""
    made = EventStore(folder)
    for number, (source, at, kind, detail) in enumerate(contacts):
        row = {
            "customer_id": ["ann"],
            "occurred_at": [at],
            "kind": [kind],
            "value": [800.0],
            "detail": pa.array([detail], pa.string()),
            "event_id": [str(number)],
        }
        made.add(pa.table(row), source=source, timeline=UTC, now=UTC.instant("2026-01-01"))
    return EventStore(folder)


FILE = ("file", "2025-01-02 10:00:40", "call_made", "spring")


@pytest.mark.parametrize(
    ("contacts", "counted"),
    [
        ([("crm", "2025-01-02 10:00:05", "call_made", None), FILE], (1, 0)),
        ([("crm", "2025-01-02 10:00:59", "call_made", "call-2025-01"), FILE], (1, 0)),
        ([("crm", "2025-01-02 10:00:05", "call_made", "spring"), FILE], (1, 0)),
        ([("crm", "2025-01-02 10:01:00", "call_made", None), FILE], (1, 1)),
        ([("crm", "2025-01-02 10:00:05", "email_sent", None), FILE], (1, 1)),
        ([("file", "2025-01-02 10:00:05", "call_made", None), FILE], (1, 1)),
        ([("crm", "2025-01-02 10:00:05", "call_made", None)] * 2 + [FILE], (1, 1)),
        ([("crm", "2025-01-02 10:00:05", "call_made", None), FILE, FILE], (2, 0)),
        ([FILE, ("crm", "2025-01-02 10:00:50", "call_made", None)] * 2, (2, 0)),
    ],
)
def test_a_contact_that_comes_by_a_source_and_by_the_file_of_contacts_counts_once(
    tmp_path: Path, contacts: list[tuple[str, str, str, str | None]], counted: tuple[int, int]
) -> None:
    """One contact: of the same customer and kind, within the same minute, told by two sources."""
    found = outcomes(told(tmp_path, *contacts), {"ann": "t"})
    assert (found.contacts[0, -1], found.other_contacts[0, -1]) == counted
    assert found.cost[0, -1] == 800 * counted[0]


def test_contacts_of_rules_for_service_are_told_apart_and_are_no_exposure(tmp_path: Path) -> None:
    made = told(
        tmp_path,
        FILE,
        ("crm", "2025-01-02 10:00:50", "call_made", "answer an inquiry"),
        ("crm", "2025-01-05", "email_sent", "newsletter"),
    )
    given = assignment(made, {"ann": "t"})
    for every_contact, counted in ((False, (1, 1, 1)), (True, (2, 0, 1))):
        asked = replace(rules(), service=frozenset({"answer an inquiry"}), every_contact=every_contact)
        found = campaign_outcomes(made, asked, given, DATES)
        arrays = (found.contacts, found.other_contacts, found.service_contacts)
        assert tuple(int(one[0, -1]) for one in arrays) == counted


def test_a_campaign_without_amounts_has_no_money_and_one_without_answers_no_nps(tmp_path: Path) -> None:
    made = store(tmp_path, "ann 2025-01-02 visit")
    given = assignment(made, {"ann": "t"}, values={"ann": math.nan})
    found = campaign_outcomes(made, rules(indicators=["usage"]), given, DATES)
    assert list(found.values) == ["retained", "active_days"]


@given(events(), st.integers(0, 60))
def test_the_walk_agrees_with_a_plain_count(drawn: list[Event], begin: int) -> None:
    present = [one for one in drawn if one.retracted is None]
    given = history(present, with_customers=(0, 1, 2))
    start = START - 330 * DAY + begin * DAY
    dates = np.array([start + 10 * DAY, start + 30 * DAY, start + 31 * DAY])
    found_rules = OutcomeRules("search", start, churn(indicators=["purchase"]), INDICATORS, UTC)
    code = {name: place for place, name in enumerate(given.detail_names)}.get("search", -1)
    rows = _event_rows(given, found_rules)
    service = np.array([name == "checkout" for name in given.detail_names], np.bool_)
    sums = outcome_sums(rows, np.array([0, -1, 2]), start, dates, UTC.midnights, code, service)
    own = {kind for one in INDICATORS if one.origin == "customer" and not one.attitude for kind in one.kinds}
    for place, customer in ((0, 0), (2, 2)):
        for column, date in enumerate(dates.tolist()):
            mine = [one for one in present if one.customer == customer and start <= one.at < date]
            back = [one.kind == REFUND or (one.kind == "purchase" and (one.value or 0) < 0) for one in mine]
            acted = [
                one.at for one, gone in zip(mine, back, strict=True) if one.kind == "purchase" and not gone
            ]
            assert sums.last_activity[place, column] == max(acted, default=NEVER_ACTIVE)
            amounts = [
                one.value for one in mine if one.kind in ("purchase", REFUND) and one.value is not None
            ]
            assert sums.spend[place, column] == pytest.approx(math.fsum(amounts), rel=1e-15, abs=1e-12)
            days = {
                one.at // DAY for one, gone in zip(mine, back, strict=True) if one.kind in own and not gone
            }
            assert sums.active_days[place, column] == len(days)
    assert (sums.spend[1] == 0).all()
    assert (sums.last_activity[1] == NEVER_ACTIVE).all()
