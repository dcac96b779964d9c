"""Contributions → reasons: what raises and what lowers the risk of one customer.

Ten windows of one thing are one reason: contributions are summed by indicator, and each indicator speaks
through the feature that says most; a value that is written as the typical one says nothing. Where fewer than
`top` indicators have something to say, an indicator speaks through its sides instead: recency, frequency,
amount, variety.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from features.catalog.definitions import Catalog, Derived, Feature
from features.events.attributes import is_reserved_kind
from training.explanation import kernels
from training.explanation.kernels import ColumnWeights, Groups
from training.explanation.quantities import Quantity, written_alike
from training.explanation.text import (
    Direction,
    FeatureChange,
    FeatureReason,
    change_sentence,
    sentence,
)

if TYPE_CHECKING:
    from training.bundle.model_bundle import Bundle

__all__ = [
    "FeatureChange",
    "FeatureReason",
    "RankedReasons",
    "change_sentence",
    "changed_features",
    "rank_reasons",
    "sentence",
]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Order = Literal["raising", "strongest"]

MATERIAL = 0.05
"""An indicator has something to say from this share of a row's contributions, in absolute values."""

NOTHING = 0.001
"""Log-odds below which a contribution is no reason."""

GIVEN = ("tenure", "profile", "calendar")
"""What a reason can be about that nobody can change: time as a customer, attributes, the season."""

_SIDES = {
    "recency": ("days_since_last", "overdue"),
    "frequency": (
        "count",
        "active_days",
        "gap_mean",
        "gap_std",
        "gap_max",
        "decayed_count",
        "active_day_rate",
        "share_younger_half",
        "gap_first",
        "gap_last",
        "gap_min",
        "gap_geometric",
    ),
    "variety": ("distinct_detail", "distinct_channel", "distinct_place", "last_detail", "top_detail"),
}
_RHYTHM = ("silence", "alive", "overdue_smoothed", "days_since_first")
"""Aggregates of the rhythm that the sides, by which contributions are summed, count as amounts."""
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
    "gap_geometric": 0.3,
    "decayed_count": 0.3,
    "active_day_rate": 0.3,
}
"""How readily people understand an aggregate; the rest has 0.6. A reason's feature is chosen with it."""

_AS_USUAL = 0.3
"""The weight of a value that hardly differs from the typical one: it makes a poor reason."""


@dataclass(frozen=True)
class RankedReasons:
    """The reasons of n customers as arrays [n, top]; a column of -1 stands for no further reason."""

    columns: Integers
    contributions: Floats
    values: Floats


def rank_reasons(
    bundle: Bundle, matrix: Floats, contributions: Floats, *, top: int = 3, order: Order = "raising"
) -> RankedReasons:
    """The reasons of float64[n, f] rows as arrays, from contributions float64[n, f + 1].

    `raising`: what raises the risk is preferred and comes first, then what lowers it, each by size;
    what hardly matters only fills up. `strongest`: by size alone.
    """
    guide = _guide(bundle)
    if guide.reserved.any():
        contributions = np.where(np.append(guide.reserved, [False]), 0.0, contributions)
    columns, sums, values = kernels.reasons(
        np.ascontiguousarray(matrix),
        np.ascontiguousarray(contributions),
        guide.weights,
        guide.things,
        guide.sides,
        top,
        order == "raising",
        MATERIAL,
        NOTHING,
    )
    return RankedReasons(columns, sums, values)


def reason_of(bundle: Bundle, column: int, value: float, contribution: float) -> FeatureReason:
    """The reason that this column's value gives, with the contribution of all it speaks for."""
    catalog = bundle.catalog
    name = catalog.columns[column]
    direction: Direction = "raises" if contribution >= 0 else "lowers"
    detail = catalog.unit(name) == "detail"
    thing = _thing(catalog, name)
    return FeatureReason(
        feature=name,
        indicator=thing,
        value=None if np.isnan(value) else value,
        value_text=_detail(bundle, name, value) if detail else "",
        typical=None if detail else bundle.typical.get(name),
        contribution=contribution,
        direction=direction,
        actionable=thing not in GIVEN,
        aspect=_aspect(catalog, name),
    )


def changed_features(
    bundle: Bundle, before: tuple[Floats, Floats], after: tuple[Floats, Floats], *, top: int = 3
) -> list[FeatureChange]:
    """What moved one customer's risk between two as-of dates, largest first.

    `before` and `after` are the customer's feature row float64[f] and contributions float64[f + 1].
    """
    guide = _guide(bundle)
    (old, old_parts), (new, new_parts) = before, after
    moved = np.where(np.append(guide.reserved, [False]), 0.0, new_parts - old_parts)
    differs = ~((old == new) | (np.isnan(old) & np.isnan(new)))
    weights = np.where(differs, guide.plainness, 0.0)
    chosen = _choose(moved[None, :], weights[None, :], guide.things)
    columns, shifts = _order(chosen, top, "strongest")
    return [
        FeatureChange(
            before=reason_of(bundle, column, float(old[column]), float(old_parts[column])),
            after=reason_of(bundle, column, float(new[column]), float(new_parts[column])),
            shift=float(shift),
        )
        for column, shift in zip(columns[0].tolist(), shifts[0].tolist(), strict=True)
        if column >= 0 and differs[column]
    ]


