"""The feature table of a cohort at an as-of date."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from features.catalog.definitions import catalog
from features.engine.snapshot import snapshot, texts
from features.errors import DataError
from serving.application.permissions import Actor, use_case
from serving.application.workspace import Progress, Workspace
from training.labels.cohort import cohort


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
    churn, timeline, kinds = project.churn, project.timeline, set[str]()
    for history in store.histories(until=as_of_instant, columns=frozenset()):
        kinds |= {history.kind_names[code] for code in np.unique(history.kinds)}
    definitions = catalog(
        project.indicators, project.settings.features, kinds, horizon_days=churn.horizon.reach
    )
    parts = []
    for done, history in enumerate(store.histories(until=as_of_instant)):
        if progress:
            progress("computing features", done / len(store.buckets))
        keys = cohort(history, churn, as_of_instant)
        dates = np.full(len(keys), as_of_instant, dtype=np.int64)
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
            f"cannot compute features as of {timeline.name(as_of_instant)}: no customer then could still "
            "leave. Give another date with --as-of, or ingest more events with `kizuna ingest`."
        )
    return FeatureTable(table)
