"""The feature table of a cohort at an as-of date."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pyarrow as pa

from features.catalog.defaults import catalog
from features.catalog.definitions import Catalog
from features.engine.snapshot import snapshot, texts
from features.errors import DataError
from features.event_store import EventStore
from features.events.history import History
from features.execution.local import map_partitions
from features.timeline import Timeline
from serving.application.permissions import Actor, use_case
from serving.application.workspace import Progress, Workspace
from training.labels.cohort import cohort
from training.labels.settings import Churn


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """`customer_id` and the catalogue's columns, one row for each customer of the cohort."""

    table: pa.Table


@use_case("analyse")
def export_features(
    workspace: Workspace, actor: Actor, as_of: str, progress: Progress | None = None
) -> FeatureTable:
    """The features of the cohort on a day; raises `DataError` where nobody could leave then."""
    project, store, as_of_instant = workspace.project, workspace.store.pinned(), workspace.instant(as_of)
    churn, timeline = project.churn, project.timeline
    kinds = map_partitions(store, KindNames, until=as_of_instant, columns=frozenset()).kinds
    definitions = catalog(
        project.indicators, project.settings.features, kinds, horizon_days=churn.horizon.reach
    )
    new = partial(_FeatureTables, store, definitions, churn, timeline, as_of_instant)
    parts = map_partitions(store, new, "computing features", until=as_of_instant, progress=progress).tables
    table = pa.concat_tables(parts)
    if table.num_rows == 0:
        raise DataError(
            f"cannot compute features as of {timeline.name(as_of_instant)}: no customer then could still "
            "leave. Give another date with --as-of, or ingest more events with `kizuna ingest`."
        )
    return FeatureTable(table)


@dataclass
class KindNames:
    """The kinds of event that there are."""

    kinds: set[str] = field(default_factory=set)

    def add(self, history: History) -> None:
        self.kinds |= {history.kind_names[code] for code in np.unique(history.kinds)}

    def merge(self, other: KindNames) -> None:
        self.kinds |= other.kinds


@dataclass
class _FeatureTables:
    """The features of each bucket's cohort."""

    store: EventStore
    definitions: Catalog
    churn: Churn
    timeline: Timeline
    as_of: int
    tables: list[pa.Table] = field(default_factory=list)

    def add(self, history: History) -> None:
        keys, definitions = cohort(history, self.churn, self.as_of), self.definitions
        dates = np.full(len(keys), self.as_of, dtype=np.int64)
        rows = snapshot(history, definitions, self.timeline, keys, dates)
        details = texts(history, definitions, self.timeline, keys, dates)
        columns = {
            name: pa.array(details[name], pa.string())
            if name in details
            else pa.array(np.ascontiguousarray(rows.matrix[:, place]))
            for place, name in enumerate(definitions.columns)
        }
        self.tables.append(pa.table({"customer_id": self.store.customers.names(keys), **columns}))

    def merge(self, other: _FeatureTables) -> None:
        self.tables += other.tables
