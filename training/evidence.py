"""What the models say about customers whose outcome they have not seen, and how right they were.

With enough history the roles follow each other in time. With little, each fold of customers is foreseen
by models of the others, and the evidence is low: the same days taught and judged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from lightgbm import Booster
from numpy.typing import NDArray

from features.catalog import Catalog
from training.baselines import baselines
from training.calendar import Calendar, a_year_before
from training.calibration import (
    SEASON,
    Calibration,
    choose,
    choose_method,
    fit_calibration,
    fit_level,
    fit_shape,
    trial,
)
from training.dataset import Rows, mixed
from training.figures import (
    populations,
    reliability_by_segment,
    reliability_by_tier,
    tier_figures,
    value_figures,
)
from training.intervals import population_intervals, tier_intervals, value_intervals
from training.judge import METRICS, Outcomes, judge
from training.labels import Churn
from training.lists import list_figures, quiet_days
from training.models import VALUE_POWERS, Models, Settings, fit_tier, fit_value
from training.seasons import (
    Said,
    by_each,
    by_the_season,
    earlier_trial,
    said_of,
    season_at,
    years_before,
)
from training.small import CHOSEN_BELOW, LOW_BELOW, Shape, choose_shape, fit_shape_of, outcomes
from training.tiers import TierScale

Floats = NDArray[np.float64]
Level = Literal["normal", "low"]

FOLDS = 5
ENOUGH = 30_000
"""Rows above which models skip as-of dates, for neighbours share most of their horizon: a third of the dates
gave as good an AUC on Complete Journey and .002 more on online_retail_ii, in a third of the time."""
LONGEST_STEP = 3
SAMPLE = 2_000
"""Test rows kept for plots of contributions."""


@dataclass(frozen=True, eq=False)
class Recipe:
    """Everything that fitting needs besides rows."""

    settings: Settings
    catalog: Catalog
    churn: Churn
    tiers: TierScale
    value_power: float = VALUE_POWERS[1]
    books: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The code book of each column whose numbers stand for a detail."""
    shape: Shape = "trees"
    """What the churn model is made of."""

    def fit(self, known: Rows) -> Models:
        """The three models of these rows; no value model where nothing was spent."""
        few = thinned(known)
        churn = fit_shape_of(self.shape, self.settings, few, self.catalog, self.churn)
        tiers = len(self.tiers.names)
        tier = fit_tier(self.settings, few.matrix, self.tier_next(few), tiers, few.columns)
        value = self.fit_value(few, self.value_power)
        return Models(churn.model_to_string(), tier.model_to_string(), value and value.model_to_string())

    def fit_churn(self, known: Rows) -> Callable[[Rows], Floats]:
        """What a churn model of these rows alone says of others."""
        model = fit_shape_of(self.shape, self.settings, thinned(known), self.catalog, self.churn)
        return lambda asked: model.predict(asked.matrix, num_threads=self.settings.threads)

    def fit_value(self, known: Rows, power: float) -> Booster | None:
        """The value model of those who stayed; none where they spent nothing."""
        stayed = known.where(~known.churned)
        if not (stayed.value > 0).any():
            return None
        return fit_value(self.settings, power, stayed.matrix, stayed.value, stayed.columns)

    def tier_now(self, rows: Rows) -> NDArray[np.int8]:
        return self.tiers.tier(self.tiers.index(rows.now))

    def tier_next(self, rows: Rows) -> NDArray[np.int8]:
        """The tier at the end of the horizon, by the same scale."""
        return self.tiers.tier(self.tiers.index(rows.next))


@dataclass(frozen=True, eq=False)
class Foreseen:
    """What was said about rows before their outcome was known."""

    rows: Rows
    churn: Floats
    tier: Floats
    """float64[n, tiers]."""
    value: Floats | None
    rivals: Mapping[str, Floats]
    tier_unchanged: Floats
    """float64[n, tiers]: how often customers of the same tier were in each tier one period later."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """How good the models were on the test, and the arrays that plots are drawn from."""

    level: Level
    figures: Mapping[str, float]
    calibration: Calibration
    value_scale: float
    base_rate: float
    rows: Rows
    probability: Floats
    """float64[n], calibrated on earlier dates than the test's."""
    rivals: Mapping[str, Floats]
    tier_now: NDArray[np.int8]
    tier_next: NDArray[np.int8]
    tier_predicted: NDArray[np.int8]
    value_predicted: Floats | None
    sample: Floats
    """float64[<=2000, f]: test rows."""


