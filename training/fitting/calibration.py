"""Fitting and choosing the calibration of churn probabilities.

Logistic and beta maps are fitted on as-of dates later than those the model learned from, and keep its level.
How many leave is a question of its own, and moves the constant alone (`training.fitting.level`): the same
features tell who leaves in spring and who leaves before Christmas, but not how many.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from training.bundle.calibration import NEAREST, Calibration, Shape
from training.data.contact_weights import effective_weights

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

SHAPES: tuple[Shape, ...] = ("identity", "logistic", "beta")
"""Simplest first: a later one must earn its place."""
SURE = 2.0
"""Standard errors: with one, Complete Journey took a shape on three dates of three and lost by it."""
PULL = 5.0
"""How hard a, b are held at 1 and c at 0, in rows: a slice of few churners says little."""


def fit_calibration(
    method: Shape, probability: Floats, churned: NDArray[np.bool_], weight: Floats | None = None
) -> Calibration:
    """The map of this method that makes the outcomes likeliest, held lightly at the identity.

    `weight` is float64[n], how often each row counts; once without it.
    """
    from scipy.optimize import minimize

    if method == "identity":
        return Calibration()
    p = np.clip(probability, NEAREST, 1.0 - NEAREST)
    high, low, y = np.log(p), -np.log1p(-p), churned.astype(np.float64)
    own = 1.0 if weight is None else effective_weights(weight)

    def loss(theta: Floats) -> tuple[float, Floats]:
        a, b = np.exp(theta[0]), np.exp(theta[-2] if method == "beta" else theta[0])
        margin = a * high + b * low + theta[-1]
        error = own * (1.0 / (1.0 + np.exp(-margin)) - y)
        total = np.sum(own * (np.logaddexp(0.0, margin) - y * margin)) + PULL / 2 * np.sum(theta**2)
        if method == "beta":
            gradient = np.array([a * (error @ high), b * (error @ low), error.sum()])
        else:
            gradient = np.array([a * (error @ (high + low)), error.sum()])
        return float(total), gradient + PULL * theta

    found = minimize(loss, np.zeros(3 if method == "beta" else 2), jac=True, method="L-BFGS-B")
    theta = found.x
    a = float(np.exp(theta[0]))
    return Calibration(method, a=a, b=float(np.exp(theta[1])) if method == "beta" else a, c=float(theta[-1]))


def fit_shape(
    method: Shape, probability: Floats, churned: Flags, weight: Floats | None = None
) -> Calibration:
    """The same map without its level: it says as many leave as the model does.

    The model that is delivered has learned from these dates too. How sure a model is of itself stays as it
    was, but by how much an earlier one missed their level says nothing of one that knows it.
    """
    fitted = fit_calibration(method, probability, churned, weight)
    if method == "identity":
        return fitted
    margin = replace(fitted, c=0.0).margin(probability)
    return replace(fitted, c=_shift(margin, probability, weight))


def level_shift(
    shape: Calibration, probability: Floats, churned: Flags, weight: Floats | None = None
) -> float:
    """What to add to the calibrated log-odds for as many to leave as did on these rows, held lightly at 0."""
    return _shift(shape.margin(probability), churned, weight, PULL)


def shift_to_level_of(
    shape: Calibration, probability: Floats, other: Floats, weight: Floats | None = None
) -> float:
    """What to add for the level of another model of these rows, whose predictions are `other`."""
    return _shift(shape.margin(probability), other, weight)


def levelled(shape: Calibration, shift: float) -> Calibration:
    """The shape, its log-odds moved by `shift`."""
    return replace(shape, levelled=True, c=shape.c + shift)


def _shift(margin: Floats, level: Floats | Flags, weight: Floats | None, pull: float = 0.0) -> float:
    """What to add to the log-odds so that the probabilities have the weighted sum of `level`."""
    from scipy.optimize import brentq
    from scipy.special import expit

    own = None if weight is None else effective_weights(weight)

    def total(values: Floats | Flags) -> float:
        return float(values.sum() if own is None else own @ values)

    left = total(level)
    return float(brentq(lambda c: total(expit(margin + c)) + pull * c - left, -60.0, 60.0))


@dataclass(frozen=True, eq=False)
class CalibrationTrial:
    """Log losses of calibration methods on dates later than those they were fitted on."""

    losses: Mapping[str, Floats]
    """float64[n] each: log loss of every row; NaN where the method gives no probability."""
    customers: NDArray[np.int64]
    """int64[n]: rows of one customer are not independent."""


def calibration_trial(
    predictions: Mapping[str, Floats],
    churned: Flags,
    customers: NDArray[np.int64],
    weight: Floats | None = None,
) -> CalibrationTrial:
    """The log loss of each method's probabilities, each row as heavy as it counts."""
    own = 1.0 if weight is None else weight / weight.mean()
    return CalibrationTrial(
        {method: -np.log(np.where(churned, p, 1.0 - p)) * own for method, p in predictions.items()}, customers
    )


