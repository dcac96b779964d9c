"""The features of a cohort as a table: the rows that the champion reads, or that a training would.

Where the champion was trained with the present settings, its columns are computed with its own catalogue and
priors: the file gives, through the bundle or through `mlflow.pyfunc`, the scores of `kizuna score`. The table
is gathered here (`cohort_feature_table`), or written in parts where partitions are processed
(`training/data/feature_parts.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.catalog.definitions import Catalog, Indicator
from features.catalog.settings import FeatureSettings
from features.engine.snapshot import Priors, snapshot_with_texts
from features.errors import DataError
from features.event_store import EventStore
from features.events.history import History
from features.execution.base import Engine
from features.execution.local import HERE, map_partitions
from features.timeline import Timeline
from training.bundle.model_bundle import Bundle
from training.data.columns.churn_catalog import churn_catalog
from training.data.columns.indicator_details import indicator_details
from training.data.priors import learn_priors
from training.labels.cohort import cohort
from training.labels.settings import Churn

_Part = tuple[Catalog, Priors, tuple[str, ...]]
"""A catalogue, its priors, and which of its columns are wanted."""


@dataclass(frozen=True, eq=False)
class FeatureColumns:
    """The columns of a feature table and its as-of date: everything but the events."""

    parts: tuple[_Part, ...]
    churn: Churn
    timeline: Timeline
    as_of: int

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of features, in order."""
        return tuple(name for _, _, names in self.parts for name in names)

    def rows(self, history: History) -> tuple[NDArray[np.int64], pa.Table]:
        """The keys of the cohort among these customers, and a row of features for each, details as text."""
        keys = cohort(history, self.churn, self.as_of)
        dates = np.full(len(keys), self.as_of, dtype=np.int64)
        columns: dict[str, pa.Array] = {}
        for definitions, priors, names in self.parts:
            made, texts = snapshot_with_texts(history, definitions, self.timeline, keys, dates, priors)
            place = {column: at for at, column in enumerate(definitions.columns)}
            columns |= {
                name: texts[name]
                if name in texts
                else pa.array(np.ascontiguousarray(made.matrix[:, place[name]]))
                for name in names
            }
        return keys, pa.table(columns)

    def empty(self) -> DataError:
        """The error of a table without rows."""
        return DataError(
            f"cannot compute features as of {self.timeline.name(self.as_of)}: no customer then could still "
            "leave. Give another date with --as-of, or ingest more events with `kizuna ingest`."
        )


def feature_columns(
    store: EventStore,
    indicators: Sequence[Indicator],
    settings: FeatureSettings,
    churn: Churn,
    timeline: Timeline,
    as_of: int,
    champion: Bundle | None = None,
    consent: frozenset[str] = frozenset(),
    *,
    engine: Engine = HERE,
) -> FeatureColumns:
    """The columns of a feature table: those of the champion first, where it was trained with these settings.

    The others are computed with priors learned from what was known at the as-of date.
    """
    store = store.pinned()
    kinds = map_partitions(store, _KindNames, until=as_of, columns=frozenset(), engine=engine).kinds
    present = churn_catalog(
        indicators,
        settings,
        kinds,
        churn,
        consent,
        indicator_details(store, indicators, as_of, as_of, engine=engine),
    )
    parts: list[_Part] = []
    if champion is not None and _fits(champion, present, settings, churn, timeline):
        parts.append((champion.catalog, champion.priors, champion.catalog.columns))
    known = {column for _, _, columns in parts for column in columns}
    rest = tuple(column for column in present.columns if column not in known)
    if rest:
        learned = learn_priors(store, present, timeline, as_of, until=as_of, engine=engine)
        parts.append((present, learned, rest))
    return FeatureColumns(tuple(parts), churn, timeline, as_of)


def cohort_feature_table(
    store: EventStore,
    columns: FeatureColumns,
    progress: Callable[[str, float], None] | None = None,
    *,
    engine: Engine = HERE,
) -> pa.Table:
    """`customer_id` and one column per feature, details as text; one row for each customer of the cohort.

    Raises `DataError` where the cohort is empty.
    """
    store, until, new = store.pinned(), columns.as_of, partial(_FeatureTables, columns)
    found = map_partitions(store, new, "computing features", until=until, progress=progress, engine=engine)
    table = pa.concat_tables(found.tables)
    if table.num_rows == 0:
        raise columns.empty()
    return table.add_column(0, "customer_id", store.customers.names(np.concatenate(found.keys)))


def _fits(
    champion: Bundle, present: Catalog, settings: FeatureSettings, churn: Churn, timeline: Timeline
) -> bool:
    """Whether the champion was trained with these settings; only kinds of event seen since may differ."""
    return (
        champion.catalog.indicators == present.indicators
        and champion.settings.get("features") == settings.model_dump(mode="json")
        and champion.churn == churn
        and champion.timezone == timeline.timezone
    )


@dataclass
class _KindNames:
    """The kinds of event that there are."""

    kinds: set[str] = field(default_factory=set)

    def add(self, history: History) -> None:
        self.kinds |= {history.kind_names[code] for code in np.unique(history.kinds)}

    def merge(self, other: _KindNames) -> None:
        self.kinds |= other.kinds


@dataclass
class _FeatureTables:
    """The features of each bucket's cohort: numbers, and details as text."""

    columns: FeatureColumns
    keys: list[NDArray[np.int64]] = field(default_factory=list)
    tables: list[pa.Table] = field(default_factory=list)

    def add(self, history: History) -> None:
        keys, table = self.columns.rows(history)
        self.keys.append(keys)
        self.tables.append(table)

    def merge(self, other: _FeatureTables) -> None:
        self.keys += other.keys
        self.tables += other.tables
