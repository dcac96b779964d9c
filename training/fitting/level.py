"""How many leave: the level of the probabilities, from the season one year before and the latest dates.

A model sees customers, not the calendar, so the share that leaves on a date to come is asked of dates past:
by how much the model lay off on the latest ones, and one year before the target date. A year before with
half of `active_days` of history is trusted by half, one with all of it fully: with less, the cohort is made
of those who come often, and what a short history does to everybody looks like a season.

Measured over 31 dates of six histories (mean distance of the mean probability from the share that left):
.041 for the level of all labelled dates, .037 for the latest six, .036 for the season where half of
`active_days` lies before it, .031 for this mixture. On online_retail_ii it leaves .074 over nine dates of
2011, where the season alone leaves .090, and .022 on the four that have a season.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.timeline import DAY
from training.bundle.calibration import Calibration
from training.bundle.level_uncertainty import LevelUncertainty
from training.data.contact_weights import calibrates
from training.data.rows.labelled_rows import LabelledRows
from training.data.splits import TemporalSplits, a_year_before
from training.fitting.calibration import (
    SHAPES,
    CalibrationTrial,
    calibration_trial,
    fit_shape,
    level_shift,
    levelled,
)
from training.labels.settings import Churn

Floats = NDArray[np.float64]

Fit = Callable[[LabelledRows, Collection[int]], Callable[[LabelledRows], Floats]]
"""Fits a churn model on the rows of some dates; returns its predictions for other rows."""

LEVEL = "level"
LATEST = 6
"""As-of dates that tell the latest level: one horizon's worth."""
FEWEST_DATES = 2
"""As-of dates that teach the model of an earlier trial."""
USUAL_MISS = 0.2
"""Log-odds by which levels missed on the histories looked at: what is expected where few misses are known."""
USUAL_WEIGHT = 3.0
"""For how many misses that counts."""


@dataclass(frozen=True, eq=False)
class DatedPredictions:
    """One model's churn probabilities of rows; calibrations are fitted on some dates and tested on others."""

    rows: LabelledRows
    """Without features, which no calibration reads."""
    churn: Floats

    @classmethod
    def of(cls, rows: LabelledRows, churn: Floats) -> DatedPredictions:
        """The predictions of rows with features."""
        return cls(rows.bare, churn)

    def on(self, dates: Sequence[int]) -> DatedPredictions:
        chosen = np.isin(self.rows.as_of, list(dates))
        return DatedPredictions(self.rows.where(chosen), self.churn[chosen])

    @property
    def calibrating(self) -> DatedPredictions:
        """The rows that calibrations are fitted on; all but where contacts are left out (`calibrates`)."""
        if self.rows.weight is None:
            return self
        chosen = calibrates(self.rows)[0]
        return DatedPredictions(self.rows.where(chosen), self.churn[chosen])

    def shift(self, shape: Calibration) -> float:
        """What to add to the calibrated log-odds for as many to leave as did."""
        rows = self.calibrating
        return level_shift(shape, rows.churn, rows.rows.churned, rows.rows.weight)


@dataclass(frozen=True)
class LevelDates:
    """The as-of dates that tell the level of a date to come."""

    latest: tuple[int, ...]
    season: tuple[int, ...]
    """One year before; empty where there is none with half of `active_days` of history."""
    trust: float
    """How far the season is trusted, 0 to 1; the latest dates have the rest."""

    def mixed(self, latest: float, season: float) -> float:
        """The level, from those of the two."""
        return self.trust * season + (1.0 - self.trust) * latest

    def to_json(self, name: Callable[[int], str]) -> dict[str, Any]:
        """The dates by name, and the trust."""
        return {
            "latest": [name(date) for date in self.latest],
            "season": [name(date) for date in self.season],
            "season_trust": self.trust,
        }


def level_dates(target: int, dates: Sequence[int], first: int, churn: Churn) -> LevelDates:
    """The dates among `dates` (ascending, each with a label) that tell the level of `target`."""
    whole = churn.active_days * DAY
    season = tuple(one for one in a_year_before(target, dates, churn) if one - first >= whole / 2)
    trust = float(np.mean([min(1.0, (one - first) / whole) for one in season])) if season else 0.0
    return LevelDates(tuple(dates[-LATEST:]), season, trust)


def level_at(predictions: DatedPredictions, dates: LevelDates, shape: Calibration) -> Calibration:
    """The shape at the level that these dates tell of one model."""
    latest = predictions.on(dates.latest).shift(shape)
    season = predictions.on(dates.season).shift(shape) if dates.season else latest
    return levelled(shape, dates.mixed(latest, season))


