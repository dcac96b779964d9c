"""How events are kept: once each, corrected, in order, atomically, and erased without a trace."""

from __future__ import annotations

import fcntl
import multiprocessing
import re
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import ConfigurationError, DamagedFile, DataError, UnknownCustomer, UsageError
from features.event_store import EventStore
from features.ingestion.receipt import Receipt
from features.ingestion.session.guards import IngestOptions
from features.ingestion.sources import Attribute, Source
from features.storage.delta_table import Lake
from features.timeline import ALWAYS, Timeline, from_instant

UTC_TIME = Timeline()
NOW = UTC_TIME.instant("2025-01-01")


def table(*rows: dict[str, Any]) -> pa.Table:
    defaults = {"customer_id": "ann", "occurred_at": "2024-05-01", "kind": "visit"}
    names = dict.fromkeys(name for row in rows for name in {**defaults, **row})
    return pa.table({name: [{**defaults, **row}.get(name) for row in rows] for name in names})


def add(store: EventStore, *rows: dict[str, Any], source: str = "orders", now: int = NOW) -> Receipt:
    return store.add(table(*rows), source=source, timeline=UTC_TIME, now=now)


def kept(store: EventStore, **how: Any) -> list[dict[str, Any]]:
    """Every event in the store, in its order, without what is absent."""
    events = []
    for history in store.histories(event_ids=True, **how):
        names = store.customers.names(history.keys).to_pylist()
        for customer, name in enumerate(names):
            for row in range(history.offsets[customer], history.offsets[customer + 1]):
                said = {
                    "value": None if np.isnan(history.values[row]) else float(history.values[row]),
                    "channel": (*history.channel_names, None)[history.channels[row]],
                    "place": (*history.place_names, None)[history.places[row]],
                    "detail": (*history.detail_names, None)[history.details[row]],
                }
                events.append(
                    {
                        "customer_id": name,
                        "occurred_at": from_instant(history.instants[row]),
                        "kind": history.kind_names[history.kinds[row]],
                        "event_id": history.event_ids[row],
                        **{column: value for column, value in said.items() if value is not None},
                    }
                )
    return events


def values(store: EventStore) -> list[float]:
    return sorted(event["value"] for event in kept(store))


@pytest.fixture
def store(tmp_path: Path) -> EventStore:
    return EventStore(tmp_path / "state", buckets=4)


def whole(sentence: str) -> str:
    return f"^{re.escape(sentence)}$"


# --- once each ----------------------------------------------------------------------------------


def test_a_repeated_ingest_adds_nothing_and_changes_no_version(store):
    rows = [{"value": 1.0}, {"value": 1.0}, {"customer_id": "bob", "event_id": "7"}]
    assert add(store, *rows) == Receipt("orders", 3, 3, 0, 0, 0, 0)
    version, events = store.version, kept(store)
    assert add(store, *rows) == Receipt("orders", 3, 0, 3, 0, 0, 0)
    assert (store.version, kept(store)) == (version, events)


def test_true_repeats_without_an_id_are_kept_and_a_further_one_is_new(store):
    add(store, {"value": 1.0}, {"value": 1.0})
    assert add(store, {"value": 1.0}, {"value": 1.0}, {"value": 1.0}).new == 1
    assert values(store) == [1.0, 1.0, 1.0]


def test_the_version_says_which_events_there_are_however_they_came(tmp_path):
    one, two = EventStore(tmp_path / "one"), EventStore(tmp_path / "two", buckets=2)
    rows = [{"customer_id": f"c{n}", "value": float(n), "detail": f"d{n % 3}"} for n in range(50)]
    add(one, *rows)
    for start in range(0, 50, 10):
        add(two, *reversed(rows[start : start + 10]))
    assert one.version == two.version
    add(two, {"value": 3.0})
    assert one.version != two.version


def test_negative_zero_is_zero_and_huge_values_are_kept(store):
    add(store, {"value": 0.0}, {"value": 1e100}, {"value": -1e-300})
    assert add(store, {"value": -0.0}).already_there == 1
    assert values(store) == [-1e-300, 0.0, 1e100]


def test_an_id_that_comes_twice_in_one_ingest_is_one_event(store):
    assert add(store, {"event_id": "1", "value": 5.0}, {"event_id": "1", "value": 5.0}) == Receipt(
        "orders", 2, 1, 1, 0, 0, 0, several_rows=1
    )


# --- corrections --------------------------------------------------------------------------------


