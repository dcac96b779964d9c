"""What changed about one customer between two as-of dates: which reasons moved, and the events behind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.engine.snapshot import snapshot
from features.event_store import EventStore
from features.timeline import Timeline
from training.bundle.model_bundle import Bundle
from training.explanation.change_events import EventsBehindChange, events_behind_change
from training.explanation.feature_reasons import FeatureChange
from training.explanation.reasons import changed_features


@dataclass(frozen=True)
class ExplainedChange:
    """A feature that moved the risk, and the events that moved the feature."""

    change: FeatureChange
    events: EventsBehindChange


def explained_changes(
    bundle: Bundle, store: EventStore, key: int, earlier: int, later: int
) -> list[ExplainedChange]:
    """The features of the customer `key` that moved the risk most between two instants, largest first."""
    history = store.history_of([key], retractions=True)
    keys, dates = np.array([key, key]), np.array([earlier, later])
    zone = Timeline(bundle.timezone)
    matrix = snapshot(history, bundle.catalog, zone, keys, dates, bundle.priors, threads=1).matrix
    contributions = bundle.contributions(matrix, threads=1)
    changes = changed_features(bundle, (matrix[0], contributions[0]), (matrix[1], contributions[1]))
    return [
        ExplainedChange(
            change, events_behind_change(bundle.catalog, history, change.after.feature, earlier, later)
        )
        for change in changes
    ]
