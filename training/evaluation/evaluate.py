"""What the models say about customers whose outcome they have not seen, and how right they were.

With enough history the roles follow each other in time. With little, each fold of customers is foreseen
by models of the others, and the evidence is low: the same days taught and judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from training.bundle.calibration import Calibration
from training.bundle.lightgbm_models import LightGBMModels
from training.data.customer_hashes import shuffled_by_customer
from training.data.dataset import LabelledRows
from training.data.splits import TemporalSplits, a_year_before
from training.evaluation.intervals import (
    population_intervals,
    reliability_intervals,
    tier_intervals,
    value_intervals,
)
from training.evaluation.list_metrics import list_figures, quiet_days
from training.evaluation.metrics import METRICS, HeldOutOutcomes, churn_metrics
from training.evaluation.secondary_metrics import (
    as_before,
    populations,
    reliability_by_segment,
    reliability_by_tier,
    segments,
    tier_figures,
    value_figures,
)
from training.fitting.calibration import (
    SEASON,
    calibration_trial,
    choose,
    choose_method,
    fit_calibration,
    fit_level,
    fit_shape,
)
from training.fitting.pipeline import (
    HeldOutPredictions,
    TrainingPipeline,
    best_value_power,
    cross_fit_predictions,
    predict_held_out,
)
from training.fitting.seasonal_calibration import (
    DatedPredictions,
    by_each,
    by_the_season,
    dated_predictions,
    earlier_trial,
    season_at,
    years_before,
)
from training.fitting.small_data import CHOSEN_BELOW, LOW_BELOW, choose_shape, outcomes

Floats = NDArray[np.float64]
Level = Literal["normal", "low"]

SAMPLE = 2_000
"""Test rows kept for plots of contributions."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """How good the models were on the test, and the arrays that plots are drawn from."""

    level: Level
    figures: Mapping[str, float]
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


def evaluate_models(
    recipe: TrainingPipeline, rows: LabelledRows, dates: TemporalSplits, contacts: int
) -> tuple[TrainingPipeline, Evaluation]:
    """Fit, calibrate and test in time order; the recipe comes back with what the evidence chose."""
    known = rows.on(dates.fit)
    recipe, shapes = _shaped(recipe, known)
    if dates.evidence == "low":
        said = cross_fit_predictions(recipe, known)
        return recipe, _verdict(recipe, "low", said, said, _cross_calibrated(said), shapes, contacts)
    level: Level = "low" if outcomes(known) < LOW_BELOW else "normal"
    recipe = replace(recipe, value_power=best_value_power(recipe, known, rows.on(dates.calibrate)))
    before = years_before(dates.test, dates, recipe.churn)
    later = predict_held_out(recipe, known, rows.on({*before, *dates.calibrate, *dates.test}))
    calibrated = _calibrated(recipe, rows, dates, DatedPredictions(later.rows, later.churn))
    middle, last = (later.where(np.isin(later.rows.as_of, role)) for role in (dates.calibrate, dates.test))
    return recipe, _verdict(recipe, level, middle, last, calibrated, shapes, contacts)


def calibrate_for_delivery(
    recipe: TrainingPipeline, evidence: Evaluation, rows: LabelledRows, dates: TemporalSplits
) -> tuple[LightGBMModels, Calibration]:
    """The models of every labelled date, and the map of what they say about the dates to come."""
    models = recipe.fit(rows.on(dates.labelled))
    if evidence.calibration.season:
        return models, _season(recipe, models.churn, evidence.calibration, rows, dates)
    return models, evidence.calibration


def _shaped(recipe: TrainingPipeline, known: LabelledRows) -> tuple[TrainingPipeline, dict[str, float]]:
    """The recipe with the shape that little data calls for, and the log loss of each shape tried."""
    if outcomes(known) >= CHOSEN_BELOW:
        return recipe, {}
    shape, losses = choose_shape(recipe.settings, known, recipe.catalog, recipe.churn)
    return replace(recipe, shape=shape), losses


def _season(
    recipe: TrainingPipeline, model: str, shape: Calibration, rows: LabelledRows, dates: TemporalSplits
) -> Calibration:
    """The delivered model at the level of one year before the date that is asked about.

    Where the year before has less history than the model's own dates, a model of all dates says how far that
    lies off, and on the newest dates what it means to the delivered one: to a model that knows only whole
    histories, everybody with a short one is a new customer. That model may tell dates apart: what a short
    history does to everybody is not to be taken for the season.
    """
    threads, churn = recipe.settings.threads, recipe.churn
    before = rows.on(a_year_before(dates.answers, dates.every, churn))
    if dates.labelled == dates.every:
        return season_at(dated_predictions(model, before, threads), dates.answers, churn, shape) or shape
    every = recipe.fit_churn(rows, levels=False)
    wanted = season_at(DatedPredictions(before, every(before)), dates.answers, churn, shape) or shape
    newest = rows.on(dates.test)
    return fit_level(shape, dated_predictions(model, newest, threads).churn, wanted(every(newest)))


def halves(rows: LabelledRows) -> NDArray[np.bool_]:
    """bool[n]: one half of the customers."""
    return (rows.hashes & np.uint64(1)).astype(np.bool_)


@dataclass(frozen=True, eq=False)
class _Calibrated:
    """The test's probabilities, the map for the delivered model, and the log loss of each method tried."""

    probability: Floats
    calibration: Calibration
    losses: Mapping[str, float]


