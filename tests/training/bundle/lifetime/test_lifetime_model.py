"""Lifetime values: they grow with the months, lie in their intervals, and are read as they were written."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from features.timeline import DAY, Timeline
from tests.training import trained
from tests.worlds import at_least
from training.bundle.lifetime.lifetime_model import LifetimeModel, ahead
from training.bundle.lifetime.parameters import ChurnHold, ContractSurvival
from training.bundle.model_bundle import Bundle

DAYS = np.array([365.0, 730.0])

customers = st.lists(
    st.tuples(
        st.integers(0, 200), st.floats(0.0, 3_000.0), st.floats(0.0, 1.0), st.floats(-1e5, 1e6)
    ),
    min_size=1,
    max_size=30,
)  # fmt: skip


def facts(buyers: list[tuple[int, float, float, float]]) -> np.ndarray:
    """What is known of purchases; of no days all else is missing, as of who never bought."""
    found = np.array(
        [[n, whole, whole * share, total] for n, whole, share, total in buyers], dtype=np.float64
    )
    found[found[:, 0] == 0, 1:3] = np.nan
    return found


@at_least(60)
@given(buyers=customers, seed=st.integers(0, 1_000))
def test_more_months_are_never_worth_less_and_intervals_hold_the_value(
    buyers: list[tuple[int, float, float, float]], seed: int
) -> None:
    known, matrix = facts(buyers), trained.rows(len(buyers), seed)
    found = trained.lifetime().values(known, matrix, known[:, 0] < 0, DAYS)
    bought = known[:, 0] > 0
    assert np.isnan(found.value[~bought]).all()
    for part in (found.value, found.low, found.high):
        assert (part[bought] >= 0).all()
        assert (np.diff(part[bought], axis=1) >= 0).all()
    assert (found.low[bought] <= found.value[bought]).all()
    assert (found.value[bought] <= found.high[bought]).all()


@at_least(40)
@given(
    buyers=customers, seed=st.integers(0, 1_000), zone=st.sampled_from(["Asia/Tokyo", "America/St_Johns"]),
    learned=st.booleans(), contract=st.booleans(), held=st.booleans(), as_of=st.integers(9_000 * DAY, 2**50),
)  # fmt: skip
def test_a_customer_alone_has_the_value_of_the_batch_bit_for_bit(
    buyers: list[tuple[int, float, float, float]],
    seed: int,
    zone: str,
    learned: bool,
    contract: bool,
    held: bool,
    as_of: int,
) -> None:
    known, matrix, timeline = facts(buyers), trained.rows(len(buyers), seed), Timeline(zone)
    model = trained.lifetime() if learned else replace(trained.lifetime(), learned=None)
    inside = np.arange(len(buyers)) % 2 == 0
    if contract:
        model = replace(model, contract=ContractSurvival(0.7, 300.0, 365.0 / 12))
        draw = np.random.default_rng(seed)
        costs, days = (
            draw.choice([np.nan, 0.0, 980.0], len(buyers)),
            draw.uniform(0.0, 3_000.0, len(buyers)),
        )
        started = np.where(draw.random(len(buyers)) < 0.3, np.nan, days / 2)
        known = np.column_stack([known, costs, started, days])
    chance = np.where(inside, np.random.default_rng(seed).random(len(buyers)), np.nan)
    if held:
        model = replace(model, churn=ChurnHold(90.0, (1.1, 1.2)))
    whole = model.of_customers(known, matrix, as_of, timeline, inside, chance)
    for row in range(len(buyers)):
        mine = slice(row, row + 1)
        alone = model.of_customers(known[mine], matrix[mine], as_of, timeline, inside[mine], chance[mine])
        for name in ("value", "low", "high", "joined_month"):
            assert getattr(alone, name)[0].tobytes() == getattr(whole, name)[row].tobytes(), name


@at_least(60)
@given(buyers=customers, contract=st.booleans(), seed=st.integers(0, 1_000))
def test_who_is_likelier_to_leave_is_never_worth_more(
    buyers: list[tuple[int, float, float, float]], contract: bool, seed: int
) -> None:
    known, matrix = facts(buyers), trained.rows(len(buyers), seed)
    model = replace(trained.lifetime(), churn=ChurnHold(90.0, (1.0, 1.0)))
    if contract:
        days = np.random.default_rng(seed).uniform(0.0, 3_000.0, len(buyers))
        known = np.column_stack([known, np.full(len(buyers), 980.0), days / 2, days])
        model = replace(model, contract=ContractSurvival(0.7, 300.0, 365.0 / 12))
    everybody = np.ones(len(buyers), dtype=np.bool_)
    found = [
        model.values(known, matrix, everybody, DAYS, np.full(len(buyers), chance))
        for chance in (0.01, 0.3, 0.9, 0.99)
    ]
    for less, more in pairwise(found):
        for name in ("value", "low", "high"):
            worth, then = getattr(less, name), getattr(more, name)
            there = ~np.isnan(worth)
            assert (then[there] <= worth[there] * (1 + 1e-9) + 1e-9).all(), name
            assert (np.diff(then, axis=1)[there[:, 1:]] >= 0).all(), name
        assert (more.low[there] <= more.value[there]).all()
        assert (more.value[there] <= more.high[there]).all()


def test_months_end_on_the_same_day_of_a_later_month() -> None:
    tokyo = Timeline("Asia/Tokyo")
    start = tokyo.instant("2024-01-31")
    assert tokyo.name(tokyo.months_after(start, 1)) == "2024-02-29"
    assert tokyo.name(tokyo.months_after(start, -2)) == "2023-11-30"
    assert ahead(start, (1, 12), tokyo).tolist() == [29.0, 366.0]


@given(
    st.integers(0, 40_000), st.sampled_from(["UTC", "Asia/Kathmandu", "America/New_York", "Africa/Monrovia"])
)
def test_days_ahead_are_those_from_midnight_to_midnight(day: int, zone: str) -> None:
    timeline = Timeline(zone)
    midnight = int(timeline.midnights[day + 2])
    later = [timeline.months_after(midnight, one) for one in (12, 24)]
    whole = [round((one - midnight) / DAY) for one in later]
    assert ahead(midnight, (12, 24), timeline).tolist() == whole
    assert ahead(int(timeline.midnights[day + 3]) - 1, (12, 24), timeline).tolist() == whole


def test_the_month_of_joining_is_the_local_one_for_one_customer_and_for_many() -> None:
    tokyo = Timeline("Asia/Tokyo")
    instants = np.array([tokyo.instant(one) for one in ("1970-01-01", "2024-02-29", "2024-03-01")])
    assert tokyo.local_months(instants).tolist() == [0, 649, 650]
    assert [int(tokyo.local_months(instants[at : at + 1])[0]) for at in range(3)] == [0, 649, 650]
    assert tokyo.local_months(instants - 1).tolist() == [-1, 649, 649]


def test_a_bundle_keeps_it_as_text_and_reads_it_again(tmp_path) -> None:  # type: ignore[no-untyped-def]
    bundle = trained.bundle()
    bundle.save(tmp_path / "bundle")
    assert "lifetime.txt" in {path.name for path in (tmp_path / "bundle").iterdir()}
    found = Bundle.load(tmp_path / "bundle")
    assert found == bundle
    assert found.lifetime is not None
    assert found.lifetime.horizons == trained.lifetime().horizons
    plain = trained.like(bundle, lifetime=replace(trained.lifetime(), learned=None))
    plain.save(tmp_path / "plain")
    assert "lifetime.txt" not in {path.name for path in (tmp_path / "plain").iterdir()}
    assert isinstance(Bundle.load(tmp_path / "plain").lifetime, LifetimeModel)
    assert trained.bundle(amounts=False).lifetime is None
