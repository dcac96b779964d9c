"""Rows that vanish from a complete source are retracted: answers as of an earlier date still know them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.catalog.defaults import catalog, indicators
from features.catalog.definitions import Catalog
from features.catalog.settings import FeatureSettings
from features.engine.snapshot import Priors, snapshot
from features.event_store import EventStore
from features.events.history import History
from features.ingestion.alias_tables import AliasTable
from features.ingestion.receipt import Receipt
from features.ingestion.session.guards import IngestOptions
from features.ingestion.sources import Source
from features.profiling.event_days import EventOrigin, event_days
from features.profiling.profile import profile_events
from features.storage import sorted_run
from features.timeline import DAY, Horizon, Timeline, from_instant, to_instant
from tests.inputs.small_project import SmallProject
from training.data.dataset import ARRAYS, dataset
from training.data.extent import DataExtent, data_extent
from training.data.priors import learn_priors
from training.data.rows.labelled_rows import LabelledRows
from training.labels.settings import Churn

CLOCK = Timeline()
START = datetime(2024, 6, 1, tzinfo=UTC)
HEAD = "id,customer,happened,kind,value,detail,recorded"
QUERY = (
    "select id as event_id, customer as customer_id, happened as occurred_at, kind, value, detail, "
    "recorded as recorded_at from read_csv('orders.csv', all_varchar = true)"
)
NAMELESS = QUERY.replace("id as event_id, ", "")
OTHERS = [f"o{n},other{n},2024-03-01 10:00:00,purchase,10" for n in range(60)]
"""Orders that stay, so that a few that go are no alarm."""


def day(number: float) -> int:
    return to_instant(START) + round(number * DAY)


class Shop:
    """A file of orders that is read whole at every ingest, and its store; the clock is moved by hand."""

    def __init__(self, folder: Path, query: str = QUERY) -> None:
        self.folder, self.query = folder, query

    def ingest(self, at: float, *rows: str, aliases: Sequence[AliasTable] = (), **options: Any) -> Receipt:
        lines = [row + "," * (HEAD.count(",") - row.count(",")) for row in (*OTHERS, *rows)]
        (self.folder / "orders.csv").write_text("\n".join([HEAD, *lines]) + "\n")
        receipt, *_ = self.store.ingest(
            [Source(name="orders", query=self.query, complete=True)],
            [],
            aliases,
            folder=self.folder,
            timeline=CLOCK,
            now=day(at),
            options=IngestOptions(**options),
        )
        return receipt

    @property
    def store(self) -> EventStore:
        return EventStore(self.folder / "state", buckets=4)

    def orders(self, at: float | None, *customers: str) -> dict[str, list[float]]:
        """The values of these customers' events as known at a moment, or today."""
        store = self.store
        keys = store.customers.keys(pa.array(customers, pa.string())).tolist()
        history = store.history_of(keys, until=None if at is None else day(at))
        return {
            name: sorted(history.values[slice(*history.offsets[place : place + 2])].tolist())
            for name, place in zip(customers, np.searchsorted(history.keys, keys), strict=True)
        }


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def declared(history: History) -> Catalog:
    return catalog(indicators({}), FeatureSettings.model_validate({"windows": (7, 90)}), history.kind_names)


def rows_at(store: EventStore, at: float) -> dict[str, bytes]:
    """The features of every customer at a date, read as of that date."""
    found = {}
    for history in store.histories(until=day(at)):
        matrix = numbers(history, [day(at)] * history.customers, history.keys)
        names = store.customers.names(history.keys).to_pylist()
        found.update(zip(names, [row.tobytes() for row in matrix], strict=True))
    return found


def numbers(history: History, dates: Sequence[int], keys: np.ndarray) -> np.ndarray:
    kinds = declared(History(*[np.empty(0, np.int64)] * 9, kind_names=("purchase", "visit")))
    columns = [n for n, name in enumerate(kinds.columns) if name not in kinds.detail_columns]
    matrix = snapshot(history, kinds, CLOCK, keys, np.array(dates, np.int64)).matrix
    return np.ascontiguousarray(matrix[:, columns])


ANN = "1,ann,2024-05-01 09:00:00,purchase,100"
BOB = "2,bob,2024-05-02 09:00:00,purchase,50"


