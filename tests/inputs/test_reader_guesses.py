"""Values that DuckDB's readers bend by a guess from the first rows: read as text, or refused."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from features.errors import DataError
from features.event_store import EventStore
from features.events.history import History
from features.ingestion.receipt import Receipt
from features.ingestion.sources import Attribute, Source, SourceReader
from features.timeline import Timeline, from_instant

UTC = Timeline()
NOW = UTC.instant("2026-01-01")
SAMPLED = 20_480
"""Rows from which the reader guesses."""


def csv(folder: Path, head: str, row: str, *late: str, name: str = "a.csv") -> None:
    """A file whose last rows differ from those the reader guesses from; `{n}` counts rows."""
    rows = [row.replace("{n}", str(n)) for n in range(SAMPLED + 10)]
    (folder / name).write_text("\n".join([head, *rows, *late]) + "\n")


def rows(folder: Path, query: str, attribute: str = "") -> list[dict[str, Any]]:
    source = Attribute(name=attribute, query=query) if attribute else Source(name="shop", query=query)
    return [row for batch in SourceReader(source, folder) for row in batch.to_pylist()]


def ingest(folder: Path, query: str) -> tuple[Receipt, dict[str, tuple[str, float]]]:
    """One ingest, and each customer's last event: its moment and its value."""
    store = EventStore(folder / "state", buckets=1)
    (receipt,) = store.ingest([Source(name="shop", query=query)], [], folder=folder, timeline=UTC, now=NOW)
    (history,) = store.histories()
    return receipt, last_events(store, history)


def last_events(store: EventStore, history: History) -> dict[str, tuple[str, float]]:
    names = store.customers.names(history.keys).to_pylist()
    last = [history.offsets[at + 1] - 1 for at in range(len(names))]
    return {
        name: (
            from_instant(int(history.instants[at])).strftime("%Y-%m-%d %H:%M:%S"),
            float(history.values[at]),
        )
        for name, at in zip(names, last, strict=True)
    }


SELECT = "select c as customer_id, t as occurred_at, 'purchase' as kind, v as value from "


@pytest.mark.parametrize("read", ["read_csv('a.csv')", "'a.csv'", "read_csv_auto('*.csv', header = true)"])
def test_columns_that_pass_through_a_query_take_their_text(tmp_path, read):
    csv(
        tmp_path,
        "c,t,v",
        "{n},2024-01-01,5",
        "000123,2024-01-01 23:00:00,99.5",
        "9,2024-01-02 15:30:00 UTC,7",
    )
    receipt, events = ingest(tmp_path, SELECT + read)
    assert receipt.quarantined == 0
    assert events["000123"] == ("2024-01-01 23:00:00", 99.5)
    assert events["123"] == ("2024-01-01 00:00:00", 5)
    assert events["9"] == ("2024-01-02 15:30:00", 7)


def test_columns_renamed_on_the_way_and_unions_take_their_text_too(tmp_path):
    csv(tmp_path, "c,t,v", "{n},2024-01-01,5", "000123,2024-01-01 23:00:00,99.5")
    (tmp_path / "b.csv").write_text("c,t,v\n007,2024-02-01,1\n")
    query = (
        "with a as (select c as who, t as moment, v from 'a.csv') "
        "select who as customer_id, moment as occurred_at, "
        f"'purchase' as kind, v as value from a union all {SELECT} 'b.csv'"
    )
    _, events = ingest(tmp_path, query)
    assert events["000123"] == ("2024-01-01 23:00:00", 99.5)
    assert events["007"] == ("2024-02-01 00:00:00", 1)


def test_a_file_of_ids_with_leading_zeros_from_the_first_row_keeps_them(tmp_path):
    (tmp_path / "a.csv").write_text("c,t,v\n000123,2024-01-01,1\n000123,2024-01-02,2\n")
    assert list(ingest(tmp_path, SELECT + "'a.csv'")[1]) == ["000123"]


def test_json_lines_keep_numbers_dates_and_identifiers_as_they_were_written(tmp_path):
    first = {"c": 1, "t": "2024-01-01", "v": 1, "u": "x"}
    late = {"c": 1195213641.17, "t": "2024-01-01 15:30:00+09:00", "v": 1.7, "u": "y"}
    lines = [json.dumps({**first, "c": n}) for n in range(SAMPLED + 10)] + [json.dumps(late)]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    _, events = ingest(tmp_path, SELECT + "read_json('a.jsonl')")
    assert events["1195213641.17"] == ("2024-01-01 06:30:00", 1.7)


