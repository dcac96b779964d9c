"""Computes everything a report is made of in one pass over the store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from features.catalog.definitions import Indicator
from features.errors import DataError, ModelError
from features.event_store import EventStore
from features.events.attributes import MOST_SEGMENT_VALUES
from features.events.history import History
from features.execution.base import Engine
from features.execution.local import HERE, map_partitions
from features.profiling.event_days import event_days
from features.profiling.source_rhythm import SourceRhythm, source_rhythms
from features.timeline import Timeline
from serving.project.settings import Project
from serving.reports.aggregates import MetricSums
from serving.reports.answer_times import AnswerTimes, answer_times
from serving.reports.bucket_view import BucketView
from serving.reports.customer_metrics import (
    CustomerStatusCache,
    Movements,
    add_customer_metrics,
    edges,
)
from serving.reports.event_index import EventIndex
from serving.reports.event_metrics import add_event_metrics
from serving.reports.lifetime_groups import LifetimeTotal, lifetime_totals
from serving.reports.periods import PeriodCalendar, Periods, periods
from serving.reports.social_metrics import Posts
from serving.schemas.terms import SEGMENT
from serving.state.active_model import in_use
from serving.state.database import Database
from serving.state.scores.score_file import Scores
from serving.state.scores.score_file import load as load_scores
from serving.state.scores.score_index import ScoreFile, current_champion, current_scores
from training.bundle.level_uncertainty import ExpectedLeavers
from training.bundle.model_bundle import Bundle
from training.data.coverage import DataCoverage, coverage_of
from training.explanation.project_words import NO_WORDS, ProjectWords
from training.labels.settings import Churn, ChurnSettings


@dataclass(frozen=True)
class ReportRequestData:
    """What a report is computed from besides the events: the project's churn, calendar and champion."""

    indicators: tuple[Indicator, ...]
    churn: Churn
    timeline: Timeline
    months: int
    as_of: int
    bundle: Bundle | None = None
    """The champion, for its tiers."""
    model_version: str | None = None
    coverage: DataCoverage | None = field(default=None, kw_only=True)
    """Until when the data say what customers did."""
    newest: int | None = None
    """The newest event of what customers did."""
    consent: frozenset[str] = frozenset()
    """Attributes that the project names as consent: they are no segments."""
    words: ProjectWords = NO_WORDS
    """The currency of amounts, and the names that people read."""
    sources: tuple[SourceRhythm, ...] = ()
    """The newest event and the rhythm of each source."""
    scores: str = ""
    """The file of the scores in use, empty without; what follows is told by them."""
    expected_leavers: ExpectedLeavers | None = None
    """How many the scores in use expect to leave."""
    lifetime: tuple[LifetimeTotal, ...] = ()
    """The lifetime value of groups of customers, by the scores in use."""

    @property
    def contract(self) -> Churn:
        """What a running contract is, whatever decides churn."""
        if self.churn.type == "contract":
            return self.churn
        return Churn.of(ChurnSettings.model_validate({"type": "contract"}), self.indicators)


def report_inputs(
    project: Project,
    store: EventStore,
    records: Database,
    months: int,
    now: int,
    consent: frozenset[str] = frozenset(),
    *,
    engine: Engine = HERE,
) -> ReportRequestData:
    """The inputs of a report on the last whole months until the first midnight after the customers' events.

    `store` is pinned, so that the report reads the same version.
    """
    days = event_days(store, project.timeline, engine=engine)
    coverage = coverage_of(
        days, project.churn, project.indicators, project.timeline, closed=project.closed_sources, now=now
    )
    if coverage is None:
        raise DataError("cannot report: there are no events yet. Ingest them with `kizuna ingest`.")
    file = current_scores(records)
    scores = None if file is None else _readable_scores(project, file)
    champion = in_use(records, project.state) if current_champion(records) is not None else None
    return ReportRequestData(
        project.indicators,
        project.churn,
        project.timeline,
        months,
        min(coverage.rest_day_after, now),
        None if champion is None else champion.bundle,
        None if champion is None else champion.version,
        coverage.rest_until,
        coverage=coverage,
        consent=consent,
        words=project.words,
        sources=source_rhythms(days, project.timeline),
        scores="" if file is None else file.file,
        expected_leavers=None if scores is None else scores.facts.expected_leavers,
        lifetime=() if scores is None else lifetime_totals(scores),
    )


def _readable_scores(project: Project, file: ScoreFile) -> Scores | None:
    """The scores of a file; None where it cannot be read."""
    try:
        return load_scores(project.scores / file.file)
    except ModelError:
        return None


@dataclass
class InputCounts:
    """How many events of each kind there are, and how many of them have a `value` and a `detail`."""

    counts: dict[str, list[int]] = field(default_factory=dict)

    def add(self, history: History) -> None:
        """Add a bucket's events."""
        size = len(history.kind_names)
        events = np.bincount(history.kinds, minlength=size)
        with_value = np.bincount(history.kinds[~np.isnan(history.values)], minlength=size)
        with_detail = np.bincount(history.kinds[history.details >= 0], minlength=size)
        for kind, *numbers in zip(history.kind_names, events, with_value, with_detail, strict=True):
            before = self.counts.setdefault(kind, [0, 0, 0])
            self.counts[kind] = [a + int(b) for a, b in zip(before, numbers, strict=True)]

    def merge(self, other: InputCounts) -> None:
        """Add the counts of later buckets."""
        for kind, numbers in other.counts.items():
            before = self.counts.setdefault(kind, [0, 0, 0])
            self.counts[kind] = [a + b for a, b in zip(before, numbers, strict=True)]

    def of(self, kinds: Sequence[str]) -> tuple[int, int, int]:
        """Events of these kinds, those with a value, those with a detail."""
        rows = [self.counts.get(kind, [0, 0, 0]) for kind in kinds]
        events, with_value, with_detail = (sum(counts[place] for counts in rows) for place in range(3))
        return events, with_value, with_detail


