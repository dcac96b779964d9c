"""Evaluation of the models on customers whose outcome they have not learned from.

With enough history the roles follow each other in time. With little, each fold of customers is predicted
by models of the others, and the evidence is low: the same dates were learned and tested.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from features import array_pool
from features.profiling.finding import CheckFinding
from training.bundle.calibration import Calibration
from training.bundle.level_uncertainty import LevelUncertainty
from training.bundle.lightgbm_models import LightGBMModels
from training.bundle.list_policy import value_at_risk
from training.data.customer_hashes import first_by_hash
from training.data.rows.labelled_rows import LabelledRows, customers_by_outcome
from training.data.splits import TemporalSplits
from training.evaluation.calibrated import (
    CalibratedTest,
    calibrated_in_time,
    cross_calibrated,
    regression_helps,
)
from training.evaluation.intervals import (
    population_intervals,
    reliability_intervals,
    tier_intervals,
    value_intervals,
)
from training.evaluation.leaks import Leak
from training.evaluation.list_metrics import (
    last_days_columns,
    list_figures,
    of_order,
    purity_figures,
    quiet_days,
)
from training.evaluation.metrics import METRICS, HeldOutOutcomes, churn_metrics
from training.evaluation.role_rows import RoleRows
from training.evaluation.secondary_metrics import (
    as_before,
    populations,
    reliability_by_segment,
    reliability_by_tier,
    segments,
    tier_figures,
    value_figures,
)
from training.fitting.calibration import levelled, shift_to_level_of
from training.fitting.level import DatedPredictions, level_dates, level_uncertainty, years_before
from training.fitting.pipeline import (
    HeldOutPredictions,
    TrainingPipeline,
    best_value_power,
    cross_fit_predictions,
    predict_held_out,
)
from training.fitting.small_data import CHOSEN_BELOW, choose_shape

Floats = NDArray[np.float64]
Level = Literal["normal", "low"]

FEWEST_OUTCOMES = 25
"""Customers who left, and who stayed, that each role needs; with fewer the roles are cross-fitted."""
LOW_BELOW = 100
"""Customers who left, and who stayed, that the fit needs; with fewer of either the evidence is low."""
SAMPLE = 2_000
"""Test rows for plots of contributions."""


def cross_fitted_where_few(splits: TemporalSplits, rows: LabelledRows) -> TemporalSplits:
    """The splits, cross-fitted by customer instead where a role has too few who left or who stayed."""
    for role in (splits.fit, splits.calibrate, splits.test):
        if min(customers_by_outcome(rows.bare.on(role))) < FEWEST_OUTCOMES:
            every = splits.labelled
            return replace(splits, fit=every, calibrate=every, test=every, cross_fitted=True)
    return splits


def evidence_level(splits: TemporalSplits, known: LabelledRows) -> Level:
    """How far the figures of a test can be relied on: `low` where the roles are cross-fitted, or where too
    few of the customers learned from left or stayed."""
    return "low" if splits.cross_fitted or min(customers_by_outcome(known)) < LOW_BELOW else "normal"


@dataclass(frozen=True, eq=False)
class Evaluation:
    """How good the models were on the test, and the arrays that plots are drawn from."""

    level: Level
    figures: Mapping[str, float]
    list_figures: Mapping[str, float]
    """The metrics of the at-risk list in each order, as `list_by_{order}/{metric}`; the bundle keeps only
    those by probability, under their plain names among `figures`."""
    calibration: Calibration
    value_scale: float
    base_rate: float
    rows: LabelledRows
    probability: Floats
    """float64[n], calibrated on earlier dates than the test's."""
    rivals: Mapping[str, Floats]
    tier_now: NDArray[np.int8]
    tier_next: NDArray[np.int8]
    tier_predicted: NDArray[np.int8]
    value_predicted: Floats | None
    sample: Floats
    """float64[<=2000, f]: test rows."""
    calibrated_on_controls: bool = False
    """Whether the calibration was fitted on control customers of campaigns alone."""
    leaks: tuple[Leak, ...] = ()
    """What seems to know the future."""
    notes: tuple[CheckFinding, ...] = ()
    """Attributes whose dates cannot be right."""
    roles: RoleRows | None = None
    """What other settings can be refitted on."""


