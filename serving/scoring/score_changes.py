"""Whose engagement tier fell, and whose risk crossed a limit, between two scorings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from serving.state.scores.score_file import Scores


@dataclass(frozen=True)
class ScoreChange:
    """What happened to one customer."""

    key: int
    kind: str
    """`tier_fell` or `risk_crossed`."""
    before: str | float | None
    after: str | float


def changes(before: Scores, after: Scores, *, tier_falls: bool, limit: float | None) -> Iterator[ScoreChange]:
    """The changes between two scorings, by customer key.

    Someone who had no probability before, such as one who came back, crosses a limit from below.
    """
    places = before.rows(after.answers.key)
    known = places >= 0
    then = np.where(known, before.answers.churn_probability[places], np.nan)
    now = after.answers.churn_probability
    if tier_falls and before.facts.tiers == after.facts.tiers:
        names, old = after.facts.tiers, np.where(known, before.answers.tier[places], -1)
        for row in np.flatnonzero(known & (after.answers.tier < old)).tolist():
            was, is_ = names[old[row]], names[after.answers.tier[row]]
            yield ScoreChange(int(after.answers.key[row]), "tier_fell", was, is_)
    if limit is not None:
        crossed = (now >= limit) & ~(then >= limit)
        for row in np.flatnonzero(crossed).tolist():
            was_ = None if np.isnan(then[row]) else float(then[row])
            yield ScoreChange(int(after.answers.key[row]), "risk_crossed", was_, float(now[row]))
