"""Which as-of dates are skipped where there are plenty of rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from features.timeline import DAY, Horizon
from tests.training.worlds import INACTIVITY
from training.data.customer_hashes import first_by_hash
from training.data.rows.labelled_rows import LabelledRows
from training.fitting.pipeline import ENOUGH, SAMPLE, rebalanced, thinned


def rows(dates: int, gap_days: int, each: int) -> LabelledRows:
    as_of = np.repeat(np.arange(dates, dtype=np.int64) * gap_days * DAY, each)
    n = len(as_of)
    nothing = np.zeros((n, 0))
    return LabelledRows(
        np.arange(n), np.zeros(n, np.uint64), as_of, nothing, np.zeros(n, bool), np.zeros(n), nothing, (), ()
    )


@pytest.mark.parametrize(
    ("horizon", "gap", "kept"),
    [(365, 365, 6), (30, 5, 2), (30, 10, 6), (30, 7, 3)],
    ids=["no horizons overlap", "a sixth of the horizon", "a third of it", "half a horizon at most"],
)
def test_dates_are_skipped_only_where_their_horizons_overlap(horizon: int, gap: int, kept: int) -> None:
    churn = replace(INACTIVITY, horizon=Horizon(horizon))
    few = thinned(rows(6, gap, ENOUGH // 2), churn)
    dates = np.unique(few.as_of) // DAY
    assert len(dates) == kept
    assert dates[-1] == 5 * gap
    assert np.diff(dates).max() <= max(gap, horizon / 2)
    assert len(thinned(rows(6, gap, 10), churn)) == 60


def test_all_of_the_rarer_outcome_stay_and_the_others_weigh_what_they_stand_for() -> None:
    many = rows(10, 10, SAMPLE // 5)
    draw = np.random.default_rng(4)
    left = draw.random(len(many)) < 0.03
    hashes = draw.integers(0, 2**63, len(many)).astype(np.uint64)
    for churned in (left, ~left):
        few = rebalanced(replace(many, churned=churned, hashes=hashes))
        assert len(few) == SAMPLE
        assert few.weight is not None
        rare = few.churned if churned is left else ~few.churned
        assert rare.sum() == left.sum()
        assert (few.weight[rare] == 1.0).all()
        assert few.weight.sum() == pytest.approx(len(many))
        assert np.average(few.churned, weights=few.weight) == pytest.approx(churned.mean())
    half = replace(many, churned=draw.random(len(many)) < 0.5, hashes=hashes)
    assert rebalanced(half) is half
    few = rows(1, 10, SAMPLE)
    assert rebalanced(few) is few


def test_a_sample_by_hash_of_rebalanced_rows_has_their_share_of_leavers() -> None:
    many = rows(10, 10, SAMPLE // 5)
    draw = np.random.default_rng(6)
    hashes = draw.integers(0, 2**63, len(many)).astype(np.uint64)
    few = rebalanced(replace(many, churned=draw.random(len(many)) < 0.03, hashes=hashes))
    sample = few.where(first_by_hash(few.hashes, few.as_of, 10_000))
    assert sample.churned.mean() == pytest.approx(few.churned.mean(), abs=0.01)
    assert sample.weight is not None
    assert np.average(sample.churned, weights=sample.weight) == pytest.approx(0.03, abs=0.005)