def evaluate_models(
    pipeline: TrainingPipeline, rows: LabelledRows, splits: TemporalSplits, contacts: int
) -> tuple[TrainingPipeline, Evaluation]:
    """Fit, calibrate and test in time order; returns the pipeline with the settings that the data chose."""
    known = rows.on(splits.fit)
    level = evidence_level(splits, known)
    pipeline, shapes = with_shape(pipeline, known)
    if splits.cross_fitted:
        held_out = cross_fit_predictions(pipeline, known)
        calibrated = cross_calibrated(held_out)
        return pipeline, _evaluation(pipeline, level, held_out, held_out, calibrated, shapes, contacts)
    pipeline = pipeline.with_columns_of(known)
    taught = pipeline.taught_rows(known)
    pipeline = replace(pipeline, value_power=best_value_power(pipeline, taught, rows.on(splits.calibrate)))
    array_pool.release()
    season = years_before(splits.test, splits, pipeline.churn)
    later = predict_held_out(pipeline, known, rows.on({*season, *splits.calibrate, *splits.test}), taught)
    middle = later.where(np.isin(later.rows.as_of, splits.calibrate))
    if not regression_helps(middle.rows, middle.churn, middle.trees):
        pipeline, later = replace(pipeline, blended=False), replace(later, churn=later.trees)
    del taught  # bins of the features
    array_pool.release()
    calibrated = calibrated_in_time(pipeline, rows, splits, DatedPredictions.of(later.rows, later.churn))
    middle, last = (later.where(np.isin(later.rows.as_of, role)) for role in (splits.calibrate, splits.test))
    return pipeline, _evaluation(pipeline, level, middle, last, calibrated, shapes, contacts)


@dataclass(frozen=True, eq=False)
class DeliveredModels:
    """The models of every labelled date, and what makes their predictions those of dates to come."""

    pipeline: TrainingPipeline
    """With the model shape that all labelled rows chose."""
    models: LightGBMModels
    calibration: Calibration
    level: LevelUncertainty
    """How far the level may lie off."""


def calibrate_for_delivery(
    pipeline: TrainingPipeline, evaluation: Evaluation, rows: LabelledRows, splits: TemporalSplits
) -> DeliveredModels:
    """Fit on every labelled date with the settings that were judged.

    The model shape that little data calls for is chosen anew on all labelled rows: what is judged must not
    know the outcomes of the test, what is delivered may.
    """
    pipeline = replace(pipeline, shape="trees")
    if splits.cross_fitted:  # each fold chose columns of its own
        pipeline = pipeline.with_columns_of(rows, splits.labelled)
    if min(customers_by_outcome(rows.bare.on(splits.labelled))) < CHOSEN_BELOW:
        pipeline, _ = with_shape(pipeline, rows.on(splits.labelled))
    taught, shape = pipeline.taught_rows(rows, splits.labelled), evaluation.calibration
    models = pipeline.fit(rows, taught=taught)
    own, churn = pipeline.predictor(models), pipeline.churn
    dates = level_dates(splits.answers, splits.every, splits.first, churn)
    every, known = own, rows.on(splits.every)
    knows_season = dates.trust in (0.0, 1.0) and {*dates.season} <= {*splits.labelled}
    if not knows_season or not {*splits.every} <= {*splits.labelled}:
        same = {*splits.every} == {*splits.labelled}
        every = pipeline.fit_quick_churn(known, levels=False, taught=taught if same else None)
    of_every = DatedPredictions.of(known, every(known))
    uncertainty = level_uncertainty(of_every, splits, churn, Calibration())
    if not shape.levelled:
        return DeliveredModels(pipeline, models, shape, uncertainty)
    newest = rows.on(dates.latest)
    mine = DatedPredictions.of(newest, own(newest))
    latest = season = mine.shift(shape)
    if knows_season:
        before = rows.on(dates.season)
        season = DatedPredictions.of(before, own(before)).shift(shape) if dates.season else latest
    else:
        # To a model that knows whole histories only, everybody with a short one is a new customer, and one
        # that begins from the level of each date cannot tell dates apart. One of all dates without levels
        # gives how far the season lies off, and on the newest dates what that means for the delivered one:
        # what a short history does to everybody is not the season.
        of_season = levelled(Calibration(), of_every.on(dates.season).shift(Calibration()))
        season = shift_to_level_of(shape, mine.churn, of_season(every(newest)), newest.weight)
    calibration = levelled(shape, dates.mixed(latest, season))
    return DeliveredModels(pipeline, models, calibration, uncertainty)


def with_shape(pipeline: TrainingPipeline, known: LabelledRows) -> tuple[TrainingPipeline, dict[str, float]]:
    """The pipeline with the model shape that little data calls for, and the log loss of each shape tried."""
    if min(customers_by_outcome(known)) >= CHOSEN_BELOW:
        return pipeline, {}
    shape, losses = choose_shape(pipeline.settings, known, pipeline.catalog, pipeline.churn)
    return replace(pipeline, shape=shape), losses


