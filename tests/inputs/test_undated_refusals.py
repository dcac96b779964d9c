"""A refusal of contact holds although its date is missing, unreadable, a filler, or not there yet."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.errors import DataError
from features.event_store import EventStore
from features.events.consent import MAY, MUST_NOT, ConsentEntry, ConsentRules, Says, consent_verdicts
from features.ingestion.receipt import Receipt
from features.ingestion.sources import Attribute, Source
from features.timeline import DAY, Timeline

UTC = Timeline()
NOW = UTC.instant("2025-01-01")
QUERY = "select c as customer_id, t as known_at, v as value from read_csv('people.csv', all_varchar = true)"


def ingest(
    folder: Path, *rows: str, name: str = "do_not_contact", day: int = 0
) -> tuple[EventStore, Receipt]:
    (folder / "people.csv").write_text("\n".join(["c,t,v", *rows]) + "\n", encoding="utf-8")
    says: Says = "may_contact" if name == "opt_in" else "must_not_contact"
    rules = ConsentRules((ConsentEntry(attribute=name, says=says),))
    store = EventStore(folder / "state", buckets=1)
    attribute = Attribute(name=name, query=QUERY)
    now = NOW + day * DAY
    (receipt,) = store.ingest([], [attribute], folder=folder, timeline=UTC, now=now, consent=rules)
    return store, receipt


def verdicts(store: EventStore, name: str = "do_not_contact", day: int = 0) -> dict[str, int]:
    says: Says = "may_contact" if name == "opt_in" else "must_not_contact"
    found: dict[str, int] = {}
    for history in store.histories():
        said = consent_verdicts(history, name, says, NOW + day * DAY).verdict.tolist()
        found |= dict(zip(store.customers.names(history.keys).to_pylist(), said, strict=True))
    return found


@pytest.mark.parametrize("name", ["do_not_contact", "no letters please"])
@pytest.mark.parametrize(
    "date",
    ["", "0000-00-00", "1900-01-01", "0001-01-01", "9999-12-31", "2024-02-30", "2026-05-01", "unknown"],
)
def test_a_refusal_holds_whatever_its_date_and_a_permission_needs_one(tmp_path, name, date):
    rows = ["a,2024-01-01,yes", f"b,{date},yes", f"c,{date},no", "d,2024-01-01,no"]
    store, receipt = ingest(tmp_path, *rows, name=name)
    assert verdicts(store, name) == {"a": MUST_NOT, "b": MUST_NOT, "d": MAY}
    assert (receipt.new, receipt.quarantined) == (3, 1)


def test_reading_an_undated_refusal_again_adds_no_event(tmp_path):
    rows = ["a,,yes", "b,,yes", "b,,yes", "c,2024-01-01,no"]
    store, first = ingest(tmp_path, *rows)
    assert first.notes == ("3 rows forbid contact and say no date in known_at: they count from now on",)
    store, second = ingest(tmp_path, *rows, day=1)
    assert (second.new, second.quarantined, store.events) == (0, 0, 3)


def test_who_refuses_without_a_date_after_a_dated_permission_is_not_contacted_until_the_next_one(tmp_path):
    store, _ = ingest(tmp_path, "a,2024-06-01,1", name="opt_in")
    assert verdicts(store, "opt_in") == {"a": MAY}
    store, _ = ingest(tmp_path, "a,,0", name="opt_in", day=1)
    assert verdicts(store, "opt_in", day=1) == {"a": MUST_NOT}
    store, _ = ingest(tmp_path, "a,2025-01-10,1", name="opt_in", day=20)
    assert verdicts(store, "opt_in", day=20) == {"a": MAY}


def test_a_refusal_among_the_events_of_a_source_holds_as_well(tmp_path):
    query = (
        "select * from (values ('a', '2024-01-01', 'visit', null), ('a', null, 'attribute.opt_out', '1'), "
        "('b', null, 'visit', null)) as t(customer_id, occurred_at, kind, detail)"
    )
    store = EventStore(tmp_path / "state", buckets=1)
    (receipt,) = store.ingest([Source(name="all", query=query)], [], folder=tmp_path, timeline=UTC, now=NOW)
    assert verdicts(store, "opt_out") == {"a": MUST_NOT}
    assert (receipt.new, receipt.quarantined) == (2, 1)


def test_dates_of_a_form_that_nothing_reads_are_still_an_error(tmp_path):
    with pytest.raises(DataError, match="its column known_at is string and cannot be read"):
        ingest(tmp_path, "a,day 5 of spring,yes", "b,day 6 of spring,no")


def test_undated_values_of_other_attributes_stay_in_quarantine(tmp_path):
    (tmp_path / "people.csv").write_text("c,t,v\na,,gold\nb,2024-01-01,silver\n", encoding="utf-8")
    store = EventStore(tmp_path / "state", buckets=1)
    tier = Attribute(name="tier", query=QUERY)
    (receipt,) = store.ingest([], [tier], folder=tmp_path, timeline=UTC, now=NOW)
    assert (receipt.new, receipt.quarantined) == (1, 1)
