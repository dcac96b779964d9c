"""How good lifetime value was: total error, normalised Gini and coverage on cohorts that have matured.

Each horizon is judged on the last date whose months have passed, by a model of what was known on that date,
before its values are held to a churn probability: that model's churn model is not made again.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.timeline import DAY
from training.bundle.lifetime.lifetime_model import LifetimeModel, ahead
from training.bundle.lifetime.spend_process import days_known
from training.data.lifetime.purchase_history import PurchaseHistory
from training.fitting.lifetime_value import fit_lifetime_value
from training.fitting.lightgbm import TreeParameters

Floats = NDArray[np.float64]

FEWEST_JOINED = 50
"""Customers who joined in a year that have a total error of their own."""


def judged_lifetime_value(
    history: PurchaseHistory | None, settings: TreeParameters
) -> tuple[LifetimeModel | None, dict[str, float]]:
    """The delivered model of lifetime value and its metrics; None and none where there is none to learn."""
    if history is None:
        return None, {}
    model = fit_lifetime_value(history, history.at, history.months, settings)
    return model, lifetime_figures(history, settings)


def lifetime_figures(history: PurchaseHistory, settings: TreeParameters) -> dict[str, float]:
    """The metrics of every horizon that has matured, as `lifetime/{months}_months/{metric}`."""
    figures: dict[str, float] = {}
    for date, months in history.judged().items():
        model = fit_lifetime_value(history, date, months, settings)
        if model is None:
            continue
        rows = history.rows[date]
        days = ahead(date, months, history.timeline)
        chosen = model.process.known(rows.facts, rows.in_cohort)
        if model.learned is not None:
            chosen &= rows.featured
        judged = rows.where(chosen)
        values = model.values(judged.facts, judged.matrix, judged.in_cohort, days)
        joined = date - np.round(days_known(judged.facts) * DAY).astype(np.int64)
        years = history.timeline.local_months(joined) // 12 + 1970
        for at, one in enumerate(months):
            name = f"lifetime/{one}_months"
            if f"{name}/total_error" in figures:
                continue
            end = history.timeline.months_after(date, one)
            spent = history.spent(date, end, contracts=model.contract is not None)[chosen]
            value, low, high = (part[:, at] for part in (values.value, values.low, values.high))
            mine = judged.in_cohort
            inside = (np.maximum(spent, 0.0) >= low) & (np.maximum(spent, 0.0) <= high)
            figures |= {
                f"{name}/customers": float(len(spent)),
                f"{name}/total_error": total_error(value, spent),
                f"{name}/normalised_gini": normalised_gini(value, spent),
                f"{name}/coverage": float(inside[mine].mean()) if mine.any() else float("nan"),
            }
            for year, error in _by_year(years, value, spent).items():
                figures[f"{name}/total_error/joined_{year}"] = error
    return {name: value for name, value in figures.items() if np.isfinite(value)}


def _by_year(years: NDArray[np.int64], value: Floats, spent: Floats) -> dict[int, float]:
    """The total error of those who joined in each year."""
    found: dict[int, float] = {}
    for year in np.unique(years).tolist():
        mine = years == year
        if mine.sum() >= FEWEST_JOINED:
            found[year] = total_error(value[mine], spent[mine])
    return found


def total_error(value: Floats, spent: Floats) -> float:
    """By how much of the actual total the expected one is too high; NaN where nothing was spent."""
    total = float(spent.sum())
    return float(value.sum()) / total - 1.0 if total > 0 else float("nan")


def normalised_gini(value: Floats, spent: Floats) -> float:
    """How well customers are ranked by what they will spend: 1 as they turned out to be, 0 by chance."""
    spent = np.maximum(spent, 0.0)
    best = _gini(spent, spent)
    return _gini(value, spent) / best if best > 0 else float("nan")


def _gini(by: Floats, spent: Floats) -> float:
    if not spent.sum() > 0:
        return 0.0
    order = np.argsort(-by, kind="stable")
    return float((np.cumsum(spent[order]) / spent.sum()).mean() - 0.5)