def test_numbers_of_json_have_a_point_and_are_never_ambiguous(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"c": "a", "t": "2024-01-01", "v": 12.500}\n')
    assert ingest(tmp_path, SELECT + "'a.jsonl'")[1] == {"a": ("2024-01-01 00:00:00", 12.5)}


@pytest.mark.parametrize(("query", "late", "words"), [
    ("select c as customer_id, t as occurred_at, 'purchase' as kind, v * 2 as value from read_csv('a.csv')",
     "5,2024-01-01,99.5",
     "its query works with the column v of a.csv, which the reader takes for BIGINT by its first rows; so "
     "'99.5' becomes 100. Read it as text, with `read_csv('a.csv', types = {'v': 'VARCHAR'})`, and write "
     "`cast(v as double)` for v."),
    ("select 'm' || c as customer_id, t as occurred_at, 'purchase' as kind from 'a.csv'",
     "000123,2024-01-01,5",
     "its query works with the column c of a.csv, which the reader takes for BIGINT by its first rows; so "
     "'000123' becomes 123. Read it as text, with `read_csv('a.csv', types = {'c': 'VARCHAR'})`, and write "
     "`c` for c."),
    ("select c as customer_id, t + interval 9 hour as occurred_at, 'purchase' as kind from 'a.csv'",
     "5,2024-01-01 23:00:00,5",
     "its query works with the column t of a.csv, which the reader takes for DATE by its first rows; so "
     "'2024-01-01 23:00:00' becomes 2024-01-01. Read it as text, with "
     "`read_csv('a.csv', types = {'t': 'VARCHAR'})`, and write `cast(t as timestamp)` for t."),
    ("select c as customer_id, t as occurred_at, 'purchase' as kind from 'a.csv' where v < 100",
     "5,2024-01-01,99.5", "'99.5' becomes 100"),
    ("select distinct c as customer_id, t as occurred_at, 'purchase' as kind from 'a.csv'",
     "000123,2024-01-01,5", "'000123' becomes 123"),
    ("select a.c as customer_id, t as occurred_at, 'purchase' as kind from 'a.csv' a join "
     "(select 1 as c) b on a.c = b.c", "000123,2024-01-01,5", "'000123' becomes 123"),
])  # fmt: skip
def test_a_bent_column_that_a_query_works_with_is_refused_with_the_cast(tmp_path, query, late, words):
    csv(tmp_path, "c,t,v", "{n},2024-01-01,5", late)
    with pytest.raises(DataError, match=re.escape(words)):
        rows(tmp_path, query)


@pytest.mark.parametrize(("query", "late", "right"), [
    ("select c as customer_id, t as occurred_at, 'purchase' as kind, v * 2 as value from read_csv('a.csv')",
     "5,2024-01-01,99.5", {"value": 199.0}),
    ("select 'm' || c as customer_id, t as occurred_at, 'purchase' as kind from read_csv('a.csv')",
     "000123,2024-01-01,5", {"customer_id": "m000123"}),
    ("select c as customer_id, t + interval 9 hour as occurred_at, 'purchase' as kind from read_csv('a.csv')",
     "5,2024-01-01 23:00:00,5", {"occurred_at": datetime.fromisoformat("2024-01-02 08:00")}),
])  # fmt: skip
def test_a_bent_column_that_a_query_works_with_is_read_right_when_done_as_told(tmp_path, query, late, right):
    csv(tmp_path, "c,t,v", "{n},2024-01-01,5", late)
    with pytest.raises(DataError) as refused:
        rows(tmp_path, query)
    call, cast = refused.value.message.split("`")[1::2]
    told = re.sub(rf"\b{refused.value.field}\b(?! as|\.csv)", cast, query.partition(" from ")[0])
    if cast == refused.value.field:
        told = query.partition(" from ")[0]
    last = rows(tmp_path, f"{told} from {call}")[-1]
    assert {name: last[name] for name in right} == right


