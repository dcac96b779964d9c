"""How well each column of a bundle reads as a reason, how columns are grouped, and what each is about."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from features.catalog.aggregates import LEVEL
from features.catalog.definitions import Catalog, Derived, Feature
from features.events.attributes import is_reserved_kind
from training.explanation import kernels
from training.explanation.kernels import ColumnWeights, Groups
from training.explanation.quantities import Quantity, written_alike

if TYPE_CHECKING:
    from training.bundle.model_bundle import Bundle

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

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
    "variety": (
        "distinct_detail",
        "distinct_channel",
        "distinct_place",
        "last_detail",
        "top_detail",
        LEVEL,
    ),
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

_MORE_LOWERS = (
    "count",
    "active_days",
    "sum",
    "mean",
    "max",
    *(f"distinct_{of}" for of in ("detail", "channel", "place")),
    "trend",
)
_MORE_RAISES = ("days_since_last", "overdue", "overdue_smoothed", "gap_mean", "gap_max")
"""Of what decides inactivity: aggregates of which anybody knows what more of them means for the risk."""

_ABSENCES = {
    "days_since_last": kernels.SINCE_LAST,
    **dict.fromkeys(("trend", *_MORE_LOWERS), kernels.ZERO_OR_MISSING),
    **dict.fromkeys(("mean", "max", "last_detail", "top_detail"), kernels.MISSING),
}

_AS_USUAL = 0.3
"""The weight of a value that hardly differs from the typical one: it makes a poor reason."""


@lru_cache(maxsize=4)
def column_guide(bundle: Bundle) -> ColumnGuide:
    """The guide to a bundle's columns; kept, for every request asks for it."""
    return ColumnGuide(bundle)


class ColumnGuide:
    """How a bundle's columns are grouped, and how well each reads as a sentence."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.columns = bundle.catalog.columns

    @cached_property
    def things(self) -> Groups:
        """Columns by indicator, tenure apart."""
        return self._grouped([thing_of(self.bundle.catalog, name) for name in self.columns])

    @cached_property
    def sides(self) -> Groups:
        """Columns by indicator and side."""
        catalog = self.bundle.catalog
        return self._grouped([f"{thing_of(catalog, name)}/{_side(catalog, name)}" for name in self.columns])

    @cached_property
    def reserved(self) -> NDArray[np.bool_]:
        """Columns of reserved attributes, which a bundle trained before they were left out may still read."""
        catalog = self.bundle.catalog
        kinds = [catalog.stream_of[root_of(catalog, name).stream].kinds for name in self.columns]
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
        unsaid = self.forecasts | self.levels
        bounds[0, unsaid], bounds[1, unsaid] = -np.inf, np.inf
        return bounds[0], bounds[1]

    @cached_property
    def levels(self) -> NDArray[np.bool_]:
        """Columns that say what is known of a detail: the detail itself gives the reason."""
        return np.isin(self.columns, self.bundle.catalog.level_columns)

    @cached_property
    def details_of_levels(self) -> tuple[tuple[int, int], ...]:
        """Pairs of such a column and the one with the detail, where the catalogue has both."""
        catalog = self.bundle.catalog
        place = {name: at for at, name in enumerate(self.columns)}
        pairs = ((name, catalog.detail_of_level(name)) for name in catalog.level_columns)
        return tuple((place[name], place[detail]) for name, detail in pairs if detail)

    @cached_property
    def deciding(self) -> NDArray[np.bool_]:
        """Columns about what decides inactivity: who shows none of it in the horizon has left."""
        catalog, churn = self.bundle.catalog, self.bundle.churn
        decides = set(churn.started_by) if churn.type == "inactivity" else set()
        kinds = [catalog.stream_of[root_of(catalog, name).stream].kinds for name in self.columns]
        return np.array([not decides.isdisjoint(of) for of in kinds], dtype=np.bool_)

    @cached_property
    def forecasts(self) -> NDArray[np.bool_]:
        """Chances, judged by the rhythm alone, of the silence that the risk is about: beside the risk they
        read as a contradiction. What they are computed from gives the reason."""
        silence = [root_of(self.bundle.catalog, name).aggregate == "silence" for name in self.columns]
        return self.deciding & np.array(silence, dtype=np.bool_)

    @cached_property
    def sense(self) -> Floats:
        """float64[f]: 1 where more plainly raises the risk, -1 where it lowers it, else 0."""
        aggregates = [_aggregate(self.bundle.catalog, name) for name in self.columns]
        signs = [float(of in _MORE_RAISES) - float(of in _MORE_LOWERS) for of in aggregates]
        return np.where(self.deciding & np.isfinite(self.typical), signs, 0.0)

    @cached_property
    def absence(self) -> NDArray[np.int8]:
        """int8[f]: which values of a column say that nothing happened (`ColumnWeights`)."""
        catalog = self.bundle.catalog
        return np.array(
            [_ABSENCES.get(_aggregate(catalog, name), kernels.NEVER) for name in self.columns], dtype=np.int8
        )

    @cached_property
    def stream(self) -> Integers:
        """int64[f]: a number for the stream that a column reads."""
        names = [root_of(self.bundle.catalog, name).stream for name in self.columns]
        places = {name: at for at, name in enumerate(dict.fromkeys(names))}
        return np.array([places[name] for name in names], dtype=np.int64)

    @cached_property
    def weights(self) -> ColumnWeights:
        """How good a reason each column makes."""
        above, below = self.same
        return ColumnWeights(
            self.plainness,
            self.details,
            self.silent,
            self.typical,
            self.near,
            _AS_USUAL,
            above,
            below,
            self.sense,
            self.absence,
            self.stream,
        )

    @staticmethod
    def _grouped(keys: Sequence[str]) -> Groups:
        places = {name: at for at, name in enumerate(dict.fromkeys(keys))}
        group = np.array([places[name] for name in keys], dtype=np.int64)
        starts = np.cumsum([0, *np.bincount(group, minlength=len(places))])
        return Groups(starts, np.argsort(group, kind="stable"))


def root_of(catalog: Catalog, column: str) -> Feature:
    feature = catalog.feature_of[column]
    return feature if isinstance(feature, Feature) else root_of(catalog, feature.first)


def _aggregate(catalog: Catalog, column: str) -> str:
    """What a column computes: the operation of a derived one, else its aggregate."""
    feature = catalog.feature_of[column]
    return feature.operation if isinstance(feature, Derived) else feature.aggregate


def thing_of(catalog: Catalog, column: str) -> str:
    """What a column is about: its indicator, or `tenure`."""
    return (
        "tenure" if root_of(catalog, column).aggregate == "days_since_first" else catalog.indicator_of(column)
    )


def _side(catalog: Catalog, column: str) -> str:
    return _SIDE_OF.get(root_of(catalog, column).aggregate, "amount")


def aspect_of(catalog: Catalog, column: str) -> str:
    """What of its indicator a column is about. How lately and how often are one matter: the rhythm."""
    aggregate = root_of(catalog, column).aggregate
    if aggregate in _RHYTHM or _side(catalog, column) in ("recency", "frequency"):
        return "rhythm"
    return _side(catalog, column)


def _quantity(catalog: Catalog, column: str) -> Quantity:
    feature, unit = catalog.feature_of[column], catalog.unit(column)
    if unit == "share" or (isinstance(feature, Derived) and feature.operation in ("trend", "ratio")):
        return "percentage"
    quantities: dict[str, Quantity] = {"days": "days", "minutes": "minutes", "ratio": "multiple"}
    return quantities.get(unit, "number")