def choose(trials: Sequence[CalibrationTrial]) -> tuple[Shape, dict[str, float]]:
    """The shape for dates to come, and the mean log loss of every method tried.

    A shape must be better than a simpler one: in every trial, and over all by more than `SURE` standard
    errors, customers counted once: a trial is one span of dates, and the next differs by more than chance.
    """
    shape: Shape = "identity"
    for method in SHAPES[1:]:
        if is_better(trials, method, shape):
            shape = method
    means: dict[str, float] = {}
    for name in dict.fromkeys(name for one in trials for name in one.losses):
        losses = [one.losses[name] for one in trials if name in one.losses]
        means[name] = float(np.nanmean(np.concatenate(losses)))
    return shape, means


def is_better(trials: Sequence[CalibrationTrial], method: str, than: str) -> bool:
    """Whether a method had a lower log loss in every trial of both, and over all beyond chance."""
    gains, error = [], 0.0
    for one in trials:
        if method in one.losses and than in one.losses:
            gain = one.losses[than] - one.losses[method]
            comparable = ~np.isnan(gain)
            gain = gain[comparable]
            each = np.bincount(np.unique(one.customers[comparable], return_inverse=True)[1], gain)
            gains.append(float(gain.sum()))
            error += float((each**2).sum())
    return bool(gains) and min(gains) > 0.0 and sum(gains) > SURE * np.sqrt(error)


def choose_method(
    probability: Floats,
    churned: NDArray[np.bool_],
    as_of: NDArray[np.int64],
    half: NDArray[np.bool_],
    weight: Floats | None = None,
) -> tuple[Shape, dict[str, float]]:
    """The method with the lowest log loss on later dates and other customers, and each one's log loss.

    Fitted on the earlier dates of one half of the customers and judged on the later dates of the other
    half, both ways round; a method is preferred to a simpler one only when it gains more than the
    standard error of the gain.
    """
    dates = np.unique(as_of)
    early = as_of < dates[len(dates) // 2] if len(dates) > 1 else np.ones(len(as_of), dtype=np.bool_)
    late = ~early if len(dates) > 1 else early
    losses: dict[Shape, list[Floats]] = {method: [] for method in SHAPES}
    for mine in (half, ~half):
        known, judged = early & mine, late & ~mine
        if len(np.unique(churned[known])) < 2 or not judged.any():
            return "identity", {}
        for method in SHAPES:
            taught = None if weight is None else weight[known]
            q = fit_calibration(method, probability[known], churned[known], taught)(probability[judged])
            loss = -np.log(np.where(churned[judged], q, 1.0 - q))
            losses[method].append(loss if weight is None else loss * (weight[judged] / weight[judged].mean()))
    each = {method: np.concatenate(parts) for method, parts in losses.items()}
    best: Shape = "identity"
    for method in SHAPES[1:]:
        gain = each[best] - each[method]
        if gain.mean() > gain.std() / np.sqrt(len(gain)):
            best = method
    return best, {method: float(loss.mean()) for method, loss in each.items()}
