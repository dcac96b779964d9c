"""The fate of a row is not settled once: what was refused comes in, and what was stored may vanish."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from features.event_store import EventStore
from features.events.validation_counts import TOO_LATE
from features.ingestion.receipt import Receipt
from features.ingestion.session.guards import IngestOptions
from features.ingestion.sources import Source
from features.timeline import Timeline
from tests.inputs.command_project import CommandProject

START = datetime(2024, 6, 1, tzinfo=UTC)
HEAD = "id,customer,happened,kind,updated_at\n"
QUERY = (
    "select id as event_id, customer as customer_id, happened as occurred_at, kind, updated_at "
    "from read_csv('subs.csv', all_varchar = true)"
)
NAMELESS = QUERY.replace("id as event_id, ", "")


class Subscriptions:
    """A file of subscriptions and the store that reads it; the clock is moved by hand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: list[str] = []

    def write(self, *rows: str) -> None:
        self.rows = list(rows)
        (self.folder / "subs.csv").write_text(HEAD + "".join(f"{row}\n" for row in rows), encoding="utf-8")

    def add(self, *rows: str) -> None:
        self.write(*self.rows, *rows)

    def ingest(self, day: int, query: str = QUERY, accept: str = "", **settings: Any) -> Receipt:
        now = int((START + timedelta(days=day)).timestamp()) * 1_000_000
        options = IngestOptions(accept_removal=frozenset([accept] if accept else []))
        (receipt,) = self.store.ingest(
            [Source(name="subs", query=query, **settings)],
            [],
            folder=self.folder,
            timeline=Timeline(),
            now=now,
            options=options,
        )
        assert receipt.refused or receipt.read == (
            receipt.new + receipt.already_there + receipt.corrected + receipt.quarantined + receipt.erased
        )
        return receipt

    @property
    def store(self) -> EventStore:
        return EventStore(self.folder / "state", buckets=4)

    @property
    def kinds(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for history in self.store.histories():
            for code in history.kinds.tolist():
                counts[history.kind_names[code]] = counts.get(history.kind_names[code], 0) + 1
        return counts

    @property
    def refused(self) -> list[str]:
        return sorted(self.store.quarantined().column("reason").to_pylist())


@pytest.fixture
def subs(tmp_path: Path) -> Subscriptions:
    made = Subscriptions(tmp_path)
    made.write(
        "1,c1,2024-01-10 10:00:00,started,2024-01-10 10:00:00",
        "2,c1,2024-06-05 10:00:00,cancelled,2024-06-01 00:00:00",
        "3,c2,2024-02-01 09:00:00,started,2024-06-01 00:00:00",
    )
    return made


@pytest.mark.parametrize("watermark", ["updated_at", None])
def test_an_end_in_the_future_comes_in_when_its_day_has_come(
    subs: Subscriptions, watermark: str | None
) -> None:
    assert subs.ingest(1, watermark=watermark).quarantined == 1
    assert subs.refused == [TOO_LATE]
    subs.add("4,c3,2024-02-02 09:00:00,started,2024-06-02 00:00:00")
    subs.ingest(2, watermark=watermark)
    assert subs.refused == [TOO_LATE]
    subs.add("5,c4,2024-02-03 09:00:00,started,2024-06-03 00:00:00")
    receipt = subs.ingest(10, watermark=watermark)
    assert (receipt.new, receipt.quarantined) == (2, 0)
    assert receipt.retried == (1 if watermark else 0)
    assert subs.kinds == {"started": 4, "cancelled": 1}
    assert subs.refused == []
    version = subs.store.version
    assert subs.ingest(11, watermark=watermark).new == 0
    assert subs.store.version == version


def test_what_was_recorded_in_the_future_comes_in_too(subs: Subscriptions) -> None:
    query = QUERY.replace("kind, ", "kind, '2024-06-04' as recorded_at, ")
    subs.write("1,c1,2024-01-10,started,2024-01-10", "2,c2,2024-01-10,started,2024-01-11")
    subs.store.add(  # a source must have something that is no future
        subs_table(), source="subs", timeline=Timeline(), now=int(START.timestamp()) * 1_000_000
    )
    assert subs.ingest(1, query=query, watermark="updated_at").quarantined == 2
    subs.add("3,c3,2024-01-10,started,2024-01-12")
    receipt = subs.ingest(5, query=query, watermark="updated_at")
    assert (receipt.new, receipt.retried) == (3, 1)
    assert subs.refused == []


def subs_table() -> Any:
    import pyarrow as pa

    return pa.table({"customer_id": ["c0"], "occurred_at": ["2024-01-01"], "kind": ["started"]})


def test_the_newest_version_of_a_future_row_counts(subs: Subscriptions) -> None:
    subs.ingest(1, watermark="updated_at")
    subs.add("2,c1,2024-06-20 10:00:00,cancelled,2024-06-02 00:00:00")  # put off
    subs.ingest(2, watermark="updated_at")
    assert len(subs.refused) == 1
    subs.add("9,c9,2024-02-03 09:00:00,started,2024-06-08 00:00:00")
    subs.ingest(8, watermark="updated_at")
    assert "cancelled" not in subs.kinds
    assert len(subs.refused) == 1
    subs.ingest(25, watermark="updated_at")
    assert subs.kinds["cancelled"] == 1
    (history,) = [h for h in subs.store.histories() if any(name == "cancelled" for name in h.kind_names)]
    assert Timeline().instant("2024-06-20T10:00:00") in history.instants


def test_a_future_row_that_was_taken_back_does_not_come_in(subs: Subscriptions) -> None:
    subs.ingest(1, watermark="updated_at")
    subs.add("2,c1,2024-05-30 10:00:00,renewed,2024-06-02 00:00:00")  # the customer stays after all
    subs.ingest(2, watermark="updated_at")
    assert subs.refused == []
    subs.add("9,c9,2024-02-03 09:00:00,started,2024-06-08 00:00:00")
    subs.ingest(9, watermark="updated_at")
    assert subs.kinds == {"started": 3, "renewed": 1}


def test_a_future_row_that_left_a_file_read_whole_does_not_come_in(subs: Subscriptions) -> None:
    subs.ingest(1)
    subs.write(subs.rows[0], subs.rows[2])
    assert subs.ingest(2).already_there == 2
    assert subs.refused == []
    subs.ingest(9)
    assert subs.kinds == {"started": 2}


@pytest.mark.parametrize("query", [QUERY, NAMELESS])
def test_a_future_row_of_a_file_that_is_written_anew_each_day_is_not_lost(
    subs: Subscriptions, query: str
) -> None:
    subs.ingest(1, query=query)
    for day in (2, 3):
        subs.write(f"{day}0,d{day},2024-05-0{day} 10:00:00,started,2024-06-0{day} 00:00:00")
        subs.ingest(day, query=query)
    assert subs.refused == [TOO_LATE]
    subs.write("90,d9,2024-05-09 10:00:00,started,2024-06-09 00:00:00")
    receipt = subs.ingest(9, query=query)
    assert (receipt.new, receipt.retried) == (2, 1)
    assert subs.kinds == {"started": 5, "cancelled": 1}
    assert subs.refused == []


def test_a_row_that_comes_in_corrected_under_its_id_leaves_the_quarantine(subs: Subscriptions) -> None:
    subs.write(
        "1,c1,2024-01-10,started,2024-01-10", "2,,2024-01-11,started,2024-01-11", "3,c3,?,started,2024-01-12"
    )
    assert subs.ingest(1, watermark="updated_at").quarantined == 2
    subs.add("2,c2,2024-01-11,started,2024-01-13")
    subs.ingest(2, watermark="updated_at")
    assert len(subs.refused) == 1
    subs.add("3,c3,2024-01-12,started,2024-01-14")
    subs.ingest(3, watermark="updated_at")
    assert subs.refused == []
    assert subs.kinds == {"started": 3}


def test_a_row_without_an_id_that_was_put_right_in_the_file_leaves_the_quarantine(
    subs: Subscriptions,
) -> None:
    subs.write("1,c1,2024-01-10,started,-", "2,,2024-01-11,started,-")
    subs.ingest(1, query=NAMELESS)
    assert len(subs.refused) == 1
    subs.write("1,c1,2024-01-10,started,-", "2,c2,2024-01-11,started,-")
    subs.ingest(2, query=NAMELESS)
    assert subs.refused == []
    assert subs.kinds == {"started": 2}


def test_doctor_shows_only_what_is_still_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = CommandProject(tmp_path, capsys)
    soon = datetime.now(UTC) + timedelta(days=400)
    folder.source("subs", QUERY, watermark="updated_at")
    folder.write(
        "subs.csv",
        HEAD + f"1,c1,2024-01-10 10:00:00,started,2024-01-10\n2,c1,{soon:%F %T},cancelled,2024-01-11\n",
    )
    folder.ingest()
    _, out, _ = folder.run("--json", "doctor")
    assert [one["reason"] for one in json.loads(out)["data"]["refused"]] == [TOO_LATE]
    folder.write("subs.csv", HEAD + "2,c1,2024-05-10 10:00:00,cancelled,2024-01-12\n")
    folder.ingest()
    _, out, _ = folder.run("--json", "doctor")
    assert json.loads(out)["data"]["refused"] == []


# --- complete sources ---------------------------------------------------------------------------


def orders(*numbers: int) -> list[str]:
    return [f"{n},c{n},2024-03-01 10:00:00,purchase,2024-03-01" for n in numbers]


def test_rows_that_vanish_from_a_complete_source_are_taken_out(subs: Subscriptions) -> None:
    subs.write(*orders(*range(40)))
    assert subs.ingest(1, complete=True).new == 40
    subs.write(*orders(*range(1, 40), 99))
    receipt = subs.ingest(2, complete=True)
    assert (receipt.new, receipt.already_there, receipt.taken_out, receipt.refused) == (1, 39, 1, None)
    assert subs.kinds == {"purchase": 40}
    assert subs.ingest(3, complete=True).taken_out == 0


def test_when_too_much_of_a_complete_source_is_gone_nothing_changes_until_it_is_accepted(
    subs: Subscriptions,
) -> None:
    subs.write(*orders(*range(40)))
    subs.ingest(1, complete=True)
    subs.write(*orders(*range(30)), *orders(77))
    receipt = subs.ingest(2, complete=True)
    assert receipt.refused == (
        "source 'subs' was not stored: 10 of its 40 events are not in it any more, more than 5%. Check that "
        "it is read whole; if these rows are to be taken out, run `kizuna ingest --accept-removal subs`."
    )
    assert subs.kinds == {"purchase": 40}
    receipt = subs.ingest(2, complete=True, accept="subs")
    assert (receipt.new, receipt.taken_out) == (1, 10)
    assert subs.kinds == {"purchase": 31}


def test_an_order_that_moved_to_another_customer_did_not_vanish(subs: Subscriptions) -> None:
    subs.write(*orders(*range(40)))
    subs.ingest(1, complete=True)
    subs.write(*orders(*range(1, 40)), "0,somebody-else,2024-03-01 10:00:00,purchase,2024-03-01")
    receipt = subs.ingest(2, complete=True)
    assert (receipt.corrected, receipt.taken_out) == (1, 0)


def test_a_row_that_became_unreadable_did_not_vanish(subs: Subscriptions) -> None:
    subs.write(*orders(*range(40)))
    subs.ingest(1, complete=True)
    subs.write(*orders(*range(1, 40)), "0,c0,yesterday,purchase,2024-03-01")
    receipt = subs.ingest(2, complete=True)
    assert (receipt.quarantined, receipt.taken_out) == (1, 0)
    assert subs.kinds == {"purchase": 40}


def test_a_source_is_not_complete_where_only_its_newest_rows_are_read() -> None:
    with pytest.raises(ValidationError, match="cannot have both `complete` and `watermark`"):
        Source(name="subs", query=QUERY, complete=True, watermark="updated_at")
