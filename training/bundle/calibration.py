"""The calibration map of a bundle: strictly increasing, from a model's log-odds to probabilities.

The map is `logit(q) = a ln p - b ln(1 - p) + c` with a, b > 0: the identity for (1, 1, 0), logistic
calibration where a = b, and beta calibration (Kull, Silva Filho and Flach 2017) in full. How it is fitted
and chosen is in `training.fitting.calibration`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Shape = Literal["identity", "logistic", "beta"]

NEAREST = 1e-12
"""How near a probability may come to 0 and 1."""


@dataclass(frozen=True)
class Calibration:
    """A frozen map from what the model says to how often it happens."""

    method: Shape = "identity"
    a: float = 1.0
    b: float = 1.0
    c: float = 0.0
    levelled: bool = False
    """Whether `c` holds the level of recent dates and of the season; see `training.fitting.level`."""

    def __call__(self, probability: Floats) -> Floats:
        """float64[n]: calibrated probabilities, strictly between 0 and 1, in the order of the input."""
        margin = np.minimum(np.maximum(self.margin(probability), -30.0), 30.0)
        return 1.0 / (1.0 + np.exp(-margin))

    def margin(self, probability: Floats) -> Floats:
        """float64[n]: the calibrated log-odds."""
        p = np.minimum(np.maximum(probability, NEAREST), 1.0 - NEAREST)  # np.clip takes as long as the rest
        return self.a * np.log(p) - self.b * np.log1p(-p) + self.c

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(d: dict[str, Any]) -> Calibration:
        return Calibration(**d)
