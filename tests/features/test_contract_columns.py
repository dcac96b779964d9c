"""The optional columns `contract_id` and `currency`: kept on every path, no trace where nobody has them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from features.event_store import EventStore
from features.events.history import History
from features.events.schema import EVENT_SCHEMA, RARE
from features.events.validation import whole
from features.ingestion.fast_path import fast_history
from features.ingestion.in_memory import as_events, history_of_events
from features.ingestion.receipt import Receipt
from features.ingestion.sources import Source
from features.storage import delta_table, sorted_run
from features.storage.customer_ids import Customers
from features.timeline import Timeline
from tests.features.ingestion.test_event_rows import Sender

UTC_TIME = Timeline()
NOW = UTC_TIME.instant("2025-01-01")
PLAIN = {"customer_id": "ann", "occurred_at": "2024-05-01T09:00:00Z", "kind": "started", "value": 5.0}
RICH = {**PLAIN, "contract_id": "K-1", "currency": "JPY"}
PLAIN_ID = "be0b53e8ddcbe6a4484aa8b4"


def add(store: EventStore, *rows: dict[str, Any], source: str = "subs") -> Receipt:
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: [row.get(name) for row in rows] for name in names}
    return store.add(pa.table(columns), source=source, timeline=UTC_TIME, now=NOW)


def one(store: EventStore) -> History:
    return store.history_of(range(len(store.customers)), event_ids=True)


def said(history: History) -> list[tuple[str | None, str | None]]:
    """Contract and currency of each event."""

    def texts(codes: np.ndarray, names: tuple[str, ...]) -> list[str | None]:
        return [(*names, None)[code] for code in codes] if len(codes) else [None] * history.events

    contracts = texts(history.contracts, history.contract_names)
    return list(zip(contracts, texts(history.currencies, history.currency_names), strict=True))


def files(store: EventStore) -> list[list[str]]:
    return [pq.read_schema(path).names for path in sorted(store.folder.glob("events/bucket=*/*.parquet"))]


@pytest.fixture
def store(tmp_path: Path) -> EventStore:
    return EventStore(tmp_path / "state", buckets=1)


def test_contract_and_currency_are_kept(store: EventStore) -> None:
    add(store, RICH, {**PLAIN, "contract_id": "K-2", "occurred_at": "2024-05-02"}, {**PLAIN, "kind": "visit"})
    assert sorted(said(one(store)), key=str) == [("K-1", "JPY"), ("K-2", None), (None, None)]


def test_a_project_without_them_has_no_such_column_in_its_files_and_arrays(store: EventStore) -> None:
    add(store, PLAIN)
    history = one(store)
    seldom = (*RARE, "retracted_at", "known_again_at")
    assert files(store) == [[name for name in sorted_run.RUN_SCHEMA.names if name not in seldom]]
    assert (len(history.contracts), history.contract_names) == (0, ())
    assert (len(history.currencies), history.currency_names) == (0, ())


def test_ids_and_version_of_events_without_them_are_what_they_always_were(store: EventStore) -> None:
    add(store, PLAIN)
    assert (one(store).event_ids.tolist(), store.version) == ([PLAIN_ID], "7b24585f57ba3e16")


def test_events_that_differ_in_contract_or_currency_alone_are_different_events(store: EventStore) -> None:
    others = [{**PLAIN, "contract_id": "K-1"}, {**PLAIN, "contract_id": "JPY"}, {**PLAIN, "currency": "JPY"}]
    assert add(store, PLAIN, *others, RICH).new == 5
    assert add(store, RICH, *others, PLAIN).already_there == 5
    assert len(set(one(store).event_ids.tolist())) == 5


def test_a_contract_that_comes_later_for_a_given_id_is_a_correction(store: EventStore) -> None:
    add(store, {**PLAIN, "event_id": "1"})
    assert add(store, {**RICH, "event_id": "1"}).corrected == 1
    assert said(one(store)) == [("K-1", "JPY")]


def test_sources_with_and_without_them_come_in_together_in_the_order_of_arrival(tmp_path: Path) -> None:
    store = EventStore(tmp_path / "state", buckets=2)
    days = "select i::varchar as customer_id, timestamp '2024-05-01' + i * interval 1 day as occurred_at"
    queries = {
        "a": "'started' as kind, 'K' || i as contract_id",
        "b": "'visit' as kind, 'b' || i as event_id",
        "c": "'cancelled' as kind, 'c' || i as event_id, 'EUR' as currency",
    }
    sources = [
        Source(name=name, query=f"{days}, {columns} from range(5) t(i)") for name, columns in queries.items()
    ]
    store.ingest(sources, (), folder=tmp_path, timeline=UTC_TIME, now=NOW)
    found = [pair for history in store.histories() for pair in said(history)]
    expected = [(f"K{i}", None) for i in range(5)] + [(None, None)] * 5 + [(None, "EUR")] * 5
    assert sorted(found, key=str) == sorted(expected, key=str)
    again = store.ingest(sources, (), folder=tmp_path, timeline=UTC_TIME, now=NOW)
    assert [receipt.already_there for receipt in again] == [5, 5, 5]


def test_a_store_from_before_the_columns_stays_readable_and_takes_them_in(
    store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = pa.schema([column for column in sorted_run.RUN_SCHEMA if column.name not in RARE])
    monkeypatch.setattr("features.storage.store_reader.RUN_SCHEMA", old)
    before = EventStore(store.folder, buckets=1)
    for n in range(20):  # a long run that the new rows are not merged into
        add(before, {**PLAIN, "value": float(n)}, {**PLAIN, "value": n + 0.5})
    monkeypatch.undo()
    version, now = before.version, EventStore(store.folder)
    assert now.version == version
    assert set(said(one(now))) == {(None, None)}
    assert add(now, RICH).new == 1
    assert sorted(said(one(now)), key=str)[0] == ("K-1", "JPY")
    assert len(files(now)) > 1
    declared = DeltaTable(str(store.folder / "events")).schema().fields
    assert set(RARE) <= {column.name for column in declared}
    assert delta_table.Lake(store.folder / "events", sorted_run.RUN_SCHEMA, buckets=1).record()


def test_the_quarantine_shows_the_row_as_it_came(store: EventStore) -> None:
    add(store, {**RICH, "event_id": "1"}, source="one")
    assert add(store, {**RICH, "event_id": "1", "kind": "cancelled"}, source="sent").quarantined == 1
    assert add(store, {**RICH, "kind": ""}, PLAIN, source="three").quarantined == 1
    rows = [json.loads(row) for row in store.quarantined().column("row").to_pylist()]
    assert [(row["contract_id"], row["currency"]) for row in rows] == [("K-1", "JPY")] * 2


def test_a_row_in_conflict_shows_no_column_that_nobody_has(store: EventStore) -> None:
    add(store, {**PLAIN, "event_id": "1"}, source="one")
    add(store, {**PLAIN, "event_id": "1", "kind": "cancelled"}, source="sent")
    row = json.loads(store.quarantined().column("row")[0].as_py())
    assert list(row) == [name for name in EVENT_SCHEMA.names if name not in RARE]


@pytest.mark.parametrize(
    "more", [{}, {"contract_id": "K-1"}, {"currency": "JPY"}, {"contract_id": "", "currency": "JPY"}]
)
def test_a_request_has_them_on_both_paths_with_the_ids_of_the_store(
    store: EventStore, more: dict[str, Any]
) -> None:
    rows = [{**PLAIN, **more}, {**PLAIN, "kind": "visit"}, {**PLAIN, "kind": "visit"}]
    add(store, *rows)
    events = [{k: v for k, v in row.items() if k != "customer_id"} for row in rows]
    fast = fast_history([Sender("ann", events)], UTC_TIME, NOW, NOW)  # type: ignore[list-item]
    columns = {name: [row.get(name) for row in rows] for name in EVENT_SCHEMA.names}
    types = {name: pa.float64() if name == "value" else pa.string() for name in columns}
    table = pa.table({name: pa.array(values, types[name]) for name, values in columns.items()})
    slow = history_of_events(whole(table, UTC_TIME, NOW, "sent")[0], Customers())
    stored = one(store)
    assert fast is not None
    assert said(fast) == said(slow) == said(stored)
    assert slow.event_ids.tolist() == stored.event_ids.tolist()
    assert len(fast.contracts) == len(slow.contracts) == len(stored.contracts)
    again = history_of_events(as_events(stored, store.customers.names(stored.keys)), Customers())
    assert (said(again), again.event_ids.tolist()) == (said(stored), stored.event_ids.tolist())


def test_whole_numbers_name_contracts_and_fractions_do_not(store: EventStore) -> None:
    add(store, {**PLAIN, "contract_id": 17})
    assert said(one(store)) == [("17", None)]
    with pytest.raises(Exception, match="contract_id"):
        add(store, {**PLAIN, "contract_id": 17.5})


def test_an_erased_customer_is_no_contract_of_another(store: EventStore) -> None:
    add(store, PLAIN, {**PLAIN, "customer_id": "bob", "contract_id": "ann", "currency": "EUR"})
    store.erase("ann")
    assert set(said(one(store))) == {(None, "EUR")}
    add(store, {**PLAIN, "customer_id": "cleo", "contract_id": "ann"})
    assert {contract for contract, _ in said(one(store))} == {None}
