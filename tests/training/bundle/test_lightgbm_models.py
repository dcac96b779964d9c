"""The names that model texts give to feature columns."""

from __future__ import annotations

import numpy as np
from lightgbm import Booster

from training.bundle.lightgbm_models import column_slots
from training.fitting.lightgbm import (
    BinnedRows,
    TreeParameters,
    fit_churn,
)

DRAW = np.random.default_rng(3)
COLUMNS = ("recent", "often", "noise")
MATRIX = np.column_stack([DRAW.exponential(20, 3_000), DRAW.poisson(4, 3_000), DRAW.random(3_000)])
CHURNED = DRAW.random(3_000) < 1 / (1 + np.exp(-(MATRIX[:, 0] - 25) / 10))
SETTINGS = TreeParameters(trees=60, rate=0.1, threads=1)


def test_a_model_calls_its_columns_by_place_and_a_digest_of_the_name() -> None:
    odd = ("page view", "app:open", "会員")
    fitted = fit_churn(SETTINGS, BinnedRows.of_matrix(SETTINGS, MATRIX, odd), CHURNED)
    booster = Booster(model_str=fitted.model_to_string())
    assert tuple(booster.feature_name()) == column_slots(odd)
    assert [name.partition("_")[0] for name in column_slots(odd)] == ["f0", "f1", "f2"]
    assert column_slots(odd)[0] != column_slots(odd[::-1])[0]
