"""A small bundle with real LightGBM models on made-up rows, for tests of what comes after training."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from features.catalog.defaults import catalog, indicators
from features.catalog.definitions import Catalog
from features.catalog.settings import FeatureSettings
from features.engine.snapshot import Priors, Snapshot
from features.timeline import Horizon
from training.bundle.calibration import Calibration
from training.bundle.level_uncertainty import LevelUncertainty
from training.bundle.lifetime.intervals import SpendIntervals
from training.bundle.lifetime.lifetime_model import EXPECTED, LifetimeModel, spending_catalog
from training.bundle.lifetime.lifetime_values import LifetimeHorizons
from training.bundle.lifetime.parameters import GammaGammaParameters, MbgNbdParameters
from training.bundle.lightgbm_models import LightGBMModels
from training.bundle.model_bundle import Bundle, canonical
from training.bundle.tiers import TierSettings
from training.data.rows.labelled_rows import LabelledRows
from training.fitting.lightgbm import BinnedRows, TreeParameters, fit_churn, fit_tier, fit_value
from training.fitting.normal_scores import fit_score_regression
from training.fitting.tiers import tier_scale
from training.labels.settings import Churn

Floats = NDArray[np.float64]

KINDS = ("purchase", "coupon_redeemed", "coupon_sent", "nps", "visit", "attribute.region")
SETTINGS = FeatureSettings(windows=(30, 90))
DETAILS = ("GROCERY", "DRUG GM", "FUEL")
CHURN = Churn(
    type="inactivity",
    indicators=("purchase",),
    started_by=("purchase",),
    ended_by=(),
    completed_by=(),
    amounts=("purchase",),
    active_days=60,
    horizon=Horizon(30),
)


@lru_cache(maxsize=1)
def columns() -> Catalog:
    """The default catalogue for a shop with coupons, visits, surveys and a region per customer."""
    return catalog(indicators({}), SETTINGS, KINDS)


def rows(n: int, seed: int = 0) -> Floats:
    """Made-up feature rows: counts, days, shares; one in ten values missing."""
    rng = np.random.default_rng(seed)
    matrix = np.empty((n, len(columns().columns)))
    for at, column in enumerate(columns().columns):
        unit = columns().unit(column)
        if unit == "detail":
            matrix[:, at] = rng.integers(0, len(DETAILS) + 1, n)
        elif unit == "count":
            matrix[:, at] = rng.poisson(4, n)
        elif unit == "ratio":
            matrix[:, at] = rng.lognormal(0, 0.5, n)
        else:
            matrix[:, at] = rng.exponential(20, n)
    # The first column stays whole: there LightGBM sees no missing value, elsewhere it does.
    holes = rng.random(matrix.shape) < 0.1
    holes[:, 0] = False
    matrix[holes] = np.nan
    return matrix


def outcome(matrix: Floats, seed: int = 1) -> NDArray[np.bool_]:
    """Who left: the longer the last purchase is ago and the fewer purchases, the likelier."""
    names = columns().columns
    days = np.nan_to_num(matrix[:, names.index("purchase_days_since_last")], nan=40.0)
    count = np.nan_to_num(matrix[:, names.index("purchase_count_30d")], nan=0.0)
    coupons = np.nan_to_num(matrix[:, names.index("campaign_count_90d")], nan=4.0)
    margin = 0.05 * (days - 20) - 0.4 * (count - 4) + 0.1 * (coupons - 4) - 1.0
    noise = np.random.default_rng(seed).random(len(matrix))
    return noise < 1 / (1 + np.exp(-margin))


@lru_cache(maxsize=2)
def bundle(*, amounts: bool = True) -> Bundle:
    """A bundle trained on 2,000 such rows in well under a second."""
    names = columns().columns
    matrix = rows(2_000)
    churned = outcome(matrix)
    grown = TreeParameters(trees=25, rate=0.1, threads=1)
    stamps = np.zeros(len(matrix), dtype=np.int64)
    scale = tier_scale(TierSettings(), Snapshot(stamps, stamps, names, matrix), columns(), CHURN)
    index = scale.index(Snapshot(stamps, stamps, names, matrix))
    spend = np.where(churned, 0.0, np.random.default_rng(2).exponential(50, len(matrix)))
    binned = BinnedRows.of_matrix(grown, matrix, names)
    models = LightGBMModels(
        fit_churn(grown, binned, churned).model_to_string(),
        fit_tier(grown, binned, scale.tier(index), len(scale.names)).model_to_string(),
        fit_value(grown, 1.5, binned, spend).model_to_string() if amounts else None,
        fit_score_regression(labelled(matrix, churned)),
    )
    return Bundle(
        timezone="UTC",
        catalog=columns(),
        priors=Priors(dict.fromkeys(columns().detail_columns, DETAILS), {"purchase_rate": 0.1}),
        churn=CHURN,
        tiers=scale,
        models=models,
        calibration=Calibration("beta", 0.9, 1.1, -0.05),
        level=LevelUncertainty(0.2, 5.0, 2),
        typical=dict(zip(names, np.nanmedian(matrix, axis=0).tolist(), strict=True)),
        base_rate=float(churned.mean()),
        value_scale=1.03,
        evidence="normal",
        trained_until=1_514_764_800_000_000,
        labelled_until=1_512_172_800_000_000,
        data_version="events-7",
        code_version="0.1.0",
        settings={
            "churn": {"horizon_days": 30, "active_days": 60},
            "seed": 0,
            "customers_until": "2017-12-31",
        },
        figures={"auc": 0.81, "log_loss": 0.41, "nothing": float("nan")},
        lifetime=lifetime() if amounts else None,
    )


def lifetime() -> LifetimeModel:
    """What lifetime value is told from, for shops with such rows: over 12 and 24 months."""
    matrix = rows(800, seed=5)
    draw = np.random.default_rng(6)
    plain = draw.gamma(2.0, 0.5, len(matrix))
    spend = plain * draw.lognormal(0.0, 0.5, len(matrix))
    grown = TreeParameters(trees=15, rate=0.1, threads=1)
    names = (*columns().columns, EXPECTED)
    binned = BinnedRows.of_matrix(grown, np.column_stack([matrix, plain]), names)
    learned = fit_value(grown, 1.5, binned, spend)
    return LifetimeModel(
        horizons=LifetimeHorizons((12, 24), ("normal", "low"), (0.12, 0.25)),
        catalog=spending_catalog(columns(), CHURN),
        population=MbgNbdParameters(0.9, 20.0, 0.4, 3.0),
        spend=GammaGammaParameters(4.0, 3.0, 20.0),
        levels=(1.1, 0.9),
        intervals=(
            SpendIntervals((-2.0, 0.0, 2.0), (0.0, 0.2, 0.5), (3.0, 2.0, 1.5)),
            SpendIntervals((-2.0, 2.0), (0.0, 0.4), (3.5, 1.8)),
        ),
        unit=300.0,
        scale=1.1,
        learned=canonical(learned.model_to_string()),
    )


def labelled(matrix: Floats, churned: NDArray[np.bool_]) -> LabelledRows:
    """These rows as labelled rows of one date, a customer each."""
    n = len(matrix)
    keys, zeros = np.arange(n), np.zeros(n)
    return LabelledRows(
        keys,
        keys.astype(np.uint64),
        zeros.astype(np.int64),
        matrix,
        churned,
        zeros,
        np.zeros((n, 0)),
        columns().columns,
        (),
    )


def like(given: Bundle, **changed: object) -> Bundle:
    """The same bundle with some parts changed."""
    return replace(given, **changed)  # type: ignore[arg-type]
