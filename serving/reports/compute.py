"""Walks the store once and gathers everything a report is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from features.catalog.definitions import Indicator
from features.event_store import EventStore
from features.events.attributes import MOST_SEGMENT_VALUES
from features.events.history import History
from features.execution.local import map_partitions
from features.timeline import Timeline
from serving.reports.aggregates import MetricSums
from serving.reports.bucket_view import BucketView
from serving.reports.customer_metrics import CustomerStatusCache, Movements, edges, follow
from serving.reports.event_index import EventIndex
from serving.reports.event_metrics import count
from serving.reports.periods import PeriodCalendar, Periods, periods
from serving.reports.social_metrics import Posts
from training.bundle.model_bundle import Bundle
from training.labels.settings import Churn, ChurnSettings


@dataclass(frozen=True)
class ReportRequestData:
    """What a report is asked for."""

    indicators: tuple[Indicator, ...]
    churn: Churn
    timeline: Timeline
    months: int
    as_of: int
    bundle: Bundle | None = None
    """The champion, for its tiers."""
    model_version: str | None = None
    newest: int | None = None
    """The newest event."""

    @property
    def contract(self) -> Churn:
        """What a running contract is, whatever decides churn."""
        if self.churn.type == "contract":
            return self.churn
        return Churn.of(ChurnSettings.model_validate({"type": "contract"}), self.indicators)


@dataclass
class InputCounts:
    """How many events of each kind there are, and how many say something in `value` and in `detail`."""

    counts: dict[str, list[int]] = field(default_factory=dict)

    def add(self, history: History) -> None:
        size = len(history.kind_names)
        there = np.bincount(history.kinds, minlength=size)
        valued = np.bincount(history.kinds[~np.isnan(history.values)], minlength=size)
        detailed = np.bincount(history.kinds[history.details >= 0], minlength=size)
        for kind, *numbers in zip(history.kind_names, there, valued, detailed, strict=True):
            known = self.counts.setdefault(kind, [0, 0, 0])
            self.counts[kind] = [a + int(b) for a, b in zip(known, numbers, strict=True)]

    def merge(self, other: InputCounts) -> None:
        """Add the counts of later buckets."""
        for kind, numbers in other.counts.items():
            known = self.counts.setdefault(kind, [0, 0, 0])
            self.counts[kind] = [a + b for a, b in zip(known, numbers, strict=True)]

    def of(self, kinds: Sequence[str]) -> tuple[int, int, int]:
        """Events, those with a value, those with a detail."""
        found = [self.counts.get(kind, [0, 0, 0]) for kind in kinds]
        events, valued, detailed = (sum(counts[place] for counts in found) for place in range(3))
        return events, valued, detailed


@dataclass(frozen=True, eq=False)
class ReportData:
    """What was found: sums by month and by period, movements between tiers, and which inputs there are."""

    question: ReportRequestData
    periods: Periods
    months: MetricSums
    wholes: MetricSums
    movements: Movements
    inputs: InputCounts
    data_version: str

    @property
    def tiers(self) -> tuple[str, ...]:
        return self.question.bundle.tiers.names if self.question.bundle else ()


def compute_report(
    store: EventStore, question: ReportRequestData, progress: Callable[[str, float], None] | None = None
) -> ReportData:
    """Count everything; memory holds a bucket at a time."""
    store = store.pinned()
    when = periods(question.as_of, store.oldest() or 0, question.months, question.timeline)
    found = map_partitions(
        store, partial(_ReportSums, question, when), "counting", until=question.as_of, progress=progress
    )
    for board, seen in zip(found.boards, found.posts, strict=True):
        seen.settle(board)
        _drop_segments(board, found.too_many)
    return ReportData(question, when, *found.boards, found.movements, found.inputs, store.version)


class _ReportSums:
    """The sums of a bucket, or of all."""

    def __init__(self, question: ReportRequestData, when: Periods) -> None:
        self.question, self.when = question, when
        self.calendars = (when.months, when.wholes)
        self.boards = (MetricSums(len(when.months)), MetricSums(len(when.wholes)))
        self.posts = tuple(Posts(len(calendar)) for calendar in self.calendars)
        self.movements, self.inputs = Movements(), InputCounts()
        self.too_many: set[str] = set()
        """Attributes with too many values for a segment."""

    def add(self, history: History) -> None:
        if not history.events:
            return
        question = self.question
        indicators = {indicator.name: indicator for indicator in question.indicators}
        index = EventIndex(history, indicators, question.timeline)
        self.inputs.add(history)
        groups = index.segments()
        segments = {name: codes for name, codes in groups.items() if codes is not None}
        self.too_many |= set(groups) - set(segments)
        standings = CustomerStatusCache(index, question.churn, question.contract, question.bundle)
        standings.prepare(edges(*self.calendars), _tier_edges(self.when))
        views = [BucketView(index, *both, segments) for both in zip(self.calendars, self.boards, strict=True)]
        with ThreadPoolExecutor(len(views)) as pool:  # each has a board of its own
            list(pool.map(partial(_count, standings=standings), views, self.posts))
        self.movements.add(index, standings, self.when.period)

    def merge(self, other: _ReportSums) -> None:
        for board, more in zip(self.boards, other.boards, strict=True):
            board.merge(more)
        for posts, later in zip(self.posts, other.posts, strict=True):
            posts.merge(later)
        self.movements.merge(other.movements)
        self.inputs.merge(other.inputs)
        self.too_many |= other.too_many


def _count(view: BucketView, posts: Posts, *, standings: CustomerStatusCache) -> None:
    count(view)
    follow(view, standings)
    posts.add(view)


def _tier_edges(when: Periods) -> list[int]:
    """The ends of the period's months, and where the compared periods begin and end."""
    shown = PeriodCalendar(when.months.spans[-when.count :])
    return edges(shown, when.wholes)


def _drop_segments(board: MetricSums, too_many: set[str]) -> None:
    """An attribute with more values than people can read is no segment, nor is one with a single value."""
    groups: dict[str, set[str]] = {}
    for _, cut, group in board.sums:
        if cut.startswith("segment:"):
            groups.setdefault(cut, set()).add(group)
    for cut, names in groups.items():
        if not 2 <= len(names) <= MOST_SEGMENT_VALUES or cut.removeprefix("segment:") in too_many:
            for key in [key for key in board.sums if key[1] == cut]:
                del board.sums[key]
