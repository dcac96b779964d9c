"""The rows that models learn from and are judged on: the cohort at each as-of date, with its labels.

Rows stand in the order of customer id and date, whatever keys the store gave, so that the same past
gives the same model.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.catalog.definitions import Catalog
from features.engine.snapshot import Priors, Snapshot, snapshot
from features.errors import DataError
from features.event_store import EventStore
from features.events.history import History, events_of_kinds
from features.events.schema import ATTRIBUTE
from features.timeline import ALWAYS, DAY, Timeline
from training.bundle.tiers import index_columns
from training.labels.cohort import cohorts
from training.labels.labelling import label
from training.labels.settings import Churn

Floats = NDArray[np.float64]
Hashes = NDArray[np.uint64]

MOST_ROWS = 1_500_000
"""More rows than this are thinned evenly: they cost memory and teach nothing new."""

MOST_NUMBERS = 250_000_000
"""The same of rows × features: 2 GB, and fitting holds parts of them twice."""

ARRAYS = ("keys", "hashes", "as_of", "matrix", "churned", "value", "after")


@dataclass(frozen=True)
class DataExtent:
    """What a past holds: its extent, its kinds of event, and a digest of its content."""

    first: int
    """The first event that puts a customer in the cohort: before it there was nobody to lose."""
    newest: int
    acted: int
    """The newest event that was not the company's own doing."""
    kinds: tuple[str, ...]
    customers: int
    events: int
    digest: str


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

    def __len__(self) -> int:
        return len(self.keys)

    def where(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> LabelledRows:
        """The chosen rows."""
        arrays: dict[str, Any] = {name: getattr(self, name)[chosen] for name in ARRAYS}
        return replace(self, **arrays)

    def on(self, dates: Collection[int]) -> LabelledRows:
        """The rows of these as-of dates."""
        return self.where(np.isin(self.as_of, list(dates)))

    @property
    def now(self) -> Snapshot:
        return Snapshot(self.keys, self.as_of, self.columns, self.matrix)

    @property
    def next(self) -> Snapshot:
        """The columns of the engagement index at the end of the horizon."""
        return Snapshot(self.keys, self.as_of, self.after_columns, self.after)


def data_extent(
    store: EventStore,
    until: int | None,
    churn: Churn,
    timeline: Timeline,
    company: Collection[str] = frozenset(),
) -> DataExtent:
    """Look through everything before `until`; `company` names the kinds that are the company's own doing.

    Raises `DataError` when there is nothing.
    """
    first, newest, acted, customers, events, total = 2**62, -1, -1, 0, 0, 0
    kinds: set[str] = set()
    for history in store.histories(until=until):
        if not history.events:
            continue
        kinds |= {history.kind_names[code] for code in np.unique(history.kinds)}
        done = ~np.array([name.startswith(ATTRIBUTE) for name in history.kind_names])[history.kinds]
        starts = events_of_kinds(history, churn.started_by)
        if starts.any():
            first = min(first, int(history.instants[starts].min()))
        if done.any():
            newest = max(newest, int(history.instants[done].max()))
        done &= ~events_of_kinds(history, company)
        if done.any():
            acted = max(acted, int(history.instants[done].max()))
        customers += int((np.diff(history.offsets) > 0).sum())
        events += history.events
        total += _content(history, customer_hashes(store, history.keys))
    if newest < 0:
        before = "" if until is None else f" before {timeline.name(until)}"
        raise DataError(f"cannot train: there are no events{before}. Ingest them with `kizuna ingest`.")
    if first == 2**62:
        raise DataError(
            f"cannot train: nobody can leave, because no event is of a kind that [churn] counts on "
            f"({', '.join(churn.started_by)}). The kinds there are: {', '.join(sorted(kinds))}."
        )
    return DataExtent(
        first, newest, acted, tuple(sorted(kinds)), customers, events, f"{events}-{total % 2**64:016x}"
    )


def dataset(
    store: EventStore,
    catalog: Catalog,
    churn: Churn,
    timeline: Timeline,
    priors: Priors,
    dates: Sequence[int],
    past: DataExtent,
    until: int | None,
) -> LabelledRows:
    """The cohort's features and labels at each date, thinned evenly above `MOST_ROWS` or `MOST_NUMBERS`."""
    most = min(MOST_ROWS, MOST_NUMBERS // max(1, len(catalog.columns)))
    share = min(1.0, most / max(1, past.customers * len(dates)))
    after = _part(catalog, index_columns(catalog, churn))
    parts = [
        _rows(
            history,
            customer_hashes(store, history.keys),
            catalog,
            after,
            churn,
            timeline,
            priors,
            dates,
            past,
            share,
        )
        for history in store.histories(until=until)
        if history.events
    ]
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in ARRAYS
    }
    every = LabelledRows(columns=catalog.columns, after_columns=after.columns, **arrays)
    names = store.customers.names(every.keys)
    order = pc.sort_indices(
        pa.table({"name": names, "as_of": every.as_of}),
        sort_keys=[("name", "ascending"), ("as_of", "ascending")],
    )
    return every.where(order.to_numpy().astype(np.int64))


def matrix_of(
    store: EventStore,
    catalog: Catalog,
    timeline: Timeline,
    priors: Priors,
    rows: LabelledRows,
    until: int | None,
) -> Floats:
    """float64[n, f]: the features of another catalogue for the same customers and dates."""
    matrix = np.full((len(rows), len(catalog.columns)), np.nan)
    for history in store.histories(until=until):
        mine = np.isin(rows.keys, history.keys)
        if mine.any():
            matrix[mine] = snapshot(
                history, catalog, timeline, rows.keys[mine], rows.as_of[mine], priors
            ).matrix
    return matrix


def customer_hashes(store: EventStore, keys: NDArray[np.int64]) -> Hashes:
    """uint64[n]: a well-mixed hash of each customer id."""
    names = store.customers.names(keys).to_pylist()
    return shuffled_by_customer(
        np.array([zlib.crc32((name or "").encode()) for name in names], dtype=np.uint64)
    )


def shuffled_by_customer(x: Hashes) -> Hashes:
    """SplitMix64: every bit of the input reaches every bit of the output."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


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
) -> LabelledRows:
    known = cohorts(history, churn, dates)
    keys = np.concatenate(known)
    as_of = np.repeat(np.array(dates, dtype=np.int64), [len(one) for one in known])
    order = np.lexsort((as_of, keys))
    keys, as_of = keys[order], as_of[order]
    mine = hashes[np.searchsorted(history.keys, keys)]
    if share < 1.0:
        kept = shuffled_by_customer(mine ^ shuffled_by_customer(as_of.astype(np.uint64))) < np.uint64(
            int(share * 2**64)
        )
        keys, as_of, mine = keys[kept], as_of[kept], mine[kept]
    labels = label(history, churn, keys, as_of, past.newest, timeline)
    return LabelledRows(
        keys=keys,
        hashes=mine,
        as_of=as_of,
        matrix=snapshot(history, catalog, timeline, keys, as_of, priors).matrix,
        churned=labels.churned,
        value=labels.value,
        after=snapshot(history, after, timeline, keys, as_of + churn.horizon.reach * DAY).matrix,
        columns=catalog.columns,
        after_columns=after.columns,
    )


def _part(catalog: Catalog, columns: Collection[str]) -> Catalog:
    """The catalogue of these columns only."""
    return replace(catalog, features=tuple(f for f in catalog.features if f.name in columns))


def _content(history: History, hashes: Hashes) -> int:
    """The sum of the events' hashes: the same for the same events in any order and under any keys.

    Every column that features read counts; of the event ids, the order they give to events at one instant.
    """

    def texts(names: tuple[str, ...], codes: NDArray[np.int32]) -> Hashes:
        table = np.array([*(zlib.crc32(name.encode()) for name in names), 0], dtype=np.uint64)
        return table[codes]

    known = history.recorded if len(history.recorded) else np.full(history.events, ALWAYS)
    events = shuffled_by_customer(
        np.repeat(hashes, np.diff(history.offsets)) + history.instants.astype(np.uint64)
    )
    for column in (
        texts(history.kind_names, history.kinds),
        texts(history.channel_names, history.channels),
        texts(history.place_names, history.places),
        texts(history.detail_names, history.details),
        known.astype(np.uint64),
        _turn(history),
        np.where(np.isnan(history.values), -0.0, history.values).view(np.uint64),
    ):
        events = shuffled_by_customer(events + column)
    return int(events.sum(dtype=np.uint64))


def _turn(history: History) -> Hashes:
    """uint64[n]: how many of the customer's events at the same instant come before."""
    at = np.arange(history.events)
    begins = np.ones(history.events, dtype=np.bool_)
    begins[1:] = history.instants[1:] != history.instants[:-1]
    begins[history.offsets[:-1][np.diff(history.offsets) > 0]] = True
    return (at - np.maximum.accumulate(np.where(begins, at, 0))).astype(np.uint64)
