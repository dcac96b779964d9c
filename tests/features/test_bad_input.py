"""What Kizuna says of odd input: every case from the source's row to the feature, with its answer."""

from __future__ import annotations

import json
import math
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from features.catalog.defaults import indicators
from features.catalog.definitions import Catalog, Stream, family
from features.engine.snapshot import snapshot_with_texts
from features.errors import DataError
from features.event_store import EventStore
from features.ingestion.receipt import Receipt
from features.timeline import Timeline, to_instant

NOW = Timeline().instant("2026-01-01")
AS_OF = "2025-03-01"
STREAMS = (
    Stream("purchase", "purchase", ("purchase", "refund"), amounts=True),
    Stream("usage", "usage", ("visit",)),
)
CATALOG = Catalog(
    indicators({}),
    STREAMS,
    tuple(
        feature
        for stream in STREAMS
        for feature in (
            *family(stream, "count", "active_days", "sum", "mean", "min", "max", "std", over=(1, 365, None)),
            *family(stream, "distinct_detail", "distinct_channel", "distinct_place", over=(365,)),
            *family(stream, "last", "last_detail", "days_since_last", "days_since_first", "gap_mean"),
        )
    ),
)


@pytest.fixture
def store(tmp_path: Path) -> EventStore:
    return EventStore(tmp_path / "state", buckets=2)


def ingest(store: EventStore, timezone: str = "UTC", **columns: list[Any]) -> Receipt:
    """One source's rows: Ann's visits of 1 February 2025 unless the columns say otherwise."""
    count = max(len(values) for values in columns.values())
    plain = {"customer_id": "ann", "occurred_at": "2025-02-01 12:00", "kind": "visit"}
    table = pa.table({name: [value] * count for name, value in plain.items()} | columns)
    return store.add(table, source="web", timeline=Timeline(timezone), now=NOW)


def features(store: EventStore, as_of: str = AS_OF, timezone: str = "UTC") -> dict[str, float | str | None]:
    """What the features say of the first customer."""
    timeline = Timeline(timezone)
    history, date = store.history_of([0]), np.array([timeline.instant(as_of)])
    made, texts = snapshot_with_texts(history, CATALOG, timeline, history.keys, date)
    numbers = dict(zip(made.columns, made.matrix[0].tolist(), strict=True))
    return numbers | {name: values[0].as_py() for name, values in texts.items()}


def reasons(store: EventStore) -> list[str]:
    return store.quarantined().column("reason").to_pylist()


# --- numbers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_row_whose_value_is_no_number_is_refused_and_the_others_count(store, value):
    values = pa.array([1.0, value, None], pa.float64())  # null says nothing; NaN says nonsense
    receipt = ingest(store, value=values)
    assert (receipt.new, receipt.quarantined) == (2, 1)
    assert reasons(store) == ["value is NaN or infinite"]
    said = features(store)
    assert (said["usage_count"], said["usage_sum"], said["usage_mean"]) == (2, 1, 1)


def test_nan_and_infinity_written_as_text_are_refused_too(store):
    receipt = ingest(store, value=["1", "NaN", "inf", "-Infinity", "1e999"])
    assert (receipt.new, receipt.quarantined) == (1, 4)
    assert set(reasons(store)) == {"value is NaN or infinite"}


def test_a_huge_value_is_kept_as_long_as_sums_and_squares_stay_finite(store):
    huge = [1e100, 1e100, -1e100, 5e-324, 1.1e100, -1.7e308]
    receipt = ingest(store, kind=["purchase"] * 6, value=huge)
    assert (receipt.new, receipt.quarantined) == (4, 2)
    assert set(reasons(store)) == {"value is beyond 1e100"}
    said = features(store)
    assert (said["purchase_count"], said["purchase_max"], said["purchase_min"]) == (3, 1e100, 5e-324)
    assert said["purchase_sum"] == 1e100
    assert said["purchase_std"] == pytest.approx(1e100 / math.sqrt(3))


def test_whole_numbers_beyond_a_float_are_rounded_as_any_float(store):
    ingest(store, value=pa.array([2**53 + 1, -(2**63)], pa.int64()))
    assert sorted(store.history_of([0]).values.tolist()) == [-(2.0**63), 2.0**53]


def test_a_negative_amount_takes_back_and_is_no_activity(store):
    kinds = ["purchase", "purchase", "refund", "refund"]
    ingest(store, kind=kinds, value=[10.0, -4.0, -1.0, None], occurred_at=["2025-02-01", *["2025-02-05"] * 3])
    said = features(store)
    assert (said["purchase_count"], said["purchase_active_days"], said["purchase_sum"]) == (1, 1, 5)
    assert (said["purchase_mean"], said["purchase_min"], said["purchase_days_since_last"]) == (10, 10, 28)


