"""How models are fitted from rows, and what they predict for rows whose outcome they have not seen."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import numpy as np
from lightgbm import Booster
from numpy.typing import NDArray

from features import array_pool
from features.catalog.definitions import Catalog
from features.timeline import DAY
from training.bundle.lightgbm_models import LightGBMModels
from training.bundle.score_regression import ScoreRegression
from training.bundle.tiers import TierScale
from training.data.customer_hashes import row_hashes, shuffled_by_customer
from training.data.rows.labelled_rows import LabelledRows
from training.fitting.baselines import baselines
from training.fitting.column_choice import choose_columns
from training.fitting.lightgbm import VALUE_POWERS, BinnedRows, TreeParameters, fit_tier, fit_value
from training.fitting.normal_scores import fit_score_regression
from training.fitting.small_data import Shape, fit_shape_of
from training.labels.settings import Churn

Floats = NDArray[np.float64]

Predictor = Callable[[LabelledRows], Floats]
"""The churn probabilities of rows, before calibration."""

FOLDS = 5
ENOUGH = 30_000
"""Rows above which models skip as-of dates, for neighbours share most of their horizon: a third of the dates
gave as good an AUC on Complete Journey and .002 more on online_retail_ii, in a third of the time."""
LONGEST_STEP = 3
SAMPLE, PER_CASE = 50_000, 6
"""Rows above which they are rebalanced, and how many of the frequent outcome stay for each of the other. On a
simulated service (132,000 rows, of which 4.6 % left, three seeds) 50,000 rows had an AUC of .7281 on later
dates where all had .7280, in half of the time; as many drawn without regard to outcome had .7233."""


@dataclass(frozen=True, eq=False)
class TrainingPipeline:
    """Everything that fitting needs besides rows."""

    settings: TreeParameters
    catalog: Catalog
    churn: Churn
    tiers: TierScale
    value_power: float = VALUE_POWERS[1]
    books: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The code book of each column whose numbers stand for a detail."""
    shape: Shape = "trees"
    """What the churn model's LightGBM text is made of."""
    blended: bool = True
    """Whether the regression on normal scores is blended with it."""
    chosen: NDArray[np.int64] | None = None
    """The columns that trees may split on, by `choose_columns`; None for all of them."""

    @property
    def quick(self) -> TrainingPipeline:
        """A third of the trees in steps three times as large: enough to tell levels and powers apart."""
        trees, rate = self.settings.trees // 3, 3 * self.settings.rate
        return replace(self, settings=replace(self.settings, trees=max(1, trees), rate=rate))

    def fit(
        self,
        rows: LabelledRows,
        dates: Collection[int] | None = None,
        taught: TaughtRows | None = None,
    ) -> LightGBMModels:
        """The three models of the rows on these dates, or of all; no value model where nothing was spent.

        `taught` are what `taught_rows` gives of the same rows and dates, where it is there already.
        """
        taught = taught or self.taught_rows(rows, dates)
        churn, regression = self._fit_churn(taught)
        few, tiers = taught.rows, len(self.tiers.names)
        tier = fit_tier(self.settings, taught.binned, self.tier_next(few), tiers, few.weight)
        value = self.fit_value(taught, self.value_power)
        return LightGBMModels(
            churn.model_to_string(), tier.model_to_string(), value and value.model_to_string(), regression
        )

    def taught_rows(self, rows: LabelledRows, dates: Collection[int] | None = None) -> TaughtRows:
        """The rows that models are fitted on: thinned, rebalanced and cut into bins."""
        few = rebalanced(thinned(rows, self.churn, dates))
        return TaughtRows(few, partial(BinnedRows.of, self.settings, chosen=self.chosen))

    def with_columns_of(self, rows: LabelledRows, dates: Collection[int] | None = None) -> TrainingPipeline:
        """The pipeline with the columns that the rows on these dates, or on all, choose for trees.

        Tiers have no say where the rows do not have what they are read off.
        """
        few = rebalanced(thinned(rows, self.churn, dates))
        tier = self.tier_next if {*self.tiers.columns} <= {*rows.after_columns} else None
        return replace(self, chosen=choose_columns(self.settings, few, tier, len(self.tiers.names)))

    def fit_churn(self, rows: LabelledRows) -> Predictor:
        """What a churn model of these rows alone says of others."""
        return self._predictor(*self._fit_churn(self.taught_rows(rows)))

    def fit_quick_churn(
        self,
        rows: LabelledRows,
        dates: Collection[int] | None = None,
        *,
        levels: bool = True,
        taught: TaughtRows | None = None,
    ) -> Predictor:
        """The same by a `quick` model, which tells levels; see `fit_shape_of` for `levels`."""
        taught = taught or self.taught_rows(rows, dates)
        return self._predictor(*self.quick._fit_churn(taught, levels=levels))

    def held_out_churn(self, known: LabelledRows, held_out: LabelledRows) -> tuple[Floats, Floats]:
        """What a churn model of the known rows says of the others, with the regression and without."""
        return self._with_and_without(*self._fit_churn(self.taught_rows(known)), held_out)

    def predictor(self, models: LightGBMModels) -> Predictor:
        """What a fitted churn model says of rows."""
        return self._predictor(Booster(model_str=models.churn), models.regression)

    def with_and_without(self, models: LightGBMModels, rows: LabelledRows) -> tuple[Floats, Floats]:
        """What a fitted churn model says of rows, with the regression and without."""
        return self._with_and_without(Booster(model_str=models.churn), models.regression, rows)

    def _fit_churn(
        self, taught: TaughtRows, *, levels: bool = True
    ) -> tuple[Booster, ScoreRegression | None]:
        few = taught.rows
        trees = fit_shape_of(
            self.shape, self.settings, few, self.catalog, self.churn, levels=levels, binned=taught.binned
        )
        return trees, fit_score_regression(few, levels=levels) if self.blended else None

    def _predictor(self, trees: Booster, regression: ScoreRegression | None) -> Predictor:
        return lambda rows: self._with_and_without(trees, regression, rows)[0]

    def _with_and_without(
        self, trees: Booster, regression: ScoreRegression | None, rows: LabelledRows
    ) -> tuple[Floats, Floats]:
        """The churn probabilities of rows, and those of the trees alone."""
        margin, alone = np.empty(len(rows)), np.empty(len(rows))
        for mine, matrix in rows.parts():
            alone[mine] = trees.predict(matrix, raw_score=True, num_threads=self.settings.threads)
            if regression is not None:
                margin[mine] = regression.blend(alone[mine], matrix, self.settings.threads)
        if regression is None:
            margin = alone
        p, of_trees = (1.0 / (1.0 + np.exp(-each)) for each in (margin, alone))
        return p, of_trees

    def predict(self, model: Booster, rows: LabelledRows) -> Floats:
        """What a fitted model of tiers or of value says of rows: float64[n] or float64[n, tiers]."""
        return np.concatenate(
            [model.predict(matrix, num_threads=self.settings.threads) for _, matrix in rows.parts()]
        )

    def fit_value(self, taught: TaughtRows, power: float) -> Booster | None:
        """The value model of those who stayed; none where they spent nothing."""
        rows = taught.stayed
        if not (rows.value > 0).any():
            return None
        return fit_value(self.settings, power, taught.stayed_binned, rows.value, rows.weight)

    def tier_now(self, rows: LabelledRows) -> NDArray[np.int8]:
        return self.tiers.tier(self.tiers.index(rows.named(self.tiers.columns)))

    def tier_next(self, rows: LabelledRows) -> NDArray[np.int8]:
        """The tier at the end of the horizon, by the same scale."""
        return self.tiers.tier(self.tiers.index(rows.next))


