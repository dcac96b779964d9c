"""One customer's answer, in batch and online: who they are at an as-of date, their risk, value and reasons.

`score_customers` is the one function behind `kizuna score`, `kizuna backtest` and `/v1/predict`; what
differs is only where the history comes from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from features.engine.snapshot import Snapshot, snapshot
from features.errors import DataError, ModelError
from features.event_store import EventStore
from features.events.history import MISSING, History
from features.events.schema import ATTRIBUTE
from features.execution.base import Engine
from features.execution.local import HERE, map_partitions
from features.timeline import DAY, Timeline, in_history
from serving.scoring.segments import SegmentAttributes
from serving.state.active_model import ActiveModel
from serving.state.scores.score_metadata import ScoreMetadata
from serving.state.scores.score_table import REASONS, ScoreTable, drop_unused_values
from training.bundle.list_policy import value_at_risk
from training.bundle.model_bundle import Bundle
from training.explanation.reasons import RankedReasons, rank_reasons
from training.labels.cohort import IN_COHORT, UNKNOWN, statuses

Number = TypeVar("Number", bound=np.generic)

ROWS_AT_ONCE = 6_000
"""Customers whose features, contributions and lifetime value are worked on at once: tables of 26 MB of 550
columns, whose memory serves the next ones. Those of a whole bucket came new from the operating system each
time, which took half of the time of a scoring."""


def score_customers(bundle: Bundle, history: History, as_of: int, *, threads: int = 0) -> ScoreTable:
    """Score every customer of a history, in its order.

    A customer outside the cohort gets a status and a tier, and no probability; one of whom nothing was
    known yet gets the status -1.
    """
    status = statuses(history, bundle.churn, as_of)
    dates = np.full(history.customers, as_of, dtype=np.int64)
    timeline = Timeline(bundle.timezone)
    rows = snapshot(
        history, bundle.scored_catalog, timeline, history.keys, dates, bundle.priors, threads=threads
    )
    count = max(1, -(-len(status) // ROWS_AT_ONCE))
    edges = np.linspace(0, len(status), count + 1).astype(np.int64)
    parts = [
        _scored(bundle, _part(rows, slice(*ends)), status[slice(*ends)], as_of, timeline, threads)
        for ends in pairwise(edges.tolist())
    ]
    return parts[0] if len(parts) == 1 else ScoreTable.in_order(parts)


def _part(rows: Snapshot, some: slice) -> Snapshot:
    """Some rows, not copied."""
    return Snapshot(rows.keys[some], rows.as_of[some], rows.columns, rows.matrix[some])


def _scored(
    bundle: Bundle, rows: Snapshot, status: NDArray[np.int8], as_of: int, timeline: Timeline, threads: int
) -> ScoreTable:
    """The scores of these customers, from their features and the facts of lifetime value at their end."""
    inside = status == IN_COHORT
    width = len(bundle.catalog.columns)
    features, facts = rows.matrix[:, :width], rows.matrix[:, width:]
    matrix = np.ascontiguousarray(features if (whole := inside.all()) else features[inside])
    probability, tiers, expected = np.empty(0), np.empty(0, np.int8), None
    nobody = np.empty((0, REASONS))
    ranked = RankedReasons(nobody.astype(np.int64), nobody, nobody)
    if len(matrix):
        predictions = bundle.predict(matrix, threads=threads)
        probability, expected = predictions.churn_probability, predictions.expected_value
        tiers = predictions.tier_probabilities.argmax(axis=1).astype(np.int8)
        ranked = rank_reasons(bundle, matrix, bundle.contributions(matrix, threads=threads), top=REASONS)

    def of_all(found: NDArray[Number], nothing: float) -> NDArray[Number]:
        """The values of the cohort in their rows, and `nothing` in the others."""
        if whole:
            return found
        every = np.full((len(inside), *found.shape[1:]), nothing, dtype=found.dtype)
        every[inside] = found
        return every

    probability = of_all(probability, np.nan)
    expected = np.full(len(inside), np.nan) if expected is None else of_all(expected, np.nan)
    return ScoreTable(
        key=rows.keys,
        status=status,
        churn_probability=probability,
        tier=bundle.tiers.tier(bundle.tiers.index(rows)),
        predicted_tier=of_all(tiers, -1),
        expected_value=expected,
        value_at_risk=value_at_risk(probability, expected),
        reason_features=of_all(ranked.columns.astype(np.int16), -1),
        reason_values=of_all(ranked.values, np.nan),
        reason_contributions=of_all(ranked.contributions, 0.0),
        lifetime=None
        if bundle.lifetime is None
        else bundle.lifetime.of_customers(
            facts, features, as_of, timeline, inside, probability, threads=threads
        ),
    )


def smoke_test(bundle: Bundle) -> None:
    """Answer for one made-up customer, so that the first real one does not wait and a bad bundle is found."""
    as_of, none = 20_000 * DAY, np.full(1, MISSING, dtype=np.int32)
    history = History(
        keys=np.zeros(1, dtype=np.int64),
        offsets=np.array([0, 1]),
        instants=np.array([as_of - DAY]),
        recorded=np.empty(0, dtype=np.int64),
        kinds=np.zeros(1, dtype=np.int32),
        values=np.ones(1),
        channels=none,
        places=none,
        details=none,
        kind_names=bundle.churn.started_by[:1],
    )
    table = score_customers(bundle, history, as_of, threads=1)
    if not 0.0 < table.churn_probability[0] < 1.0:
        raise ModelError(
            f"cannot use the bundle {bundle.fingerprint}: it says {table.churn_probability[0]} where a "
            "probability belongs. Train again with `kizuna train`."
        )


def score(
    store: EventStore,
    champion: ActiveModel,
    as_of: int,
    now: int,
    progress: Callable[[str, float], None] | None = None,
    *,
    covered_until: int | None = None,
    consent: frozenset[str] = frozenset(),
    engine: Engine = HERE,
) -> tuple[ScoreTable, ScoreMetadata]:
    """Answers for every customer known at the as-of date, computed bucket by bucket.

    `covered_until` is the instant until which silence can be told; the newest event where none is given.
    `consent` names attributes that are no segments.
    """
    store = store.pinned()
    bundle = champion.bundle
    new = partial(_ScoredParts, bundle, as_of, consent)
    found = map_partitions(store, new, "scoring", known_at=as_of, progress=progress, engine=engine)
    answers, segments = ScoreTable.joined(found.parts), found.segments.values
    codes = {name: codes for name, codes in answers.attributes.items() if name in segments}
    answers, values = drop_unused_values(replace(answers, attributes=codes), segments)
    if not (answers.status == IN_COHORT).any():
        timeline = Timeline(bundle.timezone)
        last = store.newest()
        ends = f" The newest event is of {timeline.local(last).date()}." if last is not None else ""
        raise DataError(
            f"cannot score as of {timeline.name(as_of)}: no customer then could still leave.{ends} "
            "Ingest newer events with `kizuna ingest`, or give another date with --as-of."
        )
    facts = ScoreMetadata(
        as_of=as_of,
        model_version=champion.version,
        fingerprint=bundle.fingerprint,
        data_version=store.version,
        newest=found.newest,
        covered_until=found.newest if covered_until is None else covered_until,
        evidence=bundle.evidence,
        contacts=bundle.contacts,
        amounts=bundle.models.value is not None,
        tiers=bundle.tiers.names,
        scored_at=now,
        attributes=values,
        expected_leavers=bundle.level.expected_leavers(
            answers.churn_probability[answers.status == IN_COHORT]
        ),
        lifetime=None if answers.lifetime is None else answers.lifetime.horizons,
    )
    return answers, facts


@dataclass
class _ScoredParts:
    """The scores of each bucket's known customers, with codes for their attributes."""

    bundle: Bundle
    as_of: int
    consent: frozenset[str]
    parts: list[ScoreTable] = field(default_factory=list)
    segments: SegmentAttributes = field(init=False)
    newest: int | None = None
    """The newest event known before the date."""

    def __post_init__(self) -> None:
        self.segments = SegmentAttributes(self.consent)

    def add(self, history: History) -> None:
        scores = score_customers(self.bundle, history, self.as_of)
        scores = replace(scores, attributes=self.segments.of(history, self.as_of))
        self.parts.append(scores.take(np.flatnonzero(scores.status != UNKNOWN)))
        self.newest = newest(history, self.as_of)

    def merge(self, other: _ScoredParts) -> None:
        codes = self.segments.merge(other.segments)
        for part in other.parts:
            coded = {name: codes[name][values] for name, values in part.attributes.items()}
            self.parts.append(replace(part, attributes=coded))
        self.newest = _later(self.newest, other.newest)


def _later(one: int | None, other: int | None) -> int | None:
    return max((instant for instant in (one, other) if instant is not None), default=None)


def newest(history: History, as_of: int, ignoring: frozenset[str] = frozenset()) -> int | None:
    """The newest event known before the as-of date; what is known about a customer is no event."""
    attribute = [name.startswith(ATTRIBUTE) or name in ignoring for name in history.kind_names]
    past = in_history(history.instants, history.recorded if len(history.recorded) else None, as_of)
    if any(attribute):
        past &= ~np.array(attribute)[history.kinds]
    instants = history.instants[past]
    return int(instants.max()) if len(instants) else None
