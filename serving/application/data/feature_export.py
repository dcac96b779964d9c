"""Tables that people take away: the features of a cohort, written as Parquet in one step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.catalog.definitions import FeatureSettings, Indicator, catalog
from features.engine.snapshot import snapshot, texts
from features.errors import DataError
from features.event_store import EventStore
from features.timeline import Timeline
from serving.state.atomic_write import in_one_step
from training.labels.cohort import cohort
from training.labels.settings import Churn


def cohort_features(
    store: EventStore,
    indicators: Sequence[Indicator],
    settings: FeatureSettings,
    churn: Churn,
    timeline: Timeline,
    as_of: int,
    progress: Callable[[str, float], None],
) -> pa.Table:
    """`customer_id` and the catalogue's columns, one row for each customer of the cohort."""
    store, kinds = store.pinned(), set[str]()
    for history in store.histories(until=as_of, columns=frozenset()):
        kinds |= {history.kind_names[code] for code in np.unique(history.kinds)}
    definitions, parts = catalog(indicators, settings, kinds, horizon_days=churn.horizon.reach), []
    for done, history in enumerate(store.histories(until=as_of)):
        progress("computing features", done / len(store.buckets))
        keys = cohort(history, churn, as_of)
        dates = np.full(len(keys), as_of, dtype=np.int64)
        rows = snapshot(history, definitions, timeline, keys, dates)
        details = texts(history, definitions, timeline, keys, dates)
        columns = {
            name: pa.array(details[name], pa.string())
            if name in details
            else pa.array(np.ascontiguousarray(rows.matrix[:, place]))
            for place, name in enumerate(definitions.columns)
        }
        parts.append(pa.table({"customer_id": store.customers.names(keys), **columns}))
    table = pa.concat_tables(parts)
    if table.num_rows == 0:
        raise DataError(
            f"cannot compute features as of {timeline.name(as_of)}: no customer then could still leave. "
            "Give another date with --as-of, or ingest more events with `kizuna ingest`."
        )
    return table


def write_parquet(table: pa.Table, file: Path) -> None:
    """Write the table in one step: what was there stays until the new file is whole."""
    with in_one_step(file) as unfinished:
        pq.write_table(table, unfinished)
