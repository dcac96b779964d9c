"""Attributes that follow from what customers did after the day on which they are dated.

A member rank that is made of all orders and dated at sign-up tells a model how much somebody will buy. Its
values divide customers by their number of purchases, or by what they paid, almost without overlap. No
attribute that was known on its day does: it may go with more purchases, but not tell their number.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from features.events.history import History, customer_of_event
from features.events.schema import ATTRIBUTE, REFUND
from training.labels.settings import Churn

Floats = NDArray[np.float64]

FOLLOWS = 0.9
"""The share of the differences between customers in a total, by rank, that the values of an attribute tell
of what so many values could: near 1 where the values are made of the total."""
MOST_CUSTOMERS = 20_000
MOST_VALUES = 32
"""Numbers with more different values are cut into so many parts."""
FEWEST_TOTALS = 8
"""A total with fewer different values says little, and a plan may well fix it."""


@dataclass(frozen=True)
class TotalFollowed:
    """The total that an attribute follows from."""

    kinds: tuple[str, ...]
    amount: bool
    """Whether it is the sum of their values, else their number."""
    share: float


@dataclass
class AttributeTotals:
    """Of some customers: the value of an attribute, and their totals since it is dated."""

    values: list[str] = field(default_factory=list)
    totals: dict[tuple[tuple[str, ...], bool], list[float]] = field(default_factory=dict)

    def add(self, values: Sequence[str], totals: dict[tuple[tuple[str, ...], bool], Floats]) -> None:
        """Add the customers of a bucket, while there are few."""
        if len(self.values) >= MOST_CUSTOMERS:
            return
        before = len(self.values)
        self.values.extend(values)
        for name in totals.keys() | self.totals.keys():
            column = self.totals.setdefault(name, [0.0] * before)
            column.extend(totals[name].tolist() if name in totals else [0.0] * len(values))

    def merge(self, other: AttributeTotals) -> None:
        """Add the customers of later buckets."""
        self.add(other.values, {name: np.array(column) for name, column in other.totals.items()})

    def followed(self) -> TotalFollowed | None:
        """The total that the values follow from most, where they do."""
        codes = _codes(self.values)
        if codes is None:
            return None
        found = [
            TotalFollowed(kinds, amount, _share(codes, np.array(column)))
            for (kinds, amount), column in self.totals.items()
        ]
        best = max(found, key=lambda one: (one.share, one.kinds), default=None)
        return best if best is not None and best.share >= FOLLOWS else None


def totals_since(
    history: History,
    churn: Churn,
    who: NDArray[np.int64],
    known: NDArray[np.int64],
    company: Collection[str] = (),
) -> dict[tuple[tuple[str, ...], bool], Floats]:
    """By kinds, and by whether amounts are summed: the totals of the customers `who` from `known` on.

    Rows about contracts are left out, as a plan fixes how often it is renewed and at what price, and what the
    `company` did.
    """
    owner = customer_of_event(history)
    since = np.full(history.customers, np.iinfo(np.int64).max)
    since[who] = known
    later = history.instants >= since[owner]
    left_out = {*_contract_kinds(churn), *company}
    kinds = [kind for kind in history.kind_names if not kind.startswith(ATTRIBUTE) and kind not in left_out]
    groups: list[tuple[tuple[str, ...], bool]] = [((kind,), False) for kind in kinds if kind != REFUND]
    spent = tuple(kind for kind in churn.amounts if kind in kinds)
    if spent and len(history.values):
        groups.append((spent, True))
    found = {}
    for names, amount in groups:
        chosen = later & np.isin(history.kinds, [history.kind_names.index(name) for name in names])
        weights = np.nan_to_num(history.values[chosen]) if amount else None
        key = (tuple(sorted(churn.amounts)) if amount else names), amount
        found[key] = np.bincount(owner[chosen], weights=weights, minlength=history.customers)[who].astype(
            np.float64
        )
    return found


def _contract_kinds(churn: Churn) -> Collection[str]:
    rules = churn.contracts
    own = (churn.started_by, churn.ended_by, churn.completed_by) if churn.type == "contract" else ()
    usual = ("started", "renewed", "cancelled", "completed")
    every = (*own, usual, rules.changed_by, rules.paused_by, rules.resumed_by, rules.trial_by)
    return {kind for kinds in every for kind in kinds}


def _codes(values: Sequence[str]) -> NDArray[np.int64] | None:
    """The value of each customer as a code; None where values are too many and no numbers."""
    names, codes = np.unique(np.array(values, dtype=str), return_inverse=True)
    if len(names) < 2:
        return None
    if len(names) <= MOST_VALUES:
        return codes.astype(np.int64)
    try:
        numbers = np.array([float(name or "nan") for name in names])
    except ValueError:
        return None
    edges = np.unique(np.nanquantile(numbers[codes], np.linspace(0, 1, MOST_VALUES + 1)[1:-1]))
    return np.searchsorted(edges, numbers[codes], side="right").astype(np.int64)


def _share(codes: NDArray[np.int64], total: Floats) -> float:
    """The variance of ranks of a total between the groups ÷ that of groups of these sizes without overlap."""
    if len(np.unique(total)) < FEWEST_TOTALS:
        return 0.0
    _, places, counts = np.unique(total, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]  # equal totals share a rank
    order = np.argsort(ranks, kind="stable")
    sizes = np.bincount(codes)
    by_mean = np.argsort(np.bincount(codes, weights=ranks) / np.maximum(1, sizes), kind="stable")
    best = np.repeat(np.arange(len(sizes)), sizes[by_mean])
    most = _between(best, ranks[order])
    return _between(codes, ranks) / most if most > 0 else 0.0


def _between(codes: NDArray[np.int64], ranks: Floats) -> float:
    """The sum over groups of size × (mean − mean of all)²."""
    sizes = np.bincount(codes)
    means = np.bincount(codes, weights=ranks) / np.maximum(1, sizes)
    return float((sizes * (means - ranks.mean()) ** 2).sum())
