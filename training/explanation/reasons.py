"""Contributions → reasons: what raises and what lowers the risk of one customer.

Ten windows of one thing are one reason: contributions are summed by indicator, and each indicator speaks
through the feature that says most. A value that is written as the typical one says nothing, nor does one that
reads against the way it pushes, nor a forecast of what the risk itself forecasts. Where fewer than `top`
indicators have something to say, an indicator speaks through its sides instead: recency, frequency, amount,
variety; that nothing happened is then said once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from features.catalog.definitions import level_key
from training.explanation import kernels
from training.explanation.column_guide import ColumnGuide, aspect_of, column_guide, thing_of
from training.explanation.feature_reasons import Direction, FeatureChange, FeatureReason
from training.explanation.kernels import Groups
from training.explanation.text import change_sentence, sentence

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
    guide = column_guide(bundle)
    contributions = _told(guide, contributions)
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
    text = _detail(bundle, name, value) if detail else ""
    thing = thing_of(catalog, name)
    return FeatureReason(
        feature=name,
        indicator=thing,
        value=None if np.isnan(value) else value,
        value_text=text,
        typical=None if detail else bundle.typical.get(name),
        contribution=contribution,
        direction=direction,
        actionable=thing not in GIVEN,
        aspect=aspect_of(catalog, name),
        level=_level(bundle, name, text),
    )


def changed_features(
    bundle: Bundle, before: tuple[Floats, Floats], after: tuple[Floats, Floats], *, top: int = 3
) -> list[FeatureChange]:
    """What moved one customer's risk between two as-of dates, largest first.

    `before` and `after` are the customer's feature row float64[f] and contributions float64[f + 1].
    """
    guide = column_guide(bundle)
    (old, old_parts), (new, new_parts) = before, after
    (old_parts, new_parts) = (_told(guide, parts[None, :])[0] for parts in (old_parts, new_parts))
    moved = new_parts - old_parts
    differs = ~((old == new) | (np.isnan(old) & np.isnan(new)))
    weights = np.where(differs, guide.plainness, 0.0)
    weights[guide.forecasts | guide.levels | (guide.sense * (new - old) * moved[:-1] < 0)] = (
        kernels.SAYS_NOTHING
    )
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


def _told(guide: ColumnGuide, contributions: Floats) -> Floats:
    """The contributions of which reasons are made: reserved attributes say nothing, and what is known of a
    detail is said by the detail."""
    if guide.reserved.any():
        contributions = np.where(np.append(guide.reserved, [False]), 0.0, contributions)
    if guide.details_of_levels:
        contributions = contributions.copy()
        for level, detail in guide.details_of_levels:
            contributions[:, detail] += contributions[:, level]
            contributions[:, level] = 0.0
    return contributions


@dataclass(frozen=True)
class _Choice:
    """For each row and group: the sum of its contributions and the column that speaks for it."""

    sums: Floats
    columns: Integers


def _choose(contributions: Floats, weights: Floats, groups: Groups) -> _Choice:
    return _Choice(*kernels.choose(np.ascontiguousarray(contributions), weights, groups))


def _order(choice: _Choice, top: int, order: Order) -> tuple[Integers, Floats]:
    """The columns and sums of the `top` groups of each row, [n, top]; padded with column -1."""
    columns, sums = kernels.order(choice.sums, choice.columns, top, order == "raising", MATERIAL, NOTHING)
    return columns, sums


def _level(bundle: Bundle, column: str, text: str) -> float:
    """The log-odds by which more of those with the detail left than others, 0 where nothing is known."""
    if not text:
        return 0.0
    known = (
        bundle.priors.numbers.get(level_key(level, text), 0.0)
        for level in bundle.catalog.level_columns
        if bundle.catalog.detail_of_level(level) == column
    )
    return next(known, 0.0)


def _detail(bundle: Bundle, column: str, value: float) -> str:
    book = bundle.priors.code_book.get(column, ())
    known = not np.isnan(value) and 0 <= value < len(book)
    return book[int(value)] if known else ""
