"""Evidence of the small bundle on rows it has not seen, judged for real, for tests of what looks at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from features.profiling.finding import CheckFinding
from tests.training.trained import bundle, outcome, rows
from training.bundle.model_bundle import Bundle
from training.data.rows.labelled_rows import LabelledRows
from training.evaluation.leaks import Leak
from training.evaluation.metrics import HeldOutOutcomes, churn_metrics

N = 3_000
LATER = 1_520_000_000_000_000


@dataclass(frozen=True, eq=False)
class Shown:
    """The part of the evidence that gates look at."""

    figures: Mapping[str, float]
    rows: LabelledRows
    probability: np.ndarray
    sample: np.ndarray
    level: str = "normal"
    list_figures: Mapping[str, float] = field(default_factory=dict)
    leaks: tuple[Leak, ...] = ()
    notes: tuple[CheckFinding, ...] = ()
    roles: None = None


def shown(
    candidate: Bundle | None = None,
    *,
    matrix: np.ndarray | None = None,
    level: str = "normal",
    **changed: float,
) -> Shown:
    """Evidence of a bundle on rows it has not seen, judged for real; some figures changed."""
    matrix = rows(N, seed=21) if matrix is None else matrix
    churned = outcome(rows(N, seed=21), seed=22)
    later = np.full(N, LATER, dtype=np.int64)
    keys = np.arange(N) // 2
    probability = (candidate or bundle()).predict(matrix).churn_probability
    rivals = {
        "base_rate": np.full(N, churned.mean()),
        "recency": np.full(N, 0.4),
        "overdue": np.full(N, 0.45),
    }
    figures = churn_metrics(probability, rivals, HeldOutOutcomes(churned, keys, later, 300), resamples=5)
    figures |= {"base_rate": float(churned.mean()), "drift": 0.001, "test_customers": N / 2} | changed
    nothing = np.zeros((N, 0))
    columns = bundle().catalog.columns
    there = LabelledRows(
        keys, keys.astype(np.uint64), later, matrix, churned, np.zeros(N), nothing, columns, ()
    )
    return Shown(figures, there, probability, matrix[:500], level)
