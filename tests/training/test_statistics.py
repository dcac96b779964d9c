"""Intervals against figures from the literature and against resampling."""

from __future__ import annotations

import math

import numpy as np
import pytest

from training.statistics import (
    KEPT,
    RESAMPLES,
    bootstrap_intervals,
    cluster_resamples,
    newcombe,
    percentile_interval,
    ratio,
    ratio_of_means,
    ratio_of_rates,
    simultaneous_factor,
    smallest_effect_on_mean,
    smallest_effect_on_rate,
    unskewed,
    wilson,
)


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


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((56, 70, 48, 80), (0.0524, 0.3339)),
        ((9, 10, 3, 10), (0.1705, 0.8090)),
        ((6, 7, 2, 7), (0.0582, 0.8062)),
        ((5, 56, 0, 29), (-0.0381, 0.1926)),
        ((0, 10, 0, 20), (-0.1611, 0.2775)),
        ((0, 10, 0, 10), (-0.2775, 0.2775)),
        ((10, 10, 0, 20), (0.6791, 1.0)),
        ((10, 10, 0, 10), (0.6075, 1.0)),
    ],
)
def test_the_difference_of_two_rates_is_newcombes(
    counts: tuple[int, int, int, int], expected: tuple[float, float]
) -> None:
    """Newcombe (1998), Statistics in Medicine 17, table II, method 10."""
    assert newcombe(*counts) == pytest.approx(expected, abs=6e-5)


def test_a_ratio_of_rates_is_defined_without_events() -> None:
    low, high = ratio_of_rates(0, 50, 3, 50)
    assert 0 < low < 1 < high
    assert ratio_of_rates(300, 1_000, 200, 1_000) == pytest.approx((1.28, 1.75), abs=0.02)


def test_a_ratio_of_means_has_no_bounds_where_the_denominator_may_be_zero() -> None:
    low, high = ratio_of_means(10.0, 0.1, 5.0, 0.05) or (0.0, 0.0)
    half = 1.96 * 2 * math.hypot(0.01, 0.01)
    assert (low, high) == pytest.approx((2 - half, 2 + half), abs=1e-3)
    assert ratio_of_means(10.0, 0.1, 0.05, 0.05) is None


def test_the_points_of_a_skewed_estimate_move_to_the_side_of_its_tail() -> None:
    ends = np.array([-1.96, 1.96])
    low, high = unskewed(ends, np.full(2, 0.4))
    assert low < -1.96 < high < 1.96
    assert unskewed(ends, np.full(2, -0.4)) == pytest.approx([-high, -low])
    assert unskewed(ends, np.zeros(2)) == pytest.approx(ends)


def test_the_factor_of_independent_dates_is_sidaks_and_of_equal_ones_that_of_one_date() -> None:
    assert simultaneous_factor(np.eye(3)) == pytest.approx(2.3877, abs=2e-3)
    assert simultaneous_factor(np.ones((3, 3))) == pytest.approx(1.96, abs=0.01)
    correlated = np.full((3, 3), 0.5) + 0.5 * np.eye(3)
    assert simultaneous_factor(correlated) == pytest.approx(2.348, abs=5e-3)
    assert simultaneous_factor(correlated) == simultaneous_factor(correlated)


def test_the_factor_of_an_early_date_is_never_below_that_of_the_end() -> None:
    correlated = np.full((4, 4), 0.6) + 0.4 * np.eye(4)
    factors = [simultaneous_factor(correlated[:n, :n], dates=4) for n in (1, 2, 3, 4)]
    assert factors == sorted(factors, reverse=True)


def test_the_smallest_effect_is_found_with_the_power_that_was_asked(rng: np.random.Generator) -> None:
    rise = smallest_effect_on_rate(0.3, 900, 100) or 0.0
    found = rng.binomial(900, 0.3 + rise, 4_000) / 900, rng.binomial(100, 0.3, 4_000) / 100
    error = np.sqrt(found[0] * (1 - found[0]) / 900 + found[1] * (1 - found[1]) / 100)
    assert np.mean(found[0] - found[1] > 1.96 * error) == pytest.approx(0.8, abs=0.03)
    plain = smallest_effect_on_mean(50.0, 900, 100)
    assert plain == pytest.approx(2.8016 * 50 * math.sqrt(1 / 900 + 1 / 100), rel=1e-3)
    assert smallest_effect_on_mean(50.0, 900, 100, explained=0.19) == pytest.approx(0.9 * plain)


def test_an_effect_that_no_sample_of_this_size_could_show_is_none() -> None:
    assert smallest_effect_on_rate(0.95, 10, 10) is None
    assert smallest_effect_on_rate(1.0, 1_000, 1_000) is None
    assert smallest_effect_on_rate(0.5, 10, 0) is None
    assert smallest_effect_on_mean(1.0, 0, 10) == math.inf


@pytest.mark.parametrize("clusters", [40, KEPT // RESAMPLES + 1], ids=["kept", "one after another"])
def test_resamples_are_the_same_whether_they_are_kept_or_not(clusters: int) -> None:
    generator = np.random.default_rng(3)
    expected = [generator.multinomial(clusters, np.full(clusters, 1 / clusters)) for _ in range(2)]
    for _ in range(2):
        drawn = cluster_resamples(clusters, seed=3)
        assert all((next(drawn) == counts).all() for counts in expected)
