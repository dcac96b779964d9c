"""Contributions → reasons: what raises and what lowers the risk of one customer, said in words.

Ten windows of one thing are one reason: contributions are summed by indicator, and each indicator speaks
through the feature that says most. Where fewer than `top` indicators have something to say, an indicator
speaks through its sides instead: recency, frequency, amount, variety.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from features.catalog import Catalog, Derived, Feature
from training.sentences import Change, Direction, Reason, change_sentence, sentence

if TYPE_CHECKING:
    from training.bundle import Bundle

__all__ = ["Change", "Ranked", "Reason", "change_sentence", "changes", "rank", "reasons", "sentence"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Order = Literal["raising", "strongest"]

MATERIAL = 0.05
"""An indicator has something to say from this share of a row's contributions, in absolute values."""

_SIDES = {
    "recency": ("days_since_last", "overdue"),
    "frequency": ("count", "active_days", "gap_mean", "gap_std", "gap_max"),
    "variety": ("distinct_detail", "distinct_channel", "distinct_place", "last_detail", "top_detail"),
}
_SIDE_OF = {aggregate: side for side, aggregates in _SIDES.items() for aggregate in aggregates}

_PLAIN = {
    "count": 1.0,
    "days_since_last": 1.0,
    "sum": 1.0,
    "active_days": 0.9,
    "overdue": 0.9,
    "last": 0.9,
    "mean": 0.8,
    "gap_mean": 0.8,
    "std": 0.3,
    "gap_std": 0.3,
}
"""How readily people understand an aggregate; the rest has 0.6. A reason's feature is chosen with it."""

_AS_USUAL = 0.3
"""The weight of a value that hardly differs from the typical one: it makes a poor reason."""


@dataclass(frozen=True)
class Ranked:
    """The reasons of n customers as arrays [n, top]; a column of -1 stands for no further reason."""

    bundle: Bundle
    columns: Integers
    contributions: Floats
    values: Floats

    def __len__(self) -> int:
        return len(self.columns)

    def reasons(self, row: int) -> list[Reason]:
        """The reasons of one customer, most important first; never empty."""
        return [
            reason(self.bundle, int(column), float(value), float(contribution))
            for column, contribution, value in zip(
                self.columns[row], self.contributions[row], self.values[row], strict=True
            )
            if column >= 0
        ]


def reasons(
    bundle: Bundle, matrix: Floats, contributions: Floats, *, top: int = 3, order: Order = "raising"
) -> list[list[Reason]]:
    """Up to `top` reasons for each row of the matrix, at least one; see `rank` for the order."""
    ranked = rank(bundle, matrix, contributions, top=top, order=order)
    return [ranked.reasons(row) for row in range(len(ranked))]


def rank(
    bundle: Bundle, matrix: Floats, contributions: Floats, *, top: int = 3, order: Order = "raising"
) -> Ranked:
    """The reasons of float64[n, f] rows as arrays, from contributions float64[n, f + 1].

    `raising`: what raises the risk comes first, then what lowers it, each by size. `strongest`: by size.
    """
    guide = _Guide(bundle)
    weights = guide.weights(matrix)
    coarse = _choose(contributions, weights, guide.things)
    fine = _choose(contributions, weights, guide.sides)
    sizes = np.abs(coarse.sums)
    telling = (sizes >= MATERIAL * sizes.sum(axis=1, keepdims=True)) & (sizes > 0)
    by_thing = _order(coarse, top, order)
    by_side = _order(fine, top, order)
    few = (telling.sum(axis=1) < top)[:, None]
    columns = np.where(few, by_side[0], by_thing[0])
    amounts = np.where(few, by_side[1], by_thing[1])
    values = np.where(columns >= 0, np.take_along_axis(matrix, np.maximum(columns, 0), axis=1), np.nan)
    return Ranked(bundle, columns, amounts, values)


def reason(bundle: Bundle, column: int, value: float, contribution: float) -> Reason:
    """The reason that this column's value gives, with the contribution of all it speaks for."""
    catalog = bundle.catalog
    name = catalog.columns[column]
    direction: Direction = "raises" if contribution >= 0 else "lowers"
    detail = catalog.unit(name) == "detail"
    thing = _thing(catalog, name)
    return Reason(
        feature=name,
        indicator=thing,
        value=None if np.isnan(value) else value,
        value_text=_detail(bundle, name, value) if detail else "",
        typical=None if detail else bundle.typical.get(name),
        contribution=contribution,
        direction=direction,
        actionable=thing not in {"tenure", "calendar", "profile"},
    )


