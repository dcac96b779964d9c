"""The three invariants of time on a real record: a year of shopping by 2,469 households."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from features.catalog.defaults import catalog
from features.catalog.settings import FeatureSettings
from features.engine.snapshot import snapshot
from features.errors import HorizonNotCovered
from features.event_store import EventStore
from features.timeline import DAY, Timeline, from_instant
from serving.project.settings import Project, read
from training.labels.cohort import cohort
from training.labels.labelling import label

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def project() -> Project:
    return read(ROOT)


@pytest.fixture(scope="module")
def store(project: Project, tmp_path_factory: pytest.TempPathFactory) -> EventStore:
    store = EventStore(tmp_path_factory.mktemp("state"))
    now = project.timeline.instant("2018-01-02")
    store.ingest(project.settings.sources, (), folder=ROOT, timeline=project.timeline, now=now)
    return store


def test_what_came_later_changes_no_byte(project: Project, store: EventStore) -> None:
    as_of = project.timeline.instant("2017-08-01")
    rows = 0
    for whole, past in zip(store.histories(), store.histories(until=as_of), strict=True):
        declared = catalog(project.indicators, FeatureSettings.model_validate({}), whole.kind_names)
        dates = np.full(past.customers, as_of)
        numbers = [n for n, name in enumerate(declared.columns) if name not in declared.detail_columns]
        seen = snapshot(whole, declared, Timeline(), past.keys, dates).matrix[:, numbers]
        known = snapshot(past, declared, Timeline(), past.keys, dates).matrix[:, numbers]
        assert whole.events > past.events
        assert seen.tobytes() == known.tobytes()
        rows += len(seen)
    assert rows > 2_400


def test_a_household_alone_has_the_row_it_has_among_all(project: Project, store: EventStore) -> None:
    as_of = project.timeline.instant("2017-10-01")
    for history in store.histories():
        declared = catalog(project.indicators, FeatureSettings.model_validate({}), history.kind_names)
        numbers = [n for n, name in enumerate(declared.columns) if name not in declared.detail_columns]
        batch = snapshot(
            history, declared, Timeline(), history.keys, np.full(history.customers, as_of)
        ).matrix
        for place in range(0, history.customers, 50):
            alone = store.history_of([int(history.keys[place])])
            row = snapshot(alone, declared, Timeline(), alone.keys, np.array([as_of])).matrix
            assert row[0, numbers].tobytes() == batch[place, numbers].tobytes()


def test_no_label_without_a_future(project: Project, store: EventStore) -> None:
    history = next(iter(store.histories()))
    newest = store.newest()
    assert newest is not None
    assert from_instant(newest).isoformat() == "2018-01-01T04:01:20+00:00"
    late = project.timeline.instant("2017-12-15")
    keys = cohort(history, project.churn, late)
    with pytest.raises(HorizonNotCovered) as refusal:
        label(history, project.churn, keys, np.full(len(keys), late), newest, project.timeline)
    assert str(refusal.value) == (
        "cannot label 2017-12-15: churn is decided 30 days later, so events are needed until 2018-01-14, "
        "but they end on 2018-01-01. The latest date with a label is 2017-12-02."
    )
    early = late - 14 * DAY
    labels = label(history, project.churn, keys, np.full(len(keys), early), newest, project.timeline)
    assert 0 < labels.churned.mean() < 0.5
