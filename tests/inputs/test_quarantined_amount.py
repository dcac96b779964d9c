"""How much of the amount goes to quarantine: said, and above 1 % not without being asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.errors import DataError
from features.event_store import EventStore
from features.ingestion.receipt import Receipt
from features.ingestion.session.guards import IngestOptions
from features.ingestion.sources import Source
from features.timeline import Timeline

UTC = Timeline()
NOW = UTC.instant("2026-01-01")


def ingest(folder: Path, *rows: str, accept: bool = False) -> tuple[EventStore, Receipt, Receipt]:
    """One ingest of a hundred good orders of 100 beside these rows, and of a good source."""
    good = [f"c{n};2024-03-01 10:{n % 60:02};100" for n in range(100)]
    (folder / "a.csv").write_text("\n".join(["c;t;v", *good, *rows]) + "\n")
    (folder / "b.csv").write_text("c;t;v\nother;2024-03-02;5\n")
    query = "select c as customer_id, t as occurred_at, 'purchase' as kind, v as value from '{}.csv'"
    sources = [Source(name=name, query=query.format(name)) for name in "ab"]
    options = IngestOptions(accept_quarantine=frozenset("a" if accept else ""))
    store = EventStore(folder / "state", buckets=1)
    first, second = store.ingest(sources, [], folder=folder, timeline=UTC, now=NOW, options=options)
    return store, first, second


@pytest.mark.parametrize(("rows", "share"), [
    (["x;yesterday;50"], 50 / 10_050), (["x;2024-03-01;much"], 100 / 10_100),
    (["x;1950-01-01;-90"], 90 / 10_090),
    ([";2024-03-01;99999"], 0), (["x;2030-01-01;99999"], 0), (["x;yesterday;"], 0), (["x;yesterday;0"], 0),
])  # fmt: skip
def test_the_share_of_the_amount_in_quarantine_is_in_the_receipt(tmp_path, rows, share):
    _, receipt, _ = ingest(tmp_path, *rows)
    assert (receipt.refused, receipt.quarantined) == (None, 1)
    assert receipt.quarantined_amount == pytest.approx(share)


def test_one_row_of_a_hundred_may_be_most_of_the_amount_and_then_the_source_is_not_stored(tmp_path):
    store, receipt, other = ingest(tmp_path, "x;yesterday;30000")
    assert receipt.refused == (
        "source 'a' was not stored: 75.0% of its amount would go to quarantine, more than 1% (1 rows; most "
        "for: occurred_at is not a moment that can be read). Correct these rows or the query; if they are to "
        "be left out, run `kizuna ingest --accept-quarantine a`."
    )
    assert (receipt.new, other.new, store.events) == (0, 1, 1)
    store, receipt, _ = ingest(tmp_path, "x;yesterday;30000", accept=True)
    assert (receipt.refused, receipt.new, store.events) == (None, 100, 101)
    assert receipt.quarantined_amount == pytest.approx(0.75)


def test_a_source_that_was_not_stored_is_stored_once_its_rows_are_right(tmp_path):
    ingest(tmp_path, "x;yesterday;30000")
    store, receipt, _ = ingest(tmp_path, "x;2024-03-01;30000")
    assert (receipt.refused, receipt.new, store.events) == (None, 101, 102)


def test_amounts_that_cannot_be_read_count_as_much_as_others_on_average(tmp_path):
    _, receipt, _ = ingest(tmp_path, *["x;2024-03-01;much"] * 5)
    assert receipt.refused is not None
    assert "4.8% of its amount" in receipt.refused


def test_rows_that_were_accepted_in_quarantine_are_not_asked_about_again(tmp_path):
    ingest(tmp_path, "x;yesterday;30000", accept=True)
    store, receipt, _ = ingest(tmp_path, "x;yesterday;30000")
    assert (receipt.refused, receipt.already_there, receipt.quarantined, store.events) == (None, 100, 1, 101)
    _, receipt, _ = ingest(tmp_path, "x;yesterday;30000", "y;tomorrow;30000")
    assert receipt.refused is not None


MARKED = (
    "select id as event_id, c as customer_id, t as occurred_at, 'purchase' as kind, v as value, "
    "cast(u as bigint) as u from read_csv('marked.csv', all_varchar = true)"
)


@pytest.mark.parametrize("last", ["yesterday,30", "2031-01-01,30", "2024-03-01,much", "1950-01-01,30"])
def test_a_bad_row_at_the_watermark_stops_no_later_ingest(tmp_path, last):
    rows = [f"{n},c{n},2024-03-01 10:{n % 60:02},100,{n}" for n in range(1, 201)]
    text = "\n".join(["id,c,t,v,u", *rows, f"201,x,{last},201"]) + "\n"
    store = EventStore(tmp_path / "state", buckets=1)
    source = Source(name="orders", query=MARKED, watermark="u")

    def again(more: str = "") -> Receipt:
        (tmp_path / "marked.csv").write_text(text + more)
        (receipt,) = store.ingest([source], [], folder=tmp_path, timeline=UTC, now=NOW)
        return receipt

    assert (again().new, again().refused, again().refused) == (200, None, None)
    newer = again("202,y,2024-03-02,100,202\n203,z,2024-03-02,100,203\n")
    assert (newer.refused, newer.new, store.events) == (None, 2, 202)


def test_a_later_reading_of_many_rows_that_cannot_be_read_is_an_error(tmp_path):
    (tmp_path / "marked.csv").write_text("id,c,t,v,u\n1,a,2024-03-01,100,1\n")
    store = EventStore(tmp_path / "state", buckets=1)
    source = Source(name="orders", query=MARKED, watermark="u")
    store.ingest([source], [], folder=tmp_path, timeline=UTC, now=NOW)
    rows = "".join(f"{n},a,day {n},100,{n}\n" for n in range(2, 40))
    (tmp_path / "marked.csv").write_text("id,c,t,v,u\n" + rows)
    with pytest.raises(DataError, match="cannot be read"):
        store.ingest([source], [], folder=tmp_path, timeline=UTC, now=NOW)
