"""What churn could mean on the data: for each candidate horizon who could leave, who does, who comes back.

Everything is measured on past as-of dates whose future the data hold, with the cohort and the labels that
training uses. A bucket is read once for all candidates; beyond `CUSTOMERS` a part of the buckets, each of
which holds customers of every sort, stands for all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from features.catalog.definitions import Indicator
from features.errors import DataError
from features.event_store import EventStore
from features.events.history import History, without_retracted
from features.execution.local import map_partitions
from features.profiling.event_days import event_days
from features.profiling.profile import DataProfile
from features.timeline import Timeline
from training.data.coverage import DataCoverage, coverage_of
from training.data.splits import temporal_splits
from training.diagnosis.candidate_measure import CandidateMeasure, ChurnCandidate
from training.labels.contracts import CONTRACT_COLUMNS
from training.labels.settings import CONTRACT_SETTINGS, Churn, ChurnSettings

HORIZONS = (7, 14, 30, 60, 90, 180, 365)
MOST_FOLLOWED = 180
"""Days in which those called gone may come back, or a quarter of the record where that is less."""
CUSTOMERS = 200_000


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
        lambda: _CandidateCounts(tuple(CandidateMeasure(*arguments) for arguments in fitting)),
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

    measures: tuple[CandidateMeasure, ...]
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
