"""The scores in use in a few numbers: customers by tier, who moved since the scores before, value at risk.

Each is computed once for a score file (or for its plan) and remembered as long as that is in use.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from features.errors import ModelError
from serving.actions.plan_file import StoredPlan
from serving.lists.filters import ListFilter
from serving.lists.ranking import at_risk
from serving.lists.score_reader import ScoreReader
from serving.schemas.terms import ATTITUDES
from serving.state.scores.score_file import Scores
from serving.state.scores.score_file import load as load_scores
from training.labels.cohort import IN_COHORT


@dataclass(frozen=True)
class TierCount:
    """The customers of one current tier who can still leave."""

    tier: str
    customers: int
    share: float
    """Of all customers who can still leave."""
    value_at_risk: float | None


@dataclass(frozen=True)
class TierMove:
    """How many customers went from one tier to another between two scorings."""

    before: str
    after: str
    customers: int


@dataclass(frozen=True)
class TierMoves:
    """Who moved since the scores of an earlier as-of date, of the customers of both."""

    since: int
    """The earlier as-of date, microseconds UTC."""
    same_model: bool
    """Whether one model made both; else a part of the moves may be the model's."""
    rose: int
    fell: int
    stayed: int
    joined: int
    """Who can leave now and could not then: new customers and those who came back."""
    gone: int
    """Who could leave then and cannot now: they left, or are no customers any more."""
    moves: tuple[TierMove, ...]
    """From the lowest tier to the highest, those who stayed left out."""


@dataclass(frozen=True)
class ScoreSummary:
    """The customers of the scores in use who can still leave."""

    customers: int
    tiers: tuple[TierCount, ...]
    """The highest first."""
    value_at_risk: float | None
    """Of all of them; None where events carry no amounts."""
    top_customers: int
    """How many of the list can be approached [capacity.contacts]."""
    top_value_at_risk: float | None
    """Of these, the first of the list."""
    moves: TierMoves | None
    """None where there are no earlier scores with the same tiers."""


@dataclass(frozen=True)
class AttitudeCell:
    """The customers of one tier who last answered alike: the list filtered by both."""

    tier: str
    attitude: str
    customers: int
    value_at_risk: float | None


_summaries: WeakKeyDictionary[Scores, dict[int, ScoreSummary]] = WeakKeyDictionary()
_cells: WeakKeyDictionary[StoredPlan, tuple[AttitudeCell, ...]] = WeakKeyDictionary()


def score_summary(reader: ScoreReader, capacity: int) -> ScoreSummary:
    """The summary of the scores in use; `capacity` is how many customers can be approached."""
    return _once(_summaries.setdefault(reader.scores, {}), capacity, lambda: _summary(reader, capacity))


def attitude_cells(reader: ScoreReader) -> tuple[AttitudeCell, ...]:
    """Every tier by every attitude, the highest tier first; empty where no plan knows the attitudes."""
    plan = reader.plan
    if plan is None:
        return ()
    return _once(_cells, plan, lambda: _cells_of(reader.scores, plan))


Key = TypeVar("Key")
Value = TypeVar("Value")


def _once(
    known: dict[Key, Value] | WeakKeyDictionary[Key, Value], key: Key, compute: Callable[[], Value]
) -> Value:
    value = known.get(key)
    if value is None:
        value = known[key] = compute()
    return value


def _summary(reader: ScoreReader, capacity: int) -> ScoreSummary:
    scores = reader.scores
    answers, cohort, names = scores.answers, scores.cohort, scores.facts.tiers
    # Codes begin with 1, so that a tier of none (-1) is a place too: one pass counts all of them.
    code = answers.tier[cohort].astype(np.int64) + 1
    counts = np.bincount(code, minlength=len(names) + 1)[1:].tolist()
    top = at_risk(scores, ListFilter(limit=capacity), reader.subjects)
    sums: list[float | None] = [None] * len(names)
    total = first = None
    if scores.facts.amounts:
        values = np.nan_to_num(answers.value_at_risk[cohort])
        sums = np.bincount(code, values, minlength=len(names) + 1)[1:].tolist()
        total, first = float(values.sum()), float(np.nansum(answers.value_at_risk[top]))
    return ScoreSummary(
        len(cohort),
        tuple(
            TierCount(name, counts[place], counts[place] / max(len(cohort), 1), sums[place])
            for place, name in reversed([*enumerate(names)])
        ),
        total,
        len(top),
        first,
        _moves(reader),
    )


def _moves(reader: ScoreReader) -> TierMoves | None:
    after = reader.scores
    if reader.earlier is None:
        return None
    try:
        before = load_scores(reader.earlier).without(reader.customers.aliases.keys_out_of_use)
    except ModelError:
        return None  # the file is gone or damaged; the scores in use are not
    names = after.facts.tiers
    if before.facts.tiers != names:
        return None
    cohort = after.cohort
    places = before.rows(after.answers.key[cohort])
    both = (places >= 0) & (before.answers.status[places] == IN_COHORT)
    was, is_ = before.answers.tier[places[both]], after.answers.tier[cohort[both]]
    known = (was >= 0) & (is_ >= 0)
    pairs = was[known].astype(np.int64) * len(names) + is_[known]
    flow = np.bincount(pairs, minlength=len(names) ** 2).reshape(len(names), len(names))
    return TierMoves(
        since=before.facts.as_of,
        same_model=before.facts.model_version == after.facts.model_version,
        rose=int(np.triu(flow, 1).sum()),
        fell=int(np.tril(flow, -1).sum()),
        stayed=int(np.trace(flow)),
        joined=int((~both).sum()),
        gone=len(before.cohort) - int(both.sum()),
        moves=tuple(
            TierMove(names[a], names[b], int(flow[a, b]))
            for a in range(len(names))
            for b in range(len(names))
            if a != b and flow[a, b]
        ),
    )


def _cells_of(scores: Scores, plan: StoredPlan) -> tuple[AttitudeCell, ...]:
    answers, names = scores.answers, scores.facts.tiers
    rows = plan.rows(answers.key[scores.cohort])
    cohort, rows = scores.cohort[rows >= 0], rows[rows >= 0]
    cell = answers.tier[cohort].astype(np.int64) * len(ATTITUDES)
    cell += plan.table.column("attitude").to_numpy()[rows]
    size = len(names) * len(ATTITUDES)
    counts = np.bincount(cell, minlength=size)
    sums = np.bincount(cell, weights=np.nan_to_num(answers.value_at_risk[cohort]), minlength=size)
    return tuple(
        AttitudeCell(
            name,
            attitude,
            int(counts[code * len(ATTITUDES) + number]),
            float(sums[code * len(ATTITUDES) + number]) if scores.facts.amounts else None,
        )
        for code, name in reversed([*enumerate(names)])
        for number, attitude in enumerate(ATTITUDES)
    )
