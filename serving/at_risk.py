"""Who is on the list, and in what order: by value at risk, or by probability where there are no amounts."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from features.errors import UsageError
from serving.scores import Scores

Order = Literal["value_at_risk", "churn_probability"]


@dataclass(frozen=True)
class Choice:
    """Which customers are wanted: everyone of the cohort unless something is asked."""

    limit: int | None = None
    min_probability: float = 0.0
    tiers: Collection[str] = ()
    """Names of current tiers; empty means all."""
    order_by: Order | None = None
    """None: by value at risk where there are amounts, else by probability."""


def at_risk(scores: Scores, choice: Choice) -> NDArray[np.int64]:
    """The rows of the list, the first to approach first; ties go by customer key."""
    answers = scores.answers
    rows = _ranking(scores, choice.order_by)
    wanted = answers.churn_probability[rows] >= choice.min_probability
    if choice.tiers:
        wanted &= np.isin(answers.tier[rows], [_place(scores, name) for name in choice.tiers])
    return rows[wanted][: choice.limit]


def _ranking(scores: Scores, order_by: Order | None) -> NDArray[np.int64]:
    amounts = scores.facts.amounts
    if order_by == "value_at_risk" and not amounts:
        raise UsageError(
            "cannot order by value_at_risk: the events carry no amounts, so nobody's value is known. "
            "Order by churn_probability.",
            field="order_by",
        )
    by_value = order_by == "value_at_risk" or (order_by is None and amounts)
    return scores.by_value_at_risk if by_value else scores.by_churn_probability


def _place(scores: Scores, tier: str) -> int:
    names = scores.facts.tiers
    if tier not in names:
        raise UsageError(
            f"cannot list the tier '{tier}': there is none of that name. The tiers are {', '.join(names)}.",
            field="tiers",
        )
    return names.index(tier)