def _evaluation(
    pipeline: TrainingPipeline,
    level: Level,
    middle: HeldOutPredictions,
    last: HeldOutPredictions,
    calibrated: CalibratedTest,
    shapes: Mapping[str, float],
    contacts: int,
) -> Evaluation:
    """Every figure of the test; `middle` are the predictions for the calibration dates, `last` the test's."""
    rows, probability, seed = last.rows, calibrated.probability, pipeline.settings.seed
    customers = np.cumsum(np.r_[False, rows.keys[1:] != rows.keys[:-1]])
    test = HeldOutOutcomes(rows.churned, customers.astype(np.int64), rows.as_of, contacts, rows.weight)
    now, then = pipeline.tier_now(rows), pipeline.tier_next(rows)
    scale, value = 1.0, last.value
    if value is not None and middle.value is not None:
        value, scale = value * _scale(middle), _scale(middle, last)

    figures = _churn_figures(pipeline, middle, last, calibrated, shapes, test)
    since = rows.named(last_days_columns(pipeline.churn))
    quiet = quiet_days(since.matrix, since.columns, pipeline.churn)
    figures |= list_figures(probability, test, quiet, seed=seed)
    figures |= _tier_figures(pipeline, last, probability, now, then, test)
    if value is not None and middle.value is not None:
        figures |= _value_figures(pipeline, rows, value, test)
    by_order = of_order("churn_probability", figures)
    if value is not None:
        at_risk = value_at_risk(probability, value)
        found = purity_figures(at_risk, test, seed=seed) | list_figures(at_risk, test, quiet, seed=seed)
        by_order |= of_order("value_at_risk", found)

    return Evaluation(
        level=level,
        figures=figures,
        list_figures=by_order,
        calibration=calibrated.calibration,
        value_scale=scale,
        base_rate=float(np.average(rows.churned, weights=rows.weight)),
        rows=rows,
        probability=probability,
        rivals=last.rivals,
        tier_now=now,
        tier_next=then,
        tier_predicted=last.tier.argmax(axis=1).astype(np.int8),
        value_predicted=value,
        sample=rows.where(_sample(rows)).matrix,
        calibrated_on_controls=calibrated.on_controls,
    )


def _churn_figures(
    pipeline: TrainingPipeline,
    middle: HeldOutPredictions,
    last: HeldOutPredictions,
    calibrated: CalibratedTest,
    shapes: Mapping[str, float],
    test: HeldOutOutcomes,
) -> dict[str, float]:
    """The metrics of the churn probabilities, before and after calibration, and of what was tried."""
    seed, probability = pipeline.settings.seed, calibrated.probability
    figures = churn_metrics(probability, last.rivals, test, seed=seed)
    raw = churn_metrics(last.churn, {}, test, seed=seed)
    figures |= {
        f"uncalibrated/{metric}{end}": raw[f"{metric}{end}"]
        for metric in METRICS
        for end in ("", "_low", "_high")
    }
    figures |= {f"calibration/{name}/log_loss": loss for name, loss in calibrated.losses.items()}
    figures |= {f"shape/{name}/log_loss": loss for name, loss in shapes.items()}
    figures |= populations(middle.rows, middle.churn, last.rows, last.churn, probability)
    return figures | population_intervals(probability, test, seed=seed)


def _tier_figures(
    pipeline: TrainingPipeline,
    last: HeldOutPredictions,
    probability: Floats,
    now: NDArray[np.int8],
    then: NDArray[np.int8],
    test: HeldOutOutcomes,
) -> dict[str, float]:
    """The metrics of the next tier, and the reliability of the probabilities by tier and by segment."""
    seed, rows = pipeline.settings.seed, last.rows
    figures = tier_figures(last.tier, last.tier_unchanged, now, then, rows.weight)
    figures |= reliability_by_tier(now, probability, rows, len(pipeline.tiers.names))
    figures |= reliability_by_segment(rows, probability, pipeline.books)
    figures |= reliability_intervals(segments(rows, pipeline.books), probability, test, seed=seed)
    return figures | tier_intervals(last.tier, last.tier_unchanged, now, then, probability, test, seed=seed)


def _value_figures(
    pipeline: TrainingPipeline, rows: LabelledRows, value: Floats, test: HeldOutOutcomes
) -> dict[str, float]:
    """The metrics of the expected values, against the spend of the period before."""
    seed = pipeline.settings.seed
    figures = {"value/power": pipeline.value_power} | value_figures(rows, value, pipeline.churn)
    figures |= value_intervals(value, rows.value, test, seed=seed)
    before = as_before(rows, pipeline.churn)
    if before is not None:
        ends = value_intervals(before, rows.value, test, name="value/as_before", seed=seed)
        figures |= {
            name: end
            for name, end in ends.items()
            if name.removesuffix("_low").removesuffix("_high") in figures
        }
    return figures


def _sample(rows: LabelledRows) -> NDArray[np.int64]:
    """int64[<=SAMPLE]: test rows for plots, chosen by a hash of customer and date."""
    return np.sort(first_by_hash(rows.hashes, rows.as_of, SAMPLE))


def _scale(*parts: HeldOutPredictions) -> float:
    """The factor that makes the total right: spent ÷ predicted, of those who stayed."""
    spent = sum(_of_stayed(part.rows, part.rows.value) for part in parts)
    predicted = sum(_of_stayed(part.rows, part.value) for part in parts if part.value is not None)
    return spent / predicted if spent > 0 and predicted > 0 else 1.0


def _of_stayed(rows: LabelledRows, value: Floats) -> float:
    """The weighted sum over the rows of those who stayed."""
    stayed = ~rows.churned
    return float((value[stayed] * rows.weight_or_ones[stayed]).sum())