def test_a_cancelled_order_is_known_until_the_ingest_that_found_it_gone(shop: Shop) -> None:
    assert shop.ingest(1, ANN, BOB).new == 62
    before = rows_at(shop.store, 4)
    receipt = shop.ingest(5, ANN)
    assert (receipt.already_there, receipt.taken_out, receipt.refused) == (61, 1, None)
    assert rows_at(shop.store, 4) == before
    assert rows_at(shop.store, 5) == rows_at(shop.store, 4) | rows_at(shop.store, 5)
    assert shop.orders(5, "ann", "bob") == {"ann": [100], "bob": [50]}  # found at that very moment
    assert shop.orders(5.001, "ann", "bob") == shop.orders(None, "ann", "bob") == {"ann": [100], "bob": []}
    assert shop.store.events == 61
    assert (shop.ingest(6, ANN).taken_out, shop.store.events) == (0, 61)


def test_of_equal_rows_without_an_id_one_may_vanish(tmp_path: Path) -> None:
    shop, row = Shop(tmp_path, NAMELESS), ",ann,2024-05-01 09:00:00,purchase,7"
    assert shop.ingest(1, row, row, row).new == 63
    assert shop.ingest(5, row, row).taken_out == 1
    assert shop.orders(5, "ann") == {"ann": [7, 7, 7]}
    assert shop.orders(6, "ann") == {"ann": [7, 7]}


@pytest.mark.parametrize("query", [QUERY, NAMELESS])
def test_a_row_that_comes_back_is_known_again_from_then_on(tmp_path: Path, query: str) -> None:
    shop = Shop(tmp_path, query)
    shop.ingest(1, ANN, BOB)
    shop.ingest(3, ANN)
    receipt = shop.ingest(5, ANN, BOB)
    assert (receipt.new, receipt.already_there) == (1, 61)
    assert (shop.ingest(6, ANN, BOB).already_there, shop.store.events) == (62, 62)
    assert shop.ingest(7, ANN).taken_out == 1
    shop.ingest(9, ANN, BOB)
    known = {at: shop.orders(at, "bob")["bob"] for at in (2, 4, 6, 8, 10)}
    assert known == {2: [50], 4: [], 6: [50], 8: [], 10: [50]}
    assert shop.orders(None, "bob") == {"bob": [50]}
    assert shop.ingest(11, ANN, BOB).already_there == 62


def test_a_correction_of_a_row_that_came_back_is_no_older_than_its_return(shop: Shop) -> None:
    shop.ingest(1, ANN, BOB)
    shop.ingest(3, ANN)
    shop.ingest(5, ANN, BOB)
    assert shop.ingest(6, ANN, BOB.replace("50", "55")).corrected == 1
    known = {at: shop.orders(at, "bob")["bob"] for at in (2, 4, 7)}
    assert known == {2: [50], 4: [], 7: [55]}


def test_a_row_that_comes_back_changed_is_the_new_one_from_then_on(shop: Shop) -> None:
    shop.ingest(1, ANN, BOB)
    shop.ingest(3, ANN)
    moved = "2,cem,2024-05-02 09:00:00,purchase,60"
    assert shop.ingest(5, ANN, moved).new == 1
    assert [shop.orders(at, "bob", "cem") for at in (2, 4, 6)] == [
        {"bob": [50], "cem": []},
        {"bob": [], "cem": []},
        {"bob": [], "cem": [60]},
    ]
    assert shop.ingest(7, ANN, moved).already_there == 62


def test_an_event_that_was_recorded_late_and_vanished_is_known_in_between(shop: Shop) -> None:
    late = "3,dee,2024-05-01 09:00:00,purchase,9,,2024-06-04"
    shop.ingest(4, ANN, late)
    shop.ingest(6, ANN)
    assert [shop.orders(at, "dee")["dee"] for at in (2, 5, 6, 7)] == [[], [9], [9], []]


def test_the_data_version_tells_a_retraction_and_a_return_from_what_was_before(shop: Shop) -> None:
    shop.ingest(1, ANN, BOB)
    versions = [shop.store.version]
    for at, rows in ((3, [ANN]), (5, [ANN, BOB]), (7, [ANN])):
        shop.ingest(at, *rows)
        versions.append(shop.store.version)
    assert len(set(versions)) == 4
    shop.ingest(8, ANN)
    assert shop.store.version == versions[-1]


