"""The regression keeps its share of the churn model unless the trees alone were better on later dates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.training.trained import labelled, rows
from training.evaluation.calibrated import regression_helps


def helps(trees: np.ndarray, blend: np.ndarray, churned: np.ndarray) -> bool:
    later = replace(labelled(rows(len(churned)), churned), as_of=np.arange(len(churned)) % 3)
    return regression_helps(later, blend, trees)


def drawn() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    margin = draw.normal(-1, 1, 6_000)
    noisy = margin + draw.normal(0, 0.8, 6_000)
    return 1 / (1 + np.exp(-margin)), 1 / (1 + np.exp(-noisy)), draw.random(6_000) < 1 / (1 + np.exp(-margin))


def test_a_regression_that_adds_noise_loses_its_share() -> None:
    true, noisy, churned = drawn()
    assert not helps(trees=true, blend=noisy, churned=churned)


def test_one_that_helps_or_does_not_matter_keeps_it() -> None:
    true, noisy, churned = drawn()
    assert helps(trees=noisy, blend=true, churned=churned)
    assert helps(trees=true, blend=true * 0.999, churned=churned)


def test_a_level_that_lies_off_is_no_fault_of_the_regression() -> None:
    true, _, churned = drawn()
    off = 1 / (1 + np.exp(-(np.log(true) - np.log1p(-true) + 1.5)))
    assert helps(trees=true, blend=off, churned=churned)
