"""What churn could mean: the figures are those that plain loops count, and the advice follows from them."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from features.catalog.defaults import indicators
from features.event_store import EventStore
from features.profiling.profile import DataProfile, profile_events
from features.timeline import DAY, Horizon
from tests.training.simulated import NOW, UTC
from tests.training.worlds import CONTRACT, INACTIVITY, day
from training.data.splits import TemporalSplits
from training.diagnosis.candidate_measure import ChurnCandidate, LeadTimeAuc, auc
from training.diagnosis.candidates import Diagnosis, diagnose
from training.diagnosis.recommendation import block, choose, recommend
from training.labels.settings import Churn, ChurnSettings

Event = tuple[str, float, str]
"""Who, on which day, what."""
INDICATORS = indicators({})


def store_of(folder: Path, events: Sequence[Event]) -> EventStore:
    store = EventStore(folder, buckets=4)
    who, when, what = zip(*events, strict=True)
    table = pa.table(
        {
            "customer_id": list(who),
            "occurred_at": pa.array([day(n) for n in when], pa.timestamp("us", "UTC")),
            "kind": list(what),
        }
    )
    store.add(table, source="world", timeline=UTC, now=NOW)
    return store


def examined(
    folder: Path, events: Sequence[Event], **churn: object
) -> tuple[EventStore, DataProfile, Diagnosis]:
    store = store_of(folder, events)
    inventory = profile_events(store, INDICATORS, UTC)
    settings = ChurnSettings.model_validate(churn)
    return store, inventory, diagnose(store, inventory, INDICATORS, settings, UTC)


def pausing(rng: np.random.Generator, customers: int = 150, days: int = 200) -> list[Event]:
    """Customers who buy every few days, with pauses now and then, and some who stop for good."""
    events = []
    for customer in range(customers):
        gap, at = rng.uniform(2, 12), rng.uniform(0, 20)
        end = days if rng.random() < 0.6 else rng.uniform(30, days)
        while at < end:
            events.append((f"c{customer}", at, "purchase"))
            at += rng.exponential(gap) + (rng.uniform(10, 60) if rng.random() < 0.05 else 0.0)
    return events


def members(rng: np.random.Generator, customers: int = 900, days: int = 400) -> list[Event]:
    """Contracts that end after months, with weekly visits that stop a fortnight before."""
    events = []
    for customer in range(customers):
        start = rng.uniform(0, days)
        end = start + rng.exponential(250)
        events.append((f"m{customer}", start, "started"))
        if end < days:
            events.append((f"m{customer}", end, "cancelled"))
        quiet = end - 14 if rng.random() < 0.8 else end
        events += [(f"m{customer}", at, "visit") for at in np.arange(start + 1, min(quiet, days), 7.0)]
    return events


def test_figures_are_those_that_plain_loops_count(tmp_path: Path, rng: np.random.Generator) -> None:
    events = pausing(rng)
    _, inventory, diagnosis = examined(tmp_path, events, horizon_days=20, active_days=45)
    bought: dict[str, list[int]] = {}
    for who, when, _ in events:
        bought.setdefault(who, []).append(day(when))
    assert [one.days for one in diagnosis.candidates] == [7, 14, 20, 30, 60, 90]
    assert [(u.churn.horizon.days, u.needed_days) for u in diagnosis.unfit] == [
        (180, 540),
        (365, 730),
    ]
    for one in diagnosis.candidates:
        active, horizon = one.churn.active_days * DAY, one.days * DAY
        cohorts, gone, pairs = [], [], []
        for date in one.measured:
            cohort = [who for who, days in bought.items() if any(date - active <= t < date for t in days)]
            left = [who for who in cohort if not any(date <= t < date + horizon for t in bought[who])]
            cohorts.append(len(cohort))
            gone.append(len(left))
            pairs += [((date - max(t for t in bought[who] if t < date)), who in left) for who in cohort]
        assert one.cohort == pytest.approx(np.mean(cohorts))
        assert one.churned == pytest.approx(np.mean(gone))
        assert one.base_rate == pytest.approx(sum(gone) / sum(cohorts))
        rates = [a / b for a, b in zip(gone, cohorts, strict=True)]
        assert (one.lowest_rate, one.highest_rate) == pytest.approx((min(rates), max(rates)))
        if one.foresight[-1].lead_days == 0:
            stayed = np.array([silence for silence, left in pairs if not left])
            ranked = [
                np.mean((stayed < silence) + (stayed == silence) / 2) for silence, left in pairs if left
            ]
            assert one.foresight[0].auc == pytest.approx(np.mean(ranked), abs=2e-3)
        assert 0.0 <= (one.came_back or 0.0) <= 1.0
        assert one.measured[-1] + horizon <= inventory.newest
    assert [one.configured for one in diagnosis.candidates] == [False, False, True, False, False, False]


def test_who_pauses_comes_back_and_who_stops_does_not(tmp_path: Path) -> None:
    steady = [(f"s{n}", at + n / 50, "purchase") for n in range(40) for at in range(0, 400, 3)]
    # Everyone here stops for 40 days out of every 80, in turns.
    pauses = [
        (f"p{n}", at + n / 50, "purchase")
        for n in range(40)
        for at in range(0, 400, 3)
        if (at + 2 * n) % 80 < 40
    ]
    _, _, diagnosis = examined(tmp_path, steady + pauses)
    figures = {one.days: one for one in diagnosis.candidates}
    assert figures[14].came_back == 1.0
    assert figures[14].watched_days == 99
    assert figures[14].base_rate > 0.1
    assert figures[60].churned == 0
    assert figures[60].came_back is None


def test_who_stops_for_good_never_comes_back(tmp_path: Path) -> None:
    stopping = [(f"c{n}", at + n / 90, "purchase") for n in range(80) for at in range(0, 40 + 4 * n, 3)]
    _, _, diagnosis = examined(tmp_path, stopping)
    figures = {one.days: one for one in diagnosis.candidates}
    assert figures[30].came_back == 0.0
    assert figures[7].foresight[0].auc > figures[7].foresight[-1].auc > 0.5


def test_recency_foresees_less_the_earlier_it_is_asked(tmp_path: Path, rng: np.random.Generator) -> None:
    _, _, diagnosis = examined(tmp_path, pausing(rng, 300, 300))
    one = next(one for one in diagnosis.candidates if one.days == 30)
    assert [f.lead_days for f in one.foresight] == [0, 15, 30]
    assert one.foresight[0].auc > 0.7


def test_dates_are_those_of_the_training(tmp_path: Path, rng: np.random.Generator) -> None:
    _, inventory, diagnosis = examined(tmp_path, pausing(rng), horizon_days=10, active_days=20)
    one = next(one for one in diagnosis.candidates if one.configured)
    assert not one.calendar.cross_fitted
    assert set(one.measured) <= set(one.calendar.labelled)
    assert one.measured[-1] == one.calendar.labelled[-1] <= inventory.newest - 10 * DAY


def test_events_at_or_after_until_change_nothing(tmp_path: Path, rng: np.random.Generator) -> None:
    events = pausing(rng)
    early = store_of(tmp_path / "early", [one for one in events if one[1] < 150])
    whole = store_of(tmp_path / "whole", events)
    settings, until = ChurnSettings.model_validate({}), day(150)
    one = diagnose(early, profile_events(early, INDICATORS, UTC), INDICATORS, settings, UTC)
    held = profile_events(whole, INDICATORS, UTC, until=until)
    two = diagnose(whole, held, INDICATORS, settings, UTC, until=until)
    assert one == two


def test_a_part_of_the_buckets_stands_for_all(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = pausing(rng, 400, 120)
    _, _, whole = examined(tmp_path / "whole", events)
    monkeypatch.setattr("training.diagnosis.candidates.CUSTOMERS", 200)
    _, _, half = examined(tmp_path / "half", events)
    assert (whole.customers, half.customers) == (400, 200)
    for one, two in zip(whole.candidates, half.candidates, strict=True):
        assert two.cohort == pytest.approx(one.cohort, rel=0.1)


def test_contracts_that_end_are_recommended(tmp_path: Path, rng: np.random.Generator) -> None:
    _, inventory, diagnosis = examined(tmp_path, members(rng))
    assert {one.churn.type for one in diagnosis.candidates} == {"contract", "inactivity"}
    assert {one.churn.indicators for one in diagnosis.candidates} == {(), ("usage",)}
    assert not any(one.configured for one in diagnosis.candidates)
    advice = recommend(diagnosis, inventory)
    assert advice.candidate is not None
    assert advice.candidate.churn.started_by == ("started",)
    assert advice.candidate.foresight[0].auc > 0.6
    assert advice.block is not None
    assert advice.block.startswith(
        '[churn]\ntype = "contract"\nstarted_by = ["started"]\nended_by = ["cancelled"]\ncompleted_by = []\n'
    )
    assert advice.english[0].startswith("Ask who ends a running contract (cancelled) within ")
    assert "契約を終える（cancelled）" in advice.japanese[0]
    assert recommend(diagnosis, inventory, 10) == advice
    large = recommend(diagnosis, inventory, 10_000)
    assert large.english[-1].startswith("One list holds all ")
    assert "全員を占めるため（[capacity] contacts = 10000）" in large.japanese[-1]


def test_contract_events_alone_warn_of_nothing(tmp_path: Path, rng: np.random.Generator) -> None:
    events = [one for one in members(rng) if one[2] != "visit"]
    _, inventory, diagnosis = examined(tmp_path, events, type="contract")
    assert all(one.foresight == () for one in diagnosis.candidates)
    assert sum(one.configured for one in diagnosis.candidates) == 1
    advice = recommend(diagnosis, inventory)
    assert (
        "There are only contract events, so little can warn of an end: add what customers do."
        in advice.english
    )


def test_too_short_a_record_says_how_much_is_needed(tmp_path: Path) -> None:
    _, inventory, diagnosis = examined(
        tmp_path, [("ann", n, "purchase") for n in (0.5, 3, 9)], horizon_days=30, active_days=60
    )
    assert diagnosis.candidates == ()
    advice = recommend(diagnosis, inventory)
    assert (advice.candidate, advice.block) == (None, None)
    assert advice.english == (
        "There is not enough history yet: the shortest horizon needs 21 days of events, and there are 8.",
    )
    assert advice.japanese == (
        "履歴が足りません。最短の期間でも21日分のイベントが必要ですが、8日分しかありません。",
    )


def test_events_that_decide_nothing_are_said_to(tmp_path: Path) -> None:
    _, inventory, diagnosis = examined(tmp_path, [("ann", n, "email_sent") for n in range(300)])
    assert replace(diagnosis, coverage=None) == Diagnosis((), (), 1)
    assert (
        recommend(diagnosis, inventory)
        .english[0]
        .startswith("There is nothing by which a customer could be called active")
    )


def test_nobody_leaving_is_nothing_to_learn_from(tmp_path: Path) -> None:
    _, inventory, diagnosis = examined(
        tmp_path, [(f"c{c}", n, "purchase") for n in range(300) for c in range(3)]
    )
    assert recommend(diagnosis, inventory).english == (
        "Nobody left in any horizon tried: there is nothing to learn from yet.",
    )


def test_without_the_configured_indicator_most_common_deeds_decide(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    events = [(who, when, "visit") for who, when, _ in pausing(rng)]
    _, inventory, diagnosis = examined(tmp_path, events)
    assert {one.churn.indicators for one in diagnosis.candidates} == {("usage",)}
    assert recommend(diagnosis, inventory).english[-1] == (
        "What [churn] says now cannot be decided by the events there are."
    )


# --- the choice ---------------------------------------------------------------------------------


def candidate(
    days: int,
    *,
    came_back: float | None = 0.3,
    base_rate: float = 0.2,
    cohort: float = 1000.0,
    cross_fitted: bool = False,
    churn: Churn = INACTIVITY,
) -> ChurnCandidate:
    dates = (day(100), day(101))
    return ChurnCandidate(
        churn=replace(churn, horizon=Horizon(days), active_days=2 * days),
        configured=False,
        calendar=TemporalSplits(dates, dates, dates, dates, cross_fitted, dates, day(102), day(0)),
        measured=dates,
        cohort=cohort,
        churned=cohort * base_rate,
        base_rate=base_rate,
        lowest_rate=base_rate,
        highest_rate=base_rate,
        came_back=came_back,
        watched_days=None if came_back is None else 90,
        foresight=(LeadTimeAuc(0, 0.7),),
    )


def test_the_shortest_horizon_after_which_most_stay_gone_is_chosen() -> None:
    tried = [candidate(n, came_back=back) for n, back in ((7, 0.9), (30, 0.6), (60, 0.45), (90, 0.2))]
    assert choose(tried) is tried[2]


def test_where_most_come_back_the_one_with_fewest_is_chosen() -> None:
    tried = [candidate(n, came_back=back) for n, back in ((7, 0.9), (30, 0.6), (60, None))]
    assert choose(tried) is tried[1]


def test_thin_or_one_sided_or_short_evidence_is_chosen_only_where_nothing_else_is() -> None:
    sound = candidate(30, came_back=0.8)
    thin, low = candidate(60, cohort=100), candidate(90, cross_fitted=True)
    everyone = candidate(7, base_rate=0.9)
    assert choose([everyone, sound, thin, low]) is sound
    assert choose([thin, low]) is low
    assert choose([candidate(7, base_rate=0.0)]) is None
    assert choose([]) is None


def test_contract_goes_before_inactivity() -> None:
    signed = candidate(60, churn=CONTRACT)
    assert choose([candidate(30), signed]) is signed


@pytest.mark.parametrize(
    "churn",
    [
        INACTIVITY,
        CONTRACT,
        replace(INACTIVITY, horizon=Horizon(30, 7)),
        replace(CONTRACT, active_days=90, completed_by=()),
    ],
)
def test_the_block_means_what_was_measured(churn: Churn) -> None:
    settings = ChurnSettings.model_validate(tomllib.loads(block(churn))["churn"])
    assert Churn.of(settings, INDICATORS) == churn


def test_auc_counts_ties_as_half() -> None:
    assert auc(np.array([1, 1, 0]), np.array([0, 1, 1])) == pytest.approx((1 * 1 + 0.5 + 2) / 4)
    assert auc(np.array([0, 3]), np.array([3, 0])) == 0.0
    assert auc(np.array([0, 0]), np.array([3, 0])) is None


@pytest.mark.parametrize(
    ("auc_now", "end"), [(0.7, "; a model has to beat that."), (0.33, ": silence alone tells little.")]
)
def test_silence_is_called_telling_only_where_it_is(tmp_path: Path, auc_now: float, end: str) -> None:
    inventory = profile_events(store_of(tmp_path, [("ann", 1.0, "purchase")]), INDICATORS, UTC)
    one = replace(candidate(30), foresight=(LeadTimeAuc(0, auc_now), LeadTimeAuc(15, 0.31)))
    assert recommend(Diagnosis((one,), (), 1), inventory).english[2] == (
        f"The time since they were last heard of ranks them with an AUC of {auc_now:.2f}, "
        f"0.31 when asked 15 days earlier{end}"
    )
