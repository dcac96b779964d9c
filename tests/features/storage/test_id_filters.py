"""Which files may hold an event id: never one too few, and few too many; appended ids are what they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from features.errors import DamagedFile
from features.event_store import EventStore
from features.ingestion.identity.scopes import SENT
from features.storage.hashing import of_texts
from features.storage.id_filters import FEW, IdFilters, id_filters
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


@pytest.mark.parametrize("beside", [0, FEW], ids=["by filters", "by reading every file"])
def test_an_appended_id_is_new_known_or_corrected_wherever_its_event_is(tmp_path: Path, beside: int) -> None:
    store = EventStore(tmp_path, buckets=8)
    many = [(f"c{n}", "2024-01-02", f"e{n}") for n in range(1_200)]
    assert fate(store, *many, source="orders") == (1_200, 0, 0)
    sent = 0

    def one(who: str, when: str, event_id: str | None, source: str = SENT) -> tuple[int, ...]:
        """What becomes of an event that comes with so many new ones that its id is looked for in this way."""
        nonlocal sent
        others = [(f"o{n}", "2024-01-02", f"o{sent}-{n}") for n in range(beside)]
        sent += 1
        new, already_there, corrected = fate(store, (who, when, event_id), *others, source=source)
        return new - beside, already_there, corrected

    assert one("c5", "2024-01-03", "live-1") == (1, 0, 0)
    assert one("c5", "2024-01-03", "live-1") == (0, 1, 0)
    assert one("c6", "2024-01-04", "live-1") == (0, 0, 1), "it moved to another customer"
    assert one("c7", "2024-01-02", "e7") == (0, 1, 0), "an event of a source, sent live"
    assert one("c8", "2024-02-02", "e8", "orders") == (0, 0, 1)
    assert one("c9", "2024-02-02", None) == (1, 0, 0)
    assert store.events == 1_202 + sent * beside


def test_after_the_first_append_only_files_that_may_hold_the_id_are_read(tmp_path: Path) -> None:
    store = EventStore(tmp_path, buckets=8)
    fate(store, *[(f"c{n}", "2024-01-02", f"e{n}") for n in range(1_200)], source="orders")
    assert fate(store, ("c5", "2024-01-03", "live-1")) == (1, 0, 0)
    assert fate(store, ("c5", "2024-01-04", "live-2")) == (1, 0, 0)
    key = int(store.customers.keys(pa.array(["c5"], pa.large_string()))[0])
    others = [
        tmp_path / "events" / file
        for bucket in store.buckets
        if bucket != key % len(store.buckets)
        for file in store.files_of(bucket)
    ]
    assert len(others) == 7
    for file in others:  # whoever reads one of them now meets an error
        file.rename(file.with_suffix(".away"))
    assert fate(store, ("c5", "2024-01-05", "live-3")) == (1, 0, 0)
    assert fate(store, ("c5", "2024-01-05", "live-3")) == (0, 1, 0)
    assert fate(EventStore(tmp_path, buckets=8), ("c5", "2024-01-06", "live-4")) == (1, 0, 0), "as a request"
    id_filters.cache_clear()  # as another process
    with pytest.raises(DamagedFile):
        fate(EventStore(tmp_path, buckets=8), ("c5", "2024-01-07", "live-5"))
