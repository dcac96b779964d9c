"""Moments as people write them: read by the whole column, or refused in words that lead out."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import DataError
from features.event_store import EventStore
from features.events.parsing.source_text import SourceText
from features.events.validation import check, validate_rows
from features.events.validation_counts import ValidationCounts
from features.ingestion.receipt import Receipt
from features.ingestion.sources import Source
from features.timeline import Timeline, to_instant

TOKYO = Timeline("Asia/Tokyo")
NOW = TOKYO.instant("2026-06-01")
JAPAN = timezone(timedelta(hours=9))


def table(texts: list[Any]) -> pa.Table:
    return pa.table({"customer_id": [f"c{n}" for n in range(len(texts))], "occurred_at": texts,
                     "kind": ["visit"] * len(texts)})  # fmt: skip


def read(*texts: Any, order: str | None = None) -> list[datetime | None]:
    """What a column of texts is read as, in Tokyo; None where a row is refused."""
    tally = ValidationCounts("shop", texts=SourceText("shop", order))
    good, _ = validate_rows(table(list(texts)), TOKYO, NOW, tally)
    found = dict(zip(good["customer_id"].to_pylist(), good["occurred_at"].to_pylist(), strict=True))
    return [found.get(f"c{n}") for n in range(len(texts))]


def tokyo(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=JAPAN).astimezone(UTC)


@pytest.mark.parametrize(("text", "moment"), [
    ("2024-03-01 15:30:00 UTC", "2024-03-02 00:30"), ("2024-03-01 15:30:00 GMT", "2024-03-02 00:30"),
    ("2024-03-01T15:30:00Z", "2024-03-02 00:30"), ("2024-03-01 15:30 JST", "2024-03-01 15:30"),
    ("2024-03-01 09:50:26 +0900", "2024-03-01 09:50:26"), ("2024-03-01T09:50:26+09", "2024-03-01 09:50:26"),
    ("2024-03-01 09:50:26.123456+00:00", "2024-03-01 18:50:26.123456"),
    ("2024-03-01 09:50:26 UTC+9", "2024-03-01 09:50:26"), ("2024-03-01 09:00 EST", "2024-03-01 23:00"),
    ("2024-07-01 09:00 EDT", "2024-07-01 22:00"), ("2024-03-01 09:00 Europe/Berlin", "2024-03-01 17:00"),
    ("2024-03-01T09:00:00+01:00[Europe/Berlin]", "2024-03-01 17:00"),
    ("2024-03-01+09:00", "2024-03-01 00:00"),
    ("2024-03-01", "2024-03-01 00:00"), ("2024/3/1", "2024-03-01 00:00"), ("2024.03.01", "2024-03-01 00:00"),
    ("2024/03/01(金) 9:05", "2024-03-01 09:05"), ("20240301", "2024-03-01 00:00"),
    ("20240301T093000", "2024-03-01 09:30"), ("20240301093000", "2024-03-01 09:30"),
    ("202403010930", "2024-03-01 09:30"), ("20240301093000123", "2024-03-01 09:30:00.123"),
    ("1709253026", "2024-03-01 09:30:26"), ("1709253026123", "2024-03-01 09:30:26.123"),
    ("1709253026123456", "2024-03-01 09:30:26.123456"), ("1709253026.5", "2024-03-01 09:30:26.5"),
    ("2025年3月5日", "2025-03-05 00:00"), ("2025年3月5日 9時30分", "2025-03-05 09:30"),
    ("2025年03月05日09時30分15秒", "2025-03-05 09:30:15"), ("令和7年3月5日", "2025-03-05 00:00"),
    ("R7.3.5", "2025-03-05 00:00"), ("H31.4.30", "2019-04-30 00:00"), ("令和元年5月1日", "2019-05-01 00:00"),
    ("昭和64年1月7日", "1989-01-07 00:00"), ("2025/3/5 午後3:05", "2025-03-05 15:05"),
    ("2025年3月5日 午前0時", "2025-03-05 00:00"), ("2025-03-05 12:00 AM", "2025-03-05 00:00"),
    ("2025-03-05 12:30 p.m.", "2025-03-05 12:30"), ("２０２５／０３／０５　１０：００", "2025-03-05 10:00"),
    ("5 Mar 2025", "2025-03-05 00:00"), ("Mar 5, 2025", "2025-03-05 00:00"),
    ("March 5th, 2025 at 9:30 PM", "2025-03-05 21:30"),
    ("Wed, 5 Mar 2025 10:00:00 +0000", "2025-03-05 19:00"),
    ("Wed Mar 05 2025 10:00:00 GMT+0900 (Japan Standard Time)", "2025-03-05 10:00"),
    ("Wed Mar  5 10:00:00 2025", "2025-03-05 10:00"), ("2024-03-01 24:00:00", "2024-03-02 00:00"),
    (20240301, "2024-03-01 00:00"), (20240301093000, "2024-03-01 09:30"),
    (1709253026123, "2024-03-01 09:30:26.123"),
    (1709253026.5, "2024-03-01 09:30:26.5"), (20240301.0, "2024-03-01 00:00"),
])  # fmt: skip
def test_a_moment_is_read_in_each_way_people_write_it(text, moment):
    assert read(text) == [tokyo(moment)]


@pytest.mark.parametrize("text", [
    "2024-03-01 09:00 頃", "2024-03-01 09:00:00 2", "2024-03-01 09:00 - 10:00", "2024-02-30", "2024-13-01",
    "2024-03-01 25:00", "2024-03-01 15:00 AM", "Thu, 5 Mar 2025 10:00:00 +0000", "2024/03/01(土)",
    "2024-03-01-05",
    "2024-03-01 09:00 CST", "2024-03-01 09:00 IST", "2024-03-01 09:00 Moon/Base", "2024-03-01 09:00 +25:00",
    "12345", "99999999",
])  # fmt: skip
def test_a_text_of_which_only_a_part_is_understood_is_refused(text):
    assert read("2024-03-01 10:00", text)[1] is None


def test_a_zone_with_several_meanings_is_refused_by_its_name():
    _, refused = check(table(["2024-03-01 09:00 JST", "2024-03-01 09:00 CST"]), TOKYO, NOW, "shop")
    assert refused["reason"].to_pylist() == [
        "occurred_at names the zone 'CST': write an offset such as +09:00"
    ]


@pytest.mark.parametrize(("texts", "days"), [
    (["01/02/2024", "13/02/2024"], ["2024-02-01", "2024-02-13"]),
    (["01/02/2024 9:00", "02/13/2024 9:00"], ["2024-01-02 09:00", "2024-02-13 09:00"]),
    (["1.5.2024", "31.5.2024"], ["2024-05-01", "2024-05-31"]),
    (["01-03-24", "31-12-24", "13-01-99"], ["2024-03-01", "2024-12-31", "1999-01-13"]),
    (["24/03/01", "24/12/31", "99/01/13"], ["2024-03-01", "2024-12-31", "1999-01-13"]),
    (["02/02/2024", "03/03/2024"], ["2024-02-02", "2024-03-03"]),
])  # fmt: skip
def test_the_order_of_day_and_month_is_told_by_the_whole_column(texts, days):
    assert read(*texts) == [tokyo(day) for day in days]


def test_an_order_that_nothing_tells_is_refused_with_a_row_and_what_to_write():
    sentence = (
        "cannot ingest source 'shop': '01/02/2024' in its column occurred_at may be read day first or month "
        "first, and no row of the column tells which. Say it in kizuna.toml, under the source 'shop', as in "
        '`date_order = "dmy"` (dmy: day first, mdy: month first).'
    )
    with pytest.raises(DataError, match=f"^{re.escape(sentence)}$"):
        read("01/02/2024", "05/05/2024")
    assert read("01/02/2024", order="dmy") == [tokyo("2024-02-01")]
    assert read("01/02/2024", order="mdy") == [tokyo("2024-01-02")]


def test_a_column_in_two_orders_is_refused_with_both_rows():
    with pytest.raises(DataError, match=r"hold '13/02/2024'.*day first.*'02/13/2024' cannot be"):
        read("13/02/2024", "02/13/2024")
    with pytest.raises(DataError, match=r'kizuna\.toml says date_order = "mdy", but \'13/02/2024\''):
        read("13/02/2024", order="mdy")


def test_counts_since_1970_are_read_only_where_the_whole_column_has_them():
    with pytest.raises(
        DataError, match=r"mixes '1709253026' \(seconds since 1970\) and '1709253026123' \(mill"
    ):
        read("1709253026", "1709253026123")
    assert read("2024030109", "2024030110") == [tokyo("2024-03-01 09:00"), tokyo("2024-03-01 10:00")]


def store_of(folder: Path, *files: str, date_order: str | None = None) -> tuple[EventStore, Receipt]:
    """One ingest of CSV files, each a column of moments."""
    for number, text in enumerate(files):
        rows = [f"{number}-{at},{moment}" for at, moment in enumerate(text.split("\n"))]
        (folder / f"{number}.csv").write_text("c;t\n" + "\n".join(rows).replace(",", ";"))
    store = EventStore(folder / "state", buckets=2)
    query = (
        "select c as customer_id, t as occurred_at, 'visit' as kind from read_csv('*.csv', all_varchar=true)"
    )
    source = Source(name="shop", query=query, date_order=date_order)
    (receipt,) = store.ingest([source], [], folder=folder, timeline=TOKYO, now=NOW)
    return store, receipt


def newest(store: EventStore) -> str:
    instant = store.newest()
    assert instant is not None
    return TOKYO.local(instant).strftime("%Y-%m-%d %H:%M")


def test_the_order_holds_over_all_files_and_later_ingests(tmp_path):
    store, receipt = store_of(tmp_path, "01/02/2024", "13/02/2024")
    assert (receipt.new, newest(store)) == (2, "2024-02-13 00:00")
    store, receipt = store_of(tmp_path, "05/04/2024")  # alone it could be 4 May
    assert newest(store) == "2024-04-05 00:00"
    with pytest.raises(
        DataError, match=r"came in before, which is read day first, but '05/31/2024' cannot be"
    ):
        store_of(tmp_path, "05/31/2024")
    assert newest(store) == "2024-04-05 00:00"


def test_a_moment_without_a_zone_among_those_with_one_is_in_the_projects_zone_and_said(tmp_path):
    store, receipt = store_of(tmp_path, "2024-03-01 15:30:00 UTC\n2024-03-01 15:31:00 UTC\n2024-03-02 00:30")
    assert newest(store) == "2024-03-02 00:31"
    assert receipt.notes == (
        "1 of 3 rows name no zone in occurred_at, for example '2024-03-02 00:30': read in Asia/Tokyo",
    )


FORMATS = [
    "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y/%m/%d %H:%M:%S", "%Y.%m.%d %H:%M:%S", "%Y%m%d%H%M%S",
    "%Y年%m月%d日 %H時%M分%S秒", "%d %b %Y %H:%M:%S", "%B %d, %Y %I:%M:%S %p", "%a, %d %b %Y %H:%M:%S",
    "%a %b %d %H:%M:%S %Y", "%d/%m/%Y %H:%M:%S", "%Y%m%dT%H%M%S",
]  # fmt: skip
PAST = st.datetimes(datetime.fromisoformat("1990-01-01"), datetime.fromisoformat("2026-05-01")).map(
    lambda moment: moment.replace(microsecond=0)
)


@settings(deadline=None, max_examples=60)
@given(st.lists(PAST, min_size=1, max_size=20), st.sampled_from(FORMATS))
def test_any_moment_written_in_a_format_and_read_back_is_the_same(moments, written):
    order = "dmy" if "%d/%m" in written else None
    texts = [moment.strftime(written) for moment in moments]
    assert read(*texts, order=order) == [tokyo(moment.isoformat()) for moment in moments]


@settings(deadline=None, max_examples=60)
@given(PAST, st.integers(-12 * 4, 14 * 4), st.sampled_from(["%z", ":", "Z", "epoch", "ms", "us"]))
def test_any_moment_with_a_zone_is_the_same_instant(moment, quarters, written):
    zoned = moment.replace(tzinfo=timezone(timedelta(minutes=15 * quarters)))
    seconds = int(zoned.timestamp())
    text = {
        "%z": zoned.strftime("%Y-%m-%d %H:%M:%S %z"),
        ":": zoned.isoformat(),
        "Z": zoned.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "epoch": str(seconds),
        "ms": f"{seconds}000",
        "us": f"{seconds}000000",
    }[written]
    if to_instant(zoned) >= to_instant(datetime.fromisoformat("1990-01-02T00:00Z")):
        assert read(text) == [zoned.astimezone(UTC)]


@settings(deadline=None, max_examples=40)
@given(PAST)
def test_a_place_of_the_zone_database_is_read_as_python_reads_it(moment):
    berlin = moment.replace(tzinfo=ZoneInfo("Europe/Berlin"))
    offset = berlin.utcoffset()
    assert offset is not None
    if berlin.astimezone(UTC).astimezone(ZoneInfo("Europe/Berlin")).replace(tzinfo=None) == moment:
        assert read(moment.strftime("%Y-%m-%d %H:%M:%S Europe/Berlin")) == [berlin.astimezone(UTC)]
