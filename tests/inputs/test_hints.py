"""Hints: made from what a column holds, tried on it, and right when done as told."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from features.errors import ConfigurationError, DataError
from features.event_store import EventStore
from features.events.hints import HINTS, Hint, Trouble, find_hints
from features.ingestion.sources import Attribute, Source, SourceReader
from features.timeline import Timeline, from_instant

TOKYO = Timeline("Asia/Tokyo")
NOW = TOKYO.instant("2026-01-01")
ADVICE = re.compile(r"`([^`]+) as (\w+)`")


@pytest.mark.parametrize(
    ("hint", "trouble"), [(hint, trouble) for hint in HINTS for trouble in hint.troubles],
    ids=lambda value: value.sql if isinstance(value, Hint) else value.name,
)  # fmt: skip
def test_every_hint_there_is_leads_to_the_reading_it_shows(hint: Hint, trouble: Trouble) -> None:
    values = pa.array([hint.sample] * 3)
    (sql, reading), *_ = find_hints(hint.reads, "x", values, trouble)
    assert reading == hint.expected
    with duckdb.connect() as database:
        database.execute("set TimeZone = 'UTC'")
        database.register("sample", pa.table({"x": values}))
        column = (
            "occurred_at" if hint.reads == "moment" else "timestamp '2024-05-01' as occurred_at, x as value"
        )
        column = (
            column.replace("x as value", f"{sql} as value") if "value" in column else f"{sql} as {column}"
        )
        query = f"select 'c' as customer_id, 'visit' as kind, {column} from sample"
        table = database.sql(query).to_arrow_table()
    if hint.reads == "text":
        assert table["value"].to_pylist()[0] == hint.expected
        return
    from features.events.validation import check

    events, refused = check(table, Timeline(), NOW, "shop")
    assert refused.num_rows == 0
    if hint.reads == "moment":
        assert events["occurred_at"][0].as_py().strftime("%Y-%m-%d %H:%M:%S") == hint.expected
    else:
        assert events["value"][0].as_py() == float(hint.expected)


def ingest(folder: Path, query: str, attribute: str = "") -> EventStore:
    store = EventStore(folder / "state", buckets=1)
    sources = [Source(name="sales", query=query)] if not attribute else []
    attributes = [Attribute(name="rank", query=attribute)] if attribute else []
    store.ingest(sources, attributes, folder=folder, timeline=TOKYO, now=NOW)
    return store


def days(store: EventStore) -> tuple[str, str]:
    first, last = store.oldest(), store.newest()
    assert first is not None
    assert last is not None
    return TOKYO.local(first).strftime("%Y-%m-%d %H:%M:%S"), TOKYO.local(last).strftime("%Y-%m-%d %H:%M:%S")


def done_as_told(query: str, error: Exception, number: int = 0) -> str:
    """The query with the expression that the error says to write."""
    sql, column = ADVICE.findall(str(error))[number]
    return re.sub(
        rf"(?:[^,\s(]|\([^()]*(?:\([^()]*\)[^()]*)*\))+ as {column}\b", lambda _: f"{sql} as {column}", query
    )


QUERY = (
    "select 会員番号 as customer_id, 売上日 as occurred_at, 'purchase' as kind, 金額 as value "
    "from read_csv('cp932://uriage.csv')"
)


def sales(folder: Path, *moments: str) -> None:
    rows = [f"{1000 + n % 7},{moment},{1200 + n}" for n, moment in enumerate(moments)]
    (folder / "uriage.csv").write_bytes("\n".join(["会員番号,売上日,金額", *rows]).encode("cp932"))


def test_dates_as_whole_numbers_are_read_and_as_seconds_they_are_refused_with_the_right_words(tmp_path):
    sales(tmp_path, *(f"202405{day:02}" for day in range(1, 29)))
    store = ingest(tmp_path, QUERY)
    assert days(store) == ("2024-05-01 00:00:00", "2024-05-28 00:00:00")
    wrong = QUERY.replace("売上日 as", "to_timestamp(売上日) as")
    with pytest.raises(DataError, match=r"every occurred_at lies in 1970, as '1970-08-23") as refused:
        ingest(tmp_path, wrong)
    assert "`strptime(cast(売上日 as varchar), '%Y%m%d') as occurred_at`" in str(refused.value)
    right = done_as_told(wrong, refused.value).replace("cp932://", f"cp932://{tmp_path}/")
    assert days(ingest(tmp_path / "new", right)) == ("2024-05-01 00:00:00", "2024-05-28 00:00:00")


@pytest.mark.parametrize(("text", "moment"), [
    ("20240501093000", "2024-05-01 09:30:00"), ("1714523400123456", "2024-05-01 09:30:00"),
    ("1714523400123", "2024-05-01 09:30:00"), ("1714523400", "2024-05-01 09:30:00"),
])  # fmt: skip
def test_counts_and_digits_are_read_and_a_conversion_that_fails_is_answered_with_one_that_does_not(
    tmp_path, text, moment
):
    sales(tmp_path, text, text)
    assert days(ingest(tmp_path, QUERY)) == (moment, moment)
    wrong = QUERY.replace("売上日 as", "to_timestamp(売上日) as")
    if len(text) > 10:
        with pytest.raises((ConfigurationError, DataError)) as refused:
            ingest(tmp_path, wrong)
        right = done_as_told(wrong, refused.value).replace("cp932://", f"cp932://{tmp_path}/")
        (tmp_path / "new").mkdir()
        assert days(ingest(tmp_path / "new", right)) == (moment, moment)


@pytest.mark.parametrize(("moments", "expression", "moment"), [
    ("2024-03-01 09:50:26 +0900", "strptime(t, '%d.%m.%Y')", "2024-03-01 09:50:26"),
    ("01/May/2024:09:30:00 +0900", "cast(t as timestamp)", "2024-05-01 09:30:00"),
    ("2024年5月1日", "t::timestamp", "2024-05-01 00:00:00"),
    ("45413.5", "t", "2024-05-01 12:00:00"), ("2024-05", "t", "2024-05-01 00:00:00"),
    ("20240501-093000", "t", "2024-05-01 09:30:00"), ("2.0240501E7", "t", "2024-05-01 00:00:00"),
])  # fmt: skip
def test_a_hint_on_texts_leads_to_the_right_moment(tmp_path, moments, expression, moment):
    (tmp_path / "a.csv").write_text(f"c;t\na;{moments}\nb;{moments}\n")
    query = (
        f"select c as customer_id, {expression} as occurred_at, 'visit' as kind "
        "from read_csv('a.csv', all_varchar = true)"
    )
    with pytest.raises((ConfigurationError, DataError)) as refused:
        ingest(tmp_path, query)
    assert days(ingest(tmp_path, done_as_told(query, refused.value))) == (moment, moment)


def test_an_amount_whose_cast_fails_is_answered_with_the_bare_column(tmp_path):
    (tmp_path / "a.csv").write_text('c;v\na;"1,200円"\nb;800円\n')
    query = (
        "select c as customer_id, date '2024-05-01' as occurred_at, 'purchase' as kind, "
        "cast(v as double) as value from read_csv('a.csv')"
    )
    with pytest.raises(
        ConfigurationError, match=r"Write `v as value` instead, which reads '1,200円' as 1200"
    ) as refused:
        ingest(tmp_path, query)
    (history,) = ingest(tmp_path, done_as_told(query, refused.value)).histories()
    assert sorted(history.values.tolist()) == [800, 1200]


def test_ids_that_a_reader_made_decimals_of_become_one_customer(tmp_path):
    query = (
        "select id as customer_id, date '2024-05-01' as occurred_at, 'visit' as kind "
        "from (values (17850.0::double), (17850)) as t(id)"
    )
    with pytest.raises(
        DataError, match=r"`cast\(cast\(id as bigint\) as varchar\) as customer_id`"
    ) as refused:
        ingest(tmp_path, query)
    store = ingest(tmp_path, done_as_told(query, refused.value))
    assert store.customers.names(store.histories().__next__().keys).to_pylist() == ["17850"]


def test_an_attribute_known_at_now_is_known_now_and_not_in_the_future(tmp_path):
    query = (
        f"select 'a' as customer_id, make_timestamptz({NOW} + 20000000) as known_at, 'gold' as value "
        f"union all select 'b', make_timestamptz({NOW}), 'gold'"
    )
    store = ingest(tmp_path, "", attribute=query)
    assert [from_instant(int(one)) for history in store.histories() for one in history.instants] == [
        from_instant(NOW)
    ] * 2
    late = query.replace("20000000", "120000000").partition(" union")[0]
    with pytest.raises(DataError, match=r"every known_at lies in the future"):
        ingest(tmp_path, "", attribute=late)


@pytest.mark.parametrize("encoding", ["cp932", "euc_jp"])
def test_the_first_error_on_a_file_in_an_older_encoding_names_the_scheme(tmp_path, encoding):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/shop.csv").write_bytes("会員番号,売上日\n1001,2024年5月1日\n".encode(encoding))
    query = QUERY.replace("cp932://uriage", "data/shop").replace(", 金額 as value", "")
    with pytest.raises(
        ConfigurationError, match=rf"data/shop\.csv.*`read_csv\('{encoding}://data/shop\.csv'\)`"
    ):
        ingest(tmp_path, query)
    right = query.replace("'data/", f"'{encoding}://data/")
    assert days(ingest(tmp_path, right)) == ("2024-05-01 00:00:00",) * 2


def test_an_error_of_duckdb_names_file_line_column_and_value(tmp_path):
    rows = "\n".join(f"{n},{n}" for n in range(21_000))
    (tmp_path / "bad.csv").write_text(f"id,v\n{rows}\n5,abc\n")
    query = "select id, v + 1 as w from read_csv('bad.csv')"
    with pytest.raises(ConfigurationError) as refused:
        list(SourceReader(Source(name="shop", query=query), tmp_path))
    assert str(refused.value) == (
        "cannot run the query of source 'shop': Conversion Error: CSV error in bad.csv, line 21002. Original "
        'Line: 5,abc. Error when converting column "v". Could not convert string "abc" to \'BIGINT\'. '
        "Correct it in kizuna.toml."
    )


def test_a_hint_that_two_readings_fit_says_both_and_one_that_none_fits_is_not_shown():
    both = find_hints("moment", "x", pa.array(["201205", "201206"]), Trouble.UNREADABLE)
    assert [reading for _, reading in both] == ["2012-05-01 00:00:00", "2020-12-05 00:00:00"]
    assert find_hints("moment", "x", pa.array(["soon", "later"]), Trouble.UNREADABLE) == []
    assert find_hints("number", "x", pa.array(["12千円", "3千円"]), Trouble.UNREADABLE) == []
    early = pa.array([datetime.fromisoformat("1960-01-01")] * 2)
    assert find_hints("moment", "x", early, Trouble.TOO_EARLY) == []


ENCODED = "select id as event_id, c as customer_id, t as occurred_at, 'visit' as kind, n as detail from {}"
CALL = re.compile(r"`(read_csv\(.*?\))`")


@pytest.mark.parametrize(
    ("encoding", "call", "word"),
    [
        ("latin-1", "read_csv('f.csv')", "café"),
        ("cp932", "read_csv('f.csv')", "髙島"),
        ("euc_jp", "read_csv('f.csv')", "日本語の長い文章です"),
        ("cp932", "read_csv('f.csv', encoding = 'shift_jis')", "髙島"),
        ("cp932", "read_csv('f.csv', header = true, encoding = 'CP932')", "湯呑"),
        ("latin-1", "read_csv('f.csv', encoding = 'iso-8859-77')", "naïve"),
        ("utf-8", "read_csv('f.csv', encoding = 'shift_jis')", "髙島"),
    ],
)
def test_a_hint_about_an_encoding_leads_to_the_right_text(
    tmp_path: Path, encoding: str, call: str, word: str
) -> None:
    text = f"id,c,t,n\n1,c1,2024-03-01 09:00:00,{word}\n2,c2,2024-03-02 09:00:00,plain\n"
    (tmp_path / "f.csv").write_bytes(text.encode(encoding))
    with pytest.raises(ConfigurationError) as error:
        ingest(tmp_path, ENCODED.format(call))
    assert "INSTALL" not in str(error.value)
    (told,) = CALL.findall(str(error.value))
    store = ingest(tmp_path, ENCODED.format(told))
    assert sorted(name for history in store.histories() for name in history.detail_names) == sorted(
        [word, "plain"]
    )


@pytest.mark.parametrize(
    ("encoding", "scheme"),
    [("utf-8", "cp932"), ("cp932", "euc_jp"), ("cp932", "shift_jis"), ("euc_jp", "cp932")],
)
def test_a_hint_about_a_wrong_scheme_leads_to_the_right_text(
    tmp_path: Path, encoding: str, scheme: str
) -> None:
    text = (
        "id,c,t,n\n1,c1,2024-03-01 09:00:00,①髙日本語です\n"
        if encoding == "cp932"
        else ("id,c,t,n\n1,c1,2024-03-01 09:00:00,日本語の長い文章です、読めますか\n")
    )
    (tmp_path / "f.csv").write_bytes(text.encode(encoding))
    query = ENCODED.format(f"read_csv('{scheme}://f.csv')")
    with pytest.raises(ConfigurationError) as error:
        ingest(tmp_path, query)
    told = re.search(r"write '(\w+://)' instead of '(\w+://)'|without '(\w+://)'", str(error.value))
    assert told is not None, error.value
    right, wrong = (told[1], told[2]) if told[2] else ("", told[3])
    store = ingest(tmp_path, query.replace(wrong, right))
    (detail,) = [name for history in store.histories() for name in history.detail_names]
    assert detail == text.splitlines()[1].split(",")[3]