@dataclass(frozen=True, eq=False)
class ReportData:
    """The numbers of a report: sums by month and by period, movements between tiers, and available inputs."""

    request: ReportRequestData
    periods: Periods
    months: MetricSums
    wholes: MetricSums
    movements: Movements
    inputs: InputCounts
    data_version: str

    @property
    def tiers(self) -> tuple[str, ...]:
        return self.request.bundle.tiers.names if self.request.bundle else ()


@dataclass
class ReportSums:
    """Sums over the customers of one bucket, or of several."""

    request: ReportRequestData
    periods: Periods
    times: AnswerTimes
    months: MetricSums = field(init=False)
    wholes: MetricSums = field(init=False)
    posts: tuple[Posts, Posts] = field(init=False)
    movements: Movements = field(default_factory=Movements)
    inputs: InputCounts = field(default_factory=InputCounts)
    too_many_values: set[str] = field(default_factory=set)
    """Attributes with more values than a segment may have."""

    def __post_init__(self) -> None:
        months, wholes = self.periods.months, self.periods.wholes
        self.months, self.wholes = MetricSums(len(months)), MetricSums(len(wholes))
        self.posts = Posts(len(months)), Posts(len(wholes))

    def add(self, history: History) -> None:
        """Add a bucket's customers."""
        if not history.events:
            return
        request, calendars = self.request, (self.periods.months, self.periods.wholes)
        indicators = {indicator.name: indicator for indicator in request.indicators}
        index = EventIndex(history, indicators, request.timeline, request.consent, self.times)
        self.inputs.add(history)
        attributes = index.segments()
        segments = {name: groups for name, groups in attributes.items() if groups is not None}
        self.too_many_values |= set(attributes) - set(segments)
        statuses = CustomerStatusCache(index, request.churn, request.contract, request.bundle)
        statuses.prepare(edges(*calendars), _tier_edges(self.periods))
        views = [
            BucketView(index, calendar, sums, segments)
            for calendar, sums in zip(calendars, (self.months, self.wholes), strict=True)
        ]
        with ThreadPoolExecutor(len(views)) as pool:  # each view has sums of its own
            list(pool.map(partial(_add_metrics, statuses=statuses), views, self.posts))
        self.movements.add(index, statuses, self.periods.period)

    def merge(self, other: ReportSums) -> None:
        """Add the customers of later buckets."""
        for sums, later in zip((self.months, self.wholes), (other.months, other.wholes), strict=True):
            sums.merge(later)
        for posts, later_posts in zip(self.posts, other.posts, strict=True):
            posts.merge(later_posts)
        self.movements.merge(other.movements)
        self.inputs.merge(other.inputs)
        self.too_many_values |= other.too_many_values

    def result(self, data_version: str) -> ReportData:
        """What the sums of all buckets amount to."""
        for sums, posts in zip((self.months, self.wholes), self.posts, strict=True):
            posts.add_rates(sums)
            _drop_segments(sums, self.too_many_values)
        return ReportData(
            self.request,
            self.periods,
            self.months,
            self.wholes,
            self.movements,
            self.inputs,
            data_version,
        )


def compute_report(
    store: EventStore,
    request: ReportRequestData,
    progress: Callable[[str, float], None] | None = None,
    *,
    engine: Engine = HERE,
) -> ReportData:
    """Compute every metric of the report from one version of the store, bucket by bucket."""
    store = store.pinned()
    when = periods(request.as_of, store.oldest(until=request.as_of) or 0, request.months, request.timeline)
    inquiry = [kind for one in request.indicators if one.name == "inquiry" for kind in one.kinds]
    times = answer_times(store, inquiry, request.as_of, engine=engine)
    new = partial(ReportSums, request, when, times)
    sums = map_partitions(store, new, "counting", until=request.as_of, progress=progress, engine=engine)
    return sums.result(store.version)


def _add_metrics(view: BucketView, posts: Posts, *, statuses: CustomerStatusCache) -> None:
    add_event_metrics(view)
    add_customer_metrics(view, statuses)
    posts.add(view)


def _tier_edges(when: Periods) -> list[int]:
    """The ends of the period's months, and where the compared periods begin and end."""
    shown = PeriodCalendar(when.months.spans[-when.count :])
    return edges(shown, when.wholes)


def _drop_segments(sums: MetricSums, too_many_values: set[str]) -> None:
    """Drop the attributes with more values than people can read, and those with a single value."""
    groups: dict[str, set[str]] = {}
    for _, cut, group in sums.values:
        if cut.startswith(SEGMENT):
            groups.setdefault(cut, set()).add(group)
    for cut, names in groups.items():
        if not 2 <= len(names) <= MOST_SEGMENT_VALUES or cut.removeprefix(SEGMENT) in too_many_values:
            for key in [key for key in sums.values if key[1] == cut]:
                del sums.values[key]