def test_a_negative_value_that_is_no_amount_is_a_value_like_any(store):
    ingest(store, value=[-3.0, 1.0])
    said = features(store)
    assert (said["usage_count"], said["usage_sum"], said["usage_min"]) == (2, -2, -3)


def test_a_positive_refund_is_refused_rather_than_guessed_at(store):
    ingest(store, kind=["refund", "purchase"], value=[5.0, 5.0])
    assert reasons(store) == ["a refund has a positive value: write the amount negative"]


# --- texts and nulls ----------------------------------------------------------------------------


def test_empty_texts_say_nothing(store):
    ingest(store, channel=["", "web"], place=["", ""], detail=["", None], event_id=["", ""])
    said = features(store)
    assert (said["usage_count"], said["usage_distinct_channel_365d"]) == (2, 1)
    assert (said["usage_distinct_place_365d"], said["usage_distinct_detail_365d"]) == (0, 0)
    assert said["usage_last_detail"] is None


def test_rows_without_a_customer_a_kind_or_a_moment_are_refused(store):
    receipt = ingest(
        store,
        customer_id=["ann", "", None, " \t", "ann", "ann", "ann", "ann"],
        kind=["visit", "visit", "visit", "visit", "", None, "visit", "visit"],
        occurred_at=["2025-02-01"] * 6 + [None, ""],
    )
    assert (receipt.new, receipt.quarantined, receipt.without_customer) == (1, 7, 3)
    assert sorted(set(reasons(store))) == [
        "customer_id is empty",
        "kind is empty",
        "occurred_at is empty",
    ]


def test_nulls_in_every_column_that_may_be_absent_leave_counts_and_no_numbers(store):
    nothing = [None, None]
    optional = ("value", "channel", "place", "detail", "recorded_at", "event_id")
    ingest(store, **dict.fromkeys(optional, nothing), occurred_at=["2025-02-01", "2025-02-03"])
    said = features(store)
    assert (said["usage_count"], said["usage_active_days"], said["usage_gap_mean"]) == (2, 2, 2)
    assert (said["usage_sum"], said["usage_distinct_detail_365d"]) == (0, 0)
    for name in ("usage_mean", "usage_min", "usage_max", "usage_std", "usage_last"):
        assert math.isnan(said[name])
    assert said["usage_last_detail"] is None
    assert (said["purchase_count"], said["purchase_sum"]) == (0, 0)
    assert math.isnan(said["purchase_days_since_last"])


def test_texts_of_any_length_and_script_come_back_as_they_were(store):
    odd = ["絆", "a\x00b", "x" * 100_000, "'; drop table events; --", "😀\n\t", "é", "e\u0301"]
    ingest(store, detail=odd, customer_id=odd, kind=["visit"] * len(odd))
    found = {name for history in store.histories() for name in history.detail_names}
    assert found == set(odd)
    assert store.customers.names(np.arange(len(odd))).to_pylist() == odd


# --- many ---------------------------------------------------------------------------------------


def test_a_million_events_of_one_customer_and_a_hundred_thousand_details_are_counted(store):
    count = 1_000_000
    zeros = pa.array(np.zeros(count, np.int32))
    moments = (to_instant(datetime.fromisoformat("2025-02-01T00:00Z")) + np.arange(count) // 2 * 1_000_000)[
        ::-1
    ]
    events = pa.table(
        {
            "customer_id": pa.array(["ann"]).take(zeros),
            "occurred_at": pa.array(moments).cast(pa.timestamp("us", "UTC")),
            "kind": pa.array(["visit"]).take(zeros),
            "value": pa.array(np.ones(count)),
            "detail": pa.array([f"detail {n}" for n in range(100_000)]).take(
                pa.array(np.arange(count) % 100_000)
            ),
        }
    )
    assert store.add(events, source="web", timeline=Timeline(), now=NOW).new == count
    history = store.history_of([0])
    assert (history.events, history.customers, len(history.detail_names)) == (count, 1, 100_000)
    assert bool(np.all(np.diff(history.instants) >= 0))
    said = features(store)
    assert (said["usage_count"], said["usage_sum"], said["usage_active_days"]) == (count, count, 6)
    assert said["usage_distinct_detail_365d"] == 100_000


# --- time ---------------------------------------------------------------------------------------


