"""Details that are few are columns of their own, as far as they were known before the first as-of date."""

from __future__ import annotations

from pathlib import Path

from features.catalog.defaults import indicators
from features.event_store import EventStore
from features.ingestion.sources import Source
from features.timeline import Timeline
from training.data.columns.indicator_details import indicator_details

UTC = Timeline("UTC")


def test_two_to_eight_details_that_were_known_then_are_found(tmp_path: Path) -> None:
    lines = ["customer_id,occurred_at,kind,detail"]
    for n in range(200):
        at = f"2024-01-{1 + n % 28:02} 10:00"
        lines.append(f"c{n},{at},login,{'search' if n % 3 else 'save'}")
        lines.append(f"c{n},{at},article_read,title {n % 20}")
        lines.append(f"c{n},{at},started,{'basic' if n % 2 else 'plus'}")
        lines.append(f"c{n},{at},nps,{'store' if n % 2 else 'web'}")
        lines.append(f"c{n},{at},purchase,food")
        lines.append(f"c{n},2024-02-01 10:00,login,share")
        lines.append(f"c{n},2024-02-01 10:00,purchase,books")
    lines.append("c1,2024-01-05 10:00,login,once")
    (tmp_path / "events.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    store = EventStore(tmp_path / "state")
    source = Source(name="events", query="select * from 'events.csv'")
    store.ingest([source], [], folder=tmp_path, timeline=UTC, now=UTC.instant("2024-06-01"))
    known = indicator_details(store, indicators({}), UTC.instant("2024-02-01"), None)
    assert known == {"usage": ("search", "save")}
    later = indicator_details(store, indicators({}), UTC.instant("2024-03-01"), None)
    assert later == {"usage": ("share", "search", "save"), "purchase": ("books", "food")}
    assert indicator_details(store, indicators({}), UTC.instant("2024-03-01"), UTC.instant("2024-02-01")) == (
        known
    )
