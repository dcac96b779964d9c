"""Events that come a few at a time: sent by programs, or noted by people."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from features.events.history import History
from features.ingestion.receipt import Receipt
from features.ingestion.session.run import IngestRun
from features.timeline import Timeline


def added(ingest: IngestRun, table: pa.Table, source: str, timeline: Timeline) -> Receipt:
    """Take events in; of one id the later corrects the earlier."""
    ingest.take(table, source, timeline)
    return ingest.finish(in_turn=True)[0]


def added_fresh(ingest: IngestRun, table: pa.Table, history: History, source: str, timeline: Timeline) -> int:
    """Take in those events of a customer whose ids their history does not have; gives how many."""
    known = pa.array(history.event_ids, pa.string())
    fresh = table.filter(pc.invert(pc.is_in(table.column("event_id"), value_set=known)))
    if not fresh.num_rows:
        return 0
    ingest.take(fresh, source, timeline)
    (receipt,) = ingest.finish(in_turn=True, fresh=True)
    return 0 if receipt.quarantined or receipt.erased else int(fresh.num_rows)
