"""The calibration map stays strictly inside zero and one."""

from __future__ import annotations

import numpy as np

from training.bundle.calibration import Calibration


def test_even_certainty_stays_inside_zero_and_one() -> None:
    said = Calibration("beta", 3.0, 3.0, 5.0)(np.array([0.0, 1.0]))
    assert 0.0 < said[0] < said[1] < 1.0
