"""Calibration is fitted on later dates, chosen by later dates, and right where it can be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.bundle.calibration import Calibration
from training.fitting.calibration import (
    SHAPES,
    CalibrationTrial,
    calibration_trial,
    choose,
    choose_method,
    fit_calibration,
    fit_shape,
    level_shift,
    levelled,
    shift_to_level_of,
)

DRAW = np.random.default_rng(4)
TRUE = DRAW.beta(1.0, 4.0, 20_000)
HAPPENED = DRAW.random(20_000) < TRUE


def distorted(p: np.ndarray, slope: float, shift: float) -> np.ndarray:
    return 1 / (1 + np.exp(-(slope * np.log(p / (1 - p)) + shift)))


FITTED = {m: fit_calibration(m, distorted(TRUE, 1.7, -0.4)[:500], HAPPENED[:500]) for m in SHAPES}


@pytest.mark.parametrize("method", SHAPES)
@given(st.lists(st.floats(0.0001, 0.9999), min_size=2, max_size=30, unique=True))
def test_the_map_is_strictly_increasing_and_stays_inside_zero_and_one(method: str, p: list[float]) -> None:
    rising = np.sort(np.array(p))
    rising = rising[np.r_[True, np.diff(rising) > 1e-9]]
    said = FITTED[method](rising)
    assert (np.diff(said) > 0).all()
    assert ((said > 0) & (said < 1)).all()


def test_overconfident_probabilities_are_brought_back() -> None:
    loud = distorted(TRUE, 2.0, 0.5)
    calm = fit_calibration("logistic", loud[:10_000], HAPPENED[:10_000])(loud)
    assert np.abs(calm - TRUE)[10_000:].mean() < 0.01
    assert np.abs(loud - TRUE).mean() > 0.05


def test_a_one_sided_distortion_needs_the_beta_map() -> None:
    bent = TRUE**2
    rows = slice(0, 10_000)
    miss = {
        method: np.abs(fit_calibration(method, bent[rows], HAPPENED[rows])(bent) - TRUE).mean()
        for method in SHAPES
    }
    assert miss["beta"] < miss["identity"]
    assert miss["beta"] < 0.02


def test_what_is_calibrated_already_is_left_alone() -> None:
    as_of = np.repeat(np.arange(4), 5_000)
    method, losses = choose_method(TRUE, HAPPENED, as_of, DRAW.random(20_000) < 0.5)
    assert method == "identity"
    assert set(losses) == set(SHAPES)


def test_a_distortion_that_lasts_is_noticed() -> None:
    as_of = np.repeat(np.arange(4), 5_000)
    method, losses = choose_method(distorted(TRUE, 2.0, 0.5), HAPPENED, as_of, DRAW.random(20_000) < 0.5)
    assert method in {"logistic", "beta"}
    assert losses[method] < losses["identity"]


def test_a_few_rows_hardly_move_the_map() -> None:
    few = fit_calibration("beta", np.array([0.2, 0.4, 0.6]), np.array([True, True, True]))
    assert abs(few.a - 1) < 0.3
    assert abs(few.b - 1) < 0.3


def test_without_both_outcomes_nothing_is_chosen() -> None:
    assert choose_method(TRUE[:50], np.zeros(50, bool), np.zeros(50, int), np.arange(50) % 2 == 0) == (
        "identity",
        {},
    )


def test_one_row_and_many_get_the_same_bits() -> None:
    map_ = fit_calibration("beta", distorted(TRUE, 1.4, 0.2), HAPPENED)
    many = map_(TRUE[:1001])
    assert all(map_(TRUE[i : i + 1])[0] == many[i] for i in range(1001))


def test_a_calibration_survives_json() -> None:
    map_ = fit_calibration("beta", TRUE, HAPPENED)
    assert Calibration.from_json(map_.to_json()) == map_


def test_a_level_makes_as_many_leave_as_did() -> None:
    bent = distorted(TRUE, 1.0, 0.8)
    shift = levelled(Calibration(), level_shift(Calibration(), bent, HAPPENED))
    assert shift.levelled
    assert (shift.a, shift.b) == (1.0, 1.0)
    assert abs(shift(bent).mean() - HAPPENED.mean()) < 0.001
    assert abs(level_shift(Calibration(), np.array([0.5]), np.array([True]))) < 0.2


def test_a_shape_leaves_the_level_to_the_model() -> None:
    bent = distorted(TRUE, 2.0, 0.7)
    for method in SHAPES:
        assert abs(fit_shape(method, bent, HAPPENED)(bent).mean() - bent.mean()) < 1e-6
    assert fit_shape("logistic", bent, HAPPENED).a < 0.7


def test_the_level_of_another_model_is_taken_over() -> None:
    mine, other = distorted(TRUE, 1.0, 0.5), distorted(TRUE, 1.0, -0.4)
    shift = shift_to_level_of(Calibration(), mine, other)
    assert abs(levelled(Calibration(), shift)(mine).mean() - other.mean()) < 1e-6


def trials(**said: np.ndarray) -> list[CalibrationTrial]:
    customers = np.arange(len(TRUE)) // 4
    methods: dict[str, np.ndarray] = {"identity": TRUE}
    methods |= said
    return [calibration_trial(methods, HAPPENED, customers)]


def test_without_a_trial_the_simplest_shape_is_taken() -> None:
    assert choose([]) == ("identity", {})


def test_a_method_must_be_better_in_every_trial() -> None:
    worse, better = distorted(TRUE, 1.0, 0.6), TRUE
    once = trials(identity=worse, logistic=better)
    assert choose(once)[0] == "logistic"
    assert choose([*once, *trials(identity=better, logistic=worse)])[0] == "identity"


def test_rows_that_a_method_says_nothing_of_do_not_count() -> None:
    partly = np.where(np.arange(len(TRUE)) < 100, TRUE, np.nan)
    _, losses = choose(trials(level=partly))
    assert np.isfinite(losses["level"])