def foresee(recipe: Recipe, known: Rows, asked: Rows) -> Foreseen:
    """What models of the known rows say about the rows asked."""
    models = recipe.fit(known)
    threads = recipe.settings.threads
    said = {
        name: Booster(model_str=text).predict(asked.matrix, num_threads=threads)
        for name, text in (("churn", models.churn), ("tier", models.tier), ("value", models.value))
        if text is not None
    }
    moves = np.ones((len(recipe.tiers.names),) * 2)
    np.add.at(moves, (recipe.tier_now(known), recipe.tier_next(known)), 1.0)
    moves /= moves.sum(axis=1, keepdims=True)
    return Foreseen(
        rows=asked,
        churn=said["churn"],
        tier=said["tier"],
        value=said.get("value"),
        rivals=baselines(known, asked, recipe.catalog, recipe.churn),
        tier_unchanged=moves[recipe.tier_now(asked)],
    )


def cross_foresee(recipe: Recipe, rows: Rows) -> Foreseen:
    """What models of the other folds' customers say about each fold."""
    fold = mixed(rows.hashes) % np.uint64(FOLDS)
    parts = [foresee(recipe, rows.where(fold != one), rows.where(fold == one)) for one in range(FOLDS)]
    back = np.argsort(np.concatenate([np.flatnonzero(fold == one) for one in range(FOLDS)]), kind="stable")
    values = [part.value for part in parts]
    return Foreseen(
        rows=rows,
        churn=np.concatenate([part.churn for part in parts])[back],
        tier=np.concatenate([part.tier for part in parts])[back],
        value=None
        if any(value is None for value in values)
        else np.concatenate([value for value in values if value is not None])[back],
        rivals={
            name: np.concatenate([part.rivals[name] for part in parts])[back] for name in parts[0].rivals
        },
        tier_unchanged=np.concatenate([part.tier_unchanged for part in parts])[back],
    )


def examine(recipe: Recipe, rows: Rows, dates: Calendar, contacts: int) -> tuple[Recipe, Evidence]:
    """Fit, calibrate and test in time order; the recipe comes back with what the evidence chose."""
    known = rows.on(dates.fit)
    recipe, shapes = _shaped(recipe, known)
    if dates.evidence == "low":
        said = cross_foresee(recipe, known)
        return recipe, _verdict(recipe, "low", said, said, _cross_calibrated(said), shapes, contacts)
    level: Level = "low" if outcomes(known) < LOW_BELOW else "normal"
    recipe = replace(recipe, value_power=_value_power(recipe, known, rows.on(dates.calibrate)))
    before = years_before(dates.test, dates, recipe.churn)
    later = foresee(recipe, known, rows.on({*before, *dates.calibrate, *dates.test}))
    calibrated = _calibrated(recipe, rows, dates, Said(later.rows, later.churn))
    middle, last = (_of(later, np.isin(later.rows.as_of, role)) for role in (dates.calibrate, dates.test))
    return recipe, _verdict(recipe, level, middle, last, calibrated, shapes, contacts)


def deliver(recipe: Recipe, evidence: Evidence, rows: Rows, dates: Calendar) -> tuple[Models, Calibration]:
    """The models of every labelled date, and the map of what they say about the dates to come."""
    models = recipe.fit(rows.on(dates.labelled))
    if evidence.calibration.season:
        return models, _season(recipe, models.churn, evidence.calibration, rows, dates)
    return models, evidence.calibration


def _shaped(recipe: Recipe, known: Rows) -> tuple[Recipe, dict[str, float]]:
    """The recipe with the shape that little data calls for, and the log loss of each shape tried."""
    if outcomes(known) >= CHOSEN_BELOW:
        return recipe, {}
    shape, losses = choose_shape(recipe.settings, known, recipe.catalog, recipe.churn)
    return replace(recipe, shape=shape), losses


def _season(recipe: Recipe, model: str, shape: Calibration, rows: Rows, dates: Calendar) -> Calibration:
    """The delivered model at the level of one year before the date that is asked about.

    Where the year before has less history than the model's own dates, a model of all dates says how far that
    lies off, and on the newest dates what it means to the delivered one: to a model that knows only whole
    histories, everybody with a short one is a new customer.
    """
    threads, churn = recipe.settings.threads, recipe.churn
    before = rows.on(a_year_before(dates.answers, dates.every, churn))
    if dates.labelled == dates.every:
        return season_at(said_of(model, before, threads), dates.answers, churn, shape) or shape
    every = recipe.fit_churn(rows)
    wanted = season_at(Said(before, every(before)), dates.answers, churn, shape) or shape
    newest = rows.on(dates.test)
    return fit_level(shape, said_of(model, newest, threads).churn, wanted(every(newest)))


