"""What a model must beat: base rate, recency, overdue ratio, buy till you die, logistic regression on RFM.

Each is turned into a probability on the rows that the model learns from, and predicts the rows that the
model predicts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from features.catalog.definitions import Catalog, Feature
from training.data.contact_weights import effective_weights
from training.data.rows.labelled_rows import LabelledRows
from training.labels.settings import Churn

Floats = NDArray[np.float64]


def baselines(
    known: LabelledRows, held_out: LabelledRows, catalog: Catalog, churn: Churn
) -> Mapping[str, Floats]:
    """Churn probabilities for the held-out rows, per baseline that the catalogue allows."""
    deciding = _deciding(catalog, churn)
    found: dict[str, Floats] = {"base_rate": np.full(len(held_out), _rate(known.churned, known.weight))}
    recency = _present(catalog, [f"{name}_days_since_last" for name in deciding])
    if recency:
        found["recency"] = _logistic(
            _shaped(_least(known, recency)), known, _shaped(_least(held_out, recency))
        )
    overdue = _present(catalog, [f"{name}_overdue" for name in deciding])
    if overdue:
        found["overdue"] = _logistic(
            _shaped(_least(known, overdue)), known, _shaped(_least(held_out, overdue))
        )
    silence = [
        column
        for name in churn.indicators
        for column in catalog.columns
        if column.startswith(f"{name}_silence_") and (known.column(known.columns.index(column)) >= 0).any()
    ]
    if silence:
        found["buy_till_you_die"] = _logistic(_silent(known, silence), known, _silent(held_out, silence))
    rfm = _rfm(catalog, churn, deciding)
    if rfm:
        found["rfm"] = _logistic(_logs(known, rfm), known, _logs(held_out, rfm))
    return found


def rfm_margin(rows: LabelledRows, catalog: Catalog, churn: Churn) -> tuple[Floats, list[int]]:
    """The log-odds that logistic regression on RFM gives the rows it learned from, and the columns it read.

    Without such columns, or with all outcomes alike, everybody has the base rate.
    """
    columns = _rfm(catalog, churn, _deciding(catalog, churn))
    rate = _rate(rows.churned, rows.weight)
    p = np.full(len(rows), rate)
    if columns:
        p = _logistic(_logs(rows, columns), rows, _logs(rows, columns))
    return np.log(p) - np.log1p(-p), [rows.columns.index(column) for column in columns]


def silence_margin(rows: LabelledRows, catalog: Catalog, churn: Churn) -> tuple[Floats, list[int]] | None:
    """The log-odds of leaving by buy till you die alone, and the columns read.

    A logistic regression on the log-odds of silence in each deciding indicator; None without such a column,
    or with all outcomes alike.
    """
    columns = [
        column
        for name in churn.indicators
        for column in catalog.columns
        if column.startswith(f"{name}_silence_") and (rows.column(rows.columns.index(column)) >= 0).any()
    ]
    if not columns or rows.churned.all() or not rows.churned.any():
        return None
    silent = np.hstack([_silent(rows, [column]) for column in columns])
    p = _logistic(silent, rows, silent)
    return np.log(p) - np.log1p(-p), [rows.columns.index(column) for column in columns]


def _deciding(catalog: Catalog, churn: Churn) -> tuple[str, ...]:
    """The indicators that decide churn; under a contract, all behaviour."""
    return churn.indicators or tuple(
        one.name for one in catalog.indicators if one.origin == "customer" and not one.attitude
    )


def _rfm(catalog: Catalog, churn: Churn, deciding: Sequence[str]) -> list[str]:
    """Recency, frequency (in a window like the horizon, and the widest), money and tenure."""
    windows = sorted(
        {f.days for f in catalog.features if isinstance(f, Feature) and f.aggregate == "count" and f.days}
    )
    if not windows:
        return []
    near = min(windows, key=lambda days: abs(math.log(days / churn.horizon.days)))
    wanted = []
    for name in deciding:
        wanted += [f"{name}_days_since_last", f"{name}_days_since_first"]
        wanted += [f"{name}_count_{days}d" for days in dict.fromkeys((near, windows[-1]))]
        wanted += [f"{name}_sum_{windows[-1]}d"]
    return _present(catalog, wanted)


def _present(catalog: Catalog, columns: Sequence[str]) -> list[str]:
    return [column for column in columns if column in catalog.columns]


def _least(rows: LabelledRows, columns: Sequence[str]) -> Floats:
    """The smallest number of the columns in each row, NaN where none has one."""
    chosen = rows.some_columns([rows.columns.index(column) for column in columns])
    least: Floats = np.fmin.reduce(chosen, axis=1)
    return least


def _silent(rows: LabelledRows, columns: Sequence[str]) -> Floats:
    """float64[n, 2]: the log-odds that nothing comes of any of them, and whether that is missing."""
    chances = rows.some_columns([rows.columns.index(column) for column in columns])
    none = np.clip(np.nanprod(chances, axis=1), 1e-6, 1.0 - 1e-6)
    missing = np.isnan(chances).all(axis=1)
    return np.column_stack([np.where(missing, 0.0, np.log(none) - np.log1p(-none)), missing])


def _shaped(x: Floats) -> Floats:
    """float64[n, 3]: a number bent enough for a logistic curve to follow it, and whether it is missing."""
    bent = np.log1p(np.maximum(np.nan_to_num(x), 0.0))
    return np.column_stack([bent, bent**2, np.isnan(x)])


def _logs(rows: LabelledRows, columns: Sequence[str]) -> Floats:
    x = rows.some_columns([rows.columns.index(column) for column in columns])
    return np.column_stack([np.log1p(np.maximum(np.nan_to_num(x), 0.0)), np.isnan(x)])


def _logistic(known: Floats, rows: LabelledRows, held_out: Floats) -> Floats:
    """Logistic regression on standardised columns; the base rate where all outcomes are alike."""
    from sklearn.linear_model import LogisticRegression

    # By the ends: rounding can give a constant column a spread, or none.
    churned, varying = rows.churned, known.max(axis=0, initial=-np.inf) > known.min(axis=0, initial=np.inf)
    weight = None if rows.weight is None else effective_weights(rows.weight)
    if churned.all() or not churned.any() or not varying.any():
        return np.full(len(held_out), _rate(churned, rows.weight))
    centre, spread = known[:, varying].mean(axis=0), known[:, varying].std(axis=0)
    model = LogisticRegression(max_iter=1000).fit(
        (known[:, varying] - centre) / spread, churned, sample_weight=weight
    )
    probability: Floats = model.predict_proba((held_out[:, varying] - centre) / spread)[:, 1]
    return probability


def _rate(churned: NDArray[np.bool_], weight: Floats | None = None) -> float:
    """The share that churned, never quite 0 or 1."""
    if weight is not None:
        own = effective_weights(weight)
        return float((own @ churned + 0.5) / (own.sum() + 1.0))
    return float((churned.sum() + 0.5) / (len(churned) + 1.0))
