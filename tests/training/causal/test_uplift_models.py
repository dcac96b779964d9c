"""Uplift models: do they find who is helped, are they repeatable, and when is their ranking refused?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from features.errors import DataError
from training.causal.uplift_evidence import assess_uplift, verdict
from training.causal.uplift_features import LEVELS, code_book
from training.causal.uplift_metrics import QiniIntervals, qini_coefficient
from training.causal.uplift_models import (
    UpliftParameters,
    cross_fit,
    fit_arm,
    pseudo_outcomes,
    stratified_folds,
)

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

QUICK = UpliftParameters(rounds=1, trees=30, threads=1)


class World:
    """A made-up campaign: contact helps those with many visits, drives away those without, and risk is
    separate.
    """

    def __init__(self, n: int = 4_000, effect: float = 0.3, constant: float = 0.0, seed: int = 0) -> None:
        draw = np.random.default_rng(seed)
        self.visits, risk = draw.normal(0, 1, n), draw.normal(0, 1, n)
        plan = draw.choice(["light", "standard", "premium"], n)
        self.features = pa.table({"visits": self.visits, "risk": risk, "plan": plan})
        self.treated: Flags = draw.random(n) < 0.5
        self.uplift = constant + effect * np.clip(self.visits, -1, 1)
        chance = np.clip(0.45 + 0.15 * np.clip(risk, -1, 1) + self.treated * self.uplift, 0, 1)
        self.outcome: Floats = (draw.random(n) < chance).astype(np.float64)

    @property
    def arrays(self) -> tuple[pa.Table, Flags, Floats, float]:
        return self.features, self.treated, self.outcome, 0.5


@pytest.fixture(scope="module")
def world() -> World:
    return World()


def test_customers_whom_contact_helps_are_found_and_the_model_is_used(world: World) -> None:
    found = assess_uplift(*world.arrays, parameters=QUICK, resamples=200)
    assert found.used
    assert found.scores is not None
    assert np.corrcoef(found.scores.uplift, world.uplift)[0, 1] > 0.8
    assert np.corrcoef(found.scores.t_learner, world.uplift)[0, 1] > 0.8
    assert np.corrcoef(found.scores.dr_learner, world.uplift)[0, 1] > 0.7
    assert found.scores.uplift[world.visits < -1].mean() < 0 < found.scores.uplift[world.visits > 1].mean()


def test_an_effect_that_is_the_same_for_all_ranks_nobody() -> None:
    same = World(effect=0.0, constant=0.15)
    found = assess_uplift(*same.arrays, parameters=QUICK, resamples=200)
    assert found.reason == "qini_not_above_zero"
    assert not found.used


def test_a_response_model_that_ranks_as_well_is_not_replaced() -> None:
    """Everybody's effect grows with their response: who responds is whom contact helps."""
    draw = np.random.default_rng(0)
    n = 6_000
    risk, treated = draw.normal(0, 1, n), draw.random(n) < 0.5
    chance = np.clip(0.3 + treated * 0.2 * np.clip(risk, -1, 1) + 0.1 * np.clip(risk, -1, 1), 0, 1)
    outcome = (draw.random(n) < chance).astype(np.float64)
    found = assess_uplift(pa.table({"risk": risk}), treated, outcome, 0.5, parameters=QUICK, resamples=200)
    assert found.reason == "not_better_than_response"


@pytest.mark.parametrize(
    ("low", "difference_low", "reason"),
    [
        (0.1, 0.1, "used"),
        (0.0, 0.1, "qini_not_above_zero"),
        (-0.1, 0.1, "qini_not_above_zero"),
        (0.1, 0.0, "not_better_than_response"),
        (float("nan"), float("nan"), "qini_not_above_zero"),
    ],
)
def test_both_intervals_must_lie_above_zero(low: float, difference_low: float, reason: str) -> None:
    assert verdict(QiniIntervals(1.0, low, 2.0, 0.5, 0.5, difference_low, 1.0)) == reason