def _calibrated(
    recipe: TrainingPipeline, rows: LabelledRows, dates: TemporalSplits, later: DatedPredictions
) -> _Calibrated:
    """Choose how to calibrate: for the test from what came before it, for delivery from the test too.

    The season's own level waits for the delivered model: it is by how much that one lies off.
    """
    churn = recipe.churn
    earlier = earlier_trial(rows, dates, churn, recipe.fit_churn)
    trials = [] if earlier is None else [earlier]
    said = by_each(later, dates.calibrate, dates.test, churn)
    shape, season, _ = choose(trials, season=SEASON in said)
    middle, judged = later.on(dates.calibrate), later.on(dates.test)
    shaped = fit_shape(shape, middle.churn, middle.rows.churned)
    probability = shaped(judged.churn)
    if season:
        levelled = by_the_season(later, dates.test, churn, shaped)
        probability = np.where(np.isnan(levelled), probability, levelled)
    trials.append(calibration_trial(said, judged.rows.churned, judged.rows.keys))
    before = a_year_before(dates.answers, dates.every, churn)
    shape, season, losses = choose(trials, season=bool(before))
    # The delivered model has seen every labelled date; only these dates show how such a model errs later.
    both = later.on((*dates.calibrate, *dates.test))
    delivered = fit_shape(shape, both.churn, both.rows.churned)
    return _Calibrated(probability, replace(delivered, season=season), losses)


def _cross_calibrated(said: HeldOutPredictions) -> _Calibrated:
    """The same where one half of the customers must do for the other."""
    p, y, mine = said.churn, said.rows.churned, halves(said.rows)
    method, losses = choose_method(p, y, said.rows.as_of, mine)
    probability = np.empty(len(y))
    for side in (mine, ~mine):
        probability[side] = fit_calibration(method, p[~side], y[~side])(p[side])
    return _Calibrated(probability, fit_calibration(method, p, y), {**losses})


def _verdict(
    recipe: TrainingPipeline,
    level: Level,
    middle: HeldOutPredictions,
    last: HeldOutPredictions,
    calibrated: _Calibrated,
    shapes: Mapping[str, float],
    contacts: int,
) -> Evaluation:
    rows, y, probability = last.rows, last.rows.churned, calibrated.probability
    customers = np.cumsum(np.r_[False, rows.keys[1:] != rows.keys[:-1]])
    test = HeldOutOutcomes(y, customers.astype(np.int64), rows.as_of, contacts)
    figures = churn_metrics(probability, last.rivals, test, seed=recipe.settings.seed)
    raw = churn_metrics(last.churn, {}, test, seed=recipe.settings.seed)
    figures |= {
        f"uncalibrated/{metric}{end}": raw[f"{metric}{end}"]
        for metric in METRICS
        for end in ("", "_low", "_high")
    }
    figures |= {f"calibration/{name}/log_loss": loss for name, loss in calibrated.losses.items()}
    figures |= {f"shape/{name}/log_loss": loss for name, loss in shapes.items()}
    figures |= populations(middle.rows.churned, middle.churn, rows, last.churn, probability)
    figures |= population_intervals(probability, test, seed=recipe.settings.seed)
    quiet = quiet_days(rows.matrix, rows.columns, recipe.churn)
    figures |= list_figures(probability, test, quiet, seed=recipe.settings.seed)
    now, then = recipe.tier_now(rows), recipe.tier_next(rows)
    predicted = last.tier.argmax(axis=1).astype(np.int8)
    figures |= tier_figures(last.tier, last.tier_unchanged, now, then)
    figures |= reliability_by_tier(now, probability, y, len(recipe.tiers.names))
    figures |= reliability_by_segment(rows, probability, recipe.books)
    figures |= reliability_intervals(
        segments(rows, recipe.books), probability, test, seed=recipe.settings.seed
    )
    figures |= tier_intervals(
        last.tier, last.tier_unchanged, now, then, probability, test, seed=recipe.settings.seed
    )
    scale, value = 1.0, last.value
    if value is not None and middle.value is not None:
        value = value * _scale(middle)
        scale = _scale(middle, last)
        figures |= {"value/power": recipe.value_power}
        figures |= value_figures(rows, value, recipe.churn)
        figures |= value_intervals(value, rows.value, test, seed=recipe.settings.seed)
        before = as_before(rows, recipe.churn)
        if before is not None:
            ends = value_intervals(
                before, rows.value, test, name="value/as_before", seed=recipe.settings.seed
            )
            figures |= {
                name: end
                for name, end in ends.items()
                if name.removesuffix("_low").removesuffix("_high") in figures
            }
    chosen = np.argsort(
        shuffled_by_customer(rows.hashes ^ shuffled_by_customer(rows.as_of.astype(np.uint64))), kind="stable"
    )[:SAMPLE]
    return Evaluation(
        level=level,
        figures=figures,
        calibration=calibrated.calibration,
        value_scale=scale,
        base_rate=float(y.mean()),
        rows=rows,
        probability=probability,
        rivals=last.rivals,
        tier_now=now,
        tier_next=then,
        tier_predicted=predicted,
        value_predicted=value,
        sample=rows.matrix[np.sort(chosen)],
    )


def _scale(*parts: HeldOutPredictions) -> float:
    """What makes the total right: spent ÷ foreseen, of those who stayed."""
    spent = sum(float(part.rows.value[~part.rows.churned].sum()) for part in parts)
    said = sum(float(part.value[~part.rows.churned].sum()) for part in parts if part.value is not None)
    return spent / said if spent > 0 and said > 0 else 1.0
