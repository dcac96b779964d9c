"""Counts by customer that tell whether an id is a person: events, days, places, and when they stop."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from features.profiling.bucket_events import BucketEvents, Ints, is_opening
from features.timeline import DAY

TOP = 3
"""Busiest customers of a bucket whose places are counted."""
SILENT_DAYS = 90
"""Who did nothing for so many days but have messages opened is looked at."""
FEW_OPENS = 3


@dataclass(frozen=True)
class BusyCustomer:
    """One of the busiest customers."""

    key: int
    events: int
    days: int
    places: int


@dataclass
class CustomerPatterns:
    """Running counts over the buckets, one number for each customer with events, and each day."""

    window: int
    """Days before and after a day in which a customer counts as active there."""
    newest: int
    """The newest event of the store."""
    days: int
    keys: list[Ints] = field(default_factory=list)
    events: list[Ints] = field(default_factory=list)
    active_days: list[Ints] = field(default_factory=list)
    purchase_days: list[Ints] = field(default_factory=list)
    first: list[Ints] = field(default_factory=list)
    busy: list[BusyCustomer] = field(default_factory=list)
    openers: int = 0
    """Customers who had messages opened in the last `SILENT_DAYS`."""
    only_opens: int = 0
    """Those of them who did nothing else in that time."""

    def __post_init__(self) -> None:
        # Customers active in the window before each day, those of them seen again, and the same backwards.
        self.before, self.go_on, self.after, self.known = (
            np.zeros(self.days + self.window + 2, dtype=np.int64) for _ in range(4)
        )

    def add(self, bucket: BucketEvents) -> None:
        mine = bucket.by_customers
        if not mine.any():
            return
        who, day, instants = bucket.who[mine], bucket.day[mine], bucket.instants[mine]
        count = bucket.history.customers
        events = np.bincount(who, minlength=count)
        there = np.flatnonzero(events)
        fresh = np.r_[True, (who[1:] != who[:-1]) | (day[1:] != day[:-1])]
        self._count_turnover(who[fresh], day[fresh])
        active = np.bincount(who[fresh], minlength=count)
        bought = bucket.of_kinds([name == "purchase" for name in bucket.history.kind_names])[mine]
        pairs = np.unique(who[bought] * (bucket.days + 1) + day[bought]) // (bucket.days + 1)
        self.keys.append(bucket.history.keys[there])
        self.events.append(events[there])
        self.active_days.append(active[there])
        self.purchase_days.append(np.bincount(pairs, minlength=count)[there])
        self.first.append(instants[np.r_[True, who[1:] != who[:-1]]])
        places = bucket.codes("places")
        for row in np.argsort(-events, kind="stable")[:TOP].tolist():
            theirs = places[mine][who == row] if len(places) else places
            seen = len(np.unique(theirs[theirs >= 0]))
            key = int(bucket.history.keys[row])
            self.busy.append(BusyCustomer(key, int(events[row]), int(active[row]), seen))
        self._count_openers(bucket)

    def _count_turnover(self, who: Ints, day: Ints) -> None:
        """Each day of a customer makes them active on the days of a window around it."""
        end, window = len(self.before) - 1, self.window
        same = who[1:] == who[:-1]
        later = np.r_[np.where(same, day[1:], end), end]
        sooner = np.r_[-1, np.where(same, day[:-1], -1)]
        spans = (
            (self.before, slice(None), day + 1, np.minimum(day + window, later) + 1),
            (self.go_on, np.r_[same, False], day + 1, np.minimum(day + window, later) + 1),
            (self.after, slice(None), np.maximum(np.maximum(day - window, sooner) + 1, 0), day + 1),
            (self.known, np.r_[False, same], np.maximum(np.maximum(day - window, sooner) + 1, 0), day + 1),
        )
        for counts, chosen, start, stop in spans:
            counts += np.bincount(start[chosen], minlength=end + 1)[: end + 1]
            counts -= np.bincount(np.minimum(stop[chosen], end), minlength=end + 1)[: end + 1]

    def _count_openers(self, bucket: BucketEvents) -> None:
        names = bucket.history.kind_names
        opens = bucket.of_kinds([is_opening(name) for name in names])
        if not opens.any():
            return
        lately = bucket.instants >= self.newest - SILENT_DAYS * DAY
        count = bucket.history.customers
        opened = np.bincount(bucket.who[opens & lately], minlength=count) >= FEW_OPENS
        did = np.bincount(bucket.who[~opens & lately & bucket.by_customers], minlength=count) > 0
        self.openers += int(opened.sum())
        self.only_opens += int((opened & ~did).sum())

    def merge(self, other: CustomerPatterns) -> None:
        """Add the counts of later buckets."""
        for name in ("keys", "events", "active_days", "purchase_days", "first", "busy"):
            getattr(self, name).extend(getattr(other, name))
        for name in ("before", "go_on", "after", "known"):
            getattr(self, name).__iadd__(getattr(other, name))
        self.openers += other.openers
        self.only_opens += other.only_opens


def turnover_window(days: int) -> int:
    """How many days before and after a day tell who is active there: two months, less in a short record."""
    return max(7, min(60, days // 6))
