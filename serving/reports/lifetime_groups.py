"""Lifetime value of groups of customers: by engagement tier, segment and month of joining."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serving.reports.behaviour_attitude import FEWEST
from serving.schemas.terms import SEGMENT
from serving.state.scores.score_file import Scores
from training.bundle.level_uncertainty import level_range
from training.bundle.lifetime.lifetime_values import LifetimeEvidence, LifetimeValues

TIER, JOINED, EARLIER = "tier", "joined", "earlier"
MOST_MONTHS = 36
"""Months of joining that are told apart, the newest ones; all before them are one group."""


@dataclass(frozen=True)
class LifetimeTotal:
    """The lifetime value of a group over so many months."""

    cut: str
    group: str
    months: int
    customers: int
    total: float
    low: float | None
    """How far the level may lie off; None of fewer than `FEWEST` customers, whose chance is larger."""
    high: float | None
    evidence: LifetimeEvidence


def lifetime_totals(scores: Scores) -> tuple[LifetimeTotal, ...]:
    """The totals of all customers and of each group of two or more groups; none without lifetime value.

    The range is that of the level, which is shared: it does not narrow with the number of customers.
    """
    return tuple(_totals(scores))


def _totals(scores: Scores) -> Iterator[LifetimeTotal]:
    lifetime = scores.answers.lifetime
    if lifetime is None:
        return
    known, horizons = lifetime.joined_month >= 0, lifetime.horizons
    if not known.any():
        return
    for cut, groups in (("all", {"": known}), *_cuts(scores, lifetime, known)):
        for group, mine in groups.items():
            totals = lifetime.value[mine].sum(axis=0).tolist()
            customers = int(mine.sum())
            for months, total, spread, evidence in zip(
                horizons.months, totals, horizons.spreads, horizons.evidence, strict=True
            ):
                low, high = level_range(total, spread) if customers >= FEWEST else (None, None)
                yield LifetimeTotal(cut, group, months, customers, total, low, high, evidence)


def _cuts(
    scores: Scores, lifetime: LifetimeValues, known: NDArray[np.bool_]
) -> Iterator[tuple[str, dict[str, NDArray[np.bool_]]]]:
    """Each way to cut the customers, with who is in which group; the highest tier first."""
    answers = scores.answers
    cuts: dict[str, tuple[NDArray[np.int64], dict[int, str]]] = {
        TIER: (answers.tier.astype(np.int64), dict(reversed([*enumerate(scores.facts.tiers)])))
    }
    for name, codes in answers.attributes.items():
        known_values = enumerate(scores.facts.attributes[name])
        by_name = dict(sorted(known_values, key=lambda one: one[1]))
        cuts[SEGMENT + name] = (codes.astype(np.int64), by_name)
    months = np.unique(lifetime.joined_month[known])
    newest = months[-MOST_MONTHS:]
    joined = lifetime.joined_month
    if len(newest):
        joined = np.where(joined < newest[0], -1, joined)
    names = {int(month): str(np.datetime64(int(month), "M")) for month in newest}
    cuts[JOINED] = (joined, {-1: EARLIER, **names} if len(months) > MOST_MONTHS else names)
    for cut, (places, words) in cuts.items():
        groups = {word: (places == place) & known for place, word in words.items()}
        groups = {word: mine for word, mine in groups.items() if mine.any()}
        if len(groups) > 1:
            yield cut, groups