def test_the_same_campaign_gives_the_same_scores_to_the_bit(world: World) -> None:
    matrix = code_book(world.features).encode(world.features)
    again = [cross_fit(matrix, world.treated, world.outcome, np.full(4_000, 0.5), QUICK) for _ in range(2)]
    assert again[0].uplift.tobytes() == again[1].uplift.tobytes()
    assert again[0].response.tobytes() == again[1].response.tobytes()
    other = cross_fit(matrix, world.treated, world.outcome, np.full(4_000, 0.5), replace(QUICK, seed=1))
    assert other.uplift.tobytes() != again[0].uplift.tobytes()


def test_no_score_has_seen_its_own_customer() -> None:
    """Features that are noise: scores that had seen the outcomes would rank them."""
    draw = np.random.default_rng(3)
    treated = draw.random(1_500) < 0.5
    outcome = (draw.random(1_500) < 0.3).astype(np.float64)
    scores = cross_fit(draw.normal(0, 1, (1_500, 10)), treated, outcome, np.full(1_500, 0.5), QUICK)
    assert abs(qini_coefficient(scores.uplift, treated, outcome)) < 15


def test_the_mean_of_the_pseudo_outcome_is_the_average_effect_also_of_unequal_arms() -> None:
    draw = np.random.default_rng(1)
    n = 20_000
    column, treated = draw.normal(0, 1, n), draw.random(n) < 0.9
    outcome = (draw.random(n) < 0.4 + 0.2 * np.clip(column, -1, 1) + 0.1 * treated).astype(np.float64)
    pseudo = pseudo_outcomes(column[:, None], treated, outcome, np.full(n, 0.9), QUICK)
    assert pseudo.mean() == pytest.approx(0.1, abs=3 * pseudo.std() / np.sqrt(n))


def test_amounts_have_an_uplift_in_their_own_unit() -> None:
    draw = np.random.default_rng(2)
    n = 4_000
    column, treated = draw.normal(0, 1, n), draw.random(n) < 0.5
    outcome = draw.exponential(10, n) + treated * 5 * column
    scores = cross_fit(column[:, None], treated, outcome, np.full(n, 0.5), QUICK)
    assert np.polyfit(column, scores.uplift, 1)[0] == pytest.approx(5, abs=1.5)


def test_folds_hold_equal_shares_of_arms_and_outcomes(world: World) -> None:
    fold = stratified_folds(world.treated, world.outcome, 5, 0)
    for mask in (world.treated, ~world.treated, world.outcome > 0):
        assert np.ptp(np.bincount(fold[mask], minlength=5)) <= 2


def test_a_missing_number_counts_by_itself() -> None:
    draw = np.random.default_rng(0)
    column = draw.normal(50, 5, 2_000)
    gone = draw.random(2_000) < 0.4
    outcome = (draw.random(2_000) < np.where(gone, 0.8, 0.2)).astype(np.float64)
    fitted = fit_arm(np.where(gone, np.nan, column)[:, None], outcome)
    assert fitted.predict(np.array([[np.nan], [50.0]])) == pytest.approx([0.8, 0.2], abs=0.05)


def test_an_arm_without_any_difference_is_predicted_as_it_is() -> None:
    assert fit_arm(np.arange(6.0)[:, None], np.ones(6)).predict(np.array([[3.0]])) == pytest.approx([1.0])


@pytest.mark.parametrize("outcome", [0.0, 1.0])
def test_a_constant_outcome_is_no_evidence(world: World, outcome: float) -> None:
    found = assess_uplift(world.features, world.treated, np.full(4_000, outcome), 0.5)
    assert found.reason == "too_few_outcomes"


def test_a_handful_of_outcomes_is_no_evidence(world: World) -> None:
    outcome = np.zeros(4_000)
    outcome[np.flatnonzero(world.treated)[:400]] = 1
    outcome[np.flatnonzero(~world.treated)[:9]] = 1
    assert assess_uplift(world.features, world.treated, outcome, 0.5).reason == "too_few_outcomes"


def test_an_empty_arm_is_no_evidence(world: World) -> None:
    everybody = np.ones(4_000, dtype=np.bool_)
    assert assess_uplift(world.features, everybody, world.outcome, 1.0).reason == "empty_arm"
    assert assess_uplift(world.features, ~everybody, world.outcome, 0.0).reason == "empty_arm"