@pytest.mark.parametrize(
    ("early", "late", "field"),
    [
        ({"u": {"id": 1.5}}, {"u": {"id": 2**53 + 1}}, "u.id"),
        ({"ids": [{"no": 1.5}]}, {"ids": [{"no": 2**53 + 1}]}, "unnest(ids).no"),
        ({"the user": {"id": 1.5}}, {"the user": {"id": 2**53 + 1}}, '"the user"."id"'),
    ],
)
def test_an_amount_in_nested_json_is_read_right_when_done_as_told(tmp_path, early, late, field):
    json_lines(tmp_path, early, late)
    query = f"select {field} as value from read_json('n.jsonl')"
    with pytest.raises(DataError) as refused:
        rows(tmp_path, query)
    call, cast = refused.value.message.split("`")[1::2]
    told = query.replace(f"{field} as", f"{cast} as").replace("read_json('n.jsonl')", call)
    assert cast == f"cast({field} as double)"
    assert rows(tmp_path, told)[0]["value"] == 1.5


def test_the_cast_that_a_refusal_shows_leads_to_the_right_reading(tmp_path):
    csv(tmp_path, "c,t,v", "{n},2024-01-01,5", "-1,2024-01-01 15:30:00,99.5")
    query = (
        "select c as customer_id, cast(t as timestamp) + interval 9 hour as occurred_at, 'purchase' as kind, "
        "cast(v as double) * 2 as value from read_csv('a.csv', types = {'v': 'VARCHAR', 't': 'VARCHAR'})"
    )
    assert ingest(tmp_path, query)[1]["-1"] == ("2024-01-02 00:30:00", 199)


def test_a_zone_that_a_guessed_timestamp_dropped_is_found_where_the_query_works_with_it(tmp_path):
    (tmp_path / "a.csv").write_text("c,t\na,2024-03-01 15:30:00 UTC\n")
    query = "select c as customer_id, t + interval 1 hour as occurred_at, 'visit' as kind from 'a.csv'"
    with pytest.raises(
        DataError, match=r"TIMESTAMP .*'2024-03-01 15:30:00 UTC' becomes .*`cast\(t as timestamptz\)`"
    ):
        rows(tmp_path, query)


def test_a_query_that_works_with_columns_whose_guess_bends_nothing_is_read(tmp_path):
    csv(tmp_path, "c,t,v", "{n},2024-01-01,5", "77,2024-01-02,-3")
    query = (
        "select 'm' || c as customer_id, t + interval 9 hour as occurred_at, 'purchase' as kind, "
        "v * 2 as value from 'a.csv' where v < 100"
    )
    assert ingest(tmp_path, query)[1]["m77"] == ("2024-01-02 09:00:00", -6)


def test_a_numeric_attribute_stays_a_number_and_codes_with_zeros_are_text(tmp_path):
    csv(tmp_path, "c,rank,age", "{n},1,30", "x,02,30.5")
    query = "select c as customer_id, date '2024-01-01' as known_at, {} as value from 'a.csv'"
    assert rows(tmp_path, query.format("age"), "age")[-1]["value"] == 30.5
    assert rows(tmp_path, query.format("rank"), "rank")[-1]["detail"] == "02"
    (tmp_path / "b.csv").write_text("c,age\na,30\n")
    assert rows(tmp_path, query.format("age").replace("a.csv", "b.csv"), "age")[0]["value"] == 30


def test_a_watermark_keeps_its_type(tmp_path):
    (tmp_path / "a.csv").write_text("c,t,n\na,2024-01-01,9\nb,2024-01-02,10\n")
    query = "select c as customer_id, t as occurred_at, 'visit' as kind, n as event_id from 'a.csv'"
    feed = SourceReader(Source(name="shop", query=query, watermark="event_id"), tmp_path)
    assert sum(batch.num_rows for batch in feed) == 2
    assert feed.watermark == 10


def test_types_that_a_query_gives_are_its_own(tmp_path):
    (tmp_path / "a.csv").write_text("c,t,v\n000123,2024-01-01,1\n")
    query = SELECT + "read_csv('a.csv', types = {'c': 'BIGINT'})"
    assert rows(tmp_path, query)[0]["customer_id"] == 123