@lru_cache(maxsize=4)
def _guide(bundle: Bundle) -> _Guide:
    return _Guide(bundle)


@dataclass(frozen=True)
class _Choice:
    """For each row and group: the sum of its contributions and the column that speaks for it."""

    sums: Floats
    columns: Integers


class _Guide:
    """How a bundle's columns are grouped, and how well each reads as a sentence."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.columns = bundle.catalog.columns

    @cached_property
    def things(self) -> Groups:
        """Columns by indicator, tenure apart."""
        return self._grouped([_thing(self.bundle.catalog, name) for name in self.columns])

    @cached_property
    def sides(self) -> Groups:
        """Columns by indicator and side."""
        catalog = self.bundle.catalog
        return self._grouped([f"{_thing(catalog, name)}/{_side(catalog, name)}" for name in self.columns])

    @cached_property
    def reserved(self) -> NDArray[np.bool_]:
        """Columns of reserved attributes, which a bundle trained before they were left out may still read."""
        catalog = self.bundle.catalog
        kinds = [catalog.stream_of[_root(catalog, name).stream].kinds for name in self.columns]
        return np.array([any(map(is_reserved_kind, of)) for of in kinds], dtype=np.bool_)

    @cached_property
    def plainness(self) -> Floats:
        catalog = self.bundle.catalog
        plain = [
            0.5 if isinstance(feature, Derived) else _PLAIN.get(feature.aggregate, 0.6)
            for feature in catalog.features
        ]
        return np.array(plain)

    @cached_property
    def details(self) -> NDArray[np.bool_]:
        return np.array([self.bundle.catalog.unit(name) == "detail" for name in self.columns])

    @cached_property
    def silent(self) -> Floats:
        """The weight of a column that says nothing."""
        return np.where(self.details, 0.05, 0.4)

    @cached_property
    def typical(self) -> Floats:
        return np.array([self.bundle.typical.get(name, np.nan) for name in self.columns])

    @cached_property
    def near(self) -> Floats:
        """How far from the typical value still is as usual."""
        whole = [self.bundle.catalog.unit(name) in {"count", "days"} for name in self.columns]
        return np.maximum(0.1 * np.abs(self.typical), np.where(whole, 0.5, 0.0))

    @cached_property
    def same(self) -> tuple[Floats, Floats]:
        """float64[f] each: what is written like the typical value lies between; NaN where there is none."""
        catalog, bounds = self.bundle.catalog, np.full((2, len(self.columns)), np.nan)
        for place, (name, typical) in enumerate(zip(self.columns, self.typical.tolist(), strict=True)):
            if math.isfinite(typical) and not self.details[place]:
                bounds[:, place] = written_alike(typical, _quantity(catalog, name))
        return bounds[0], bounds[1]

    @cached_property
    def weights(self) -> ColumnWeights:
        """How good a reason each column makes."""
        above, below = self.same
        return ColumnWeights(
            self.plainness, self.details, self.silent, self.typical, self.near, _AS_USUAL, above, below
        )

    @staticmethod
    def _grouped(keys: Sequence[str]) -> Groups:
        places = {name: at for at, name in enumerate(dict.fromkeys(keys))}
        group = np.array([places[name] for name in keys], dtype=np.int64)
        starts = np.cumsum([0, *np.bincount(group, minlength=len(places))])
        return Groups(starts, np.argsort(group, kind="stable"))


def _choose(contributions: Floats, weights: Floats, groups: Groups) -> _Choice:
    return _Choice(*kernels.choose(np.ascontiguousarray(contributions), weights, groups))


def _order(choice: _Choice, top: int, order: Order) -> tuple[Integers, Floats]:
    """The columns and sums of the `top` groups of each row, [n, top]; padded with column -1."""
    columns, sums = kernels.order(choice.sums, choice.columns, top, order == "raising", MATERIAL, NOTHING)
    return columns, sums


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


def _aspect(catalog: Catalog, column: str) -> str:
    """What of its indicator a column is about. How lately and how often are one matter: the rhythm."""
    aggregate = _root(catalog, column).aggregate
    if aggregate in _RHYTHM or _side(catalog, column) in ("recency", "frequency"):
        return "rhythm"
    return _side(catalog, column)


def _quantity(catalog: Catalog, column: str) -> Quantity:
    feature, unit = catalog.feature_of[column], catalog.unit(column)
    if unit == "share" or (isinstance(feature, Derived) and feature.operation in ("trend", "ratio")):
        return "percentage"
    quantities: dict[str, Quantity] = {"days": "days", "minutes": "minutes", "ratio": "multiple"}
    return quantities.get(unit, "number")


def _detail(bundle: Bundle, column: str, value: float) -> str:
    book = bundle.priors.code_book.get(column, ())
    known = not np.isnan(value) and 0 <= value < len(book)
    return book[int(value)] if known else ""