def test_where_the_record_begins_and_ends_is_told_as_of_the_date_that_is_asked(shop: Shop) -> None:
    first, last = "8,zed,2019-05-01 09:00:00,purchase,1", "9,zed,2024-05-30 09:00:00,purchase,1"
    shop.ingest(1, ANN, first, last)
    then = shop.store.oldest(), shop.store.newest()
    before = profile_events(shop.store, indicators({}), CLOCK, until=day(2))
    shop.ingest(3, ANN)
    store = shop.store
    assert (store.oldest(until=day(2)), store.newest(until=day(2))) == then
    names = [one.year for one in map(from_instant, filter(None, (then[0], store.oldest(), store.newest())))]
    assert names == [2019, 2024, 2024]
    after = profile_events(store, indicators({}), CLOCK, until=day(2))
    assert (after.events, after.first, after.newest) == (before.events, before.first, before.newest)
    assert event_days(store, CLOCK, day(2)).newest == {EventOrigin("orders", "purchase"): then[1]}


def test_replacing_a_source_forgets_what_it_retracted(shop: Shop) -> None:
    shop.ingest(1, ANN, BOB)
    shop.ingest(3, ANN)
    receipt = shop.ingest(5, ANN, replace=frozenset(["orders"]))
    assert (receipt.new, receipt.taken_out) == (61, 61)
    assert shop.orders(2, "ann", "bob") == {"ann": [100], "bob": []}


def test_erasing_a_customer_erases_what_was_retracted(shop: Shop) -> None:
    shop.ingest(1, ANN, BOB.replace("50", "50,a word of bob"))
    shop.ingest(3, ANN)
    receipt = shop.store.erase("bob")
    assert receipt.events == 1
    rest = [file.read_bytes() for file in shop.folder.glob("state/events/**/*") if file.is_file()]
    assert not any(b"a word of bob" in text for text in rest)


def test_more_than_a_twentieth_of_what_counts_is_not_retracted_unasked(shop: Shop) -> None:
    more = [f"m{n},ann,2024-05-0{1 + n % 9} 09:00:00,purchase,1" for n in range(40)]
    shop.ingest(1, *more)
    shop.ingest(2, *more[3:])
    shop.ingest(3, *more[6:])
    receipt = shop.ingest(4, *more[11:])  # 5 of 94 are few enough, 8 or 11 of 100 would not be
    assert receipt.refused is not None
    assert "5 of its 94 events" in receipt.refused
    assert shop.ingest(5, *more[11:], accept_removal=frozenset(["orders"])).taken_out == 5
    assert len(shop.orders(4.5, "ann")["ann"]) == 34


