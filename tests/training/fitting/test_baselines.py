"""Baselines are honest rivals: probabilities learned on the fit rows, from the columns they are named for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from features.catalog.defaults import catalog, indicators
from features.catalog.settings import FeatureSettings
from features.timeline import Horizon
from tests.training.worlds import CONTRACT, INACTIVITY
from training.data.rows.labelled_rows import LabelledRows
from training.fitting.baselines import _logistic, baselines

SHOP = catalog(indicators({}), FeatureSettings(windows=(30, 90)), ("purchase", "visit"), horizon_days=30)
CHURN = replace(INACTIVITY, horizon=Horizon(30))


def rows(n: int, seed: int) -> LabelledRows:
    """Rows in which only the days since the last purchase, against 25, decide who leaves."""
    draw = np.random.default_rng(seed)
    matrix = draw.gamma(2.0, 3.0, (n, len(SHOP.columns)))
    days = draw.exponential(25, n)
    matrix[:, SHOP.columns.index("purchase_days_since_last")] = days
    matrix[draw.random(n) < 0.5, SHOP.columns.index("purchase_overdue")] = np.nan
    silence = SHOP.columns.index("purchase_silence_30d")
    matrix[:, silence] = np.where(draw.random(n) < 0.1, np.nan, 1 - np.exp(-days / 25))
    churned = draw.random(n) < 1 / (1 + np.exp(-(days - 25) / 8))
    zeros = np.zeros(n, dtype=np.int64)
    return LabelledRows(
        np.arange(n), zeros.astype(np.uint64), zeros, matrix, churned, zeros.astype(float),
        np.zeros((n, 0)), SHOP.columns, (),
    )  # fmt: skip


KNOWN, ASKED = rows(2_000, 1), rows(1_000, 2)


def log_loss(p: np.ndarray) -> float:
    return float(-np.log(np.where(ASKED.churned, p, 1 - p)).mean())


def test_every_baseline_gives_probabilities_for_the_rows_asked() -> None:
    found = baselines(KNOWN, ASKED, SHOP, CHURN)
    assert list(found) == ["base_rate", "recency", "overdue", "buy_till_you_die", "rfm"]
    for p in found.values():
        assert p.shape == (1_000,)
        assert ((p > 0) & (p < 1)).all()


def test_recency_wins_where_recency_decides() -> None:
    found = baselines(KNOWN, ASKED, SHOP, CHURN)
    losses = {name: log_loss(p) for name, p in found.items()}
    assert losses["recency"] < losses["base_rate"] - 0.1
    assert losses["rfm"] < losses["base_rate"] - 0.1
    assert losses["buy_till_you_die"] < losses["base_rate"] - 0.1
    assert abs(losses["overdue"] - losses["base_rate"]) < 0.02


def test_the_base_rate_is_that_of_the_known_rows() -> None:
    assert abs(baselines(KNOWN, ASKED, SHOP, CHURN)["base_rate"][0] - KNOWN.churned.mean()) < 0.001


def test_contract_churn_reads_every_behaviour() -> None:
    assert set(baselines(KNOWN, ASKED, SHOP, CONTRACT)) == {"base_rate", "recency", "overdue", "rfm"}


def test_outcomes_all_alike_give_a_probability_and_no_error() -> None:
    nobody = replace(KNOWN, churned=np.zeros(2_000, dtype=bool))
    for p in baselines(nobody, ASKED, SHOP, CHURN).values():
        assert (p < 0.01).all()


def test_a_constant_column_is_left_out_whatever_spread_rounding_gives_it() -> None:
    few = KNOWN.where(np.arange(100))
    constant, varied = np.full(100, np.log1p(99.9)), few.column(0)
    known = np.column_stack([constant, varied, constant])
    assert known.std(axis=0)[0] > 0  # by rounding, and 0 in another layout of memory
    p = _logistic(known, few, known)
    alone = _logistic(varied[:, None], few, varied[:, None])
    assert p == pytest.approx(alone)
