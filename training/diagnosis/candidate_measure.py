"""The measure of one meaning of churn: its cohorts, who of them leaves, who comes back, and plain recency."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from features.catalog.definitions import Catalog, Feature, Stream
from features.engine.snapshot import snapshot
from features.events.history import History, without_retracted
from features.timeline import DAY, Horizon, Timeline, days_after
from training.data.splits import PER_HORIZON, TemporalSplits
from training.labels.cohort import cohorts, contract_history
from training.labels.labelling import label
from training.labels.settings import Churn

DATES = 8
"""As-of dates a candidate is measured on, spread evenly over those that can be labelled."""
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


@dataclass
class CandidateMeasure:
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

    def merge(self, other: CandidateMeasure) -> None:
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
