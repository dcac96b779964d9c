"""What changed about one customer between two as-of dates: which reasons moved, and the events behind."""

from __future__ import annotations

import numpy as np

from features.engine.snapshot import snapshot
from features.event_store import EventStore
from features.timeline import Timeline
from serving.lists.customer_view import Reply
from training.bundle.model_bundle import Bundle
from training.explanation.change_events import EventBehindChange, EventsBehindChange, events_behind_change
from training.explanation.reasons import FeatureChange, change_sentence, changed_features


def what_changed(
    bundle: Bundle, store: EventStore, key: int, then: int, now: int, timeline: Timeline, language: str
) -> list[Reply]:
    """The reasons of the customer `key` that moved most, each with its events, largest first."""
    history = store.history_of([key])
    keys, dates = np.array([key, key]), np.array([then, now])
    zone = Timeline(bundle.timezone)
    matrix = snapshot(history, bundle.catalog, zone, keys, dates, bundle.priors, threads=1).matrix
    parts = bundle.contributions(matrix, threads=1)
    moved = changed_features(bundle, (matrix[0], parts[0]), (matrix[1], parts[1]))
    said = []
    for change in moved:
        behind = events_behind_change(bundle.catalog, history, change.after.feature, then, now)
        said.append(_said(bundle, change, behind, timeline, language))
    return said


def _said(
    bundle: Bundle, change: FeatureChange, behind: EventsBehindChange, timeline: Timeline, language: str
) -> Reply:
    after = change.after
    return {
        "feature": after.feature,
        "indicator": after.indicator,
        "before": change.before.value_text or change.before.value,
        "after": after.value_text or after.value,
        "direction": "raised" if change.shift >= 0 else "lowered",
        "actionable": after.actionable,
        "sentence": change_sentence(bundle.catalog, change, language),
        "entered": behind.entered,
        "left": behind.left,
        "events": [_event(one, timeline) for one in behind.shown],
    }


def _event(one: EventBehindChange, timeline: Timeline) -> Reply:
    return {
        "role": one.role,
        "occurred_at": timeline.name(one.instant),
        "kind": one.kind,
        "value": one.value,
        "channel": one.channel,
        "place": one.place,
        "detail": one.detail,
    }
