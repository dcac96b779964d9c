"""Typical values of features: what a customer of the cohort has, beside which reasons set a customer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.catalog.definitions import Catalog
from training.data.rows.labelled_rows import LabelledRows


def typical_values(rows: LabelledRows, features: Catalog) -> dict[str, float]:
    """The cohort's median of each feature on the newest dates; of details, the most frequent."""
    typical = {}
    for place, column in enumerate(features.columns):
        values = rows.column(place)
        known = values[~np.isnan(values)]
        if len(known):
            typical[column] = _mode(known) if column in features.detail_columns else float(np.median(known))
    return typical


def _mode(x: NDArray[np.float64]) -> float:
    values, counts = np.unique(x, return_counts=True)
    return float(values[counts.argmax()])