def by_date(
    predictions: DatedPredictions,
    latest: Sequence[int],
    judged: Sequence[int],
    splits: TemporalSplits,
    churn: Churn,
    shape: Calibration,
) -> Floats:
    """float64[n] for rows of the judged dates: each date at the level that the dates before it tell."""
    target, known = predictions.on(judged), sorted({*np.unique(predictions.rows.as_of).tolist()})
    probability = np.empty(len(target.rows))
    for date in judged:
        dates = replace(level_dates(date, known, splits.first, churn), latest=tuple(latest)[-LATEST:])
        mine = target.rows.as_of == date
        probability[mine] = level_at(predictions, dates, shape)(target.churn[mine])
    return probability


def by_each(
    predictions: DatedPredictions,
    latest: Sequence[int],
    judged: Sequence[int],
    splits: TemporalSplits,
    churn: Churn,
) -> dict[str, Floats]:
    """float64[n] for rows of the judged dates: each shape with the level set right, and the rule's level.

    Shapes are told apart by what is theirs: each judged date has the level at which as many left as did.
    """
    before, target = predictions.on(latest).calibrating, predictions.on(judged)
    found: dict[str, Floats] = {}
    for shape in SHAPES:
        fitted = fit_shape(shape, before.churn, before.rows.churned, before.rows.weight)
        found[shape] = np.empty(len(target.rows))
        for date in judged:
            mine = target.rows.as_of == date
            of_date = target.on([date])
            found[shape][mine] = levelled(fitted, of_date.shift(fitted))(of_date.churn)
    return found | {LEVEL: by_date(predictions, latest, judged, splits, churn, Calibration())}


def earlier_trial(
    rows: LabelledRows, dates: TemporalSplits, churn: Churn, fit: Fit
) -> CalibrationTrial | None:
    """A trial that ends where the test begins: fitted, calibrated and judged before any date of the test.

    None where the dates before are too few for it.
    """
    end = churn.horizon.end
    size = len(dates.calibrate)
    latest = tuple(date for date in dates.fit if end(date) <= dates.calibrate[0])[-size:]
    taught = tuple(date for date in dates.fit if latest and end(date) <= latest[0])
    if len(taught) < FEWEST_DATES:
        return None
    left = rows.churned[np.isin(rows.as_of, taught)]
    if left.all() or not left.any():
        return None
    target = rows.on({*latest, *dates.calibrate, *years_before(dates.calibrate, dates, churn)})
    predictions = DatedPredictions.of(target, fit(rows, taught)(target))
    judged = predictions.on(dates.calibrate).rows
    methods = by_each(predictions, latest, dates.calibrate, dates, churn)
    return calibration_trial(methods, judged.churned, judged.keys, judged.weight)


def years_before(target: Sequence[int], dates: TemporalSplits, churn: Churn) -> set[int]:
    """Every date with a label that lies one year before one of these."""
    return {before for date in target for before in a_year_before(date, dates.every, churn)}


def level_uncertainty(
    predictions: DatedPredictions, splits: TemporalSplits, churn: Churn, shape: Calibration
) -> LevelUncertainty:
    """How far the level of a date to come may lie off, from how far past levels did.

    Each labelled date is asked for the level that the dates decided before it would have told, and for its
    own. Neighbouring dates share most of their horizon: misses count once for each horizon they span. Where
    they are few, the usual miss of other histories stands for some.
    """
    dates = splits.every
    shifts = {date: predictions.on([date]).shift(shape) for date in dates}
    misses: dict[int, float] = {}
    for date in dates:
        known = [one for one in dates if churn.horizon.end(one) <= date]
        if known:
            sources = level_dates(date, known, splits.first, churn)
            latest, season = (
                float(np.mean([shifts[one] for one in part])) if part else 0.0
                for part in (sources.latest, sources.season)
            )
            misses[date] = shifts[date] - sources.mixed(latest, season)
    count = 0
    if misses:
        span = (max(misses) - min(misses)) / DAY
        count = 1 + int(span // churn.horizon.reach)
    squares = count * float(np.mean(np.square(list(misses.values())))) if misses else 0.0
    spread = float(np.sqrt((squares + USUAL_WEIGHT * USUAL_MISS**2) / (count + USUAL_WEIGHT)))
    return LevelUncertainty(spread, count + USUAL_WEIGHT, count)
