"""The engagement index, and the one home of score → tier.

The index runs from 0 to 100: the mean of frequency, breadth, recency and value, each read off the
cohort's own quantiles. Attitude (surveys) and what the company does stay apart. Quantiles and
cut-points are frozen when a model is trained, so that a tier means the same until the next training.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator

from features.catalog.definitions import Catalog, Feature
from features.engine.snapshot import Snapshot
from training.labels.settings import Churn

if TYPE_CHECKING:
    from training.bundle.tier_kernels import TierCurves

Floats = NDArray[np.float64]
Side = Literal["frequency", "breadth", "recency", "value"]


class TierSettings(BaseModel):
    """The `[tiers]` part of `kizuna.toml`: engagement levels by name, lowest first."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    names: tuple[str, ...] = Field(
        ("dormant", "cooling", "casual", "engaged", "devoted"),
        min_length=2,
        max_length=10,
        description="the engagement tiers, lowest first",
    )

    @field_validator("names")
    @classmethod
    def _different(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(names)) < len(names) or not all(name.strip() for name in names):
            raise ValueError("each tier needs a name of its own")
        return names


@dataclass(frozen=True)
class TierPart:
    """One column of the index, or several of which it counts those above zero."""

    side: Side
    columns: tuple[str, ...]
    weight: float
    """Its share of its side: the share of the cohort about whom it says something."""
    at: tuple[float, ...]
    """Values of the cohort, ascending."""
    rank: tuple[float, ...]
    """The share of the cohort below each, half of those equal included."""


@dataclass(frozen=True)
class TierScale:
    """Frozen quantiles and cut-points: features → engagement index → tier."""

    names: tuple[str, ...]
    cuts: tuple[float, ...]
    """The lowest index of each tier but the first, ascending."""
    parts: tuple[TierPart, ...]

    def index(self, snapshot: Snapshot) -> Floats:
        """float64[n]: the engagement index, 0..100, of each row: the mean over sides of the weighted mean
        over a side's parts, times 100."""
        from training.bundle.tier_kernels import indices  # compiled: not needed to read settings

        places = _places(self.columns, snapshot.columns)
        index: Floats = indices(np.ascontiguousarray(snapshot.matrix), places, self._curves)
        return index

    @cached_property
    def _cuts(self) -> Floats:
        return np.array(self.cuts)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The columns that the index reads."""
        return tuple(column for part in self.parts for column in part.columns)

    @cached_property
    def _curves(self) -> TierCurves:
        """The parts one after the other, as `indices` takes them."""
        from training.bundle.tier_kernels import TierCurves  # compiled: not needed to read settings

        of_side = {
            side: sum(p.weight for p in self.parts if p.side == side) for side in _sides_of(self.parts)
        }
        return TierCurves(
            np.cumsum([0, *(len(part.columns) for part in self.parts)]),
            np.array([part.side == "recency" for part in self.parts]),
            np.array([part.weight / of_side[part.side] / len(of_side) for part in self.parts]),
            np.cumsum([0, *(len(part.at) for part in self.parts)]),
            np.array([value for part in self.parts for value in part.at]),
            np.array([share for part in self.parts for share in part.rank]),
        )

    def tier(self, index: Floats) -> NDArray[np.int8]:
        """int8[n]: positions in `names`, 0 = lowest."""
        tier: NDArray[np.int8] = np.searchsorted(self._cuts, index, side="right").astype(np.int8)
        return tier

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(d: dict[str, Any]) -> TierScale:
        lists = ("columns", "at", "rank")
        parts = tuple(
            TierPart(**{**part, **{name: tuple(part[name]) for name in lists}}) for part in d["parts"]
        )
        return TierScale(tuple(d["names"]), tuple(d["cuts"]), parts)


def index_columns(catalog: Catalog, churn: Churn) -> tuple[str, ...]:
    """The columns the index may read, in the catalogue's order."""
    wanted = {column for _, columns in index_sides(catalog, churn) for column in columns}
    return tuple(column for column in catalog.columns if column in wanted)


def index_sides(catalog: Catalog, churn: Churn) -> Iterator[tuple[Side, tuple[str, ...]]]:
    """The columns of each side: what customers did in the window nearest to the horizon."""
    behaviour = [
        indicator
        for indicator in catalog.indicators
        if indicator.origin == "customer" and not indicator.attitude
    ]
    days = _window(catalog, churn.horizon.days)
    counts = []
    for indicator in behaviour:
        sides: tuple[tuple[Side, str], ...] = (
            ("frequency", f"{indicator.name}_active_days_{days}d"),
            ("recency", f"{indicator.name}_days_since_last"),
            ("breadth", f"{indicator.name}_distinct_detail_{days}d"),
            ("value", f"{indicator.name}_sum_{days}d" if indicator.amounts else ""),
        )
        counts.append(f"{indicator.name}_count_{days}d")
        for side, column in sides:
            if column in catalog.columns:
                yield side, (column,)
    present = tuple(column for column in counts if column in catalog.columns)
    if len(present) > 1:
        yield "breadth", present


def _window(catalog: Catalog, horizon_days: int) -> int:
    windows = {
        feature.days
        for feature in catalog.features
        if isinstance(feature, Feature) and feature.aggregate == "count" and feature.days
    }
    return min(windows, key=lambda days: (abs(math.log(days / horizon_days)), days), default=0)


def _sides_of(parts: tuple[TierPart, ...]) -> tuple[Side, ...]:
    return tuple(dict.fromkeys(part.side for part in parts))


@lru_cache(maxsize=64)
def _places(columns: tuple[str, ...], names: tuple[str, ...]) -> NDArray[np.int64]:
    return np.array([names.index(column) for column in columns], dtype=np.int64)
