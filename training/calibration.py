"""Probabilities that mean what they say: a strictly increasing map of a model's log-odds.

The map is `logit(q) = a ln p - b ln(1 - p) + c` with a, b > 0: the identity for (1, 1, 0), logistic
calibration where a = b, and beta calibration (Kull, Silva Filho and Flach 2017) in full. It is fitted on
as-of dates later than those the model learned from.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Method = Literal["identity", "logistic", "beta"]

METHODS: tuple[Method, ...] = ("identity", "logistic", "beta")
"""Simplest first: a later one must earn its place."""
NEAREST = 1e-12
"""How near a probability may come to 0 and 1."""
PULL = 5.0
"""How hard a, b are held at 1 and c at 0, in rows: a slice of few churners says little."""


@dataclass(frozen=True)
class Calibration:
    """A frozen map from what the model says to how often it happens."""

    method: Method = "identity"
    a: float = 1.0
    b: float = 1.0
    c: float = 0.0

    def __call__(self, probability: Floats) -> Floats:
        """float64[n]: calibrated probabilities, strictly between 0 and 1, in the order of the input."""
        p = np.clip(probability, NEAREST, 1.0 - NEAREST)
        margin = self.a * np.log(p) - self.b * np.log1p(-p) + self.c
        return 1.0 / (1.0 + np.exp(-np.clip(margin, -30.0, 30.0)))

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(d: dict[str, Any]) -> Calibration:
        return Calibration(**d)


def fit_calibration(method: Method, probability: Floats, churned: NDArray[np.bool_]) -> Calibration:
    """The map of this method that makes the outcomes likeliest, held lightly at the identity."""
    from scipy.optimize import minimize

    if method == "identity":
        return Calibration()
    p = np.clip(probability, NEAREST, 1.0 - NEAREST)
    high, low, y = np.log(p), -np.log1p(-p), churned.astype(np.float64)

    def loss(theta: Floats) -> tuple[float, Floats]:
        a, b = np.exp(theta[0]), np.exp(theta[-2] if method == "beta" else theta[0])
        margin = a * high + b * low + theta[-1]
        error = 1.0 / (1.0 + np.exp(-margin)) - y
        total = np.sum(np.logaddexp(0.0, margin) - y * margin) + PULL / 2 * np.sum(theta**2)
        if method == "beta":
            gradient = np.array([a * (error @ high), b * (error @ low), error.sum()])
        else:
            gradient = np.array([a * (error @ (high + low)), error.sum()])
        return float(total), gradient + PULL * theta

    found = minimize(loss, np.zeros(3 if method == "beta" else 2), jac=True, method="L-BFGS-B")
    theta = found.x
    a = float(np.exp(theta[0]))
    return Calibration(method, a, float(np.exp(theta[1])) if method == "beta" else a, float(theta[-1]))


def choose_method(
    probability: Floats, churned: NDArray[np.bool_], as_of: NDArray[np.int64], half: NDArray[np.bool_]
) -> tuple[Method, dict[str, float]]:
    """The method with the lowest log loss on later dates and other customers, and each one's log loss.

    Fitted on the earlier dates of one half of the customers and judged on the later dates of the other
    half, both ways round; a method is preferred to a simpler one only when it gains more than the
    standard error of the gain.
    """
    dates = np.unique(as_of)
    early = as_of < dates[len(dates) // 2] if len(dates) > 1 else np.ones(len(as_of), dtype=np.bool_)
    late = ~early if len(dates) > 1 else early
    losses: dict[Method, list[Floats]] = {method: [] for method in METHODS}
    for mine in (half, ~half):
        known, judged = early & mine, late & ~mine
        if len(np.unique(churned[known])) < 2 or not judged.any():
            return "identity", {}
        for method in METHODS:
            q = fit_calibration(method, probability[known], churned[known])(probability[judged])
            losses[method].append(-np.log(np.where(churned[judged], q, 1.0 - q)))
    each = {method: np.concatenate(parts) for method, parts in losses.items()}
    best: Method = "identity"
    for method in METHODS[1:]:
        gain = each[best] - each[method]
        if gain.mean() > gain.std() / np.sqrt(len(gain)):
            best = method
    return best, {method: float(loss.mean()) for method, loss in each.items()}
