"""Metrics of churn probabilities on held-out outcomes (AUC, log loss, calibration error …) with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.bundle.list_policy import on_list
from training.statistics import RESAMPLES, bootstrap_intervals

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

METRICS = (
    "auc",
    "average_precision",
    "log_loss",
    "brier",
    "expected_calibration_error",
    "precision_at_capacity",
    "lift_at_capacity",
)
COMPARED = ("auc", "log_loss")
BINS = 10
"""Equally full bins of predicted probability for the calibration error."""


def headline(figures: Mapping[str, float]) -> dict[str, float]:
    """Those of `METRICS` that there are."""
    return {name: figures[name] for name in METRICS if name in figures}


@dataclass(frozen=True, eq=False)
class HeldOutOutcomes:
    """The outcomes of the test rows, and how many customers one list can hold."""

    churned: Flags
    customers: NDArray[np.int64]
    """int64[n]: the customer of each row, 0, 1, 2, …"""
    as_of: NDArray[np.int64]
    contacts: int
    weight: Floats | None = None
    """float64[n]: how often each row counts; None where every row counts once."""

    @property
    def weight_or_ones(self) -> Floats:
        """float64[n]: how often each row counts."""
        return np.ones(len(self.churned)) if self.weight is None else self.weight

    def on_list(self, measure: Floats) -> Flags:
        """bool[n]: the rows on the list of each as-of date, the largest of this measure first."""
        return on_list(measure, self.as_of, self.contacts, self.weight)

    @property
    def people(self) -> int:
        """How many customers there are."""
        return int(self.customers.max(initial=-1)) + 1


class WeightedMetrics:
    """`METRICS` of one model on the test, for any weights of the rows."""

    def __init__(self, probability: Floats, outcomes: HeldOutOutcomes) -> None:
        p, y = probability, outcomes.churned.astype(np.float64)
        self.p, self.y = p, y
        self.listed = outcomes.on_list(p)
        self.loss = -np.log(np.clip(np.where(outcomes.churned, p, 1.0 - p), 1e-15, None))
        self.order = np.argsort(-p, kind="stable")
        falling = p[self.order]
        self.starts = np.flatnonzero(np.r_[True, falling[1:] != falling[:-1]])
        cuts = np.unique(np.quantile(p, np.arange(1, BINS) / BINS))
        self.bin = np.searchsorted(cuts, p, side="right")

    def __call__(self, weight: Floats) -> Floats:
        """float64[7]: `METRICS` with each row counted `weight` times; NaN where undefined."""
        total, churners = weight.sum(), weight @ self.y
        if churners <= 0 or churners >= total:
            return np.full(len(METRICS), np.nan)
        hit = (weight * self.y)[self.order]
        miss = weight[self.order] - hit
        hits, misses = np.add.reduceat(hit, self.starts), np.add.reduceat(miss, self.starts)
        above = np.cumsum(hits)
        auc = (misses @ (above - hits / 2)) / (churners * (total - churners))
        seen = above + np.cumsum(misses)
        average_precision = (
            hits @ np.divide(above, seen, out=np.zeros_like(above), where=seen > 0)
        ) / churners
        gap = np.bincount(self.bin, weight * (self.p - self.y))
        precision = (weight @ (self.y * self.listed)) / np.maximum(weight @ self.listed, 1e-12)
        return np.array(
            [
                auc,
                average_precision,
                weight @ self.loss / total,
                weight @ (self.p - self.y) ** 2 / total,
                np.abs(gap).sum() / total,
                precision,
                precision * total / churners,
            ]
        )


def churn_metrics(
    model: Floats,
    rivals: Mapping[str, Floats],
    outcomes: HeldOutOutcomes,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> dict[str, float]:
    """Every metric of the model and its rivals with `_low` and `_high` (95 %), and the differences.

    Names: `auc`, `auc_low`, …; `baseline/recency/auc`, …; `difference/recency/auc`, … (model − baseline).
    """
    models = {"": WeightedMetrics(model, outcomes)} | {
        name: WeightedMetrics(p, outcomes) for name, p in rivals.items()
    }

    def measure(weight: Floats) -> dict[str, float]:
        of_rows = weight[outcomes.customers]
        if outcomes.weight is not None:
            of_rows = of_rows * outcomes.weight
        measured = {name: one(of_rows) for name, one in models.items()}
        figures: dict[str, float] = {}
        for name, values in measured.items():
            prefix = f"baseline/{name}/" if name else ""
            for metric, own, value in zip(METRICS, measured[""], values, strict=True):
                figures[prefix + metric] = float(value)
                if name and metric in COMPARED:
                    figures[f"difference/{name}/{metric}"] = float(own - value)
        return figures

    figures = measure(np.ones(outcomes.people))
    figures |= bootstrap_intervals(measure, outcomes.people, seed=seed, count=resamples)
    figures["expected_calibration_error_noise"] = calibration_noise(model, outcomes, seed=seed)
    return figures


def calibration_noise(
    probability: Floats, outcomes: HeldOutOutcomes, *, seed: int = 0, draws: int = 100
) -> float:
    """The calibration error that perfectly calibrated probabilities would show on a test of this size.

    Outcomes are drawn from the probabilities, one draw of luck per customer: the horizons of neighbouring
    as-of dates overlap, so a customer who leaves is seen to leave at most of them.
    """
    measure = WeightedMetrics(probability, outcomes)
    generator = np.random.default_rng(seed)
    errors, own = np.empty(draws), outcomes.weight_or_ones
    for draw in range(draws):
        luck = generator.random(outcomes.people)[outcomes.customers]
        gap = np.bincount(measure.bin, own * (probability - (luck < probability)))
        errors[draw] = np.abs(gap).sum() / own.sum()
    return float(errors.mean())


def weighted_kappa(
    actual: NDArray[np.int8], predicted: NDArray[np.int8], tiers: int, weight: Floats | None = None
) -> float:
    """Agreement of ordered tiers beyond chance, a miss weighed by its distance squared; 1 is perfect."""
    seen = np.zeros((tiers, tiers))
    np.add.at(seen, (actual, predicted), 1.0 if weight is None else weight)
    chance = np.outer(seen.sum(axis=1), seen.sum(axis=0)) / max(seen.sum(), 1.0)
    distance = np.subtract.outer(np.arange(tiers), np.arange(tiers)) ** 2
    missed = (distance * chance).sum()
    return float(1.0 - (distance * seen).sum() / missed) if missed > 0 else 1.0


def rank_correlation(a: Floats, b: Floats, weight: Floats | None = None) -> float:
    """Spearman's correlation, each pair as heavy as it counts; 0 where one of the two does not vary."""
    from scipy.stats import rankdata

    x, y = rankdata(a), rankdata(b)
    x, y = x - np.average(x, weights=weight), y - np.average(y, weights=weight)
    own = 1.0 if weight is None else weight
    scale = float(np.sqrt((own * x @ x) * (own * y @ y)))
    return float(own * x @ y) / scale if scale > 0 else 0.0
