"""What training reads is named by a digest of everything that its features can see."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from features.event_store import EventStore
from tests.training.simulated import NOW, UTC
from tests.training.worlds import INACTIVITY, day
from training.data.extent import data_extent

EVENTS = {
    "customer_id": ["ann", "ann", "ann", "bob", "bob"],
    "occurred_at": [day(1), day(1), day(3), day(1), day(5)],
    "kind": ["purchase", "visit", "purchase", "purchase", "purchase"],
    "value": [10.0, None, 20.0, 5.0, None],
    "channel": ["web", None, "store", "web", None],
    "place": ["Leeds", None, None, "York", None],
    "detail": ["food", None, "toys", None, None],
    "recorded_at": [None, None, day(4), None, None],
    "event_id": ["a", "b", "c", "d", "e"],
}


def digest(folder: Path, **changed: list[object]) -> str:
    """The digest of these events, with some columns changed."""
    columns = EVENTS | changed
    moments = pa.timestamp("us", "UTC")
    types = {"occurred_at": moments, "recorded_at": moments, "value": pa.float64()}
    folder.mkdir()
    store = EventStore(folder)
    table = pa.table(
        {name: pa.array(column, types.get(name, pa.string())) for name, column in columns.items()}
    )
    store.add(table, source="shop", timeline=UTC, now=NOW)
    return data_extent(EventStore(folder), None, INACTIVITY, UTC).digest


@pytest.mark.parametrize(
    "changed",
    [
        {"value": [11.0, None, 20.0, 5.0, None]},
        {"channel": ["app", None, "store", "web", None]},
        {"place": ["Hull", None, None, "York", None]},
        {"place": [None, None, None, "York", None]},
        {"detail": ["games", None, "toys", None, None]},
        {"recorded_at": [None, None, day(6), None, None]},
        {"recorded_at": [None] * 5},
        {"event_id": ["b", "a", "c", "d", "e"]},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_another_content_of_any_column_is_another_data_version(
    tmp_path: Path, changed: dict[str, list[object]]
) -> None:
    assert digest(tmp_path / "one") != digest(tmp_path / "two", **changed)


def test_ids_that_give_the_same_order_are_the_same_data_version(tmp_path: Path) -> None:
    assert digest(tmp_path / "one") == digest(tmp_path / "two", event_id=["v", "w", "x", "y", "z"])


def test_the_order_of_the_rows_does_not_matter(tmp_path: Path) -> None:
    turned = {name: column[::-1] for name, column in EVENTS.items()}
    assert digest(tmp_path / "one") == digest(tmp_path / "two", **turned)
