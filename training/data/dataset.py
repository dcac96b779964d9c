"""The rows that models learn from and are judged on: the cohort at each as-of date, with its labels.

Rows stand in the order of customer id and date, whatever keys the store gave, so that the same past
gives the same model.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.catalog.definitions import Catalog
from features.engine.evaluate import DatedNumbers
from features.engine.snapshot import Priors, Snapshot, snapshot
from features.event_store import EventStore
from features.events.history import History
from features.execution.local import map_partitions
from features.timeline import Timeline
from training.bundle.tiers import index_columns
from training.data.customer_hashes import Hashes, customer_hashes, in_first_share, row_hashes
from training.data.extent import DataExtent
from training.labels.cohort import cohorts
from training.labels.labelling import label
from training.labels.settings import Churn

Floats = NDArray[np.float64]

MOST_ROWS = 1_500_000
"""More rows than this are thinned evenly: they cost memory and teach nothing new."""

MOST_NUMBERS = 250_000_000
"""The same of rows × features: 2 GB, and fitting holds parts of them twice."""

ARRAYS = ("keys", "hashes", "as_of", "matrix", "churned", "value", "after")


@dataclass(frozen=True, eq=False)
class LabelledRows:
    """Customers of the cohort at as-of dates: what was known, and what became of them."""

    keys: NDArray[np.int64]
    hashes: Hashes
    """uint64[n]: of the customer id, for folds and samples that do not depend on keys."""
    as_of: NDArray[np.int64]
    matrix: Floats
    churned: NDArray[np.bool_]
    value: Floats
    after: Floats
    """float64[n, len(after_columns)]: what the tier of the next period is read off."""
    columns: tuple[str, ...]
    after_columns: tuple[str, ...]
    weight: Floats | None = None
    """float64[n]: how often each row counts; None where every row counts once."""

    def __len__(self) -> int:
        return len(self.keys)

    def where(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> LabelledRows:
        """The chosen rows; these same ones, uncopied, where all are."""
        if chosen.dtype == np.bool_:
            if chosen.all():
                return self
            chosen = np.flatnonzero(chosen)
        arrays: dict[str, Any] = {name: getattr(self, name).take(chosen, axis=0) for name in ARRAYS}
        return replace(self, weight=None if self.weight is None else self.weight[chosen], **arrays)

    @property
    def weight_or_ones(self) -> Floats:
        """float64[n]: how often each row counts."""
        return np.ones(len(self)) if self.weight is None else self.weight

    def on(self, dates: Collection[int]) -> LabelledRows:
        """The rows of these as-of dates."""
        return self.where(np.isin(self.as_of, list(dates)))

    @property
    def bare(self) -> LabelledRows:
        """The rows without features: a small part of their memory."""
        nothing = np.zeros((len(self), 0))
        return replace(self, matrix=nothing, after=nothing, columns=(), after_columns=())

    @property
    def now(self) -> Snapshot:
        return Snapshot(self.keys, self.as_of, self.columns, self.matrix)

    @property
    def next(self) -> Snapshot:
        """The columns of the engagement index at the end of the horizon."""
        return Snapshot(self.keys, self.as_of, self.after_columns, self.after)


def customers_by_outcome(rows: LabelledRows) -> tuple[int, int]:
    """How many customers left on some row, and how many stayed on some row."""
    left, stayed = (len(np.unique(rows.keys[mine])) for mine in (rows.churned, ~rows.churned))
    return left, stayed


def most_rows(columns: int) -> int:
    """How many rows of so many columns are learned from; more are thinned evenly."""
    return min(MOST_ROWS, MOST_NUMBERS // max(1, columns))


def share_of_rows(columns: int, customers: int, dates: int) -> float:
    """The share of the rows of so many customers and dates that is learned from; the rest is thinned out."""
    return min(1.0, most_rows(columns) / max(1, customers * dates))


def dataset(
    store: EventStore,
    catalog: Catalog,
    churn: Churn,
    timeline: Timeline,
    priors: Priors,
    dates: Sequence[int],
    past: DataExtent,
    until: int | None,
    dated: DatedNumbers | None = None,
) -> LabelledRows:
    """The cohort's features and labels at each date, thinned evenly above `MOST_ROWS` or `MOST_NUMBERS`.

    `dated` has the numbers of the population as of each date, in place of those of the priors.
    """
    share = share_of_rows(len(catalog.columns), past.customers, len(dates))
    after = _part(catalog, index_columns(catalog, churn))
    rows = partial(
        _rows,
        catalog=catalog,
        after=after,
        churn=churn,
        timeline=timeline,
        priors=priors,
        dates=dates,
        past=past,
        share=share,
        dated=dated,
    )
    parts = map_partitions(store, partial(_RowsAccumulator, store, rows), until=until, retractions=True).parts
    keys, as_of = (np.concatenate([getattr(part, name) for part in parts]) for name in ("keys", "as_of"))
    order = pc.sort_indices(
        pa.table({"name": store.customers.names(keys), "as_of": as_of}),
        sort_keys=[("name", "ascending"), ("as_of", "ascending")],
    )
    return _in_order(parts, order.to_numpy().astype(np.int64))


def _in_order(parts: list[LabelledRows], order: NDArray[np.int64]) -> LabelledRows:
    """The rows of all parts, end to end, in this order; takes the parts out of their list.

    The features are there twice at most: each part goes to its place and is let go.
    """
    places = np.empty_like(order)
    places[order] = np.arange(len(order))
    arrays: dict[str, Any] = {
        name: np.empty((len(order), *array.shape[1:]), array.dtype)
        for name, array in ((name, getattr(parts[0], name)) for name in ARRAYS)
    }
    whole = replace(parts[0], **arrays)
    end = len(order)
    while parts:
        part = parts.pop()
        mine = places[end - len(part) : end]
        for name in ARRAYS:
            getattr(whole, name)[mine] = getattr(part, name)
        end -= len(part)
    return whole


def matrix_of(
    store: EventStore,
    catalog: Catalog,
    timeline: Timeline,
    priors: Priors,
    rows: LabelledRows,
    until: int | None,
    dated: DatedNumbers | None = None,
) -> Floats:
    """float64[n, f]: the features of another catalogue for the same customers and dates.

    `dated` is that of `dataset`.
    """
    part = partial(_MatrixAccumulator, catalog, timeline, priors, rows, dated)
    whole = map_partitions(store, part, until=until, retractions=True)
    return whole.matrix


@dataclass
class _RowsAccumulator:
    """The labelled rows of each bucket."""

    store: EventStore
    rows: Callable[[History, Hashes], LabelledRows]
    parts: list[LabelledRows] = field(default_factory=list)

    def add(self, history: History) -> None:
        if history.events:
            self.parts.append(self.rows(history, customer_hashes(self.store, history.keys)))

    def merge(self, other: _RowsAccumulator) -> None:
        self.parts += other.parts


@dataclass
class _MatrixAccumulator:
    """The features of given rows; the merged one alone holds the whole matrix."""

    catalog: Catalog
    timeline: Timeline
    priors: Priors
    rows: LabelledRows
    dated: DatedNumbers | None
    parts: list[tuple[NDArray[np.bool_], Floats]] = field(default_factory=list)

    @cached_property
    def matrix(self) -> Floats:
        """float64[n, f], NaN for rows of customers whom no bucket has."""
        return np.full((len(self.rows), len(self.catalog.columns)), np.nan)

    def add(self, history: History) -> None:
        mine, rows = np.isin(self.rows.keys, history.keys), self.rows
        if mine.any():
            keys, as_of = rows.keys[mine], rows.as_of[mine]
            features = snapshot(
                history, self.catalog, self.timeline, keys, as_of, self.priors, dated=self.dated
            )
            self.parts.append((mine, features.matrix))

    def merge(self, other: _MatrixAccumulator) -> None:
        for mine, features in other.parts:
            self.matrix[mine] = features


def _rows(
    history: History,
    hashes: Hashes,
    catalog: Catalog,
    after: Catalog,
    churn: Churn,
    timeline: Timeline,
    priors: Priors,
    dates: Sequence[int],
    past: DataExtent,
    share: float,
    dated: DatedNumbers | None,
) -> LabelledRows:
    known = cohorts(history, churn, dates)
    keys = np.concatenate(known)
    as_of = np.repeat(np.array(dates, dtype=np.int64), [len(one) for one in known])
    order = np.lexsort((as_of, keys))
    keys, as_of = keys[order], as_of[order]
    mine = hashes[np.searchsorted(history.keys, keys)]
    if share < 1.0:
        sampled = in_first_share(row_hashes(mine, as_of), share)
        keys, as_of, mine = keys[sampled], as_of[sampled], mine[sampled]
    labels = label(history, churn, keys, as_of, past.coverage.covered_until, timeline)
    return LabelledRows(
        keys=keys,
        hashes=mine,
        as_of=as_of,
        matrix=snapshot(history, catalog, timeline, keys, as_of, priors, dated=dated).matrix,
        churned=labels.churned,
        value=labels.value,
        after=snapshot(history, after, timeline, keys, churn.horizon.end(as_of)).matrix,
        columns=catalog.columns,
        after_columns=after.columns,
    )


def _part(catalog: Catalog, columns: Collection[str]) -> Catalog:
    """The catalogue of these columns only."""
    return replace(catalog, features=tuple(f for f in catalog.features if f.name in columns))
