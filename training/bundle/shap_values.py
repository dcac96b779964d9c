"""Exact SHAP values of a LightGBM model: what each feature adds to the log-odds of one row.

Small trees, as they are by default, are looked up (`path_lookup.py`), one row or a million in the same
way. Of larger ones small batches go through LightGBM's `pred_contrib` and large ones through woodelf, the
same numbers several times faster. Every large batch is checked on a sample: each contribution against
`pred_contrib`, and their sum against the model's own output.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from training.bundle.path_lookup import PathTable
from training.bundle.score_regression import ScoreRegression
from training.bundle.single_row import SingleRowPredictor
from training.bundle.tree_inference import sample_rows

if TYPE_CHECKING:
    from lightgbm import Booster

Floats = NDArray[np.float64]

log = logging.getLogger(__name__)

LARGE = 3_000
"""Rows from which woodelf is the faster one."""

CHUNK = 100_000
"""Rows explained at once: woodelf works on dense matrices, and a chunk costs it two seconds to begin."""

TOLERANCE = 1e-4
"""How far a contribution may lie from `pred_contrib`, and the sum of a row's from the model's log-odds."""

SAMPLE = 256
"""Rows of a large batch that are checked."""


@dataclass(frozen=True)
class Explainer:
    """Explains one booster, and the regression it is blended with; the parsed model is cached."""

    booster: Booster
    regression: ScoreRegression | None = None
    large: int = field(default=LARGE, kw_only=True)

    def __call__(self, matrix: Floats, *, threads: int = 0) -> Floats:
        """float64[n, f + 1]: one contribution for each feature, then the base value, in log-odds."""
        return self._blended(self._of_trees(matrix, threads), matrix, threads)

    def _blended(self, trees: Floats, matrix: Floats, threads: int = 0) -> Floats:
        if self.regression is None:
            return trees
        return self.regression.blend_contributions(np.ascontiguousarray(trees), matrix, threads)

    def _of_trees(self, matrix: Floats, threads: int) -> Floats:
        if len(matrix) < self.large:
            return self._exact(matrix, threads) if self._table is None else self._table(matrix, threads)
        values = self._fast(matrix)
        sample = np.unique(np.linspace(0, len(matrix) - 1, SAMPLE).astype(np.int64))
        gap = self._tree_difference(matrix[sample], values[sample])
        if gap <= TOLERANCE:
            return values
        log.warning(
            "the fast explanation misses LightGBM's own by up to %.2g log-odds (allowed: %.0e): "
            "explaining with LightGBM instead, which takes longer",
            gap,
            TOLERANCE,
        )
        return self._exact(matrix, threads)

    def gap(self, matrix: Floats, values: Floats) -> float:
        """The largest distance between the sum of a row's contributions and the model's log-odds."""
        margin = self.booster.predict(matrix, raw_score=True, num_threads=1)
        if self.regression is not None:
            margin = self.regression.blend(margin, matrix, 1)
        return float(np.max(np.abs(values.sum(axis=1) - margin), initial=0.0))

    def largest_difference(self, matrix: Floats, values: Floats) -> float:
        """The largest distance of any contribution from the exact one, or of a row's sum from the model."""
        exact = self._blended(self._exact(matrix, 1), matrix, 1)
        return max(float(np.max(np.abs(values - exact), initial=0.0)), self.gap(matrix, values))

    def fast_gap(self, matrix: Floats) -> float:
        """How far the explanation of large batches lies from that of small ones on these rows."""
        return self.largest_difference(matrix, self._blended(self._fast(matrix), matrix))

    def _tree_difference(self, matrix: Floats, values: Floats) -> float:
        """The same of the trees alone, against `pred_contrib`."""
        return Explainer(self.booster).largest_difference(matrix, values)

    def _exact(self, matrix: Floats, threads: int) -> Floats:
        if len(matrix) == 1:
            return self._single(matrix[0])[None, :]
        values: Floats = self.booster.predict(matrix, pred_contrib=True, num_threads=threads)
        return values

    def _fast(self, matrix: Floats) -> Floats:
        return self._by_woodelf(matrix) if self._table is None else self._table(matrix)

    def _by_woodelf(self, matrix: Floats) -> Floats:
        import pandas as pd

        names = self.booster.feature_name()
        base = self._exact(matrix[:1], 1)[0, -1]
        values = np.zeros((len(matrix), len(names) + 1))
        values[:, -1] = base
        for start in range(0, len(matrix), CHUNK):
            rows = slice(start, start + CHUNK)
            frame = pd.DataFrame(np.asfortranarray(matrix[rows]), columns=names, copy=False)
            found = self._woodelf.shap_values(
                frame, as_df=True, exclude_zero_contribution_features=True, verbose=False
            )
            values[rows, [names.index(name) for name in found.columns]] = found.to_numpy()
        return values

    @cached_property
    def _table(self) -> PathTable | None:
        """None for trees that are too large, or where the table misses LightGBM's own values."""
        table = PathTable.of(self.booster)
        if table is None:
            return None
        rows = sample_rows(table.arrays.features, table.arrays.thresholds, SAMPLE, self.booster.num_feature())
        gap = float(np.max(np.abs(table(rows) - self._exact(rows, 1))))
        if gap <= TOLERANCE:
            return table
        log.warning("looking contributions up misses LightGBM's own by up to %.2g: not used", gap)
        return None

    @cached_property
    def _single(self) -> SingleRowPredictor:
        return SingleRowPredictor(self.booster, "contributions")

    @cached_property
    def _woodelf(self) -> Any:
        from woodelf import WoodelfExplainer

        return WoodelfExplainer(self.booster)
