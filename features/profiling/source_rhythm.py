"""The rhythm of each source: its newest event, the pauses between its days, whether it has ended."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.profiling.event_days import EventDays
from features.profiling.rhythm import last_day, stopped, usual_pause
from features.timeline import DAY, Timeline

LEAST_SILENCE = 7
"""Days after the newest event of a source up to which it is taken to go on, however often events came."""
UNKNOWN_PAUSE = 365
"""Days after which a source that sent on too few days to have a usual pause is taken to be silent."""


@dataclass(frozen=True)
class SourceRhythm:
    """What the days of a source's events say of it; instants in microseconds UTC."""

    source: str
    events: int
    newest: int
    """Its newest event."""
    usual_pause_days: float | None
    """Days without events that are still usual; None where there are too few days to know."""
    ended_on: str | None
    """The local day of its last events where it ended before the others, `YYYY-MM-DD`."""

    def silent_since(self, now: int, timeline: Timeline) -> str | None:
        """The local day of its last events where it ended before the others, or nothing came until `now` for
        longer than is usual and than `LEAST_SILENCE` days; None while events arrive."""
        pause = UNKNOWN_PAUSE if self.usual_pause_days is None else max(self.usual_pause_days, LEAST_SILENCE)
        if self.ended_on is None and now - self.newest > pause * DAY:
            return timeline.local(self.newest).date().isoformat()
        return self.ended_on


def source_rhythms(days: EventDays, timeline: Timeline) -> tuple[SourceRhythm, ...]:
    """The rhythm of every source, by name; a source ended where its pause is longer than is usual for it."""
    by_source = {
        name: [origin for origin in days.counts if origin.source == name]
        for name in sorted({origin.source for origin in days.counts})
    }
    counts = {name: days.days(origins) for name, origins in by_source.items()}
    end = max((last_day(count) for count in counts.values()), default=-1)

    def day(place: int) -> str:
        return timeline.local(int(timeline.midnights[days.first_day + place])).date().isoformat()

    rhythms = []
    for name, origins in by_source.items():
        last = stopped(counts[name], end)
        rhythms.append(
            SourceRhythm(
                name,
                int(np.sum(counts[name])),
                max(days.newest[origin] for origin in origins),
                usual_pause(counts[name]),
                None if last is None else day(last),
            )
        )
    return tuple(rhythms)
