"""The names of a run's metrics in MLflow: few plain ones to compare runs by, the rest under prefixes."""

from __future__ import annotations

from collections.abc import Mapping

from training.evaluation.metrics import METRICS

HEADLINE = (
    *METRICS,
    "base_rate",
    "mean_probability",
    "drift",
    "leavers_reached",
    "leavers_reached_in_time",
    "list_stability",
    "test_rows",
    "test_customers",
)
"""The metrics with plain names."""
RENAMED = {"lead_days": "days_before_last_activity"}
"""`churn.lead_days` is a setting: the days between the as-of date and the horizon."""
ENDS = ("_low", "_high")


def metric_names(figures: Mapping[str, float]) -> dict[str, float]:
    """The figures by their names in MLflow.

    `auc_low` becomes `interval/auc_low`, another plain name `more/NAME`; names with a prefix keep it.
    """
    return {_name(figure): value for figure, value in figures.items()}


def _name(figure: str) -> str:
    if "/" in figure or figure in HEADLINE:
        return figure
    stem = next((figure.removesuffix(end) for end in ENDS if figure.endswith(end)), figure)
    name = RENAMED.get(stem, stem) + figure[len(stem) :]
    return f"{'more' if stem == figure else 'interval'}/{name}"