def test_a_store_without_the_columns_stays_readable_and_takes_them_in(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = ("retracted_at", "known_again_at")
    old = pa.schema([column for column in sorted_run.RUN_SCHEMA if column.name not in new])
    # The real store writes this file, as it did before it had these columns: no such version is at hand.
    monkeypatch.setattr("features.storage.store_reader.RUN_SCHEMA", old)
    shop.ingest(1, ANN, BOB)
    monkeypatch.undo()
    assert shop.orders(2, "bob") == {"bob": [50]}
    shop.ingest(3, ANN)
    shop.ingest(5, ANN, BOB)
    assert [shop.orders(at, "bob")["bob"] for at in (2, 4, 6)] == [[50], [], [50]]


def test_a_file_of_another_layout_says_the_same(shop: Shop) -> None:
    shop.ingest(1, ANN, BOB)
    shop.ingest(3, ANN)
    shop.ingest(5, ANN, BOB)
    known = {at: shop.orders(at, "bob") for at in (2, 4, 6)}
    for path in shop.folder.glob("state/events/bucket=*/*.parquet"):
        pq.write_table(pq.read_table(path, partitioning=None), path, compression="zstd", row_group_size=7)
    assert {at: shop.orders(at, "bob") for at in (2, 4, 6)} == known


STEPS = st.lists(
    st.lists(st.sampled_from(range(6)), max_size=6, unique=True), min_size=2, max_size=4
)  # which of six orders the source holds at each ingest


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS, st.sampled_from([QUERY, NAMELESS]), st.lists(st.integers(0, 3), min_size=6, max_size=6))
def test_what_is_retracted_later_changes_no_byte(
    tmp_path_factory: pytest.TempPathFactory, steps: list[list[int]], query: str, owners: list[int]
) -> None:
    """Read after every ingest, as of just after it; and read again when all ingests are over."""
    shop = Shop(tmp_path_factory.mktemp("shop"), query)
    first: dict[int, int] = {}
    seen: dict[int, Mapping[str, bytes]] = {}
    for number, held in enumerate(steps):
        rows = []
        for order in sorted(held):
            since = first.setdefault(order, number)  # an order is new when the source first has it
            recorded = (START + timedelta(days=2 * since - 0.5)).isoformat()
            rows.append(f"{order},p{owners[order]},2024-05-1{order % 3},purchase,{order},,{recorded}")
        shop.ingest(2 * number, *rows, accept_removal=frozenset(["orders"]))
        seen[2 * number + 1] = rows_at(shop.store, 2 * number + 1)
    assert {at: rows_at(shop.store, at) for at in seen} == seen
    dates = sorted(seen)
    for history in shop.store.histories(retractions=True):
        keys, moments = (
            np.repeat(history.keys, len(dates)),
            np.tile([day(at) for at in dates], len(history.keys)),
        )
        names = shop.store.customers.names(keys).to_pylist()
        together = numbers(history, moments, keys)
        alone = [seen[at].get(name) for name, at in zip(names, dates * len(history.keys), strict=True)]
        nothing = {at: numbers(history, [at], np.array([10**9])).tobytes() for at in moments}
        for row, own, at in zip(together, alone, moments, strict=True):
            assert row.tobytes() == (own or nothing[at])


def test_rows_of_two_ids_of_one_customer_keep_their_retractions_when_they_move(tmp_path: Path) -> None:
    shop, row = Shop(tmp_path, NAMELESS), ",old,2024-05-01 09:00:00,purchase,7"
    shop.ingest(1, row, row, BOB)
    shop.ingest(3, row, BOB)
    shop.ingest(5, BOB)
    shop.ingest(7, row, BOB)
    table = AliasTable(query="select 'old' as old_id, 'new' as new_id")
    assert shop.ingest(8, row, BOB, aliases=(table,)).already_there == 62
    known = {at: shop.orders(at, "new")["new"] for at in (2, 4, 6, 7.5, 9)}
    assert known == {2: [7, 7], 4: [7], 6: [], 7.5: [7], 9: [7]}
    assert shop.ingest(10, row, BOB, aliases=(table,)).already_there == 62
    assert shop.ingest(11, BOB, aliases=(table,)).taken_out == 1


VISITS = [
    (f"v{n}-{turn}", f"p{n:02}", 3 * turn + n % 3)
    for n in range(30)
    for turn in range(40)
    if turn % 5 != n % 7
]
CHURN = Churn(
    type="inactivity",
    indicators=("purchase",),
    started_by=("purchase",),
    ended_by=(),
    completed_by=(),
    amounts=("purchase",),
    active_days=20,
    horizon=Horizon(10),
)


def learned(store: EventStore, until: float | None) -> tuple[DataExtent, Priors, LabelledRows]:
    """What training reads: the extent of the data, what the population teaches, and the labelled rows."""
    end = None if until is None else day(until)
    past = data_extent(store, end, CHURN, CLOCK)
    known = catalog(indicators({}), FeatureSettings.model_validate({}), past.kinds)
    dates = [day(number) for number in (-50, -40, -30, -20)]
    priors = learn_priors(store, known, CLOCK, dates[0], until=end)
    return past, priors, dataset(store, known, CHURN, CLOCK, priors, dates, past, end)