@pytest.mark.parametrize("n", [0, 1, 2, 50, 99])
def test_fewer_than_100_customers_are_no_evidence(n: int) -> None:
    treated = np.arange(n) % 2 == 0
    found = assess_uplift(pa.table({"a": np.arange(float(n))}), treated, treated.astype(np.float64), 0.5)
    assert found.reason == ("too_few_customers" if n > 1 else "empty_arm")


def test_100_customers_are_judged() -> None:
    draw = np.random.default_rng(0)
    treated = np.arange(100) % 2 == 0
    outcome = (draw.random(100) < 0.5).astype(np.float64)
    found = assess_uplift(pa.table({"a": draw.random(100)}), treated, outcome, 0.5, parameters=QUICK)
    assert found.reason == "qini_not_above_zero"
    assert found.intervals is not None


def test_customers_whose_outcome_is_not_known_are_left_out(world: World) -> None:
    outcome = world.outcome.copy()
    outcome[::10] = np.nan
    found = assess_uplift(world.features, world.treated, outcome, 0.5, parameters=QUICK, resamples=20)
    assert len(found.outcome) == 3_600
    assert found.scores is not None
    assert np.isfinite(found.scores.uplift).all()


def test_features_that_say_nothing_are_named_and_refused() -> None:
    n = 400
    table = pa.table(
        {
            "constant": np.ones(n),
            "empty": pa.nulls(n),
            "id": [f"customer-{number}" for number in range(n)],
            "word": ["same"] * n,
        }
    )
    book = code_book(table)
    assert (book.columns, book.ignored) == ((), ("constant", "empty", "id", "word"))
    draw = np.random.default_rng(0)
    found = assess_uplift(table, draw.random(n) < 0.5, (draw.random(n) < 0.5).astype(np.float64), 0.5)
    assert found.reason == "no_features"


def test_text_becomes_a_column_for_each_frequent_value() -> None:
    table = pa.table({"plan": ["b"] * 30 + ["a"] * 40 + ["rare"] * 3 + [None] * 25}).cast(
        pa.schema([pa.field("plan", pa.dictionary(pa.int32(), pa.string()))])
    )
    book = code_book(table)
    assert book.columns == ("plan=a", "plan=b", "plan=(missing)")
    matrix = book.encode(table)
    assert matrix.sum(axis=0).tolist() == [40, 30, 25]
    assert matrix[70:73].sum() == 0


def test_text_of_many_values_keeps_the_most_frequent() -> None:
    values = [f"town-{number:03}" for number in range(100) for _ in range(20 + number)]
    book = code_book(pa.table({"town": values}))
    assert book.columns == tuple(f"town=town-{number:03}" for number in range(99, 99 - LEVELS, -1))


def test_a_code_book_reads_other_customers_as_it_read_the_first() -> None:
    book = code_book(pa.table({"n": [1, 2] * 50, "plan": ["a", "b"] * 50}))
    other = pa.table({"plan": ["b", "new", None], "n": pa.array([None, 5, 6], pa.int64()), "more": [1, 2, 3]})
    assert book.encode(other)[:, 1:].tolist() == [[0, 1], [0, 0], [0, 0]]
    assert np.isnan(book.encode(other)[0, 0])


def test_dates_flags_and_infinite_numbers_can_be_features() -> None:
    days = pa.array([0, 1, 2, None], pa.int32()).cast(pa.date32())
    table = pa.table({"day": days, "flag": [True, False, True, None], "x": [1.0, np.inf, 3.0, 4.0]})
    matrix = code_book(table).encode(table)
    assert np.array_equal(matrix, [[0, 1, 1], [1, 0, np.nan], [2, 1, 3], [np.nan, np.nan, 4]], equal_nan=True)


def test_a_column_of_lists_is_refused_with_its_name_and_type() -> None:
    with pytest.raises(DataError) as refused:
        code_book(pa.table({"tags": [["a"], ["b"]]}))
    assert str(refused.value) == (
        "cannot use the column 'tags' as a feature: its type is list<item: string>. "
        "Use columns of numbers, text, dates, or true and false."
    )
