"""Effects within groups of customers, such as tiers and risk deciles, and whether they differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.causal.covariates import Booleans
from training.causal.effect import ArmComparison, Effect, compare_arms
from training.statistics import Floats


@dataclass(frozen=True, eq=False)
class GroupComparison:
    """Treatment against control within one group."""

    group: str
    treatment: int
    """Customers."""
    control: int
    comparison: ArmComparison | None
    """None where an arm has fewer than two customers of the group."""


def compare_groups(
    outcomes: Floats,
    treated: Booleans,
    groups: NDArray[np.int64],
    labels: Sequence[str],
    covariates: Floats | None = None,
    names: Sequence[str] = (),
) -> list[GroupComparison]:
    """`compare_arms` within each group; `groups` has the place of each customer's label, -1 for none.

    The intervals are of each group alone: of twenty groups without effect one excludes zero. Whether groups
    differ at all is what `difference_between_groups` says.
    """
    found = []
    for place, label in enumerate(labels):
        rows = groups == place
        of_group = treated[rows]
        sizes = int(of_group.sum()), int((~of_group).sum())
        comparison = (
            compare_arms(outcomes[rows], of_group, None if covariates is None else covariates[rows], names)
            if min(sizes) > 1
            else None
        )
        found.append(GroupComparison(label, *sizes, comparison))
    return found


def difference_between_groups(effects: Sequence[Effect]) -> float | None:
    """The p-value of equal effects in all groups: Cochran's (1954) Q. None for fewer than two groups."""
    from scipy.special import chdtrc

    known = [(one.difference, one.error) for one in effects if one.error]
    if len(known) < 2:
        return None
    differences, errors = np.array(known).T
    weights = errors**-2.0
    mean = (weights @ differences) / weights.sum()
    return float(chdtrc(len(known) - 1, weights @ (differences - mean) ** 2))