def changes(
    bundle: Bundle, before: tuple[Floats, Floats], after: tuple[Floats, Floats], *, top: int = 3
) -> list[Change]:
    """What moved one customer's risk between two as-of dates, largest first.

    `before` and `after` are the customer's feature row float64[f] and contributions float64[f + 1].
    """
    guide = _Guide(bundle)
    (old, old_parts), (new, new_parts) = before, after
    moved = new_parts - old_parts
    differs = ~((old == new) | (np.isnan(old) & np.isnan(new)))
    weights = np.where(differs, guide.plainness, 0.0)
    chosen = _choose(moved[None, :], weights[None, :], guide.things)
    columns, shifts = _order(chosen, top, "strongest")
    return [
        Change(
            before=reason(bundle, column, float(old[column]), float(old_parts[column])),
            after=reason(bundle, column, float(new[column]), float(new_parts[column])),
            shift=float(shift),
        )
        for column, shift in zip(columns[0].tolist(), shifts[0].tolist(), strict=True)
        if column >= 0 and differs[column]
    ]


@dataclass(frozen=True)
class _Choice:
    """For each row and group: the sum of its contributions and the column that speaks for it."""

    sums: Floats
    columns: Integers


class _Guide:
    """How a bundle's columns are grouped, and how well each can be said."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.columns = bundle.catalog.columns

    @cached_property
    def things(self) -> list[Integers]:
        """Columns by indicator, tenure apart."""
        return self._grouped([_thing(self.bundle.catalog, name) for name in self.columns])

    @cached_property
    def sides(self) -> list[Integers]:
        """Columns by indicator and side."""
        catalog = self.bundle.catalog
        return self._grouped([f"{_thing(catalog, name)}/{_side(catalog, name)}" for name in self.columns])

    @cached_property
    def plainness(self) -> Floats:
        catalog = self.bundle.catalog
        plain = [
            0.5 if isinstance(feature, Derived) else _PLAIN.get(feature.aggregate, 0.6)
            for feature in catalog.features
        ]
        return np.array(plain)

    def weights(self, matrix: Floats) -> Floats:
        """[n, f]: how good a reason each value makes: plain, present, and unlike the typical one."""
        catalog = self.bundle.catalog
        typical = np.array([self.bundle.typical.get(name, np.nan) for name in self.columns])
        details = np.array([catalog.unit(name) == "detail" for name in self.columns])
        whole = np.array([catalog.unit(name) in {"count", "days"} for name in self.columns])
        near = np.maximum(0.1 * np.abs(typical), np.where(whole, 0.5, 0.0))
        usual = (np.abs(matrix - typical) <= near) & ~details
        missing = np.isnan(matrix)
        silent = np.where(details, 0.05, 0.4)
        return self.plainness * np.where(missing, silent, np.where(usual, _AS_USUAL, 1.0))

    @staticmethod
    def _grouped(keys: Sequence[str]) -> list[Integers]:
        names = np.array(keys)
        return [np.flatnonzero(names == name) for name in dict.fromkeys(keys)]


def _choose(contributions: Floats, weights: Floats, groups: list[Integers]) -> _Choice:
    sums = np.empty((len(contributions), len(groups)))
    columns = np.empty(sums.shape, dtype=np.int64)
    for at, members in enumerate(groups):
        # Rounded, so that the fast and the exact explanation (equal within 1e-5) choose alike.
        parts = np.round(contributions[:, members], 4)
        sums[:, at] = contributions[:, members].sum(axis=1)
        sign = np.where(sums[:, at] < 0, -1.0, 1.0)
        score = parts * sign[:, None]
        score *= np.where(score > 0, weights[:, members], 1.0)
        columns[:, at] = members[score.argmax(axis=1)]
    return _Choice(sums, columns)


def _order(choice: _Choice, top: int, order: Order) -> tuple[Integers, Floats]:
    """The columns and sums of the `top` groups of each row, [n, top]; padded with column -1."""
    size = np.abs(choice.sums)
    key = np.where((choice.sums > 0) & (order == "raising"), size + size.max(initial=0.0) + 1.0, size)
    best = np.argsort(-key, axis=1, kind="stable")[:, :top]
    sums = np.take_along_axis(choice.sums, best, axis=1)
    columns = np.take_along_axis(choice.columns, best, axis=1)
    # A contribution that rounds to nothing is no reason, but every customer has at least one.
    empty = np.abs(sums) < 5e-5
    empty[:, 0] = False
    missing = top - best.shape[1]
    return (
        np.pad(np.where(empty, -1, columns), ((0, 0), (0, missing)), constant_values=-1),
        np.pad(np.where(empty, 0.0, sums), ((0, 0), (0, missing))),
    )


def _root(catalog: Catalog, column: str) -> Feature:
    feature = catalog.feature_of[column]
    return feature if isinstance(feature, Feature) else _root(catalog, feature.first)


def _thing(catalog: Catalog, column: str) -> str:
    """What a column is about: its indicator, or `tenure`."""
    return (
        "tenure" if _root(catalog, column).aggregate == "days_since_first" else catalog.indicator_of(column)
    )


def _side(catalog: Catalog, column: str) -> str:
    return _SIDE_OF.get(_root(catalog, column).aggregate, "amount")


def _detail(bundle: Bundle, column: str, value: float) -> str:
    book = bundle.priors.code_book.get(column, ())
    known = not np.isnan(value) and 0 <= value < len(book)
    return book[int(value)] if known else ""
