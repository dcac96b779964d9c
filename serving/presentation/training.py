"""What a training found, as lines that people read: the model's figures beside those of the baselines."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from serving.schemas.responses import Evidence

if TYPE_CHECKING:
    from training.train import TrainingResult

COLUMNS = (("AUC", "auc"), ("log loss", "log_loss"), ("calibration error", "expected_calibration_error"))
BY_VALUE = "list_by_value_at_risk"
"""Where the metrics of the list by value at risk begin; the plain names are those by probability."""
BASELINES = {
    "rfm": "logistic regression on RFM",
    "buy_till_you_die": "buy till you die",
    "recency": "recency alone",
    "overdue": "overdue ratio",
    "base_rate": "base rate",
}


@dataclass(frozen=True)
class TrainingReply:
    """What became of a training."""

    promoted: bool
    unchanged: bool
    model_version: str | None
    run_id: str | None
    refusals: list[str]
    warnings: list[str]
    figures: dict[str, float | None]
    evidence: Evidence


def reply(verdict: TrainingResult) -> TrainingReply:
    """What became of a training."""
    return TrainingReply(
        promoted=verdict.promoted,
        unchanged=verdict.unchanged,
        model_version=verdict.version,
        run_id=verdict.run_id,
        refusals=list(verdict.refusals),
        warnings=list(verdict.warnings),
        figures=plain({**verdict.bundle.figures, **verdict.list_figures}),
        evidence=verdict.bundle.evidence,
    )


def summary_lines(verdict: TrainingResult) -> Iterator[str]:
    """What became of a training, as lines."""
    if verdict.unchanged:
        rest = "It is refused again." if verdict.refusals else "It stays the champion."
        yield (
            f"Nothing is new: the same data and settings gave model {verdict.version} again, byte for byte. "
            + rest
        )
    elif verdict.promoted:
        yield f"Model {verdict.version} is now the champion."
    else:
        yield f"Model {verdict.version} was not promoted."
    yield from (f"  refused: {reason}" for reason in verdict.refusals)
    if verdict.refusals:
        yield f"  To use it all the same: `kizuna models promote {verdict.version}`."
    yield from (f"  warning: {warning}" for warning in verdict.warnings)
    yield from lines({**verdict.bundle.figures, **verdict.list_figures}, verdict.bundle.evidence)


def lines(figures: Mapping[str, float], evidence: str) -> Iterator[str]:
    """The test, the model and each baseline with 95 % intervals, and the differences that matter.

    The intervals resample customers, not rows.
    """
    rows, customers, churners = (figures[f"test_{name}"] for name in ("rows", "customers", "churners"))
    yield (
        f"Judged at later dates: {rows:,.0f} rows of {customers:,.0f} customers, {churners:,.0f} of whom "
        f"left; evidence: {evidence}."
    )
    yield f"  {'':28}" + "".join(f"{title:>26}" for title, _ in COLUMNS)
    for name, title in {"": "this model", **BASELINES}.items():
        prefix = f"baseline/{name}/" if name else ""
        if prefix + "auc" in figures:
            yield f"  {title:28}" + "".join(f"{_interval(figures, prefix + key):>26}" for _, key in COLUMNS)
    for name, title in BASELINES.items():
        key = f"difference/{name}"
        if name != "base_rate" and f"{key}/auc" in figures:
            yield (
                f"  against {title}: AUC {_interval(figures, f'{key}/auc', '+')}, "
                f"log loss {_interval(figures, f'{key}/log_loss', '+')}"
            )
    precision, lift = (figures[f"{name}_at_capacity"] for name in ("precision", "lift"))
    base_rate = figures["base_rate"]
    yield (
        f"  of the likeliest, as many as one list holds, {precision:.0%} left, "
        f"{lift:.1f} times the base rate of {base_rate:.1%}"
    )
    if f"{BY_VALUE}/precision_at_capacity" in figures:
        yield (
            "  of those with the most value at risk, which is the order of the list, "
            f"{figures[f'{BY_VALUE}/precision_at_capacity']:.0%} left, "
            f"{figures[f'{BY_VALUE}/lift_at_capacity']:.1f} times the base rate"
        )


def plain(figures: Mapping[str, float]) -> dict[str, float | None]:
    """The figures as JSON can say them: null where a figure is undefined."""
    return {name: figure if math.isfinite(figure) else None for name, figure in figures.items()}


def _interval(figures: Mapping[str, float], key: str, sign: str = "") -> str:
    low, high = figures.get(f"{key}_low"), figures.get(f"{key}_high")
    point = f"{figures[key]:{sign}.3f}"
    return point if low is None or high is None else f"{point} [{low:{sign}.3f}, {high:{sign}.3f}]"
