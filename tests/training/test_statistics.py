"""Intervals against figures from the literature and against resampling."""

from __future__ import annotations

import math

import numpy as np
import pytest

from training.statistics import bootstrap_intervals, cluster_resamples, percentile_interval, ratio, wilson


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


def test_every_resample_draws_as_many_customers_as_there_are() -> None:
    weights = np.stack([*cluster_resamples(50, seed=1, count=20)])
    assert weights.shape == (20, 50)
    assert (weights.sum(axis=1) == 50).all()
    assert np.array_equal(weights, np.stack([*cluster_resamples(50, seed=1, count=20)]))
    drawn_at_once = np.random.default_rng(1).multinomial(50, np.full(50, 1 / 50), 20)
    assert np.array_equal(weights, drawn_at_once)


def test_the_bootstrap_of_a_mean_is_as_wide_as_its_standard_error(rng: np.random.Generator) -> None:
    values = rng.exponential(3.0, 500)
    ends = bootstrap_intervals(lambda weight: {"mean": weight @ values / weight.sum()}, 500, count=2_000)
    half = 1.96 * values.std(ddof=1) / math.sqrt(500)
    assert ends["mean_low"] == pytest.approx(values.mean() - half, rel=0.02)
    assert ends["mean_high"] == pytest.approx(values.mean() + half, rel=0.02)


def test_resamples_in_which_a_figure_is_undefined_do_not_count() -> None:
    assert percentile_interval([1.0, math.nan, 1.0]) == (1.0, 1.0)
    assert all(math.isnan(end) for end in percentile_interval([math.nan]))
    ends = bootstrap_intervals(lambda weight: {"first": 2.0} if weight[0] else {}, 3, count=50)
    assert ends == {"first_low": 2.0, "first_high": 2.0}