def test_the_later_row_of_an_id_corrects_the_earlier(store):
    add(store, {"event_id": "1", "value": 5.0}, {"event_id": "2", "value": 9.0})
    assert add(store, {"event_id": "1", "value": 6.0}) == Receipt("orders", 1, 0, 0, 1, 0, 0)
    assert values(store) == [6.0, 9.0]


def test_a_correction_may_move_an_event_to_another_customer_and_time(store):
    add(store, *({"customer_id": f"c{n}", "event_id": str(n), "value": float(n)} for n in range(9)))
    moved = {"customer_id": "c8", "event_id": "3", "value": 3.0, "occurred_at": "2024-06-01"}
    assert add(store, moved).corrected == 1
    assert [(e["customer_id"], e["occurred_at"].month) for e in kept(store) if e["event_id"] == "3"] == [
        ("c8", 6)
    ]
    assert values(store) == [float(n) for n in range(9)]


def test_a_move_to_a_new_customer_within_one_ingest_leaves_one_event(store):
    rows = [{"customer_id": f"c{n}", "event_id": "1", "value": float(n)} for n in range(6)]
    assert add(store, *rows) == Receipt("orders", 6, 1, 0, 5, 0, 0, several_rows=1)
    assert [(event["customer_id"], event["value"]) for event in kept(store)] == [("c5", 5.0)]


def test_an_older_row_that_comes_late_corrects_nothing(store):
    add(store, {"event_id": "1", "value": 6.0, "recorded_at": "2024-06-02"})
    assert add(store, {"event_id": "1", "value": 5.0, "recorded_at": "2024-06-01"}).already_there == 1
    assert add(store, {"event_id": "1", "value": 7.0, "recorded_at": "2024-06-03"}).corrected == 1
    assert values(store) == [7.0]


def test_ids_of_two_sources_are_different_events(store):
    add(store, {"event_id": "1", "kind": "purchase"}, source="orders")
    receipt = add(store, {"event_id": "1", "kind": "visit"}, {"event_id": "2", "kind": "visit"}, source="web")
    assert receipt == Receipt("web", 2, 2, 0, 0, 0, 0)
    assert sorted(event["kind"] for event in kept(store)) == ["purchase", "visit", "visit"]


def test_two_sources_that_share_ids_for_different_things_are_told_apart(ingest, tmp_path):
    query = "select '1' as event_id, 'ann' as customer_id, date '2024-05-01' as occurred_at, '{}' as kind"
    receipts = ingest(query.format("purchase"), query.format("visit"), shared_ids=True)
    assert [(one.new, one.quarantined) for one in receipts] == [(1, 0), (0, 1)]
    store = EventStore(tmp_path / "state")
    assert [event["kind"] for event in kept(store)] == ["purchase"]
    (reason,) = store.quarantined().column("reason").to_pylist()
    assert reason == (
        "source 's0' uses this event_id for another kind of event than source 's1': "
        "prefix the id in the query, as in `'s1-' || id as event_id`"
    )


def test_one_source_may_correct_the_kind_of_an_event(store):
    add(store, {"event_id": "1", "kind": "purchase"})
    assert add(store, {"event_id": "1", "kind": "visit"}).corrected == 1


# --- any order, any number of ingests -----------------------------------------------------------

rows_of_events = st.fixed_dictionaries(
    {
        "customer_id": st.sampled_from([f"c{n}" for n in range(7)]),
        "occurred_at": st.sampled_from([datetime(2024, 5, day, tzinfo=UTC) for day in (1, 2, 3)]),
        "value": st.sampled_from([None, 1.0, 2.0]),
        "detail": st.sampled_from([None, "x", "y", "z"]),
        "recorded_at": st.sampled_from([None, *(datetime(2024, 6, day, tzinfo=UTC) for day in (1, 2))]),
        "event_id": st.sampled_from([None, *(str(n) for n in range(12))]),
    }
)