def test_where_a_midnight_is_skipped_the_day_begins_at_one_oclock(store):
    # São Paulo, 4 November 2018: after 23:59 comes 01:00.
    zone = "America/Sao_Paulo"
    ingest(store, zone, occurred_at=["2018-11-03 23:59", "2018-11-04 00:30", "2018-11-04 01:00"])
    assert features(store, "2018-11-04", zone)["usage_count_1d"] == 1
    # A reading that no clock showed counts on from before the change: half past midnight is half past one.
    whole = features(store, "2018-11-05", zone)
    assert (whole["usage_count"], whole["usage_active_days"]) == (3, 2)
    assert whole["usage_days_since_last"] == pytest.approx(22.5 / 24)


def test_where_the_last_hour_of_a_day_comes_twice_it_is_one_day(store):
    # São Paulo, 17 February 2018: after 23:59 comes 23:00 again.
    zone = "America/Sao_Paulo"
    ingest(
        store, zone,
        occurred_at=["2018-02-17 23:30-02:00", "2018-02-17 23:30-03:00", "2018-02-18 00:00-03:00"],
    )  # fmt: skip
    said = features(store, "2018-02-19", zone)
    assert (said["usage_count"], said["usage_active_days"]) == (3, 2)
    assert features(store, "2018-02-18", zone)["usage_count"] == 2


def test_a_window_is_a_number_of_seconds_though_a_local_day_had_23_hours(store):
    # Berlin, 31 March 2024 had 23 hours: a window of one day reaches back into the 30th.
    zone = "Europe/Berlin"
    ingest(store, zone, occurred_at=["2024-03-30 22:59:59", "2024-03-30 23:00", "2024-03-31 23:59"])
    said = features(store, "2024-04-01", zone)
    assert (said["usage_count_1d"], said["usage_active_days_1d"], said["usage_count"]) == (2, 2, 3)


def test_a_leap_day_is_a_day_and_one_that_never_was_is_refused(store):
    ingest(
        store, occurred_at=["2024-02-28 12:00", "2024-02-29 12:00", "2024-03-01 12:00", "2023-02-29 12:00"]
    )
    assert reasons(store) == ["occurred_at is not a moment that can be read"]
    said = features(store, "2024-03-02")
    assert (said["usage_active_days"], said["usage_gap_mean"]) == (3, 1)
    # 365 days before 1 March 2025 is 1 March 2024: the leap day lies outside.
    assert features(store, "2025-03-01")["usage_count_365d"] == 1
    assert features(store, "2025-02-28")["usage_count_365d"] == 2


def test_the_ends_of_the_calendar_are_refused_and_do_not_wrap_around(store):
    far = ["2025-02-01", "0001-01-01", "1969-12-31 23:59:59.999999", "9999-12-31", "294000-01-01"]
    receipt = ingest(store, occurred_at=far)
    assert (receipt.new, receipt.quarantined) == (1, 4)
    assert {json.loads(row)["occurred_at"] for row in store.quarantined().column("row").to_pylist()} == set(
        far[1:]
    )


# --- a source that changes ----------------------------------------------------------------------


def test_a_column_may_change_its_type_between_ingests(store):
    ids = [pa.array([7], pa.int64()), pa.array(["7"]), pa.array(["7"]).dictionary_encode()]
    values = [pa.array([5], pa.int32()), pa.array(["5.0"]), pa.array([5.0], pa.float32())]
    moments = [pa.array(["2025-02-01"]), pa.array([datetime.fromisoformat("2025-02-01")]),
               pa.array([datetime.fromisoformat("2025-02-01").date()])]  # fmt: skip
    fates = [
        ingest(store, customer_id=c, value=v, occurred_at=o)
        for c, v, o in zip(ids, values, moments, strict=True)
    ]
    assert [(fate.new, fate.already_there) for fate in fates] == [(1, 0), (0, 1), (0, 1)]


def test_a_source_that_loses_a_required_column_adds_nothing(store):
    ingest(store, value=[1.0])
    version = store.version
    with pytest.raises(DataError, match=r"^cannot ingest source 'web': its query gives no column 'kind'"):
        store.add(pa.table({"customer_id": ["ann"], "occurred_at": ["2025-02-01"]}), source="web",
                  timeline=Timeline(), now=NOW)  # fmt: skip
    assert store.version == version


def test_batches_in_any_order_give_the_same_store(tmp_path):
    days = [f"2025-02-{day:02}" for day in range(1, 21)]
    versions = set()
    for number, order in enumerate((days, days[::-1], days[10:] + days[:10])):
        store = EventStore(tmp_path / str(number), buckets=2)
        for day in order:
            ingest(store, occurred_at=[day, day], value=[1.0, 1.0], recorded_at=["2025-02-25", None])
        versions.add(store.version)
        assert features(store)["usage_count"] == 40
    assert len(versions) == 1
