"""Intervals against figures from the literature and against resampling."""

from __future__ import annotations

import math

import numpy as np
import pytest

from training.statistics import ratio, wilson


def test_the_interval_of_a_share_is_wilsons() -> None:
    """15 of 148: Newcombe (1998), Statistics in Medicine 17, table I, method 3."""
    low, high = wilson(15 / 148, 148)
    assert (round(low, 4), round(high, 4)) == (0.0624, 0.1605)


def test_a_share_of_none_or_of_all_keeps_within_0_and_1() -> None:
    assert wilson(0.0, 20)[0] == 0.0
    assert 0 < wilson(0.0, 20)[1] < 0.2
    assert wilson(1.0, 20)[1] == 1.0


def test_a_mean_has_the_interval_of_its_standard_error() -> None:
    values = np.array([3.0, 5.0, 4.0, 8.0])
    limits = ratio(4, values.sum(), 4, (values**2).sum(), values.sum(), 4)
    half = 1.959963984540054 * values.std(ddof=1) / math.sqrt(4)
    assert limits == pytest.approx((5 - half, 5 + half))


def test_a_ratio_is_as_sure_as_resampling_says(rng: np.random.Generator) -> None:
    x = rng.lognormal(3, 0.5, 400)
    y = x * rng.random(400)
    limits = ratio(400, y.sum(), x.sum(), (y**2).sum(), (x * y).sum(), (x**2).sum())
    picked = rng.integers(0, 400, (4_000, 400))
    resampled = np.quantile(y[picked].sum(axis=1) / x[picked].sum(axis=1), [0.025, 0.975])
    assert limits == pytest.approx(resampled, rel=0.01)


def test_one_unit_says_nothing_about_how_sure_it_is() -> None:
    assert ratio(1, 5.0, 1.0, 25.0, 5.0, 1.0) is None