@dataclass(frozen=True, eq=False)
class TaughtRows:
    """Rows that models are fitted on, and the same cut into bins, once."""

    rows: LabelledRows
    cut: Callable[[LabelledRows], BinnedRows]

    @cached_property
    def binned(self) -> BinnedRows:
        """Their bins."""
        return self.cut(self.rows)

    @cached_property
    def stayed(self) -> LabelledRows:
        """The rows of customers who stayed."""
        return self.rows.where(~self.rows.churned)

    @cached_property
    def stayed_binned(self) -> BinnedRows:
        """The bins of these."""
        return self.cut(self.stayed)


@dataclass(frozen=True, eq=False)
class HeldOutPredictions:
    """Predictions of churn, tier and value for rows that the models did not learn from."""

    rows: LabelledRows
    churn: Floats
    trees: Floats
    """float64[n]: the churn probabilities without the regression."""
    tier: Floats
    """float64[n, tiers]."""
    value: Floats | None
    rivals: Mapping[str, Floats]
    tier_unchanged: Floats
    """float64[n, tiers]: how often customers of the same tier were in each tier one period later."""

    def where(self, chosen: NDArray[np.bool_]) -> HeldOutPredictions:
        """The predictions for these rows alone."""
        return HeldOutPredictions(
            self.rows.where(chosen),
            self.churn[chosen],
            self.trees[chosen],
            self.tier[chosen],
            None if self.value is None else self.value[chosen],
            {name: p[chosen] for name, p in self.rivals.items()},
            self.tier_unchanged[chosen],
        )


