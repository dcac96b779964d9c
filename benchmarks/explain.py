"""Exact explanations of many customers against `shap.TreeExplainer`: `python -m benchmarks.explain --json`.

Both explain the same LightGBM model and the same rows in the same run, with every core, each after a warm-up,
in turns, and the median counts. The model has the delivered defaults; rows are drawn like those of the
demonstration's catalogue, one value in ten missing.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import machine
from training.bundle.shap_values import TOLERANCE, Explainer
from training.fitting.lightgbm import BinnedRows, TreeParameters, fit_churn

Floats = NDArray[np.float64]

FEATURES = 116
TAUGHT = 40_000


def made_up(n: int, seed: int) -> tuple[Floats, NDArray[np.bool_]]:
    """Rows of counts and days, and who left: a dozen features matter, two of them together."""
    draw = np.random.default_rng(seed)
    counts, days = draw.poisson(4, (n, FEATURES)), draw.exponential(20, (n, FEATURES))
    matrix = np.where(np.arange(FEATURES) % 2, counts, days)
    margin = -1.5 + 0.04 * (matrix[:, 0] - 20) - 0.3 * (matrix[:, 1] - 4)
    margin += 0.01 * matrix[:, 2] * (matrix[:, 3] > 4)
    margin += (matrix[:, 4:12] - matrix[:, 4:12].mean(axis=0)) @ np.linspace(0.05, 0.005, 8)
    churned = draw.random(n) < 1 / (1 + np.exp(-margin))
    matrix[draw.random(matrix.shape) < 0.1] = np.nan
    return matrix, churned


def measure(customers: int, repeats: int, settings: TreeParameters) -> dict[str, float | str | int]:
    """Seconds of both, their ratio, and the largest difference of any contribution."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The set_(bad|over|under) function", PendingDeprecationWarning)
        import shap

    taught, churned = made_up(TAUGHT, seed=0)
    binned = BinnedRows.of_matrix(settings, taught, [f"feature_{n}" for n in range(FEATURES)])
    booster = fit_churn(settings, binned, churned)
    rows, _ = made_up(customers, seed=1)
    ours, rival = Explainer(booster), shap.TreeExplainer(booster)

    def kizuna() -> Floats:
        return ours(rows)

    def tree_explainer() -> Floats:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "LightGBM binary classifier", UserWarning)
            found: Floats = np.asarray(rival.shap_values(rows))
        return found

    few = rows[:5_000]
    ours(few)
    times: dict[str, list[float]] = {"kizuna": [], "shap": []}
    answers: dict[str, Floats] = {}
    works: tuple[tuple[str, Callable[[], Floats]], ...] = (("kizuna", kizuna), ("shap", tree_explainer))
    for _ in range(repeats):
        for name, work in works:
            begun = time.perf_counter()
            answers[name] = work()
            times[name].append(time.perf_counter() - begun)
    seconds = {name: statistics.median(spent) for name, spent in times.items()}
    difference = float(np.abs(answers["kizuna"][:, :-1] - answers["shap"]).max())
    return {
        "ratio_shap": round(seconds["shap"] / seconds["kizuna"], 2),
        "max_abs_diff": difference,
        "kizuna_s": round(seconds["kizuna"], 2),
        "shap_s": round(seconds["shap"], 2),
        "customers": customers,
        "features": FEATURES,
        "trees": settings.trees,
        "depth": settings.depth,
        "cores": os.cpu_count() or 1,
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--customers", type=int, default=100_000)
    arguments.add_argument("--repeats", type=int, default=3)
    arguments.add_argument("--trees", type=int, default=TreeParameters().trees)
    arguments.add_argument("--leaves", type=int, default=TreeParameters().leaves)
    arguments.add_argument("--depth", type=int, default=TreeParameters().depth)
    arguments.add_argument("--json", action="store_true")
    told = arguments.parse_args()
    settings = TreeParameters(trees=told.trees, leaves=told.leaves, depth=told.depth)
    found = measure(told.customers, told.repeats, settings)
    if told.json:
        print(json.dumps(found))
    else:
        print(machine())
        for name, value in found.items():
            print(f"{name:14} {value}")
    if found["ratio_shap"] < 5 or found["max_abs_diff"] > TOLERANCE:  # type: ignore[operator]
        print("goal missed: 5 × shap.TreeExplainer, within 1e-4", file=sys.stderr)


if __name__ == "__main__":
    main()