def test_japanese_names_and_encodings_take_their_text(tmp_path):
    (tmp_path / "売上.csv").write_bytes('会員番号,売上日,金額\n000123,20240501,"1,201"\n'.encode("cp932"))
    query = (
        "select 会員番号 as customer_id, 売上日 as occurred_at, 'purchase' as kind, 金額 as value "
        "from read_csv('cp932://売上.csv')"
    )
    assert ingest(tmp_path, query)[1] == {"000123": ("2024-05-01 00:00:00", 1201)}


def json_lines(folder: Path, early: dict[str, Any], *late: dict[str, Any], name: str = "n.jsonl") -> None:
    """A file whose last rows differ from those the reader guesses from."""
    written = [json.dumps(early)] * (SAMPLED + 10) + [json.dumps(one) for one in late]
    (folder / name).write_text("\n".join(written) + "\n")


UPPER = "C0A80101-0000-4000-8000-0000000000AA"


@pytest.mark.parametrize("field", ["a.who", "a['who']", "a.who::varchar"])
@pytest.mark.parametrize(
    ("early", "late"),
    [(UPPER, UPPER[:-2] + "BB"), (1, "000123"), ("2024-01-01", "2024-01-01 23:00:00"), (1, 2**53 + 1)],
    ids=["uuid", "number and text", "date and moment", "large"],
)
def test_fields_of_nested_json_are_taken_as_they_were_written(tmp_path, field, early, late):
    json_lines(tmp_path, {"a": {"who": early}}, {"a": {"who": late}})
    found = rows(tmp_path, f"select {field} as customer_id from read_json('n.jsonl')")
    assert (str(found[0]["customer_id"]), str(found[-1]["customer_id"])) == (str(early), str(late))


@pytest.mark.parametrize("options", ["", ", sample_size = 100", ", sample_size=20480, format='nd'"])
def test_amounts_in_nested_json_keep_their_decimals_whatever_sample_the_query_asks_for(tmp_path, options):
    json_lines(tmp_path, {"lines": [{"v": 1, "ok": 1}]}, {"lines": [{"v": 5, "ok": 0}, {"v": 1.7, "ok": 2}]})
    query = f"select unnest(lines).v as value from read_json('n.jsonl'{options})"
    assert [row["value"] for row in rows(tmp_path, query)[-2:]] == [5, 1.7]


@pytest.mark.parametrize(
    ("early", "late", "field", "place"),
    [
        ({"u": {"id": 1.5}}, {"u": {"id": 2**53 + 1}}, "u.id", "u.id"),
        ({"u": {"id": 1}}, {"u": {"id": 2**64 + 1}}, "u['id']", "u.id"),
        ({"ids": [{"no": 0.5}]}, {"ids": [{"no": 1}, {"no": 2**60 + 1}]}, "unnest(ids).no", "ids[*].no"),
    ],
)
def test_ids_in_nested_json_that_a_double_cannot_hold_are_refused_with_the_reading_to_write(
    tmp_path, early, late, field, place
):
    json_lines(tmp_path, early, late)
    query = f"select {field} as customer_id from read_json('n.jsonl')"
    with pytest.raises(DataError, match="cannot ingest source 'shop'") as refused:
        rows(tmp_path, query)
    assert f"names the field {place}, which the reader takes for DOUBLE" in refused.value.message
    call = refused.value.message.split("`")[1]
    healed = rows(tmp_path, query.replace("read_json('n.jsonl')", call))
    number = max(re.findall(r"\d+", json.dumps(late)), key=len)
    assert healed[-1]["customer_id"] == number


def test_fields_of_json_that_are_objects_stay_json_and_long_decimals_stay_numbers(tmp_path):
    json_lines(
        tmp_path,
        {"a": {"extra": 1, "v": 0.30000000000000004}},
        {"a": {"extra": {"coupon": "X1"}, "v": 12345678.123456789}},
    )
    query = "select a.extra->>'coupon' as detail, a.v as value from read_json('n.jsonl')"
    assert rows(tmp_path, query)[-1] == {"detail": "X1", "value": 12345678.123456789}


def test_a_column_of_json_with_numbers_and_texts_is_text_without_quotes(tmp_path):
    json_lines(tmp_path, {"c": 1}, {"c": "000123"})
    assert rows(tmp_path, "select c as customer_id from 'n.jsonl'")[-1] == {"customer_id": "000123"}
