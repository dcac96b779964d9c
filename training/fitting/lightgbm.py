"""Fitting the three LightGBM models of a bundle (churn, tier, value), with defaults that need no tuning.

Features and calendar decide, not the search: on online_retail_ii (four dates) 8 leaves beat 15 by .002 to
.004 of AUC and .001 of log loss, on Complete Journey (three dates) they came level. Depth is bounded because
the cost of explaining grows with its square; there are no class weights, because a probability is multiplied
with money.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from features import array_pool
from features.catalog.definitions import codes_of_levels
from training.bundle.lightgbm_models import column_slots
from training.data.contact_weights import effective_weights
from training.data.rows.labelled_rows import LabelledRows

if TYPE_CHECKING:
    import lightgbm

Floats = NDArray[np.float64]

VALUE_POWERS = (1.1, 1.5, 1.8)
"""Tweedie variance powers tried for spend: nearer 1 trusts large baskets more, nearer 2 less."""
SMALLEST_LEAF, LARGEST_LEAF = 20, 400
STUMPS = 300
"""Trees of one split that repeat a regression to a hundredth of its spread."""
BIN_SAMPLE = 50_000
"""Rows whose values bins are cut by; more cost memory and time and move no bin that matters."""
HELD = 100
"""How hard the level of an as-of date is held at that of all dates, in rows."""


@dataclass(frozen=True)
class TreeParameters:
    """How the trees of one model are grown."""

    trees: int = 150
    rate: float = 0.06
    leaves: int = 8
    depth: int = 4
    feature_share: float = 0.3
    row_share: float = 0.8
    ridge: float = 10.0
    bins: int = 63
    seed: int = 0
    threads: int = 0

    def parameters(self, rows: int) -> dict[str, Any]:
        """LightGBM's parameters for this many rows; the same rows give the same trees, bit for bit."""
        return {
            "learning_rate": self.rate,
            "num_leaves": self.leaves,
            "max_depth": self.depth,
            "min_data_in_leaf": int(np.clip(rows // 500, SMALLEST_LEAF, LARGEST_LEAF)),
            "feature_fraction": self.feature_share,
            "bagging_fraction": self.row_share,
            "bagging_freq": 1,
            "lambda_l2": self.ridge,
            "max_bin": self.bins,
            "bin_construct_sample_cnt": BIN_SAMPLE,
            "seed": self.seed,
            "num_threads": self.threads,
            "deterministic": True,
            "force_col_wise": True,  # row by row it would count every column, not only those a tree may use
            "verbosity": -1,
        }

    def to_json(self) -> dict[str, Any]:
        """What shapes the trees; threads do not."""
        return {name: value for name, value in asdict(self).items() if name != "threads"}


def tier_settings(settings: TreeParameters) -> TreeParameters:
    """One tree per tier and round: fewer rounds, taken in larger steps."""
    return replace(settings, trees=max(1, settings.trees // 4), rate=settings.rate * 3)


def value_settings(settings: TreeParameters) -> TreeParameters:
    """Amounts are noisier than churn: fewer trees."""
    return replace(settings, trees=max(1, settings.trees * 2 // 3))


class BinnedRows:
    """Rows cut into bins, LightGBM's own form of them, for any number of models of the same rows.

    Cutting takes a fifth of a model's time. Some of the rows are cut anew: models of a `Dataset.subset` of a
    set that had been learned from ended the process (LightGBM 4.7.0).
    """

    def __init__(self, data: lightgbm.Dataset, rows: int) -> None:
        self.data, self._rows = data, rows

    @classmethod
    def of(
        cls, settings: TreeParameters, rows: LabelledRows, chosen: NDArray[np.int64] | None = None
    ) -> BinnedRows:
        """The bins of rows; models split on the `chosen` columns only, where they are given."""
        used = np.arange(len(rows.columns)) if chosen is None else chosen
        used = np.setdiff1d(used, codes_of_levels(rows.columns))
        return cls._cut(settings, rows.by_column(used), rows.columns)

    @classmethod
    def of_matrix(cls, settings: TreeParameters, matrix: Floats, columns: Sequence[str]) -> BinnedRows:
        """The bins of float64[n, f]."""
        used = np.setdiff1d(np.arange(len(columns)), codes_of_levels(columns))
        seen = np.zeros_like(matrix)
        seen[:, used] = matrix[:, used]
        return cls._cut(settings, seen, columns)

    @classmethod
    def _cut(
        cls, settings: TreeParameters, matrix: Floats | NDArray[np.float32], columns: Sequence[str]
    ) -> BinnedRows:
        """A column that is 0 everywhere is constant, and so neither split on nor drawn."""
        import lightgbm  # whoever only reads model texts does not wait for it

        array_pool.release()  # what earlier models needed: cutting is when most memory is wanted
        label, names = np.zeros(len(matrix)), list(column_slots(columns))
        parameters = settings.parameters(len(matrix))
        data = lightgbm.Dataset(matrix, label, feature_name=names, params=parameters).construct()
        return cls(data, len(matrix))

    def grow(
        self,
        settings: TreeParameters,
        objective: dict[str, Any],
        target: Floats,
        *,
        levels: Floats | None = None,
        weight: Floats | None = None,
    ) -> lightgbm.Booster:
        """Trees of these rows: `target` float64[n], `levels` where each row begins, `weight` of contacts."""
        import lightgbm

        own = None if weight is None else effective_weights(weight).astype(np.float32)
        fields = (("label", target.astype(np.float32)), ("weight", own), ("init_score", levels))
        for field, values in fields:
            self.data.set_field(field, values)
        parameters = settings.parameters(self._rows) | objective
        return lightgbm.train(parameters, self.data, num_boost_round=settings.trees)


def fit_churn(
    settings: TreeParameters,
    binned: BinnedRows,
    churned: NDArray[np.bool_],
    as_of: NDArray[np.int64] | None = None,
    weight: Floats | None = None,
) -> lightgbm.Booster:
    """The probability of leaving, by log loss.

    With `as_of` each row begins from the level of its own date: that more leave after one date than after
    another is no customer's doing, and trees that could tell dates apart (by how long a young record can
    know anybody, for one) would learn it of the customers. Predictions are at the level of all rows together.
    """
    left = churned.astype(np.float64)
    if as_of is None:
        return binned.grow(settings, {"objective": "binary"}, left, weight=weight)
    levels, level = date_levels(churned, as_of, weight)
    model = binned.grow(settings, {"objective": "binary"}, left, levels=levels, weight=weight)
    for leaf in range(model.dump_model(num_iteration=1)["tree_info"][0]["num_leaves"]):
        model.set_leaf_output(0, leaf, model.get_leaf_output(0, leaf) + level)
    return model


def date_levels(
    churned: NDArray[np.bool_], as_of: NDArray[np.int64], weight: Floats | None = None
) -> tuple[Floats, float]:
    """float64[n]: the log-odds of leaving on each row's as-of date; and those of all rows together."""
    at = np.unique(as_of, return_inverse=True)[1]
    if weight is None:
        rate = (churned.sum() + 0.5) / (len(churned) + 1.0)
        rows, left = np.bincount(at), np.bincount(at, churned)
    else:
        own = effective_weights(weight)
        rate = (own @ churned + 0.5) / (own.sum() + 1.0)
        rows, left = np.bincount(at, own), np.bincount(at, own * churned)
    each = (left + HELD * rate) / (rows + HELD)
    return (np.log(each) - np.log1p(-each))[at], float(np.log(rate) - np.log1p(-rate))


def fit_margin(
    settings: TreeParameters, matrix: Floats, margin: Floats, read: Sequence[int], columns: Sequence[str]
) -> lightgbm.Booster:
    """Log-odds that are a sum over the columns `read`, repeated by trees of one split each."""
    import lightgbm

    seen = np.zeros_like(matrix)
    seen[:, list(read)] = matrix[:, list(read)]
    stumps = replace(settings, trees=STUMPS, rate=0.2, leaves=2, depth=1, ridge=0.0, bins=255)
    everything = {"objective": "regression", "feature_fraction": 1.0, "bagging_fraction": 1.0}
    model = BinnedRows.of_matrix(stumps, seen, columns).grow(stumps, everything, margin)
    text = model.model_to_string().replace("objective=regression", "objective=binary sigmoid:1", 1)
    return lightgbm.Booster(model_str=text)


def fit_tier(
    settings: TreeParameters,
    binned: BinnedRows,
    tier: NDArray[np.int8],
    tiers: int,
    weight: Floats | None = None,
) -> lightgbm.Booster:
    """The probability of each tier in the next period."""
    objective = {"objective": "multiclass", "num_class": tiers}
    return binned.grow(tier_settings(settings), objective, tier.astype(np.float64), weight=weight)


def fit_value(
    settings: TreeParameters,
    power: float,
    binned: BinnedRows,
    value: Floats,
    weight: Floats | None = None,
) -> lightgbm.Booster:
    """Spend over the horizon: heavy-tailed, often zero; a net refund counts as none."""
    objective = {"objective": "tweedie", "tweedie_variance_power": power}
    return binned.grow(value_settings(settings), objective, np.maximum(value, 0.0), weight=weight)
