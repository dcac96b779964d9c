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

from features import array_pool
from features.catalog.definitions import Catalog
from features.engine.evaluate import DatedNumbers
from features.engine.snapshot import Priors, snapshot
from features.event_store import EventStore
from features.events.history import History
from features.execution.base import Engine
from features.execution.local import HERE, map_partitions
from features.timeline import Timeline
from training.bundle.tiers import index_columns
from training.data.customer_hashes import Hashes, customer_hashes, in_first_share, row_hashes
from training.data.extent import DataExtent
from training.data.rows.labelled_rows import ARRAYS, ROWS_AT_ONCE, LabelledRows
from training.data.rows.row_buffer import RowBuffer, permute_rows
from training.labels.cohort import cohorts
from training.labels.labelling import label
from training.labels.settings import Churn

Floats = NDArray[np.float64]

MOST_ROWS = 1_500_000
"""More rows than this are thinned evenly: they cost memory and teach nothing new."""

MOST_NUMBERS = 250_000_000
"""The same of rows × features: 1 GB, of which fitting copies the rows that it learns from."""


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
    *,
    engine: Engine = HERE,
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
    new = partial(_RowsAccumulator, store, rows, _room(past.customers * len(dates), share))
    found = map_partitions(store, new, until=until, retractions=True, engine=engine)
    array_pool.release()
    whole = found.whole()
    order = pc.sort_indices(
        pa.table({"name": store.customers.names(whole.keys), "as_of": whole.as_of}),
        sort_keys=[("name", "ascending"), ("as_of", "ascending")],
    ).to_numpy()
    return _in_order(whole, order.astype(np.int64))


def _room(rows: int, share: float) -> int:
    """How many rows there may be: all, or somewhat more than are expected of a sample."""
    return rows if share >= 1.0 else int(share * rows * 1.05) + ROWS_AT_ONCE


def _in_order(rows: LabelledRows, order: NDArray[np.int64]) -> LabelledRows:
    """The rows in this order; features are moved within their place, so that they are never there twice."""
    arrays: dict[str, Any] = {name: getattr(rows, name)[order] for name in ARRAYS}
    permute_rows(rows.stored, order)
    permute_rows(rows.after, order)
    return replace(rows, **arrays)


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
    """The labelled rows of each bucket; the merged one alone has room for the features of all."""

    store: EventStore
    rows: Callable[[History, Hashes], LabelledRows]
    room: int
    parts: list[LabelledRows] = field(default_factory=list)
    buffer: RowBuffer | None = None

    def add(self, history: History) -> None:
        if history.events:
            self.parts.append(self.rows(history, customer_hashes(self.store, history.keys)))

    def merge(self, other: _RowsAccumulator) -> None:
        for part in other.parts:
            self.buffer = self.buffer or RowBuffer(self.room, part.stored.shape[1])
            self.buffer.append(part.stored)
            self.parts.append(replace(part, stored=np.empty((0, 0), np.float32)))

    def whole(self) -> LabelledRows:
        """The rows of all buckets, one after the other."""
        arrays: dict[str, Any] = {
            name: np.concatenate([getattr(part, name) for part in self.parts]) for name in ARRAYS
        }
        stored = np.empty((0, 0), np.float32) if self.buffer is None else self.buffer.rows
        after = np.concatenate([part.after for part in self.parts])
        return replace(self.parts[0], stored=stored, after=after, **arrays)


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
    ends = churn.horizon.end(as_of)
    features = snapshot(history, catalog, timeline, keys, as_of, priors, dated=dated)
    return LabelledRows(
        keys=keys,
        hashes=mine,
        as_of=as_of,
        stored=features.matrix.astype(np.float32),
        churned=labels.churned,
        value=labels.value,
        after=snapshot(history, after, timeline, keys, ends).matrix.astype(np.float32),
        columns=catalog.columns,
        after_columns=after.columns,
    )


def _part(catalog: Catalog, columns: Collection[str]) -> Catalog:
    """The catalogue of these columns only."""
    return replace(catalog, features=tuple(f for f in catalog.features if f.name in columns))
