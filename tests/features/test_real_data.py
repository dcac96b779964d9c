"""On real records the kernel says what hand-written SQL says, and the invariants of time hold.

The sets lie beside the repository in `../shared/data`; a README beside each tells its traps.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pytest
from numpy.typing import NDArray

from features.catalog.defaults import indicators
from features.catalog.definitions import Catalog, Stream, family
from features.engine.snapshot import Snapshot, snapshot, snapshot_with_texts
from features.errors import HorizonNotCovered
from features.event_store import EventStore
from features.events.history import History
from features.ingestion.sources import Source
from features.timeline import DAY, Timeline
from training.labels.cohort import cohort
from training.labels.labelling import label
from training.labels.settings import Churn, ChurnSettings

DATA = Path(__file__).parents[3] / "shared" / "data"
WINDOWS = (30, 90, 365)

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the real sets are not beside the repository")


@dataclass(frozen=True)
class Record:
    """A real set as events, and what is asked of it."""

    query: str
    timezone: str
    stream: Stream
    dates: tuple[str, ...]


RECORDS = {
    # The sheets overlap in December 2010; a quarter of the lines name no customer; C marks a return; exact
    # duplicates are true repeats. Minutes are all a time says, so that whole baskets tie.
    "online_retail_ii": Record(
        """
        select "CustomerID" as customer_id, "InvoiceDate" as occurred_at,
               case when "InvoiceNo" like 'C%' then 'refund' else 'purchase' end as kind,
               round("Quantity" * "UnitPrice", 2) as value, "Country" as place, "StockCode" as detail,
               case when "Quantity" > 100 then 'wholesale' else 'retail' end as channel,
               printf('%08d', row_number() over (
                   order by sheet, "InvoiceNo", "StockCode", "Quantity", "UnitPrice")) as event_id
        from 'online_retail_ii/transactions.parquet'
        where (sheet <> '2009-2010' or "InvoiceDate" < '2010-12-01') and "CustomerID" is not null
        """,
        "Europe/London",
        Stream("bought", "purchase", ("purchase", "refund"), amounts=True),
        ("2010-12-01", "2011-10-30", "2011-12-10"),
    ),
    # One row for each change of a ticket: the first is its opening. A caller may be missing.
    "uci_incident_log": Record(
        """
        select caller_id as customer_id, opened_at as occurred_at, 'ticket_opened' as kind,
               reassignment_count as value, contact_type as channel, location as place, category as detail,
               number as event_id
        from 'uci_incident_log/incident_events.parquet' where caller_id is not null
        qualify row_number() over (partition by number order by sys_updated_at, sys_mod_count) = 1
        """,
        "UTC",
        Stream("opened", "inquiry", ("ticket_opened",)),
        ("2016-04-15", "2016-06-01"),
    ),
    # Days count from the start of a presentation; results banked from an earlier one were not handed in.
    "oulad_no_vle": Record(
        """
        select id_student as customer_id,
               make_date(left(code_presentation, 4)::int, if(right(code_presentation, 1) = 'B', 2, 10), 1)
                   + date_submitted as occurred_at,
               'feature_used' as kind, score as value, assessment_type as channel, code_module as place,
               id_assessment as detail, id_student || '-' || id_assessment as event_id
        from 'oulad_no_vle/student_assessment.parquet'
        join 'oulad_no_vle/assessment.parquet' using (id_assessment)
        where not is_banked
        """,
        "Europe/London",
        Stream("submitted", "usage", ("feature_used",)),
        ("2013-05-01", "2014-03-31"),
    ),
}


def catalog(stream: Stream) -> Catalog:
    plain = ("count", "active_days", "sum", "mean", "min", "max", "std")
    distinct = ("distinct_detail", "distinct_channel", "distinct_place")
    whole = ("last", "last_detail", "days_since_last", "days_since_first", "gap_mean", "gap_max", "gap_std")
    rows = (*family(stream, *plain, *distinct, over=(*WINDOWS, None)), *family(stream, *whole))
    return Catalog(indicators({}), (stream,), rows)


def by_sql(record: Record, as_of: int) -> str:
    """The same features by hand; `events` has the columns of the source, instants in microseconds UTC."""
    parts = []
    for days in (*WINDOWS, None):
        suffix = "" if days is None else f"_{days}d"
        inside = "true" if days is None else f"moment >= {as_of - days * DAY}"
        for name, text in {
            "count": "count(*) filter (forward and {})::double",
            "active_days": "count(distinct local_day) filter (forward and {})::double",
            "sum": "coalesce(sum(value) filter ({}), 0)",
            "mean": "avg(value) filter (forward and {})",
            "min": "min(value) filter (forward and {})",
            "max": "max(value) filter (forward and {})",
            "std": "stddev_samp(value) filter (forward and {})",
            "distinct_detail": "count(distinct detail) filter (forward and {})::double",
            "distinct_channel": "count(distinct channel) filter (forward and {})::double",
            "distinct_place": "count(distinct place) filter (forward and {})::double",
        }.items():
            parts.append(f"{text.format(inside)} as {record.stream.name}_{name}{suffix}")
    name = record.stream.name
    return f"""
        with known as (
            select *, kind <> 'refund'
                   and not ({record.stream.amounts} and coalesce(value < 0, false)) as forward
            from events where moment < {as_of}
        ), spaced as (
            select customer_id, (moment - lag(moment) over order_of_events) / {DAY} as gap
            from known where forward
            window order_of_events as (partition by customer_id order by moment, event_id)
        ), gaps as (
            select customer_id, avg(gap) as {name}_gap_mean, max(gap) as {name}_gap_max,
                   stddev_samp(gap) as {name}_gap_std
            from spaced group by all
        ), plain as (
            select customer_id, {", ".join(parts)},
                   arg_max(value, (moment, event_id)) filter (forward and value is not null) as {name}_last,
                   arg_max_null(detail, (moment, event_id)) filter (forward) as {name}_last_detail,
                   ({as_of} - max(moment) filter (forward)) / {DAY} as {name}_days_since_last,
                   ({as_of} - min(moment) filter (forward)) / {DAY} as {name}_days_since_first
            from known group by all
        )
        select * from plain left join gaps using (customer_id) order by customer_id"""


@pytest.fixture(scope="module", params=RECORDS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def record(name: str) -> Record:
    return RECORDS[name]


@pytest.fixture(scope="module")
def events(name: str, record: Record, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rows of the set's query as a file."""
    file = tmp_path_factory.mktemp(name) / "events.parquet"
    with duckdb.connect(config={"file_search_path": str(DATA)}) as database:
        database.execute(f"copy ({record.query}) to '{file}' (format parquet)")
    return file


