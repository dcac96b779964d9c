"""The regression keeps its share of the churn model unless the trees alone were better on later dates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.training.trained import labelled, rows
from training.evaluation.calibrated import regression_helps
from training.fitting.pipeline import HeldOutPredictions


def later(trees: np.ndarray, blend: np.ndarray, churned: np.ndarray) -> HeldOutPredictions:
    known = replace(labelled(rows(len(churned)), churned), as_of=np.arange(len(churned)) % 3)
    none = np.zeros((len(churned), 0))
    return HeldOutPredictions(known, blend, trees, none, None, {}, none)


def drawn() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    margin = draw.normal(-1, 1, 6_000)
    noisy = margin + draw.normal(0, 0.8, 6_000)
    return 1 / (1 + np.exp(-margin)), 1 / (1 + np.exp(-noisy)), draw.random(6_000) < 1 / (1 + np.exp(-margin))


def test_a_regression_that_adds_noise_loses_its_share() -> None:
    true, noisy, churned = drawn()
    assert not regression_helps(later(trees=true, blend=noisy, churned=churned))


def test_one_that_helps_or_does_not_matter_keeps_it() -> None:
    true, noisy, churned = drawn()
    assert regression_helps(later(trees=noisy, blend=true, churned=churned))
    assert regression_helps(later(trees=true, blend=true * 0.999, churned=churned))


def test_a_level_that_lies_off_is_no_fault_of_the_regression() -> None:
    true, _, churned = drawn()
    off = 1 / (1 + np.exp(-(np.log(true) - np.log1p(-true) + 1.5)))
    assert regression_helps(later(trees=true, blend=off, churned=churned))