def says_no_more(row: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(row[name] in (None, other[name]) for name in row if name != "event_id")


def older(row: dict[str, Any], other: dict[str, Any]) -> bool:
    return bool(row["recorded_at"] and other["recorded_at"] and row["recorded_at"] < other["recorded_at"])


def expected(batches: list[list[dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """The plain rules: a dictionary by id, and a count of equal rows without one."""
    events: dict[str, dict[str, Any]] = {}
    for batch in batches:
        repeats: dict[str, int] = {}
        given: dict[str, dict[str, Any]] = {}
        for row in batch:
            name = row["event_id"]
            if name is None:
                said = {name: row[name] for name in row if name != "event_id"}
                repeats[str(said)] = repeats.get(str(said), 0) + 1
                events[f"{said} {repeats[str(said)]}"] = row
            elif name not in given or not (
                says_no_more(row, given[name])
                or (older(row, given[name]) and not says_no_more(given[name], row))
            ):
                given[name] = row
        for name, row in given.items():
            if name not in events or not older(row, events[name]):
                events[name] = row
    return events


@settings(deadline=None, max_examples=12)
@given(st.lists(st.lists(rows_of_events, min_size=1, max_size=12), min_size=1, max_size=6))
def test_whatever_comes_in_whatever_batches_the_store_holds_what_a_dictionary_would(
    tmp_path_factory, batches
):
    store = EventStore(tmp_path_factory.mktemp("state"), buckets=4)
    for batch in batches:
        receipt = add(store, *batch)
        assert receipt.read == receipt.new + receipt.already_there + receipt.corrected + receipt.quarantined
    found = kept(store)
    names = store.customers.names(np.arange(len(store.customers))).to_pylist()
    key = {name: number for number, name in enumerate(names)}
    order = [
        (key[e["customer_id"]] % 4, key[e["customer_id"]], e["occurred_at"], e["event_id"]) for e in found
    ]
    assert order == sorted(order)
    wanted = [{**event, "kind": "visit"} for event in expected(batches).values()]
    said = ("customer_id", "occurred_at", "kind", "value", "detail")
    assert sorted(str([event.get(name) for name in said]) for event in found) == sorted(
        str([event[name] for name in said]) for event in wanted
    )


@pytest.mark.slow
def test_many_small_ingests_leave_few_runs(store):
    for day in range(24):
        add(store, *({"customer_id": f"c{n}", "value": float(day)} for n in range(20)))
    snapshot = store._events.snapshot()
    assert max(len(files) for files in snapshot.by_bucket.values()) <= 8
    assert len(values(store)) == 480


# --- time ---------------------------------------------------------------------------------------


def test_what_happened_or_was_recorded_at_or_after_until_does_not_exist(store):
    add(
        store,
        {"value": 1.0, "occurred_at": "2024-05-01"},
        {"value": 2.0, "occurred_at": "2024-05-01", "recorded_at": "2024-06-01"},
        {"value": 3.0, "occurred_at": "2024-05-03"},
        {"customer_id": "bob", "value": 4.0, "occurred_at": "2024-06-01"},
    )
    seen = kept(store, until=UTC_TIME.instant("2024-06-01"))
    assert [event["value"] for event in seen] == [1.0, 3.0]
    seen = kept(store, until=UTC_TIME.instant("2024-05-03"))
    assert [event["value"] for event in seen] == [1.0]


def test_the_recorded_column_is_empty_when_everything_was_known_at_once(store):
    add(store, {"value": 1.0})
    assert [len(history.recorded) for history in store.histories()] == [0, 0, 0, 0]
    add(store, {"value": 2.0, "recorded_at": "2024-06-01"})
    recorded = store.history_of([0]).recorded
    assert sorted(recorded.tolist()) == [ALWAYS, UTC_TIME.instant("2024-06-01")]


def test_newest_and_oldest_are_of_engagement_not_of_attributes(store):
    add(
        store,
        {"occurred_at": "2024-05-01"},
        {"occurred_at": "2024-05-09"},
        {"occurred_at": "2024-12-31", "kind": "attribute.plan", "detail": "gold"},
        {"occurred_at": "2023-01-01", "kind": "attribute.plan", "detail": "free"},
    )
    assert (store.oldest(), store.newest()) == (
        UTC_TIME.instant("2024-05-01"),
        UTC_TIME.instant("2024-05-09"),
    )


# --- reading ------------------------------------------------------------------------------------


def test_a_few_customers_are_read_alone_and_without_events_have_an_empty_range(store):
    add(store, *({"customer_id": f"c{n % 50}", "value": float(n)} for n in range(500)))
    history = store.history_of([41, 3, 999])
    assert history.keys.tolist() == [3, 41, 999]
    assert history.offsets.tolist() == [0, 10, 20, 20]
    assert sorted(history.values[:10].tolist()) == [float(n) for n in range(3, 500, 50)]
    assert store.history_of([]).customers == 0


def test_columns_nobody_asked_for_are_empty(store):
    add(store, {"value": 1.0, "channel": "web", "place": "p", "detail": "d"})
    history = store.history_of([0], columns=frozenset({"place"}))
    assert [len(history.values), len(history.channels), len(history.places), len(history.details)] == [
        0,
        0,
        1,
        0,
    ]


def test_a_store_without_events_says_what_to_do(store):
    with pytest.raises(
        DataError, match=whole("cannot read events: nothing was ingested yet; run `kizuna ingest`")
    ):
        list(store.histories())
    assert store.version == "0000000000000000"


def test_a_first_ingest_whose_rows_are_all_refused_has_its_receipt_and_a_version(store):
    receipt = add(store, {"customer_id": ""}, {"customer_id": " "})
    assert (receipt.read, receipt.new, receipt.quarantined, receipt.without_customer) == (2, 0, 2, 2)
    assert store.version == "0000000000000000"


def test_a_pinned_store_shares_what_is_open_and_known(store):
    add(store, {"value": 1})
    known = store.customers
    still = store.pinned()
    assert type(still) is type(store)
    assert still.customers is known
    assert still._events is store._events
    assert still._customers is store._customers
    assert still.pinned() is still


def test_a_pinned_store_stays_as_it_was_while_others_ingest(store):
    add(store, {"value": 1})
    still = store.pinned()
    version, events, newest = still.version, kept(still), still.newest()
    add(store, {"value": 2, "occurred_at": "2024-06-01"})
    assert (still.version, kept(still), still.newest(), still.events) == (version, events, newest, 1)
    assert store.version != version
    assert len(kept(store)) == 2


# --- sources and attributes ---------------------------------------------------------------------


@pytest.fixture
def ingest(tmp_path: Path) -> Callable[..., list[Receipt]]:
    def run(*queries: str, attributes: tuple[str, ...] = (), **other: Any) -> list[Receipt]:
        return EventStore(tmp_path / "state", buckets=4).ingest(
            [Source(name=f"s{n}", query=query, **other) for n, query in enumerate(queries)],
            [Attribute(name=f"a{n}", query=query) for n, query in enumerate(attributes)],
            folder=tmp_path,
            timeline=UTC_TIME,
            now=NOW,
            options=IngestOptions(accept_quarantine=frozenset(f"s{n}" for n in range(len(queries)))),
        )

    return run


def test_a_run_of_several_sources_says_what_became_of_each(ingest, tmp_path):
    (tmp_path / "orders.csv").write_text("c,t,v\nann,2024-05-01,3\n,2024-05-01,4\nbob,2024-05-02,nan\n")
    (tmp_path / "plans.csv").write_text("c,t,v\nann,2024-04-01,gold\n")
    orders = "select c as customer_id, t as occurred_at, 'purchase' as kind, v as value from 'orders.csv'"
    plans = "select c as customer_id, t as known_at, v as value from 'plans.csv'"
    assert ingest(orders, attributes=(plans,)) == [
        Receipt("s0", 3, 1, 0, 0, 2, 1),
        Receipt("a0", 1, 1, 0, 0, 0, 0),
    ]
    assert [(e["kind"], e.get("detail")) for e in kept(EventStore(tmp_path / "state"))] == [
        ("attribute.a0", "gold"),
        ("purchase", None),
    ]


def test_an_error_in_one_source_leaves_the_store_as_it_was(ingest, tmp_path):
    (tmp_path / "a.csv").write_text("c,t\nann,2024-05-01\n")
    good = "select c as customer_id, t as occurred_at, 'visit' as kind from 'a.csv'"
    ingest(good)
    store = EventStore(tmp_path / "state")
    before, files = store.version, sorted((tmp_path / "state").glob("**/*.parquet"))
    (tmp_path / "a.csv").write_text("c,t\nann,2024-05-01\neve,2024-05-02\n")
    with pytest.raises(DataError, match="gave no rows"):
        ingest(good, good + " where false")
    assert (store.version, sorted((tmp_path / "state").glob("**/*.parquet"))) == (before, files)
    assert store.customers.keys(pa.array(["eve"])).tolist() == [-1]
    assert [receipt.new for receipt in ingest(good)] == [1]


def test_a_source_may_gain_or_lose_an_optional_column(ingest, tmp_path):
    (tmp_path / "a.csv").write_text("c,t\nann,2024-05-01\n")
    plain = "select c as customer_id, t as occurred_at, 'visit' as kind"
    ingest(plain + " from 'a.csv'")
    assert ingest(plain + ", null as channel from 'a.csv'")[0].already_there == 1  # says no more than before
    assert ingest(plain + ", 'web' as channel from 'a.csv'")[0].new == 1  # says something else: another event
    assert ingest(plain + " from 'a.csv'")[0].already_there == 1
    assert [event.get("channel") for event in kept(EventStore(tmp_path / "state"))].count("web") == 1


def test_with_a_watermark_only_new_rows_are_read_and_nothing_new_is_no_error(ingest, tmp_path):
    (tmp_path / "a.csv").write_text("n,c,t\n1,ann,2024-05-01\n2,bob,2024-05-02\n")
    query = "select n as event_id, c as customer_id, t as occurred_at, 'visit' as kind from 'a.csv'"
    assert ingest(query, watermark="event_id")[0].read == 2
    assert ingest(query, watermark="event_id")[0] == Receipt("s0", 1, 0, 1, 0, 0, 0)
    with (tmp_path / "a.csv").open("a") as file:
        file.write("3,zoe,2024-05-03\n")
    assert ingest(query, watermark="event_id")[0] == Receipt("s0", 2, 1, 1, 0, 0, 0)


# --- quarantine ---------------------------------------------------------------------------------


def test_a_bad_row_is_kept_once_with_its_reason_time_and_key(store):
    add(store, {"value": 1.0})
    for later in range(2):
        receipt = add(store, {"kind": None}, {"customer_id": None}, {"value": 2.0}, now=NOW + later)
        assert (receipt.quarantined, receipt.without_customer) == (2, 1)
    rows = store.quarantined().to_pylist()
    assert [(row["source"], row["reason"], row["key"]) for row in rows] == [
        ("orders", "customer_id is empty", None),
        ("orders", "kind is empty", 0),
    ]
    assert {row["ingested_at"] for row in rows} == {from_instant(NOW)}


# --- erasure ------------------------------------------------------------------------------------


def test_an_erased_customer_leaves_no_trace_in_any_file(store):
    add(
        store,
        *({"customer_id": f"person-{n}", "value": float(n), "event_id": f"person-{n}/1"} for n in range(9)),
    )
    add(store, {"customer_id": "person-3", "kind": ""}, {"customer_id": "person-4", "detail": "person-3"})
    before = store.version
    receipt = store.erase("person-3")
    assert (receipt.key, receipt.events, receipt.mentions, receipt.quarantined) == (3, 1, 1, 1)
    assert any("_delta_log" in name for name in receipt.checked)
    assert any(name.startswith("customers/") for name in receipt.checked)
    everything = sorted(path for path in store.folder.glob("**/*") if path.is_file())
    assert len(receipt.checked) == len(everything) - 2  # all but the lock and the list of hashes
    for path in everything:
        said = (
            str(pq.read_table(path, partitioning=None).to_pydict())
            if path.suffix == ".parquet"
            else path.read_text()
        )
        assert "person-3" not in said, path
    assert store.version != before
    assert store.customers.names(np.array([3, 4])).to_pylist() == [None, "person-4"]
    assert store.customers.keys(pa.array(["person-3"])).tolist() == [-1]
    assert sorted({event["customer_id"] for event in kept(store)}) == [
        f"person-{n}" for n in range(9) if n != 3
    ]


def test_the_key_of_an_erased_customer_is_never_given_again(store):
    add(store, {"customer_id": "ann"}, {"customer_id": "bob"})
    store.erase("bob")
    store.readmit("bob")
    add(store, {"customer_id": "bob"}, {"customer_id": "eve"})
    assert EventStore(store.folder).customers.keys(pa.array(["ann", "bob", "eve"])).tolist() == [0, 2, 3]


def test_an_erased_customer_stays_out_of_every_later_ingest_which_says_so(ingest, tmp_path):
    (tmp_path / "a.csv").write_text(
        "n,c,t,d\n1,ann,2024-05-01,x\n2,bob,2024-05-02,x\n3,,2024-05-02,x\n4,zoe,2024-05-03,bob\n"
    )
    query = (
        "select n as event_id, c as customer_id, t as occurred_at, 'visit' as kind, d as detail from 'a.csv'"
    )
    ingest(query)
    state = tmp_path / "state"
    EventStore(state).erase("bob")
    version = EventStore(state).version
    assert ingest(query) == [Receipt("s0", 4, 0, 2, 0, 1, 1, erased=1)]
    store = EventStore(state)
    assert store.version == version  # bob is no detail of zoe's event either
    assert store.customers.keys(pa.array(["bob"])).tolist() == [-1]
    (receipt,) = ingest(query + " where c = 'bob'")
    assert (receipt.read, receipt.erased) == (1, 1)  # nothing else to read is no error
    assert "bob" not in (state / "erased.json").read_text()


def test_rows_of_an_erased_customer_are_not_even_quarantined(store):
    add(store, {"customer_id": "ann"}, {"customer_id": "bob"}, {"customer_id": "17"})
    store.erase("bob")
    store.erase("17")
    assert add(store, {"customer_id": "bob", "kind": ""}) == Receipt("orders", 1, 0, 0, 0, 0, 0, erased=1)
    numbers = pa.table({"customer_id": [17, 18], "occurred_at": ["2024-05-01"] * 2, "kind": ["visit"] * 2})
    assert store.add(numbers, source="orders", timeline=UTC_TIME, now=NOW).erased == 1
    assert store.quarantined().num_rows == 0


def test_an_erased_customer_is_readmitted_by_name(store):
    add(store, {"customer_id": "ann"}, {"customer_id": "bob"})
    store.erase("bob")
    store.readmit("bob")
    assert add(store, {"customer_id": "bob"}).new == 1
    sentence = "cannot readmit customer 'bob': they are not among the erased. Check the identifier."
    with pytest.raises(UsageError, match=whole(sentence)):
        store.readmit("bob")


def test_after_an_erasure_the_watermark_and_the_rest_still_hold(ingest, tmp_path):
    (tmp_path / "a.csv").write_text("n,c,t\n1,ann,2024-05-01\n2,bob,2024-05-02\n")
    query = "select n as event_id, c as customer_id, t as occurred_at, 'visit' as kind from 'a.csv'"
    ingest(query, watermark="event_id")
    EventStore(tmp_path / "state").erase("ann")
    assert ingest(query, watermark="event_id")[0].read == 1
    assert [event["customer_id"] for event in kept(EventStore(tmp_path / "state"))] == ["bob"]


def test_someone_who_was_only_ever_refused_can_be_erased(store):
    add(store, {"customer_id": "ann"}, {"customer_id": "bob", "kind": ""})
    assert store.erase("bob").quarantined == 1
    assert store.quarantined().num_rows == 0


def test_the_last_customer_can_be_erased(store):
    add(store, {"customer_id": "ann"})
    assert store.erase("ann").events == 1
    store.readmit("ann")
    add(store, {"customer_id": "ann"})
    assert store.customers.keys(pa.array(["ann"])).tolist() == [1]


@pytest.mark.parametrize("name", ["16", "3", "0", "parquet", "WRITE", "add", "visit", "orders", "%_'\"\\"])
def test_ids_that_look_like_words_of_the_store_are_erased_like_any(store, name):
    add(store, {"customer_id": name}, {"customer_id": "ann"})
    assert store.erase(name).events == 1
    assert [event["customer_id"] for event in kept(store)] == ["ann"]


def test_erasing_a_stranger_says_so(store):
    add(store, {"customer_id": "ann"})
    with pytest.raises(UnknownCustomer, match=r"^cannot answer for customer 'eve'"):
        store.erase("eve")


# --- several processes --------------------------------------------------------------------------


def _ingest_elsewhere(folder: Path, number: int) -> None:
    store = EventStore(folder, buckets=4)
    rows = [
        {"customer_id": f"c{n % 30}", "event_id": str(n), "value": float(n)} for n in range(number * 50, 1000)
    ]
    add(store, *rows)


def test_ingests_from_several_processes_at_once_keep_every_event_once(tmp_path):
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=_ingest_elsewhere, args=(tmp_path / "state", n)) for n in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert values(EventStore(tmp_path / "state")) == [float(n) for n in range(1000)]


def test_a_reader_keeps_its_version_while_the_store_moves_on(store):
    add(store, *({"customer_id": f"c{n}", "value": 1.0} for n in range(8)))
    histories = store.histories()
    first = next(histories)
    add(EventStore(store.folder), *({"customer_id": f"c{n}", "value": 2.0} for n in range(8)))
    assert sum(history.events for history in [first, *histories]) == 8
    assert len(values(store)) == 16


def test_a_store_that_was_open_all_along_sees_what_others_ingested_and_erased(store):
    add(store, {"customer_id": "ann"}, {"customer_id": "bob"})
    other = EventStore(store.folder)
    for number in range(3):
        add(other, {"customer_id": "ann", "value": float(number)})
    other.erase("bob")
    add(other, {"customer_id": "eve"})
    assert kept(store) == kept(other)
    assert (store.version, len(kept(store))) == (other.version, 5)
    assert store.customers.keys(pa.array(["bob", "eve"])).tolist() == [-1, 2]


def test_an_ingest_that_must_wait_for_another_says_so(tmp_path):
    state, told = tmp_path / "state", []
    state.mkdir()
    source = Source(
        name="web", query="select 'ann' as customer_id, date '2024-05-01' as occurred_at, 'visit' as kind"
    )

    def progress(message: str, share: float) -> None:
        told.append(message)
        if message.startswith("waiting"):
            fcntl.flock(lock, fcntl.LOCK_UN)

    with (state / "ingest.lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        EventStore(state).ingest([source], [], folder=tmp_path, timeline=UTC_TIME, now=NOW, progress=progress)
    assert told[0] == "waiting for another ingest to finish"
    assert told[-1] == "sorting and storing"


def test_two_sources_of_one_name_are_refused(store, tmp_path):
    source = Source(name="web", query="select 1")
    sentence = "cannot ingest: two sources or attributes are called 'web'. Give each its own name."
    with pytest.raises(ConfigurationError, match=whole(sentence)):
        store.ingest([source, source], [], folder=tmp_path, timeline=UTC_TIME, now=NOW)


def test_an_erasure_that_broke_off_is_finished_by_whoever_writes_next(store, monkeypatch):
    add(store, {"customer_id": "ann"}, {"customer_id": "person-1"})
    with monkeypatch.context() as power:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have had it ignored
        power.setattr(Lake, "forget_the_past", lambda _: signal.raise_signal(signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            store.erase("person-1")
    add(EventStore(store.folder), {"customer_id": "zoe"})
    for path in store.folder.glob("**/*"):
        if path.suffix == ".parquet":
            assert "person-1" not in str(pq.read_table(path, partitioning=None).to_pydict())
    assert [event["customer_id"] for event in kept(store)] == ["ann", "zoe"]


def runs(store: EventStore) -> list[Path]:
    return sorted((store.folder / "events").glob("bucket=*/*.parquet"))


@pytest.mark.parametrize("damage", ["cut", "nonsense", "missing", "changed"])
def test_a_damaged_run_is_named_with_what_to_do(store: EventStore, damage: str) -> None:
    add(store, *({"customer_id": f"c{n}", "occurred_at": f"2024-05-{n % 9 + 1:02}"} for n in range(300)))
    run = runs(store)[1]
    content = bytearray(run.read_bytes())
    if damage == "missing":
        run.unlink()
    elif damage == "changed":
        footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
        content[4:footer] = bytes(footer - 4)
        run.write_bytes(content)
    else:
        run.write_bytes(content[: len(content) // 2] if damage == "cut" else b"nothing of Kizuna's")
    reads: list[Callable[[], object]] = [
        lambda: list(EventStore(store.folder).histories()),
        lambda: EventStore(store.folder).history_of(range(300)),
    ]
    for read in reads:
        with pytest.raises(DamagedFile) as refused:
            read()
        assert isinstance(refused.value, DataError)
        assert str(refused.value).startswith(f"cannot read the events: the store's file {run} is damaged (")
        assert str(refused.value).endswith(
            "). Restore it, or the state folder, from a backup; or move the state folder away and ingest the "
            "sources again with `kizuna ingest`."
        )


def test_an_ingest_into_a_damaged_store_names_the_run(store: EventStore) -> None:
    add(store, *({"customer_id": f"c{n}"} for n in range(300)))
    for run in runs(store):
        run.write_bytes(b"nothing of Kizuna's")
    with pytest.raises(DamagedFile, match="is damaged"):
        add(EventStore(store.folder), *({"customer_id": f"c{n}", "kind": "purchase"} for n in range(300)))


def test_a_run_that_a_newer_version_removed_is_no_damage(store: EventStore) -> None:
    add(store, {"customer_id": "ann"}, {"customer_id": "bob"})
    pinned = store.pinned()
    EventStore(store.folder).erase("ann")
    with pytest.raises(FileNotFoundError):
        list(pinned.histories())
