"""Fitting the tier scale: the quantiles and cut-points of the engagement index on a cohort."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.catalog.definitions import Catalog
from features.engine.snapshot import Snapshot
from features.errors import ModelError
from training.bundle.tiers import Side, TierPart, TierScale, TierSettings, index_sides
from training.labels.settings import Churn

Floats = NDArray[np.float64]

GRID = np.linspace(0.0, 1.0, 101)


def tier_scale(settings: TierSettings, snapshot: Snapshot, catalog: Catalog, churn: Churn) -> TierScale:
    """Freeze the scale on these rows of the cohort: equal shares of them fall into each tier."""
    parts = []
    for side, columns in index_sides(catalog, churn):
        raw = _raw(columns, snapshot.matrix, snapshot.columns)
        known = raw[~np.isnan(raw)] if side == "recency" else raw[raw > 0]
        if len(known) and len(np.unique(raw[~np.isnan(raw)])) > 1:
            parts.append(_part(side, columns, raw[~np.isnan(raw)], len(known) / len(raw)))
    if not parts:
        raise ModelError(
            "cannot place customers in tiers: all of the cohort behave alike, or nothing they did is known. "
            "Look at the sources with `kizuna doctor`."
        )
    index = TierScale(settings.names, (), tuple(parts)).index(snapshot)
    shares = np.arange(1, len(settings.names)) / len(settings.names)
    cuts = tuple(float(cut) for cut in np.quantile(index, shares))
    return TierScale(settings.names, cuts, tuple(parts))


def _part(side: Side, columns: tuple[str, ...], raw: Floats, weight: float) -> TierPart:
    ordered = np.sort(raw)
    at = np.unique(np.quantile(ordered, GRID, method="nearest"))
    rank = (np.searchsorted(ordered, at, "left") + np.searchsorted(ordered, at, "right")) / (2 * len(ordered))
    return TierPart(side, columns, weight, tuple(map(float, at)), tuple(map(float, rank)))


def _raw(columns: tuple[str, ...], matrix: Floats, names: tuple[str, ...]) -> Floats:
    if len(columns) == 1:
        alone: Floats = matrix[:, names.index(columns[0])]
        return alone
    several = matrix[:, [names.index(column) for column in columns]]
    positive: Floats = np.count_nonzero(several > 0, axis=1).astype(np.float64)
    return positive
