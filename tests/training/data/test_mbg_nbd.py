"""The population that buys till it dies, found again from histories whose population is known."""

from __future__ import annotations

import numpy as np
from scipy.integrate import quad
from scipy.special import betaln, gammaln

from training.data.mbg_nbd import FEWEST, fit_mbg_nbd

R, ALPHA, A, B = 1.2, 30.0, 0.6, 3.0
DAYS = 400.0


def visits(
    customers: int, days: float = DAYS, *, seed: int = 0, stops: bool = True
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Active days, days since first and last, and whether each customer came again in the 60 days after."""
    draw = np.random.default_rng(seed)
    found = []
    for _ in range(customers):
        rate, stop = draw.gamma(R, 1 / ALPHA), draw.beta(A, B) if stops else 0.0
        whole = draw.uniform(days / 2, days)
        count, last, at, alive = 1, 0.0, 0.0, draw.random() >= stop
        while alive:
            at += draw.exponential(1 / rate)
            if at >= whole:
                break
            count, last, alive = count + 1, at, draw.random() >= stop
        found.append((count, whole, whole - last, alive and at < whole + 60))
    count, whole, since, again = np.array(found, dtype=np.float64).T
    return count, whole, since, again.astype(bool)


def silence(count, whole, since, days, r, alpha, a, b):  # type: ignore[no-untyped-def]
    """P(no visit in so many days), by the formula that features use."""
    x, last = count - 1, whole - since
    alive = 1 / (1 + a / (b + x) * ((alpha + whole) / (alpha + last)) ** (r + x))
    return 1 - alive * (1 - ((alpha + whole) / (alpha + whole + days)) ** (r + x))


def test_the_population_is_found_again() -> None:
    count, whole, since, _ = visits(6_000)
    found = fit_mbg_nbd(count, whole, since)
    assert found is not None
    assert abs(found.r / found.alpha / (R / ALPHA) - 1) < 0.1
    assert abs(found.a / (found.a + found.b) - A / (A + B)) < 0.03
    assert abs(np.log(found.r / R)) < 0.3


def test_the_chance_of_silence_is_right_for_every_tenth_of_the_customers() -> None:
    count, whole, since, _ = visits(6_000)
    found = fit_mbg_nbd(count, whole, since)
    assert found is not None
    count, whole, since, again = visits(8_000, seed=1)
    said = silence(count, whole, since, 60, found.r, found.alpha, found.a, found.b)
    order = np.argsort(said)
    for tenth in np.array_split(order, 10):
        assert abs(said[tenth].mean() - (~again[tenth]).mean()) < 0.05


def test_customers_who_never_stop_have_a_small_chance_to() -> None:
    count, whole, since, _ = visits(3_000, stops=False)
    found = fit_mbg_nbd(count, whole, since)
    assert found is not None
    assert found.a / (found.a + found.b) < 0.01


def test_the_likelihood_is_that_of_the_process() -> None:
    """By integrating over rate and drop-out: two visits after the first one, the last at day 50 of 90."""
    x, last, whole = 2.0, 50.0, 90.0

    def given(rate: float) -> float:
        alive = np.exp(betaln(A, B + x + 1) - betaln(A, B)) * rate**x * np.exp(-rate * whole)
        gone = np.exp(betaln(A + 1, B + x) - betaln(A, B)) * rate**x * np.exp(-rate * last)
        return float(
            (alive + gone) * np.exp(R * np.log(ALPHA) - gammaln(R)) * rate ** (R - 1) * np.exp(-ALPHA * rate)
        )

    integrated = quad(given, 0, 2)[0]
    closed = np.exp(gammaln(R + x) - gammaln(R) + R * np.log(ALPHA)) * (
        np.exp(betaln(A, B + x + 1) - betaln(A, B)) / (ALPHA + whole) ** (R + x)
        + np.exp(betaln(A + 1, B + x) - betaln(A, B)) / (ALPHA + last) ** (R + x)
    )
    assert abs(integrated / closed - 1) < 1e-6


def test_the_unit_of_time_does_not_matter() -> None:
    count, whole, since, _ = visits(1_000)
    days, hours = fit_mbg_nbd(count, whole, since), fit_mbg_nbd(count, whole * 24, since * 24)
    assert days is not None
    assert hours is not None
    assert abs(hours.alpha / 24 / days.alpha - 1) < 1e-3
    assert abs(hours.r / days.r - 1) < 1e-3


def test_too_few_who_came_back_say_nothing() -> None:
    ones = np.ones(FEWEST * 2)
    assert fit_mbg_nbd(ones, ones * 30, ones * 30) is None
    assert fit_mbg_nbd(ones[:5], ones[:5], ones[:5]) is None
