"""Two sets of predictions of the same customers, compared: `python -m benchmarks.paired BEFORE AFTER`.

Each is a folder that `python -m benchmarks.quality --predictions FOLDER` has written. For every history and
date: by how much the AUC rose and the log loss fell, with 95 % intervals, customers resampled in pairs.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from training.evaluation.metrics import METRICS, HeldOutOutcomes, WeightedMetrics
from training.statistics import bootstrap_intervals

SHOWN = ("auc", "log_loss", "brier", "expected_calibration_error")


def differences(before: Path, after: Path) -> dict[str, float]:
    """After − before, of each metric shown, with `_low` and `_high`; the same customers are in both."""
    tables = [pq.read_table(file).sort_by("customer_id") for file in (before, after)]
    if tables[0].column("customer_id") != tables[1].column("customer_id"):
        raise SystemExit(f"cannot compare {before} with {after}: they are about different customers.")
    churned = tables[0].column("churned").to_numpy()
    outcomes = HeldOutOutcomes(churned, np.arange(len(churned)), np.zeros(len(churned), np.int64), 1)
    models = [WeightedMetrics(table.column("probability").to_numpy(), outcomes) for table in tables]

    def measure(weight: NDArray[np.float64]) -> dict[str, float]:
        old, new = (dict(zip(METRICS, model(weight), strict=True)) for model in models)
        return {metric: float(new[metric] - old[metric]) for metric in SHOWN}

    return measure(np.ones(len(churned))) | bootstrap_intervals(measure, len(churned), seed=0)


def table(before: Path, after: Path) -> Iterator[str]:
    """A line for each date of each history, and one for the mean of its dates."""
    yield f"{'':34}" + "".join(f"{metric:>34}" for metric in SHOWN)
    means = []
    for folder in sorted({file.parent for file in before.rglob("*.parquet")}):
        name = folder.relative_to(before)
        dates = [file for file in sorted(folder.glob("*.parquet")) if (after / name / file.name).is_file()]
        found = [differences(file, after / name / file.name) for file in dates]
        for file, one in zip(dates, found, strict=True):
            cells = (f"{one[m]:+.4f} [{one[f'{m}_low']:+.4f}, {one[f'{m}_high']:+.4f}]" for m in SHOWN)
            yield f"{f'{name} {file.stem}':34}" + "".join(f"{cell:>34}" for cell in cells)
        if found:
            means.append([float(np.mean([one[m] for one in found])) for m in SHOWN])
            yield f"{f'{name} mean':34}" + "".join(f"{mean:>+34.4f}" for mean in means[-1])
    if means:
        yield f"{'mean of the histories':34}" + "".join(f"{m:>+34.4f}" for m in np.mean(means, axis=0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    options = parser.parse_args()
    print("\n".join(table(options.before, options.after)))


if __name__ == "__main__":
    main()
