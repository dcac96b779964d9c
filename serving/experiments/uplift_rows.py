"""What uplift models learn from: features of the day of assignment, arms and outcomes of campaigns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.errors import UsageError
from features.events.schema import ATTRIBUTE
from serving.experiments.assignment import TREATMENT
from serving.experiments.campaign_file import Assignment
from training.causal.uplift_evidence import UpliftAssessment
from training.causal.uplift_metrics import UpliftDecile

NUMBERS = ("churn_probability", "expected_value", "value_at_risk", "tenure_days", "past_spend")
TIER = "tier"
ModelInUse = Literal["used", "taken_out", "other_outcome", "none"]
"""After learning: the model is in use; the one before was taken out; one of another outcome stays; there is
none."""
SHARE_TOLERANCE = 0.005
"""Control shares that differ by more are not pooled: g(x) would compare one campaign with another."""


@dataclass(frozen=True, eq=False)
class CampaignCustomers:
    """The customers of one campaign with their outcome."""

    name: str
    control_share: float
    assignment: Assignment
    outcome: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class UpliftRows:
    """n customers of one or several campaigns; each in one row."""

    features: pa.Table
    treated: NDArray[np.bool_]
    probability: NDArray[np.float64]
    """The known probability of treatment."""
    outcome: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LearnedUplift:
    """What was learned from campaigns on one outcome."""

    campaigns: tuple[str, ...]
    outcome: str
    months: int
    """The review date, in months after the start."""
    assessment: UpliftAssessment
    deciles: tuple[UpliftDecile, ...]
    run: str
    """MLflow's identifier of the run."""
    effect: ModelInUse = "none"
    """What became of the uplift model in use."""


def uplift_rows(campaigns: Sequence[CampaignCustomers]) -> UpliftRows:
    """Put the customers of campaigns together; who was in several counts in the first of them.

    Features are the numbers of the assignment and the attributes that every campaign declared. Raises
    `UsageError` where control shares differ.
    """
    shares = [one.control_share for one in campaigns]
    if max(shares) - min(shares) > SHARE_TOLERANCE:
        told = ", ".join(f"'{one.name}' {one.control_share:.1%}" for one in campaigns)
        raise UsageError(
            f"cannot learn from these campaigns together: their control shares differ ({told}). "
            "Name campaigns with one control share."
        )
    segments = [
        name
        for name in campaigns[0].assignment.facts.segments
        if all(name in one.assignment.facts.segments for one in campaigns)
    ]
    seen = np.empty(0, np.int64)
    tables, arms, chances, outcomes = [], [], [], []
    for one in campaigns:
        new = ~np.isin(one.assignment.keys, seen)
        seen = np.concatenate([seen, one.assignment.keys[new]])
        tables.append(_features(one.assignment, segments).filter(pa.array(new)))
        arms.append((one.assignment.arm == TREATMENT)[new])
        chances.append(np.full(int(new.sum()), 1.0 - one.control_share))
        outcomes.append(one.outcome[new])
    return UpliftRows(
        pa.concat_tables(tables), np.concatenate(arms), np.concatenate(chances), np.concatenate(outcomes)
    )


def _features(assignment: Assignment, segments: Sequence[str]) -> pa.Table:
    return uplift_features(
        {name: assignment.floats(name) for name in (*NUMBERS, TIER)},
        {name: assignment.segment(name) for name in segments},
    )


def uplift_features(
    columns: Mapping[str, NDArray[np.float64]], segments: Mapping[str, pa.Array | pa.ChunkedArray]
) -> pa.Table:
    """The features of uplift models, a row a customer: the one table behind what is learned and scored.

    `columns` has the numbers of `NUMBERS`, NaN where not known, and the tier, −1 where not known.
    """
    tier = columns[TIER]
    table = {name: pa.array(columns[name]) for name in NUMBERS}
    table[TIER] = pa.array(np.where(tier < 0, np.nan, tier))
    for name, values in segments.items():
        table[ATTRIBUTE + name] = values.cast(pa.string())
    return pa.table(table)