@pytest.fixture(scope="module")
def store(name: str, record: Record, events: Path) -> EventStore:
    store = EventStore(events.parent / "state", buckets=4)
    timeline = Timeline(record.timezone)
    source = Source(name=name, query=f"select * from '{events.name}'")
    now = timeline.instant("2020-01-01")
    (receipt,) = store.ingest([source], [], folder=events.parent, timeline=timeline, now=now)
    assert receipt.new == receipt.read == store.events
    return store


def rows(history: History, record: Record, as_of: int) -> Snapshot:
    dates = np.full(history.customers, as_of)
    return snapshot(history, catalog(record.stream), Timeline(record.timezone), history.keys, dates)


def test_the_kernel_says_what_hand_written_sql_says(store: EventStore, record: Record, events: Path) -> None:
    declared, last = catalog(record.stream), f"{record.stream.name}_last_detail"
    with duckdb.connect() as database:
        database.execute(f"set TimeZone = '{record.timezone}'")
        database.execute(
            f"""create table events as
                select customer_id::varchar as customer_id, kind, value::double as value, channel, place,
                       detail::varchar as detail, event_id, epoch_us(occurred_at::timestamptz) as moment,
                       occurred_at::date as local_day
                from '{events}'"""
        )
        assert database.execute("select count(*) from events").fetchall() == [(store.events,)]
        for date in record.dates:
            as_of = Timeline(record.timezone).instant(date)
            wanted = database.sql(by_sql(record, as_of)).to_arrow_table()
            found = np.full((wanted.num_rows, len(declared.columns)), np.nan)
            details: list[str | None] = [None] * wanted.num_rows
            place = {customer: row for row, customer in enumerate(wanted.column("customer_id").to_pylist())}
            seen = 0
            for history in store.histories(until=as_of):
                made = rows(history, record, as_of)
                at = [place[one] for one in store.customers.names(history.keys).to_pylist()]
                found[at] = made.matrix
                dates = np.full(history.customers, as_of)
                zone = Timeline(record.timezone)
                _, texts = snapshot_with_texts(history, declared, zone, history.keys, dates)
                for row, detail in zip(at, texts[last].to_pylist(), strict=True):
                    details[row] = detail
                seen += len(at)
            assert seen == wanted.num_rows > 1_000
            assert details == wanted.column(last).to_pylist()
            for number, column in enumerate(declared.columns):
                if column == last:
                    continue
                by_hand = wanted.column(column).cast("float64").to_numpy()
                rounding = 1e-9 * np.nanmax(np.abs(by_hand))  # sums of different order
                np.testing.assert_allclose(
                    found[:, number], by_hand, rtol=1e-9, atol=rounding, err_msg=column
                )


def test_what_came_later_changes_no_byte(store: EventStore, record: Record) -> None:
    as_of = Timeline(record.timezone).instant(record.dates[0])
    numbers = plain_columns(record)
    for whole, past in zip(store.histories(), store.histories(until=as_of), strict=True):
        known = rows(past, record, as_of).matrix
        dates = np.full(past.customers, as_of)
        seen = snapshot(whole, catalog(record.stream), Timeline(record.timezone), past.keys, dates).matrix
        assert whole.events > past.events > 0
        assert seen[:, numbers].tobytes() == known[:, numbers].tobytes()


def test_a_customer_alone_has_the_row_they_have_among_all(store: EventStore, record: Record) -> None:
    as_of = Timeline(record.timezone).instant(record.dates[-1])
    numbers = plain_columns(record)
    for history in store.histories():
        batch = rows(history, record, as_of).matrix
        for place in range(0, history.customers, 97):
            alone = rows(store.history_of([int(history.keys[place])]), record, as_of).matrix
            assert alone[0, numbers].tobytes() == batch[place, numbers].tobytes()


def test_no_label_without_a_future(store: EventStore, record: Record) -> None:
    timeline, newest = Timeline(record.timezone), store.newest()
    assert newest is not None
    settings = ChurnSettings.model_validate({"indicators": [record.stream.indicator], "horizon_days": 30})
    churn = Churn.of(settings, indicators({}))
    history = next(iter(store.histories()))
    late, early = newest - 29 * DAY, newest - 31 * DAY
    for as_of, covered in ((late, False), (early, True)):
        keys = cohort(history, churn, as_of)
        dates = np.full(len(keys), as_of)
        if covered:
            assert len(label(history, churn, keys, dates, newest, timeline).churned) == len(keys)
            continue
        with pytest.raises(HorizonNotCovered, match=r"^cannot label .*: churn is decided 30 days later"):
            label(history, churn, keys, dates, newest, timeline)


def plain_columns(record: Record) -> NDArray[np.int64]:
    declared = catalog(record.stream)
    return np.array([n for n, one in enumerate(declared.columns) if one not in declared.detail_columns])
