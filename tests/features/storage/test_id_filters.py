"""Which files may hold an event id: never one too few, and few too many; appended ids are what they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from features.event_store import EventStore
from features.ingestion import merge
from features.ingestion.identity.scopes import SENT
from features.ingestion.merge import sorted_run
from features.storage.hashing import of_texts
from features.storage.id_filters import IdFilters
from features.timeline import Timeline

UTC = Timeline()
NOW = UTC.instant("2024-06-01")


def prints(first: int, last: int) -> np.ndarray:
    return of_texts(pa.array([f"id-{n}" for n in range(first, last)], pa.large_string()))[0]


def test_a_filter_knows_every_id_that_is_there_and_takes_few_others_for_one() -> None:
    filters, there, others = IdFilters(), prints(0, 20_000), prints(20_000, 40_000)
    assert all(filters.may_hold("a", there[n : n + 1], lambda: there) for n in range(0, 20_000, 7))
    taken = sum(filters.may_hold("a", others[n : n + 1], lambda: there) for n in range(20_000))
    assert taken < 20_000 / 300


def test_a_filter_is_made_once_and_goes_with_its_file() -> None:
    filters, made = IdFilters(), []

    def read() -> np.ndarray:
        made.append(1)
        return prints(0, 10)

    for _ in range(3):
        filters.may_hold("a", prints(3, 4), read)
    assert len(made) == 1
    filters.keep(["b"])
    filters.may_hold("a", prints(3, 4), read)
    assert len(made) == 2
    assert not filters.may_hold("empty", prints(3, 4), lambda: prints(0, 0))


def events(*rows: tuple[str, str, str | None]) -> pa.Table:
    """Events of a customer, on a day, under an id."""
    who, when, ids = zip(*rows, strict=True)
    return pa.table(
        {
            "customer_id": list(who),
            "occurred_at": pa.array([UTC.instant(day) for day in when], pa.timestamp("us", "UTC")),
            "kind": ["visit"] * len(rows),
            "event_id": pa.array(ids, pa.string()),
        }
    )


def fate(store: EventStore, *rows: tuple[str, str, str | None], source: str = SENT) -> tuple[int, ...]:
    receipt = store.add(events(*rows), source=source, timeline=UTC, now=NOW)
    return receipt.new, receipt.already_there, receipt.corrected


@pytest.mark.parametrize("few", [merge.FEW, 0], ids=["by filters", "by reading every file"])
def test_an_appended_id_is_new_known_or_corrected_wherever_its_event_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(merge, "FEW", few)
    store = EventStore(tmp_path, buckets=8)
    many = [(f"c{n}", "2024-01-02", f"e{n}") for n in range(1_200)]
    assert fate(store, *many, source="orders") == (1_200, 0, 0)
    assert fate(store, ("c5", "2024-01-03", "live-1")) == (1, 0, 0)
    assert fate(store, ("c5", "2024-01-03", "live-1")) == (0, 1, 0)
    assert fate(store, ("c6", "2024-01-04", "live-1")) == (0, 0, 1), "it moved to another customer"
    assert fate(store, ("c7", "2024-01-02", "e7")) == (0, 1, 0), "an event of a source, sent live"
    assert fate(store, ("c8", "2024-02-02", "e8"), source="orders") == (0, 0, 1)
    assert fate(store, ("c9", "2024-02-02", None)) == (1, 0, 0)
    assert store.events == 1_202


def test_after_the_first_append_only_files_that_may_hold_the_id_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = EventStore(tmp_path, buckets=8)
    fate(store, *[(f"c{n}", "2024-01-02", f"e{n}") for n in range(1_200)], source="orders")
    assert fate(store, ("c5", "2024-01-03", "live-1")) == (1, 0, 0)
    read: list[Path] = []
    plain = sorted_run.read_ids
    monkeypatch.setattr(
        sorted_run, "read_ids", lambda path, words: (read.append(path), plain(path, words))[1]
    )
    assert fate(store, ("c5", "2024-01-04", "live-2")) == (1, 0, 0)
    assert len(read) <= 1, "one in 700 files is read in vain"
    assert fate(store, ("c5", "2024-01-04", "live-2")) == (0, 1, 0)
    assert 1 <= len(read) <= 3