def thinned(rows: Rows) -> Rows:
    """The rows of every second or third as-of date, the newest among them, where there are plenty."""
    step = min(LONGEST_STEP, -(-len(rows) // ENOUGH))
    return rows if step <= 1 else rows.on(np.unique(rows.as_of)[::-1][::step].tolist())


def halves(rows: Rows) -> NDArray[np.bool_]:
    """bool[n]: one half of the customers."""
    return (rows.hashes & np.uint64(1)).astype(np.bool_)


@dataclass(frozen=True, eq=False)
class _Calibrated:
    """The test's probabilities, the map for the delivered model, and the log loss of each method tried."""

    probability: Floats
    calibration: Calibration
    losses: Mapping[str, float]


def _calibrated(recipe: Recipe, rows: Rows, dates: Calendar, later: Said) -> _Calibrated:
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
    trials.append(trial(said, judged.rows.churned, judged.rows.keys))
    before = a_year_before(dates.answers, dates.every, churn)
    shape, season, losses = choose(trials, season=bool(before))
    # The delivered model has seen every labelled date; only these dates show how such a model errs later.
    both = later.on((*dates.calibrate, *dates.test))
    delivered = fit_shape(shape, both.churn, both.rows.churned)
    return _Calibrated(probability, replace(delivered, season=season), losses)


def _cross_calibrated(said: Foreseen) -> _Calibrated:
    """The same where one half of the customers must do for the other."""
    p, y, mine = said.churn, said.rows.churned, halves(said.rows)
    method, losses = choose_method(p, y, said.rows.as_of, mine)
    probability = np.empty(len(y))
    for side in (mine, ~mine):
        probability[side] = fit_calibration(method, p[~side], y[~side])(p[side])
    return _Calibrated(probability, fit_calibration(method, p, y), {**losses})


def _verdict(
    recipe: Recipe,
    level: Level,
    middle: Foreseen,
    last: Foreseen,
    calibrated: _Calibrated,
    shapes: Mapping[str, float],
    contacts: int,
) -> Evidence:
    rows, y, probability = last.rows, last.rows.churned, calibrated.probability
    customers = np.cumsum(np.r_[False, rows.keys[1:] != rows.keys[:-1]])
    test = Outcomes(y, customers.astype(np.int64), rows.as_of, contacts)
    figures = judge(probability, last.rivals, test, seed=recipe.settings.seed)
    raw = judge(last.churn, {}, test, seed=recipe.settings.seed, resamples=1)
    figures |= {f"uncalibrated/{metric}": raw[metric] for metric in METRICS}
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
    chosen = np.argsort(mixed(rows.hashes ^ mixed(rows.as_of.astype(np.uint64))), kind="stable")[:SAMPLE]
    return Evidence(
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


def _of(said: Foreseen, chosen: NDArray[np.bool_]) -> Foreseen:
    return Foreseen(
        said.rows.where(chosen),
        said.churn[chosen],
        said.tier[chosen],
        None if said.value is None else said.value[chosen],
        {name: p[chosen] for name, p in said.rivals.items()},
        said.tier_unchanged[chosen],
    )


def _value_power(recipe: Recipe, known: Rows, middle: Rows) -> float:
    """The Tweedie power whose amounts are nearest to those of the calibration dates, once totals agree."""
    later, known = middle.where(~middle.churned), thinned(known)
    misses = {}
    # A third of the trees, in steps three times as large, tells the powers apart.
    settings = replace(recipe.settings, trees=recipe.settings.trees // 3, rate=3 * recipe.settings.rate)
    quick = replace(recipe, settings=settings)
    for power in VALUE_POWERS:
        model = quick.fit_value(known, power)
        if model is None or not (later.value > 0).any():
            return recipe.value_power
        said = model.predict(later.matrix, num_threads=recipe.settings.threads)
        misses[power] = float(np.abs(said * (later.value.sum() / said.sum()) - later.value).mean())
    return min(misses, key=lambda power: misses[power])


def _scale(*parts: Foreseen) -> float:
    """What makes the total right: spent ÷ foreseen, of those who stayed."""
    spent = sum(float(part.rows.value[~part.rows.churned].sum()) for part in parts)
    said = sum(float(part.value[~part.rows.churned].sum()) for part in parts if part.value is not None)
    return spent / said if spent > 0 and said > 0 else 1.0
