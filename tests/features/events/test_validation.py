"""Which rows are events, and what is said of those that are not."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import DataError
from features.events.local_time import to_instants
from features.events.schema import EVENT_SCHEMA
from features.events.validation import check
from features.events.validation_counts import ValidationCounts
from features.timeline import ALWAYS, DAY, Timeline, from_instant

NOW = Timeline().instant("2025-01-01")
TOKYO = Timeline("Asia/Tokyo")
LOCAL = datetime.fromisoformat("2024-05-01 09:00")
ZONES = (
    "Asia/Tokyo", "UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "America/Sao_Paulo",
    "Africa/Monrovia",
)  # fmt: skip


def rows(**columns: Any) -> pa.Table:
    """One row by default; a column given as a list has that many."""
    given_ = {"customer_id": "ann", "occurred_at": "2024-05-01 09:00", "kind": "purchase"} | columns
    count = max(len(value) if isinstance(value, list) else 1 for value in given_.values())
    return pa.table(
        {
            name: value
            if isinstance(value, pa.Array)
            else pa.array(value if isinstance(value, list) else [value] * count)
            for name, value in given_.items()
        }
    )


def whole(sentence: str) -> str:
    return f"^{re.escape(sentence)}$"


def reasons(table: pa.Table) -> list[str]:
    # A good row beside the bad one: a source that is bad as a whole is an error instead.
    good, refused = check(table, Timeline(), NOW, "orders")
    assert good.num_rows + refused.num_rows == table.num_rows
    return refused.column("reason").to_pylist()


def test_an_event_has_every_column_of_the_schema_even_where_the_source_has_three():
    good, refused = check(rows(), Timeline(), NOW, "orders")
    assert good.schema == EVENT_SCHEMA
    assert refused.num_rows == 0
    assert good.to_pylist()[0] == {
        "customer_id": "ann",
        "occurred_at": datetime(2024, 5, 1, 9, tzinfo=UTC),
        "kind": "purchase",
        "value": None,
        "channel": None,
        "place": None,
        "detail": None,
        "recorded_at": None,
        "contract_id": None,
        "currency": None,
        "event_id": None,
    }


@pytest.mark.parametrize("written", [
    "2024-05-01 09:00", "2024-05-01T09:00:00", "2024/05/01 09:00:00.000000",
    LOCAL, "2024-05-01T00:00:00Z", "2024-05-01 00:00:00+00:00", "2024-04-30T19:00:00-05:00",
    datetime(2024, 5, 1, tzinfo=UTC),
])  # fmt: skip
def test_a_moment_without_zone_is_local_and_one_with_a_zone_is_not(written):
    good, _ = check(rows(occurred_at=written), TOKYO, NOW, "orders")
    assert good.column("occurred_at")[0].as_py() == datetime(2024, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "written", [date(2024, 5, 2), "2024-05-02", pa.array([date(2024, 5, 2)], pa.date64())]
)
def test_a_date_is_its_local_midnight(written):
    good, _ = check(rows(occurred_at=written), TOKYO, NOW, "orders")
    assert good.column("occurred_at")[0].as_py() == datetime(2024, 5, 1, 15, tzinfo=UTC)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_timestamps_of_any_unit_are_read(unit):
    stamps = pa.array([LOCAL], pa.timestamp(unit))
    good, _ = check(rows(occurred_at=stamps), Timeline(), NOW, "orders")
    assert good.column("occurred_at")[0].as_py() == datetime(2024, 5, 1, 9, tzinfo=UTC)


@settings(deadline=None)
@given(st.integers(DAY, 67 * 365 * DAY), st.sampled_from(ZONES))
def test_a_column_of_local_readings_means_what_the_timeline_says_of_each(reading, zone):
    moment = from_instant(reading).replace(tzinfo=None)
    assert to_instants(np.array([reading]), zone)[0] == Timeline(zone).instant(moment)


def test_around_a_change_of_the_clock_skipped_and_repeated_hours_have_one_meaning():
    berlin = Timeline("Europe/Berlin")
    written = ["2024-03-31 02:30", "2024-10-27 02:30"]  # does not exist; happens twice
    good, _ = check(rows(occurred_at=written), berlin, NOW, "orders")
    assert good.column("occurred_at").to_pylist() == [
        datetime(2024, 3, 31, 1, 30, tzinfo=UTC),
        datetime(2024, 10, 27, 0, 30, tzinfo=UTC),
    ]


@pytest.mark.parametrize(("bad", "reason"), [
    ({"customer_id": ["ann", ""]}, "customer_id is empty"),
    ({"customer_id": ["ann", None]}, "customer_id is empty"),
    ({"customer_id": ["ann", "  "]}, "customer_id is empty"),
    ({"occurred_at": ["2024-05-01", None]}, "occurred_at is empty"),
    ({"occurred_at": ["2024-05-01", "yesterday"]}, "occurred_at is not a moment that can be read"),
    ({"occurred_at": ["2024-05-01", "1969-12-31"]}, "occurred_at is before 1970"),
    ({"occurred_at": ["2024-05-01", "2025-01-02"]}, "occurred_at is in the future"),
    ({"kind": ["visit", ""]}, "kind is empty"),
    ({"kind": ["visit", None]}, "kind is empty"),
    ({"value": [1.0, float("nan")]}, "value is NaN or infinite"),
    ({"value": [1.0, float("-inf")]}, "value is NaN or infinite"),
    ({"value": ["1.5", "many"]}, "value is not a number"),
    ({"kind": "refund", "value": [-3.0, 3.0]}, "a refund has a positive value: write the amount negative"),
    ({"recorded_at": ["2024-05-02", "soon"]}, "recorded_at is not a moment that can be read"),
    ({"recorded_at": ["2024-05-02", "2030-01-01"]}, "recorded_at is in the future"),
])  # fmt: skip
def test_a_single_bad_row_is_refused_with_its_reason(bad, reason):
    assert reasons(rows(**bad)) == [reason]


def test_a_refused_row_is_kept_as_it_came():
    _, refused = check(rows(customer_id=["ann", None], note=["x", "y"]), Timeline(), NOW, "orders")
    (row,) = refused.to_pylist()
    assert row["source"] == "orders"
    assert json.loads(row["row"]) == {
        "customer_id": None, "occurred_at": "2024-05-01 09:00", "kind": "purchase", "note": "y"
    }  # fmt: skip


def test_an_absent_value_and_a_refund_without_an_amount_are_fine():
    assert reasons(rows(kind=["refund", "visit"], value=[None, None])) == []


def test_empty_texts_say_nothing_and_other_plain_values_are_written_out():
    table = rows(channel="", place=42, detail=True, event_id=7)
    (event,) = check(table, Timeline(), NOW, "orders")[0].to_pylist()
    assert (event["channel"], event["place"], event["detail"], event["event_id"]) == (None, "42", "true", "7")


def test_whole_numbers_may_name_customers_and_decimals_are_values():
    (event,) = check(rows(customer_id=17, value=Decimal("12.50")), Timeline(), NOW, "orders")[0].to_pylist()
    assert (event["customer_id"], event["value"]) == ("17", 12.5)


def test_an_event_is_never_known_before_it_happened():
    table = rows(recorded_at=["2024-04-01", "2024-06-01", None])
    known = check(table, Timeline(), NOW, "orders")[0].column("recorded_at").to_pylist()
    assert known == [datetime(2024, 5, 1, 9, tzinfo=UTC), datetime(2024, 6, 1, tzinfo=UTC), None]
    assert Timeline().instant("1970-01-01") > ALWAYS


@pytest.mark.parametrize(("bad", "sentence"), [
    ({"occurred_at": ["2024-05", "2024-06"]},
     "cannot ingest source 'orders': its column occurred_at is string and cannot be read (as in '2024-05'). "
     "Write in the query `strptime(occurred_at || '-01', '%Y-%m-%d') as occurred_at`, which reads '2024-05' "
     "as 2024-05-01 00:00:00."),
    ({"occurred_at": ["201205", "201206"]},
     "cannot ingest source 'orders': its column occurred_at is string and cannot be read (as in '201205'). "
     "If '201205' is 2012-05-01 00:00:00, write in the query `strptime(occurred_at || '01', '%Y%m%d') as "
     "occurred_at`; if it is 2020-12-05 00:00:00, `strptime(occurred_at, '%y%m%d') as occurred_at`."),
    ({"occurred_at": ["yesterday", "today"]},
     "cannot ingest source 'orders': its column occurred_at is string and cannot be read (as in "
     "'yesterday'). Give moments such as 2024-03-01 09:30:00 in the query."),
    ({"value": ["12 pcs", None]},
     "cannot ingest source 'orders': its column value is string and cannot be read (as in '12 pcs'). Write "
     "in the query `replace(value, ' pcs', '') as value`, which reads '12 pcs' as 12."),
    ({"value": [True, False]},
     "cannot ingest source 'orders': its column value is bool and cannot be read (as in 'True'). Write in "
     "the query `cast(value as integer) as value`, which reads 'True' as 1."),
    ({"customer_id": [17850.0, 2.0]},
     "cannot ingest source 'orders': its column customer_id is double and cannot be read (as in '17850.0'). "
     "Write in the query `cast(cast(customer_id as bigint) as varchar) as customer_id`, which reads "
     "'17850.0' as 17850."),
    ({"occurred_at": ["2031-01-01", "2032-01-01"]},
     "cannot ingest source 'orders': every occurred_at lies in the future, as '2031-01-01'. Check the time "
     "zone, the unit and the clock."),
    ({"occurred_at": ["1960-01-01", "1961-01-01"]},
     "cannot ingest source 'orders': every occurred_at lies before 1970, as '1960-01-01'. Check the unit of "
     "its timestamps."),
    ({"occurred_at": ["2024-05-01 09:00 CST", "2024-05-02 09:00 CST"]},
     "cannot ingest source 'orders': every occurred_at names a zone that has no one meaning, as '2024-05-01 "
     "09:00 CST'. Write its offset in the query, such as `replace(occurred_at, 'CST', '+08:00') as "
     "occurred_at`, which reads '2024-05-01 09:00 CST' as 2024-05-01 01:00:00 UTC."),
])  # fmt: skip
def test_a_source_that_is_wrong_as_a_whole_is_an_error_that_says_what_to_write(bad, sentence):
    with pytest.raises(DataError, match=whole(sentence)):
        check(rows(**bad), Timeline(), NOW, "orders")


def test_a_missing_column_is_named_with_those_there_are():
    sentence = (
        "cannot ingest source 'orders': its query gives no column 'occurred_at'. It has customer_id, when, "
        "kind; name one of them so, as in `x as occurred_at`."
    )
    with pytest.raises(DataError, match=whole(sentence)):
        check(pa.table({"customer_id": ["a"], "when": ["b"], "kind": ["c"]}), Timeline(), NOW, "orders")


def test_an_empty_source_is_an_error():
    sentence = (
        "cannot ingest source 'orders': its query gave no rows. Check its file names and conditions, or "
        "remove the source."
    )
    with pytest.raises(DataError, match=whole(sentence)):
        check(rows().slice(0, 0), Timeline(), NOW, "orders")


def test_an_attribute_that_nobody_has_yet_is_not_proposed_to_be_removed():
    counts = ValidationCounts("opt_out", is_attribute=True)
    with pytest.raises(DataError) as refused:
        counts.verdict()
    assert refused.value.message == (
        "cannot ingest attribute 'opt_out': its query gave no rows. Check its file names and conditions; "
        "where it holds for nobody yet, let the query give 'no' for the others."
    )
