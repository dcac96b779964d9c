"""Purchases to come: the mean over the chance of dropping out is that of the model."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import betaln

from tests.worlds import at_least
from training.bundle.lifetime.parameters import MbgNbdParameters
from training.bundle.lifetime.purchase_process import expected_purchase_days

number = st.floats(0.02, 30.0)


def by_integration(p: MbgNbdParameters, count: float, whole: float, since: float, days: float) -> float:
    """The same by adaptive integration over the chance of dropping out."""
    again, until = count - 1, p.alpha + whole
    alive = 1 / (1 + p.a / (p.b + again) * (until / (until - since)) ** (p.r + again))
    other = p.b + again + 1

    def inner(odds: float) -> float:
        chance = 1 / (1 + np.exp(-odds))
        density = np.exp(
            -p.a * np.log1p(np.exp(-odds)) - other * (odds + np.log1p(np.exp(-odds))) - betaln(p.a, other)
        )
        come = -np.expm1(-(p.r + again) * np.log1p(chance * days / until)) / chance
        return float(density * come)

    centre = np.log(p.a / other)
    edges = np.linspace(max(-700.0, centre - 40 / min(1.0, p.a)), centre + 40, 41)
    parts = [quad(inner, low, high, limit=200)[0] for low, high in pairwise(edges)]
    return float(alive * sum(parts))


@at_least(60)
@given(
    r=number, alpha=st.floats(0.5, 400.0), a=number, b=number,
    count=st.integers(1, 60), whole=st.floats(1.0, 2_000.0), share=st.floats(0.0, 1.0),
    days=st.floats(1.0, 1_500.0),
)  # fmt: skip
def test_the_expectation_is_that_of_the_model(
    r: float, alpha: float, a: float, b: float, count: int, whole: float, share: float, days: float
) -> None:
    population = MbgNbdParameters(r, alpha, a, b)
    since = whole if count == 1 else whole * share
    facts = np.array([[count, whole, since]], dtype=np.float64)
    (found,) = expected_purchase_days(population, facts, np.array([days])).ravel().tolist()
    assert np.isclose(found, by_integration(population, count, whole, since, days), rtol=1e-3, atol=1e-9)


def test_without_drop_out_it_is_the_rate_times_the_days() -> None:
    facts = np.array([[11.0, 100.0, 5.0]])
    population = MbgNbdParameters(1.0, 10.0, 1e-6, 1e6)
    expected = expected_purchase_days(population, facts, np.array([55.0, 110.0]))
    assert np.allclose(expected, [[11 / 110 * 55, 11 / 110 * 110]], rtol=1e-3)


@at_least(60)
@given(
    a=number, b=number, count=st.integers(1, 60),
    ahead=st.lists(st.floats(1.0, 2_000.0), min_size=2, max_size=6).map(sorted),
)  # fmt: skip
def test_more_days_never_bring_fewer_purchases(a: float, b: float, count: int, ahead: list[float]) -> None:
    facts = np.array([[count, 300.0, 300.0 if count == 1 else 80.0]])
    expected = expected_purchase_days(MbgNbdParameters(0.8, 30.0, a, b), facts, np.array(ahead))
    assert (np.diff(expected) >= -1e-9).all()
    assert (expected >= 0).all()