def predict_held_out(
    pipeline: TrainingPipeline,
    known: LabelledRows,
    held_out: LabelledRows,
    taught: TaughtRows | None = None,
) -> HeldOutPredictions:
    """The predictions of models fitted on the known rows for the held-out rows.

    `taught` are the known rows as `TrainingPipeline.taught_rows` gives them, where they are there already.
    """
    models = pipeline.fit(known, taught=taught)
    predictions = {
        name: pipeline.predict(Booster(model_str=text), held_out)
        for name, text in (("tier", models.tier), ("value", models.value))
        if text is not None
    }
    moves = np.ones((len(pipeline.tiers.names),) * 2)
    np.add.at(moves, (pipeline.tier_now(known), pipeline.tier_next(known)), known.weight_or_ones)
    moves /= moves.sum(axis=1, keepdims=True)
    blend, trees = pipeline.with_and_without(models, held_out)
    array_pool.release()
    return HeldOutPredictions(
        rows=held_out,
        churn=blend,
        trees=trees,
        tier=predictions["tier"],
        value=predictions.get("value"),
        rivals=baselines(known, held_out, pipeline.catalog, pipeline.churn),
        tier_unchanged=moves[pipeline.tier_now(held_out)],
    )


def cross_fit_predictions(pipeline: TrainingPipeline, rows: LabelledRows) -> HeldOutPredictions:
    """Cross-fitted predictions: each fold of customers is predicted by models of the other folds."""
    fold, parts = shuffled_by_customer(rows.hashes) % np.uint64(FOLDS), []
    for one in range(FOLDS):
        known = rows.where(fold != one)
        parts.append(predict_held_out(pipeline.with_columns_of(known), known, rows.where(fold == one)))
    back = np.argsort(np.concatenate([np.flatnonzero(fold == one) for one in range(FOLDS)]), kind="stable")
    values = [part.value for part in parts]
    return HeldOutPredictions(
        rows=rows,
        churn=np.concatenate([part.churn for part in parts])[back],
        trees=np.concatenate([part.trees for part in parts])[back],
        tier=np.concatenate([part.tier for part in parts])[back],
        value=None
        if any(value is None for value in values)
        else np.concatenate([value for value in values if value is not None])[back],
        rivals={
            name: np.concatenate([part.rivals[name] for part in parts])[back] for name in parts[0].rivals
        },
        tier_unchanged=np.concatenate([part.tier_unchanged for part in parts])[back],
    )


def rebalanced(rows: LabelledRows) -> LabelledRows:
    """Case-control sampling: all rows of the rarer outcome, of the other as many as teach, and weights.

    What tells leavers from others is known as well as there are leavers; of the others `PER_CASE` for each
    are enough (Breslow 1996 has four or five). They weigh as many as they stand for, so that levels stay.
    Rows that are no more than `SAMPLE` are as they were.
    """
    left = rows.churned
    rare, often = (left, ~left) if 2 * left.sum() <= len(left) else (~left, left)
    wanted = max(SAMPLE - int(rare.sum()), PER_CASE * int(rare.sum()))
    if len(rows) <= SAMPLE or wanted >= int(often.sum()):
        return rows
    others = np.flatnonzero(often)
    chosen = rare.copy()
    # By another hash than that of samples: of these a sample would hold more than their share.
    drawn = shuffled_by_customer(row_hashes(rows.hashes[others], rows.as_of[others]))
    chosen[others[np.argsort(drawn, kind="stable")[:wanted]]] = True
    share = float(rows.weight_or_ones[chosen & often].sum() / rows.weight_or_ones[often].sum())
    weight = np.where(often, rows.weight_or_ones / share, rows.weight_or_ones)
    return replace(rows, weight=weight).where(chosen)


def thinned(rows: LabelledRows, churn: Churn, dates: Collection[int] | None = None) -> LabelledRows:
    """The rows of every second or third of the as-of dates, the newest among them, where there are plenty.

    By the usual gap between dates no more than half a horizon is skipped: dates whose horizons do not
    overlap, as with a horizon of a year, share no label and are all wanted.
    """
    as_of = rows.as_of if dates is None else rows.as_of[np.isin(rows.as_of, list(dates))]
    each = np.unique(as_of)
    gap = float(np.median(np.diff(each))) / DAY if len(each) > 1 else math.inf
    step = min(LONGEST_STEP, -(-len(as_of) // ENOUGH), int(churn.horizon.days / 2 / gap))
    return rows.on(each[::-1][:: max(1, step)].tolist())


def best_value_power(pipeline: TrainingPipeline, taught: TaughtRows, middle: LabelledRows) -> float:
    """The Tweedie power whose amounts are nearest to those of the calibration dates, once totals agree."""
    later = middle.where(~middle.churned)
    misses = {}
    for power in VALUE_POWERS:
        model = pipeline.quick.fit_value(taught, power)
        if model is None or not (later.value > 0).any():
            return pipeline.value_power
        predictions = pipeline.predict(model, later)
        weight = later.weight_or_ones
        scale = (later.value * weight).sum() / (predictions * weight).sum()
        misses[power] = float(np.average(np.abs(predictions * scale - later.value), weights=later.weight))
    return min(misses, key=lambda power: misses[power])
