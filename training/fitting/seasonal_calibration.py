"""Seasonal calibration: the level of the probabilities from the latest dates, or from those a year before.

A model cannot know the season: it sees customers, not the calendar. So how far it lay off one year before is
seen even on dates that taught it, and only that is taken from there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from lightgbm import Booster
from numpy.typing import NDArray

from training.bundle.calibration import Calibration
from training.data.contact_weights import calibrates
from training.data.dataset import LabelledRows
from training.data.splits import TemporalSplits, a_year_before
from training.fitting.calibration import (
    SEASON,
    SHAPES,
    CalibrationTrial,
    calibration_trial,
    fit_season,
    fit_shape,
)
from training.labels.settings import Churn

Floats = NDArray[np.float64]

Fit = Callable[[LabelledRows], Callable[[LabelledRows], Floats]]
"""Fits a churn model; returns its predictions for other rows."""

FEWEST_DATES = 2
"""As-of dates that teach the model of an earlier trial."""


@dataclass(frozen=True, eq=False)
class DatedPredictions:
    """One model's churn probabilities of rows; calibrations are fitted on some dates and tested on others."""

    rows: LabelledRows
    churn: Floats

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


def by_each(
    predictions: DatedPredictions, latest: Sequence[int], judged: Sequence[int], churn: Churn
) -> dict[str, Floats]:
    """float64[n] for rows of the judged dates: each shape at the model's own level, and the season's level.

    The season is there only where a year before is among `predictions`; dates without one are NaN.
    """
    before, target = predictions.on(latest).calibrating, predictions.on(judged)
    found = {
        shape: fit_shape(shape, before.churn, before.rows.churned, before.rows.weight)(target.churn)
        for shape in SHAPES
    }
    season = by_the_season(predictions, judged, churn, Calibration())
    return found | ({} if np.isnan(season).all() else {SEASON: season})


def by_the_season(
    predictions: DatedPredictions, judged: Sequence[int], churn: Churn, shape: Calibration
) -> Floats:
    """float64[n]: each judged date at the level of its own year before; NaN where there is none."""
    target = predictions.on(judged)
    season = np.full(len(target.rows), np.nan)
    for date in judged:
        levelled = season_at(predictions, date, churn, shape)
        if levelled is not None:
            mine = target.rows.as_of == date
            season[mine] = levelled(target.churn[mine])
    return season


def season_at(
    predictions: DatedPredictions, target: int, churn: Churn, shape: Calibration
) -> Calibration | None:
    """The map for a date, where the rows hold dates one year before it."""
    before = predictions.on(a_year_before(target, np.unique(predictions.rows.as_of), churn)).calibrating
    if not len(before.rows):
        return None
    return fit_season(shape, before.churn, before.rows.churned, before.rows.weight)


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
    known = rows.on(taught)
    if known.churned.all() or not known.churned.any():
        return None
    target = rows.on({*latest, *dates.calibrate, *years_before(dates.calibrate, dates, churn)})
    predictions = DatedPredictions(target, fit(known)(target))
    judged = predictions.on(dates.calibrate).rows
    return calibration_trial(
        by_each(predictions, latest, dates.calibrate, churn), judged.churned, judged.keys, judged.weight
    )


def years_before(target: Sequence[int], dates: TemporalSplits, churn: Churn) -> set[int]:
    """Every date with a label that lies one year before one of these."""
    return {before for date in target for before in a_year_before(date, dates.every, churn)}


def dated_predictions(model: str, rows: LabelledRows, threads: int) -> DatedPredictions:
    """The predictions of a LightGBM text for rows."""
    return DatedPredictions(rows, Booster(model_str=model).predict(rows.matrix, num_threads=threads))
