"""What churn could mean on the data: for each candidate horizon who could leave, who does, who comes back.

Everything is measured on past as-of dates whose future the data hold, with the cohort and the labels that
training uses. A bucket is read once for all candidates; beyond `CUSTOMERS` a part of the buckets, each of
which holds customers of every sort, stands for all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.catalog.definitions import Catalog, Feature, Indicator, Stream
from features.engine.snapshot import snapshot
from features.errors import DataError
from features.event_store import EventStore
from features.events.history import History, without_retracted
from features.execution.local import map_partitions
from features.profiling.event_days import event_days
from features.profiling.profile import DataProfile
from features.timeline import DAY, Horizon, Timeline, days_after
from training.data.coverage import DataCoverage, coverage_of
from training.data.splits import PER_HORIZON, TemporalSplits, temporal_splits
from training.labels.cohort import cohorts, contract_history
from training.labels.contracts import CONTRACT_COLUMNS
from training.labels.labelling import label
from training.labels.settings import CONTRACT_SETTINGS, Churn, ChurnSettings

HORIZONS = (7, 14, 30, 60, 90, 180, 365)
DATES = 8
"""As-of dates a candidate is measured on, spread evenly over those that can be labelled."""
MOST_FOLLOWED = 180
"""Days in which those called gone may come back, or a quarter of the record where that is less."""
CUSTOMERS = 200_000
BINS = 4_096
"""Steps of recency that are distinguished."""
LONGEST = 3_650
"""Days of silence that are distinguished where nothing bounds them."""
RECENCY = "silence_days_since_last"


@dataclass(frozen=True)
class LeadTimeAuc:
    """How well plain recency ranks those who leave, so many days before the horizon begins."""

    lead_days: int
    auc: float
    """0.5 is no better than chance. Nothing is fitted: longer silence counts as riskier."""


@dataclass(frozen=True)
class ChurnCandidate:
    """One meaning of churn, and what the past says about it."""

    churn: Churn
    configured: bool
    """Whether it is what `[churn]` says now."""
    calendar: TemporalSplits
    """The as-of dates that training would use."""
    measured: tuple[int, ...]
    """The as-of dates behind the figures."""
    cohort: float
    """Customers who could leave, on average of the dates."""
    churned: float
    """Those of them who did, on average of the dates."""
    base_rate: float
    lowest_rate: float
    highest_rate: float
    """Over the dates."""
    came_back: float | None
    """The share of those called gone who were active within `watched_days` after; None where unknown."""
    watched_days: int | None
    """The same for every candidate, so that they can be compared."""
    foresight: tuple[LeadTimeAuc, ...]

    @property
    def days(self) -> int:
        return self.churn.horizon.days


@dataclass(frozen=True)
class InfeasibleCandidate:
    """A meaning of churn for which the record is too short."""

    churn: Churn
    configured: bool
    needed_days: int
    """Days of events that one labelled date takes."""


@dataclass(frozen=True)
class Diagnosis:
    """Every candidate, shortest horizon first, contract before inactivity; and those that do not fit."""

    candidates: tuple[ChurnCandidate, ...]
    unfit: tuple[InfeasibleCandidate, ...]
    customers: int
    """Customers looked at."""
    coverage: DataCoverage | None = None
    """How far the data reach for what `[churn]` says now."""


def diagnose(
    store: EventStore,
    inventory: DataProfile,
    indicators: Sequence[Indicator],
    settings: ChurnSettings,
    timeline: Timeline,
    *,
    until: int | None = None,
    now: int | None = None,
    closed: Collection[str] = (),
    progress: Callable[[str, float], None] | None = None,
) -> Diagnosis:
    """Measure what `[churn]` says now, and what else it could say, on the events before `until`.

    `closed` names the sources that have ended for good; a last day that is `now` is not over.
    """
    days = event_days(store, timeline, until)

    def covered(churn: Churn) -> DataCoverage | None:
        return coverage_of(days, churn, indicators, timeline, closed=closed, now=now)

    fitting: list[tuple[Any, ...]] = []
    unfit = []
    silent = _deeds(inventory)
    follow = int(min(MOST_FOLLOWED, max(1, inventory.span // 4)))
    for churn, configured in candidates(inventory, indicators, settings, timeline.timezone):
        first = min((kind.first for kind in inventory.kinds if kind.name in churn.started_by), default=None)
        coverage = covered(churn)
        newest = inventory.newest if coverage is None else coverage.covered_until
        try:
            dates = temporal_splits(newest if first is None else first, newest, churn, timeline)
        except DataError:
            unfit.append(InfeasibleCandidate(churn, configured, churn.active_days + churn.horizon.reach))
        else:
            deeds = silent if churn.type == "contract" else churn.started_by
            reach = (inventory.first if first is None else first, newest)
            fitting.append((churn, configured, dates, deeds, follow, *reach, timeline))
    part = min(1.0, CUSTOMERS / inventory.customers)
    buckets = store.buckets[: math.ceil(part * len(store.buckets))]
    counts = map_partitions(
        store,
        lambda: _CandidateCounts(tuple(_Measure(*arguments) for arguments in fitting)),
        "trying what churn could mean",
        until=until,
        columns=frozenset({"value"}) | CONTRACT_COLUMNS,
        retractions=True,
        buckets=buckets,
        progress=progress,
    )
    scale = inventory.customers / max(1, counts.customers) if len(buckets) < len(store.buckets) else 1.0
    found = tuple(measure.candidate(scale) for measure in counts.measures)
    return Diagnosis(
        found, tuple(unfit), counts.customers, covered(Churn.of(settings, indicators, timeline.timezone))
    )


@dataclass
class _CandidateCounts:
    """The counts of every candidate, and the customers looked at."""

    measures: tuple[_Measure, ...]
    customers: int = 0

    def add(self, history: History) -> None:
        self.customers += int((np.diff(without_retracted(history).offsets) > 0).sum())
        for measure in self.measures:
            measure.add(history)

    def merge(self, other: _CandidateCounts) -> None:
        self.customers += other.customers
        for measure, more in zip(self.measures, other.measures, strict=True):
            measure.merge(more)


def candidates(
    inventory: DataProfile, indicators: Sequence[Indicator], settings: ChurnSettings, timezone: str = "UTC"
) -> list[tuple[Churn, bool]]:
    """The meanings worth trying, and whether each is the configured one.

    Contracts where some of them end; inactivity by the configured indicators, or where they have no
    events, by purchases, or else by what most customers do. A horizon is tried among those active in
    twice its days.
    """
    found: list[tuple[Churn, bool]] = []
    held = {kind.name for kind in inventory.kinds}
    contract = _contract(held, settings)
    bases = [] if contract is None else [contract]
    named = _active_indicators(inventory, settings)
    if named:
        bases.append(ChurnSettings.model_validate({"indicators": named}))
    for base in bases:
        mine = base.type == settings.type and (
            base.type == "contract" or base.indicators == settings.indicators
        )
        horizons = sorted({*HORIZONS, settings.horizon_days} if mine else HORIZONS)
        for days in horizons:
            now = mine and days == settings.horizon_days
            active = base.active_days if base.type == "contract" else min(2 * days, max(365, days))
            tried = base.model_copy(
                update={
                    "horizon_days": days,
                    "active_days": settings.active_days if now else active,
                    "lead_days": settings.lead_days if now else 0,
                }
            )
            found.append((Churn.of(tried, indicators, timezone), now))
    return found


def _contract(held: Collection[str], settings: ChurnSettings) -> ChurnSettings | None:
    """Contracts by those of the kinds that there are; None where they do not both start and end."""
    names = ("started_by", "ended_by", "completed_by")
    kinds = {name: tuple(kind for kind in getattr(settings, name) if kind in held) for name in names}
    if not kinds["started_by"] or not kinds["ended_by"]:
        return None
    chosen: dict[str, Any] = {"type": "contract", **kinds}
    chosen |= {name: getattr(settings, name) for name in CONTRACT_SETTINGS}
    if settings.type == "contract":
        chosen["active_days"] = settings.active_days
    return ChurnSettings.model_validate(chosen)


def _active_indicators(inventory: DataProfile, settings: ChurnSettings) -> tuple[str, ...]:
    sides = [
        side
        for side in inventory.sides
        if side.indicator.origin == "customer"
        and not side.indicator.attitude
        and side.indicator.name != "contract"
    ]
    names = {side.indicator.name for side in sides}
    if settings.type == "inactivity" and names & set(settings.indicators):
        return settings.indicators
    if "purchase" in names or not sides:
        return ("purchase",) if sides else ()
    return (max(sides, key=lambda side: (side.customers, side.events)).indicator.name,)


def _deeds(inventory: DataProfile) -> tuple[str, ...]:
    """The kinds by which a customer of a contract is heard of: all that customers do but sign and end."""
    return tuple(
        dict.fromkeys(
            kind
            for side in inventory.sides
            if side.indicator.origin == "customer" and side.indicator.name != "contract"
            for kind in side.kinds
        )
    )


@dataclass
class _Measure:
    """The counts of one candidate while buckets go by."""

    churn: Churn
    configured: bool
    calendar: TemporalSplits
    deeds: tuple[str, ...]
    """The kinds whose silence is measured."""
    follow: int
    """Days after the horizon in which those called gone may come back."""
    first: int
    covered_until: int
    timeline: Timeline
    dates: tuple[int, ...] = field(init=False)
    cohorts: NDArray[np.int64] = field(init=False)
    churned: NDArray[np.int64] = field(init=False)
    followed: tuple[int, ...] = field(init=False)
    gone: int = 0
    returned: int = 0
    leads: tuple[int, ...] = field(init=False)
    led: tuple[int, ...] = field(init=False)
    """The as-of dates that the longest lead leaves: every lead is measured on the same ones."""
    recency: NDArray[np.int64] = field(init=False)
    """int64[leads, 2, BINS]: rows by whether they churned and by days of silence."""

    def __post_init__(self) -> None:
        labelled, horizon = self.calendar.labelled, self.churn.horizon
        self.dates = _spread(labelled, DATES)
        self.cohorts = np.zeros(len(self.dates), dtype=np.int64)
        self.churned = np.zeros(len(self.dates), dtype=np.int64)
        earliest = days_after(self.first, self.churn.active_days, horizon.calendar)
        latest = labelled[-1] - self.follow * DAY
        days = range(0, max(0, 1 + (latest - earliest) // DAY), max(1, horizon.days // PER_HORIZON))
        self.followed = _spread([latest - day * DAY for day in reversed(days)], DATES // 2)
        reached = {
            lead: tuple(
                date
                for date in self.dates
                if replace(horizon, lead_days=lead).end(date) <= self.covered_until
            )
            for lead in dict.fromkeys((0, horizon.days // 2, horizon.days))
        }
        self.leads = tuple(lead for lead, dates in reached.items() if dates and self.deeds)
        self.led = reached[self.leads[-1]] if self.leads else ()
        self.recency = np.zeros((len(self.leads), 2, BINS), dtype=np.int64)

    def add(self, history: History) -> None:
        """Count the cohort, those who leave and those who come back of one bucket."""
        if not history.customers:
            return
        keys, dates = self._cohorts(history, self.dates)
        left = self._label(history, self.churn, keys, dates)
        places = np.searchsorted(self.dates, dates)
        self.cohorts += np.bincount(places, minlength=len(self.dates))
        self.churned += np.bincount(places[left], minlength=len(self.dates))
        early = np.isin(dates, self.led)
        if early.any():
            self._count_recency(history, keys[early], dates[early])
        if self.followed:
            keys, dates = self._cohorts(history, self.followed)
            left = self._label(history, self.churn, keys, dates)
            later = Horizon(self.follow, self.churn.horizon.reach)
            self.gone += int(left.sum())
            if self.churn.type == "contract":
                rows = np.searchsorted(history.keys, keys[left])
                contracts = contract_history(without_retracted(history), self.churn)
                ends = self.churn.horizon.end(dates[left])
                back = contracts.stay_between(rows, ends, ends + self.follow * DAY)
            else:
                back = ~self._label(history, replace(self.churn, horizon=later), keys[left], dates[left])
            self.returned += int(back.sum())

    def merge(self, other: _Measure) -> None:
        """Add the counts of later buckets."""
        self.cohorts += other.cohorts
        self.churned += other.churned
        self.gone += other.gone
        self.returned += other.returned
        self.recency += other.recency

    def _cohorts(self, history: History, dates: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Those who can leave at each of the dates, and the date of each."""
        found = cohorts(history, self.churn, dates)
        each = np.repeat(np.array(dates, dtype=np.int64), [len(keys) for keys in found])
        return np.concatenate(found), each

    def _label(
        self, history: History, churn: Churn, keys: NDArray[np.int64], dates: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        return label(history, churn, keys, dates, self.covered_until, self.timeline).churned

    def _count_recency(self, history: History, keys: NDArray[np.int64], dates: NDArray[np.int64]) -> None:
        money = frozenset(self.churn.amounts if self.churn.type == "inactivity" else ())
        streams = [
            Stream(f"silence_{number}", "silence", kinds, amounts=amounts)
            for number, amounts in enumerate((False, True))
            if (kinds := tuple(kind for kind in self.deeds if (kind in money) is amounts))
        ]
        features = tuple(Feature(f"{RECENCY}_{one.name}", one.name, "days_since_last") for one in streams)
        of_each = Catalog((), tuple(streams), features)
        silence = np.fmin.reduce(snapshot(history, of_each, self.timeline, keys, dates).matrix, axis=1)
        longest = self.churn.active_days if self.churn.type == "inactivity" else LONGEST
        steps = np.nan_to_num(silence / longest * BINS, nan=BINS)
        steps = np.clip(steps, 0, BINS - 1).astype(np.int64)
        for place, lead in enumerate(self.leads):
            ahead = replace(self.churn, horizon=replace(self.churn.horizon, lead_days=lead))
            left = self._label(history, ahead, keys, dates)
            for side in (0, 1):
                self.recency[place, side] += np.bincount(steps[left == side], minlength=BINS)

    def candidate(self, scale: float) -> ChurnCandidate:
        """What the counts say."""
        rates = self.churned[self.cohorts > 0] / self.cohorts[self.cohorts > 0]
        everyone = int(self.cohorts.sum())
        return ChurnCandidate(
            churn=self.churn,
            configured=self.configured,
            calendar=self.calendar,
            measured=self.dates,
            cohort=float(self.cohorts.mean() * scale),
            churned=float(self.churned.mean() * scale),
            base_rate=float(self.churned.sum() / everyone) if everyone else 0.0,
            lowest_rate=float(rates.min(initial=1.0)) if everyone else 0.0,
            highest_rate=float(rates.max(initial=0.0)),
            came_back=self.returned / self.gone if self.gone else None,
            watched_days=self.follow if self.gone else None,
            foresight=tuple(
                LeadTimeAuc(lead, ranked)
                for lead, counts in zip(self.leads, self.recency, strict=True)
                if (ranked := auc(*counts)) is not None
            ),
        )


def _spread(dates: Sequence[int], most: int) -> tuple[int, ...]:
    """So many of the dates, evenly, the first and the last among them."""
    if not dates:
        return ()
    places = np.unique(np.linspace(0, len(dates) - 1, most).round().astype(int))
    return tuple(dates[place] for place in places)


def auc(stayed: NDArray[np.int64], left: NDArray[np.int64]) -> float | None:
    """The chance that one who left stands in a higher bin than one who stayed, ties as half."""
    if not stayed.sum() or not left.sum():
        return None
    below = np.cumsum(stayed) - stayed / 2
    return float(left @ below / (left.sum() * stayed.sum()))
