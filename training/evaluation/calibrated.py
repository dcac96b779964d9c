"""Calibration of the probabilities of the test and of the delivered model, by the method the data chose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from training.bundle.calibration import Calibration, Shape
from training.data.contact_weights import calibrates
from training.data.rows.labelled_rows import LabelledRows
from training.data.splits import TemporalSplits
from training.fitting.calibration import (
    calibration_trial,
    choose,
    choose_method,
    fit_calibration,
    fit_shape,
    is_better,
    levelled,
)
from training.fitting.level import DatedPredictions, by_date, by_each, earlier_trial
from training.fitting.pipeline import HeldOutPredictions, TrainingPipeline

Floats = NDArray[np.float64]


def halves(rows: LabelledRows) -> NDArray[np.bool_]:
    """bool[n]: one half of the customers."""
    return (rows.hashes & np.uint64(1)).astype(np.bool_)


@dataclass(frozen=True, eq=False)
class CalibratedTest:
    """The test's probabilities, the map for the delivered model, and the log loss of each method tried."""

    probability: Floats
    calibration: Calibration
    losses: Mapping[str, float]
    on_controls: bool
    """Whether the delivered map was fitted on control customers of campaigns alone."""


def calibrated_in_time(
    pipeline: TrainingPipeline, rows: LabelledRows, splits: TemporalSplits, later: DatedPredictions
) -> CalibratedTest:
    """Choose how to calibrate: for the test from what came before it, for delivery from the test too.

    The level waits for the delivered model: it is by how much that one lies off.
    """
    churn = pipeline.churn
    earlier = earlier_trial(rows, splits, churn, pipeline.fit_quick_churn)
    trials = [] if earlier is None else [earlier]
    shape, _ = choose(trials)
    middle, judged = later.on(splits.calibrate).calibrating, later.on(splits.test)
    shaped = fit_shape(shape, middle.churn, middle.rows.churned, middle.rows.weight)
    probability = by_date(later, splits.calibrate, splits.test, splits, churn, shaped)
    by_method = by_each(later, splits.calibrate, splits.test, splits, churn)
    trials.append(calibration_trial(by_method, judged.rows.churned, judged.rows.keys, judged.rows.weight))
    shape, losses = choose(trials)
    # The delivered model has seen every labelled date; only these dates show how such a model errs later.
    every = later.on((*splits.calibrate, *splits.test))
    both = every.calibrating
    delivered = fit_shape(shape, both.churn, both.rows.churned, both.rows.weight)
    on_controls = len(both.rows) < len(every.rows)
    return CalibratedTest(probability, replace(delivered, levelled=True), losses, on_controls)


def regression_helps(rows: LabelledRows, blend: Floats, trees: Floats) -> bool:
    """Whether the regression keeps its share of the churn model: unless the trees alone were better.

    Better on dates later than those learned from, with the level of each date set right, and beyond chance.
    Purchases gain by it; where thresholds of many columns decide, as with contracts, it may cost.
    """
    methods = {}
    for name, churn in (("blend", blend), ("trees", trees)):
        predictions, methods[name] = DatedPredictions.of(rows, churn), np.empty(len(churn))
        for date in np.unique(rows.as_of).tolist():
            of_date = predictions.on([date])
            shape = levelled(Calibration(), of_date.shift(Calibration()))
            methods[name][rows.as_of == date] = shape(of_date.churn)
    return not is_better([calibration_trial(methods, rows.churned, rows.keys, rows.weight)], "trees", "blend")


def cross_calibrated(held_out: HeldOutPredictions | DatedPredictions) -> CalibratedTest:
    """The same where each half of the customers calibrates the other."""
    rows = held_out.rows
    p, y, mine = held_out.churn, rows.churned, halves(rows)
    chosen, on_controls = calibrates(rows) if rows.weight is not None else (np.ones(len(y), np.bool_), False)

    def fitted(method: Shape, side: NDArray[np.bool_]) -> Calibration:
        known = chosen & side
        return fit_calibration(method, p[known], y[known], rows.where(known).weight)

    method, losses = choose_method(p, y, rows.as_of, mine, rows.weight)
    probability = np.empty(len(y))
    for side in (mine, ~mine):
        probability[side] = fitted(method, ~side)(p[side])
    return CalibratedTest(probability, fitted(method, np.ones(len(y), np.bool_)), {**losses}, on_controls)