def test_training_until_an_earlier_date_reads_the_same_bytes_and_later_labels_do_without(shop: Shop) -> None:
    def visit(number: str, who: str, at: int) -> str:
        return f"{number},{who},{from_instant(day(at - 120)).isoformat()},purchase,{at}"

    rows = [visit(number, who, at) for number, who, at in VISITS]
    gone = [row for row, (_, who, at) in zip(rows, VISITS, strict=True) if who == "p03" and 72 < at < 90]
    shop.ingest(1, *rows)
    before, whole = learned(shop.store, 2), learned(shop.store, None)
    assert len(gone) == 4
    assert shop.ingest(3, *(row for row in rows if row not in gone)).taken_out == 4
    after, today = learned(shop.store, 2), learned(shop.store, None)
    assert (after[0].digest, repr(after[1])) == (before[0].digest, repr(before[1]))
    for name in ARRAYS:
        assert getattr(after[2], name).tobytes() == getattr(before[2], name).tobytes()
    assert today[0].digest != before[0].digest == whole[0].digest
    # The same rows, with the features that were known then; of one of them the label is another.
    assert today[2].matrix.tobytes() == before[2].matrix.tobytes()
    other = np.flatnonzero(today[2].churned != before[2].churned)
    assert [from_instant(int(at)).date().isoformat() for at in today[2].as_of[other]] == ["2024-04-22"]


PROJECT = '''timezone = "UTC"
[simulated]
now = "now.txt"
[[sources]]
name = "orders"
complete = true
query = """
select id as event_id, customer as customer_id, happened as occurred_at, kind, value
from read_csv('orders.csv', all_varchar = true)
"""
[churn]
'''
INACTIVITY = 'type = "inactivity"\nindicators = ["purchase"]\nactive_days = 60\nhorizon_days = 30\n'
CONTRACT = 'type = "contract"\nhorizon_days = 30\n'


def project(folder: Path, churn: str) -> SmallProject:
    made = SmallProject(folder)
    made.write("kizuna.toml", PROJECT + churn)
    return made


def read(made: SmallProject, at: str, *rows: str) -> None:
    made.write("now.txt", at)
    made.write("orders.csv", "id,customer,happened,kind,value", *rows)
    made.run("ingest")


def features(made: SmallProject, as_of: str) -> list[dict[str, Any]]:
    made.run("features", "--as-of", as_of, "--output", str(made.folder / "f.parquet"))
    rows: list[dict[str, Any]] = pq.read_table(made.folder / "f.parquet").to_pylist()
    return rows


def test_features_of_an_earlier_date_still_have_the_cancelled_order(tmp_path: Path) -> None:
    made = project(tmp_path, INACTIVITY)
    orders = [*OTHERS, *(row.replace("2024-03-01", "2024-05-20") for row in OTHERS[:40])]
    orders = [f"{n}{row[row.index(',') :]}" for n, row in enumerate(orders)]
    read(made, "2024-06-01T08:00:00", *orders, "x,zoe,2024-05-25 10:00:00,purchase,80")
    early = features(made, "2024-06-01")
    assert "zoe" in {row["customer_id"] for row in early}
    read(made, "2024-06-10T08:00:00", *orders)
    assert repr(features(made, "2024-06-01")) == repr(early)
    assert "zoe" in {row["customer_id"] for row in features(made, "2024-06-10")}
    made.write("now.txt", "2024-06-12T08:00:00")
    assert "zoe" not in {row["customer_id"] for row in features(made, "2024-06-11")}
    assert made.run("doctor")["data"]["events"] == 100


def test_a_start_that_was_withdrawn_makes_a_customer_until_then_only(tmp_path: Path) -> None:
    made = project(tmp_path, CONTRACT)
    starts = [f"{n},c{n},2024-03-01 10:00:00,started,5" for n in range(40)]
    wrong, end = "w,zoe,2024-03-05 10:00:00,started,5", "e,c1,2024-05-01 10:00:00,cancelled,"
    read(made, "2024-05-20T08:00:00", *starts, wrong, end)
    before = [repr(features(made, as_of)) for as_of in ("2024-04-01", "2024-05-10")]
    read(made, "2024-06-10T08:00:00", *starts)  # the start and the end were both a mistake
    assert [repr(features(made, as_of)) for as_of in ("2024-04-01", "2024-05-10")] == before
    made.write("now.txt", "2024-06-12T08:00:00")
    found = [{row["customer_id"] for row in features(made, date)} for date in ("2024-05-10", "2024-06-11")]
    assert [("zoe" in names, "c1" in names) for names in found] == [(True, False), (False, True)]
