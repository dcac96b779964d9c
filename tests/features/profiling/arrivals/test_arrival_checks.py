"""What arrived is judged by each source's own past, on a store of plain events."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from features.event_store import EventStore
from features.profiling.arrivals.arrival_checks import ArrivalChecks, check_arrivals
from features.profiling.arrivals.arrival_counts import arrival_counts
from features.timeline import DAY, Timeline

TOKYO = Timeline("Asia/Tokyo")
DAYS, A_DAY = 100, 60
FIRST = TOKYO.instant("2026-01-01")
UNTIL = FIRST + DAYS * DAY
Table = dict[str, np.ndarray]


def plain() -> Table:
    """A shop's orders: 60 a day by day, of 200 known customers, around noon."""
    chance = np.random.default_rng(7)
    count = DAYS * A_DAY
    day = np.repeat(np.arange(DAYS), A_DAY)
    hour = np.clip(chance.normal(12, 2, count), 0, 23)
    return {
        "day": day,
        "at": FIRST + day * DAY + (hour * 3_600_000_000).astype(np.int64),
        "customer": np.where(day == 0, np.arange(count), chance.integers(0, 60, count)).astype(str),
        "kind": np.full(count, "purchase", dtype=object),
        "value": chance.gamma(2, 20, count),
    }


def judged(folder: Path, rows: Table, **how: object) -> ArrivalChecks:
    store = EventStore(folder, buckets=4)
    table = pa.table(
        {
            "customer_id": pa.array(rows["customer"]),
            "occurred_at": pa.array(rows["at"], pa.timestamp("us", "UTC")),
            "kind": pa.array(rows["kind"]),
            "value": pa.array(rows["value"], from_pandas=True),
            "event_id": pa.array(np.arange(len(rows["at"])).astype(str)),
        }
    )
    store.add(table, source="orders", timeline=TOKYO, now=UNTIL + DAY)
    return check_arrivals(arrival_counts(store, TOKYO, UNTIL), TOKYO, UNTIL, **how)  # type: ignore[arg-type]


def null_value(rows: Table) -> None:
    rows["value"][rows["day"] == DAYS - 1] = np.nan


def new_kind(rows: Table) -> None:
    rows["kind"][rows["at"] > UNTIL - DAY // 2] = "purchase_v2"


def new_customers(rows: Table) -> None:
    last = rows["day"] == DAYS - 1
    rows["customer"][last] = [f"x{one}" for one in range(int(last.sum()))]


def moved_clock(rows: Table) -> None:
    rows["at"][rows["day"] >= DAYS - 3] -= 9 * 3_600_000_000


def a_tenth(rows: Table) -> None:
    some = (rows["day"] < DAYS - 1) | (np.arange(len(rows["day"])) % 12 == 0)
    for name in rows:
        rows[name] = rows[name][some]


@pytest.mark.parametrize(
    ("harm", "check", "words"),
    [
        (null_value, "empty_column", "fills the column value in 0% of its newest events"),
        (new_kind, "new_kind", "sent the kind 'purchase_v2' for the first time on 2026-04-10"),
        (new_customers, "new_customers", "100% of the customers in the newest events of source 'orders'"),
        (moved_clock, "clock", "seems to have moved by -9 hours"),
        (a_tenth, "volume", "has 5 events on 2026-04-10, where 60 are usual"),
    ],
)
def test_what_is_wrong_with_a_source_is_found_and_nothing_else(
    harm: Callable[[Table], None], check: str, words: str, tmp_path: Path
) -> None:
    rows = plain()
    harm(rows)
    found = judged(tmp_path, rows)
    assert [one.check for one in found.findings] == [check]
    assert words in found.findings[0].message
    assert found.whole_until == UNTIL


def test_nothing_is_found_where_nothing_is_wrong(tmp_path: Path) -> None:
    found = judged(tmp_path, plain())
    assert (found.findings, found.whole_until, found.delays) == ((), UNTIL, {"orders": 0})


def test_a_stopped_source_says_until_when_all_is_whole_unless_it_usually_comes_late(tmp_path: Path) -> None:
    rows = plain()
    rows = {name: column[rows["day"] < DAYS - 2] for name, column in rows.items()}
    found = judged(tmp_path / "a", rows)
    assert [one.check for one in found.findings] == ["stopped"]
    assert "has sent nothing since 2026-04-08 (2 d)" in found.findings[0].message
    assert found.whole_until == UNTIL - 2 * DAY
    assert judged(tmp_path / "b", rows, usual_delays={"orders": 2}).findings == ()
    assert judged(tmp_path / "c", rows, closed=("orders",)).findings == ()
    assert judged(tmp_path / "d", rows, company=("purchase",)).whole_until == UNTIL
