"""What the store holds, counted, and what about it wants a look."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from features.catalog.defaults import IndicatorSettings, indicators
from features.errors import DataError
from features.event_store import EventStore
from features.profiling.checks import CheckFinding, run_checks
from features.profiling.gaps import gaps
from features.profiling.profile import DataProfile, profile_events
from features.profiling.rows.quarantine_reasons import QuarantineReason
from features.timeline import Timeline

UTC = Timeline()
TOKYO = Timeline("Asia/Tokyo")
NOW = UTC.instant("2025-01-01")
Row = dict[str, Any]


def stored(folder: Path, rows: Iterable[Row], timeline: Timeline = UTC) -> EventStore:
    every = list(rows)
    names = dict.fromkeys(name for row in every for name in row)
    store = EventStore(folder / "state", buckets=4)
    table = pa.table({name: [row.get(name) for row in every] for name in names})
    store.add(table, source="orders", timeline=timeline, now=NOW)
    return store


def event(customer: str, when: str | datetime, kind: str = "purchase", **more: Any) -> Row:
    moment = when if isinstance(when, str) else when.isoformat()
    return {"customer_id": customer, "occurred_at": moment, "kind": kind, **more}


def examined(folder: Path, rows: Iterable[Row], timeline: Timeline = UTC) -> DataProfile:
    return profile_events(stored(folder, rows, timeline), indicators({}), timeline)


def found(folder: Path, rows: Iterable[Row], timeline: Timeline = UTC) -> dict[str, CheckFinding]:
    inventory = examined(folder, rows, timeline)
    return {one.name: one for one in run_checks(inventory, timeline)}


def daily(
    days: Iterable[int], *, each: int = 10, hours: tuple[int, int] = (9, 21), start: str = "2024-01-01"
) -> list[Row]:
    """So many purchases on each of the days, spread over the hours, of thirty customers."""
    first = datetime.fromisoformat(start)
    span = (hours[1] - hours[0]) * 60
    return [
        event(
            f"c{(day + n) % 30}",
            first + timedelta(days=day, hours=hours[0], minutes=(n * span // each + 7 * day) % span),
            value=10.0,
        )
        for day in days
        for n in range(each)
    ]


# --- counting -----------------------------------------------------------------------------------


def test_rows_customers_range_and_kinds_are_counted(tmp_path: Path) -> None:
    inventory = examined(
        tmp_path,
        [
            event("ann", "2024-05-01 10:00", value=5.0),
            event("ann", "2024-05-03 10:00", "refund", value=-5.0),
            event("bob", "2024-05-02 23:30", "visit"),
            event("bob", "2024-05-09 08:00", "nps", value=9.0),
            event("cem", "2024-05-04 12:00"),
            event("cem", "2020-01-01", "attribute.plan", detail="gold"),
            event("dan", "2020-01-01", "attribute.plan", detail="gold"),
        ],
    )
    assert (inventory.customers, inventory.events, inventory.attributes, inventory.once) == (3, 5, 2, 1)
    assert (UTC.name(inventory.first), UTC.name(inventory.newest)) == (
        "2024-05-01T10:00:00+00:00",
        "2024-05-09T08:00:00+00:00",
    )
    assert inventory.days.tolist() == [1, 1, 1, 1, 0, 0, 0, 0, 1]
    kinds = {kind.name: kind for kind in inventory.kinds}
    purchase, refund = kinds["purchase"], kinds["refund"]
    assert (purchase.events, purchase.customers, purchase.valued, purchase.negative) == (2, 2, 1, 0)
    assert (refund.events, refund.customers, refund.valued, refund.negative) == (1, 1, 1, 1)
    assert kinds["attribute.plan"].events == 2
    side = inventory.side("purchase")
    assert side is not None
    assert (side.events, side.customers, side.kinds) == (3, 2, ("purchase", "refund"))
    assert [one.indicator.name for one in inventory.sides] == ["purchase", "usage", "survey"]
    assert inventory.side("contract") is None


def test_buckets_add_up_to_what_numpy_counts(tmp_path: Path, rng: np.random.Generator) -> None:
    start = datetime.fromisoformat("2024-03-01")
    rows = [
        event(
            f"c{rng.integers(50)}",
            start + timedelta(minutes=int(rng.integers(90 * 1440))),
            str(rng.choice(["purchase", "visit", "login", "odd"])),
        )
        for _ in range(2000)
    ]
    inventory = examined(tmp_path, rows)
    assert inventory.customers == len({row["customer_id"] for row in rows})
    for kind in inventory.kinds:
        mine = [row for row in rows if row["kind"] == kind.name]
        assert (kind.events, kind.customers) == (len(mine), len({row["customer_id"] for row in mine}))
    usage = inventory.side("usage")
    assert usage is not None
    mine = [row for row in rows if row["kind"] in ("visit", "login")]
    assert usage.customers == len({row["customer_id"] for row in mine})
    minutes = [datetime.fromisoformat(row["occurred_at"]) for row in mine]
    assert usage.minutes.tolist() == [
        sum(60 * at.hour + at.minute == minute for at in minutes) for minute in range(1440)
    ]
    assert int(inventory.days.sum()) == inventory.events == 2000


def test_days_are_those_of_the_project(tmp_path: Path) -> None:
    rows = [event("ann", "2024-05-01T14:59:59Z"), event("ann", "2024-05-01T15:00:00Z")]
    assert examined(tmp_path / "utc", rows).days.tolist() == [2]
    inventory = examined(tmp_path / "tokyo", rows, TOKYO)
    assert inventory.days.tolist() == [1, 1]
    assert inventory.sides[0].minutes[[0, 1439]].tolist() == [1, 1]


def test_events_at_or_after_until_do_not_exist(tmp_path: Path) -> None:
    store = stored(tmp_path, [event("ann", "2024-05-01"), event("bob", "2024-05-08")])
    inventory = profile_events(store, indicators({}), UTC, until=UTC.instant("2024-05-08"))
    assert (inventory.events, inventory.customers) == (1, 1)
    assert UTC.name(inventory.newest) == "2024-05-01"
    sentence = (
        "cannot examine the data: the store holds no event of a customer before 2024-05-01. "
        "Ingest some with `kizuna ingest`."
    )
    with pytest.raises(DataError, match=f"^{re.escape(sentence)}$"):
        profile_events(store, indicators({}), UTC, until=UTC.instant("2024-05-01"))


def test_a_store_without_events_is_refused(tmp_path: Path) -> None:
    sentence = "cannot read events: nothing was ingested yet; run `kizuna ingest`"
    with pytest.raises(DataError, match=f"^{re.escape(sentence)}$"):
        profile_events(EventStore(tmp_path), indicators({}), UTC)
    sentence = (
        "cannot examine the data: the store holds no event of a customer. Ingest some with `kizuna ingest`."
    )
    with pytest.raises(DataError, match=f"^{re.escape(sentence)}$"):
        examined(tmp_path, [event("ann", "2024-05-01", "attribute.plan", detail="gold")])


def test_a_gap_is_longer_than_the_weekends_and_misses_twenty_events() -> None:
    week = [10, 10, 10, 10, 10, 0, 0]
    assert gaps(np.array(week * 20)) == []
    closed = np.array(week * 20)
    closed[70:84] = 0
    assert gaps(closed) == [(68, 16)]
    assert gaps(np.array([1, 0, 0, 0, 0, 1, 1])) == []
    assert gaps(np.array([9, 0, 0, 0, 9])) == [(1, 3)]
    assert gaps(np.array([5])) == []


# --- what wants a look --------------------------------------------------------------------------


def test_a_healthy_record_wants_no_look(tmp_path: Path) -> None:
    assert found(tmp_path, daily(range(100))) == {}


def test_a_missing_week_is_named(tmp_path: Path) -> None:
    gap = found(tmp_path, daily([*range(40), *range(47, 100)]))["gap"]
    assert gap.english == (
        "No purchases at all on 2024-02-10 – 2024-02-16 (7 d): was the shop closed, or is an export missing?"
    )
    assert gap.japanese == (
        "購買が1件もない期間があります：2024-02-10〜2024-02-16（7日）。休業でしょうか、それとも取込漏れでしょうか。"
    )


def test_a_few_events_far_after_all_others_are_named(tmp_path: Path) -> None:
    odd = found(tmp_path, [*daily(range(60)), event("c1", "2024-12-24 10:00", value=1.0)])["sparse_end"]
    assert odd.figures == {"until": "2024-02-29", "events_after": 1, "newest": "2024-12-24"}
    odd = found(tmp_path / "x", [*daily(range(60)), event("c1", "2001-01-01 10:00")])["sparse_start"]
    assert odd.figures == {"since": "2024-01-01", "events_before": 1, "first": "2001-01-01"}


def test_days_without_a_time_are_told_unless_their_end_is_known(tmp_path: Path) -> None:
    plain = [event(f"c{n % 30}", f"2024-01-{1 + n % 28:02}", value=1.0) for n in range(200)]
    assert found(tmp_path / "plain", plain)["day_only"].figures == {
        "indicator": "purchase",
        "time": "00:00",
        "share": 1.0,
    }
    known = [{**row, "recorded_at": f"{row['occurred_at']} 23:59:59"} for row in plain]
    assert "day_only" not in found(tmp_path / "known", known)
    elsewhere = [{**row, "occurred_at": f"{row['occurred_at']}T00:00:00Z"} for row in plain]
    odd = found(tmp_path / "elsewhere", elsewhere, TOKYO)["day_only"]
    assert odd.figures["time"] == "09:00"
    assert "a day of another time zone?" in odd.english


def test_quiet_hours_by_day_suggest_another_zone(tmp_path: Path) -> None:
    assert "wrong_zone" not in found(tmp_path / "right", daily(range(60), each=20, hours=(8, 23)))
    # Tokyo's 08–23 h in stamps of UTC is 23–14 h: quiet from 14 to 23.
    shifted = [
        {**row, "occurred_at": (datetime.fromisoformat(row["occurred_at"]) - timedelta(hours=9)).isoformat()}
        for row in daily(range(60), each=20, hours=(8, 23))
    ]
    odd = found(tmp_path / "wrong", shifted)["wrong_zone"]
    assert odd.figures == {"quiet_from": "15:00", "quiet_until": "21:00", "hours_off": -8}
    assert "about 8 hours behind theirs" in odd.english
    assert "約8時間遅れている" in odd.japanese


def test_many_customers_at_one_instant_look_like_a_load(tmp_path: Path) -> None:
    loaded = [event(f"m{n}", "2024-01-15 02:00:00", value=1.0) for n in range(60)]
    odd = found(tmp_path, [*daily(range(50)), *loaded])["one_instant"]
    assert odd.figures["instant"] == "2024-01-15 02:00:00+00:00"
    assert odd.figures["events"] == 60


def test_lines_of_a_receipt_are_told_from_events(tmp_path: Path) -> None:
    lines = [{**row, "detail": detail} for row in daily(range(30)) for detail in ("tea", "milk", "bread")]
    assert found(tmp_path, lines)["lines"].figures == {"indicator": "purchase", "share": 2 / 3}


def test_rows_without_customer_and_refused_rows_are_told_by_reason(tmp_path: Path) -> None:
    rows = daily(range(90))
    rows += [event("", f"2024-01-01 10:{n:02}:00") for n in range(60)]
    rows += [event("bob", f"2030-01-01 10:{n:02}:00") for n in range(40)]
    inventory = examined(tmp_path, rows)
    assert inventory.refused == (
        QuarantineReason("orders", "customer_id is empty", 60),
        QuarantineReason("orders", "occurred_at is in the future", 40),
    )
    odd = {one.name: one for one in run_checks(inventory, UTC)}
    assert odd["without_customer"].english == (
        "6.0% of the rows (60) name no customer and stay out: can they be joined to one?"
    )
    assert odd["quarantined"].figures == {
        "rows": 40,
        "share": 0.04,
        "source": "orders",
        "reason": "occurred_at is in the future",
    }


def test_kinds_that_no_indicator_names_are_told(tmp_path: Path) -> None:
    rows = [*daily(range(30)), event("c1", "2024-01-05 10:00", "basket")]
    rows.append(event("c1", "2024-01-05 10:00", "items"))  # how many items a purchase had
    odd = found(tmp_path, rows)["unnamed_kind"]
    assert odd.english == (
        "No indicator names the kinds 'basket' (1), so no feature sees their events. "
        "Add them to the `kinds` of an `[indicators.NAME]`."
    )
    named = indicators({"purchase": IndicatorSettings(kinds=("purchase", "basket"))})  # type: ignore[call-arg]
    inventory = profile_events(EventStore(tmp_path / "state"), named, UTC)
    assert run_checks(inventory, UTC) == ()


def test_a_shared_account_and_missing_amounts_are_told(tmp_path: Path) -> None:
    rows = daily(range(60))
    rows += [event(f"d{n}", f"2024-01-05 11:{n:02}", value=1.0) for n in range(40)]
    rows += [
        event("guest", datetime.fromisoformat("2024-01-01 09:00") + timedelta(hours=6 * n))
        for n in range(700)
    ]
    odd = found(tmp_path, rows)
    assert odd["shared_customer"].figures["customer_id"] == "guest"
    assert odd["no_amounts"].figures["share"] == pytest.approx(640 / 1340)


def test_every_finding_speaks_both_languages(tmp_path: Path) -> None:
    rows = [*daily([*range(40), *range(60, 100)]), event("c1", "2024-01-05 10:00", "basket")]
    for one in found(tmp_path, rows).values():
        assert one.english.endswith((".", "?"))
        assert one.japanese.endswith("。")


def test_the_names_that_events_have_are_gathered_in_the_same_pass_where_they_are_asked_for(
    tmp_path: Path,
) -> None:
    rows = [
        event("ann", "2024-05-01 09:00", place="ginza", detail="toys"),
        event("bob", "2024-05-02 09:00", place="umeda"),
        event("ann", "2024-05-01 08:00", "attribute.plan", detail="gold"),
        event("bob", "2024-05-01 08:00", "attribute.plan", value=2.0),
        event("bob", "2024-05-01 08:00", "attribute.shop", detail="ginza"),
    ]
    store = stored(tmp_path, rows)
    names = profile_events(store, indicators({}), UTC, names=True).names
    assert (names.places, names.details) == ({"ginza", "umeda"}, {"toys"})
    assert names.values == {"plan": {"gold", "2"}, "shop": {"ginza"}}
    assert profile_events(store, indicators({}), UTC).names.places == set()
