"""The rhythm of sources: newest event, usual pause, and which of them ended before the others."""

from __future__ import annotations

import numpy as np

from features.profiling.event_days import EventDays, EventOrigin
from features.profiling.source_rhythm import source_rhythms
from features.timeline import DAY, Timeline


def test_a_source_that_stays_away_longer_than_it_usually_does_has_ended() -> None:
    timeline = Timeline("UTC")
    first = int(np.searchsorted(timeline.midnights, timeline.instant("2024-01-01")))
    daily, weekly, gone, rare = (np.zeros(100, dtype=np.int64) for _ in range(4))
    daily[:] = 5
    weekly[::7] = 40
    gone[:60] = 5
    rare[[3, 90]] = 1
    days = {"daily": daily, "gone": gone, "rare": rare, "weekly": weekly}
    origins = {EventOrigin(name, "visit"): count for name, count in days.items()}
    newest = {origin: int(np.flatnonzero(count)[-1]) * DAY for origin, count in origins.items()}
    found = source_rhythms(EventDays(first, origins, newest, dict.fromkeys(origins, 0)), timeline)
    assert [(one.source, one.events, one.usual_pause_days, one.ended_on) for one in found] == [
        ("daily", 500, 2.0, None),
        ("gone", 300, 2.0, "2024-02-29"),
        ("rare", 2, None, None),
        ("weekly", 600, 14.0, None),
    ]
    assert found[0].newest == 99 * DAY
    soon, years = timeline.instant("1970-04-18"), timeline.instant("1978-01-01")
    assert [one.silent_since(soon, timeline) for one in found] == ["1970-04-10", "2024-02-29", None, None]
    since = [one.silent_since(years, timeline) for one in found]
    assert since == ["1970-04-10", "2024-02-29", "1970-04-01", "1970-04-09"], "judged against now"
    assert source_rhythms(EventDays(0, {}, {}, {}), timeline) == ()
