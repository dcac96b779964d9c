"""How long contracts run: the population is found again, and what it expects is the mean of its days."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from tests.worlds import at_least
from training.bundle.lifetime.parameters import NO_PURCHASES, ContractSurvival
from training.bundle.lifetime.spend_process import SpendProcess
from training.fitting.contract_survival import FEWEST, fit_contract_survival

MONTH = 365.0 / 12


def durations(shape: float, scale: float, n: int, watched: float) -> tuple[np.ndarray, np.ndarray]:
    """Contracts of such a population, each watched for up to so many days."""
    draw = np.random.default_rng(0)
    lasts = draw.exponential(1.0, n) / draw.gamma(shape, 1.0 / scale, n)
    until = draw.uniform(1.0, watched, n)
    return np.minimum(lasts, until), (lasts <= until).astype(np.float64)


@pytest.mark.parametrize(("shape", "scale"), [(0.6, 300.0), (2.0, 900.0)])
def test_the_population_is_found_again(shape: float, scale: float) -> None:
    found = fit_contract_survival(*durations(shape, scale, 6_000, 1_500.0), MONTH)
    assert found is not None
    for days in (90.0, 400.0, 1_000.0):
        known = (scale / (scale + days)) ** shape
        assert (found.scale / (found.scale + days)) ** found.shape == pytest.approx(known, abs=0.03)


def test_contracts_of_one_rate_and_contracts_without_an_end_have_an_answer_too() -> None:
    draw = np.random.default_rng(1)
    one = fit_contract_survival(draw.exponential(200.0, 4_000), np.ones(4_000), MONTH)
    assert one is not None
    assert (one.scale / (one.scale + 200.0)) ** one.shape == pytest.approx(np.exp(-1), abs=0.03)
    none = fit_contract_survival(np.full(500, 400.0), np.zeros(500), MONTH)
    assert none is not None
    assert (none.scale / (none.scale + 365.0)) ** none.shape > 0.97
    assert fit_contract_survival(np.ones(FEWEST - 1), np.ones(FEWEST - 1), MONTH) is None


@at_least(40)
@given(
    shape=st.floats(0.05, 30.0) | st.just(1.0), scale=st.floats(5.0, 5_000.0),
    tenure=st.floats(0.0, 3_000.0), days=st.floats(1.0, 1_500.0),
)  # fmt: skip
def test_expected_payments_are_the_mean_of_the_days_that_a_contract_will_run(
    shape: float, scale: float, tenure: float, days: float
) -> None:
    process = SpendProcess(*NO_PURCHASES, ContractSurvival(shape, scale, MONTH))
    facts = np.array([[0.0, np.nan, np.nan, 0.0, 980.0, tenure, 4_000.0]])
    running = np.array([True])
    expected, plain = process.expectations(facts, running, np.array([days]))
    since = scale + tenure
    known = quad(lambda t: (since / (since + t)) ** shape, 0.0, days)[0] / MONTH
    assert expected[0, 0] == pytest.approx(known, rel=1e-6)
    assert plain[0, 0] == pytest.approx(980.0 * known, rel=1e-6)
    gone, _ = process.expectations(facts, ~running, np.array([days]))
    assert gone[0, 0] == 0.0
