"""A changed value under the same `known_at` is newer knowledge: it counts from the ingest that brought it."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.event_store import EventStore
from features.events.attributes import last_values
from features.events.consent import consent_verdicts
from features.ingestion.sources import Attribute, Source
from features.timeline import Timeline
from tests.inputs.small_project import HEAD, SmallProject

UTC = Timeline()
ORDERS = Source(
    name="orders", query="select 'ann' as customer_id, '2024-01-01' as occurred_at, 'visit' as kind"
)


class Readings:
    """A store into which an attribute is read on several days."""

    def __init__(self, folder: Path, name: str = "rank") -> None:
        self.store, self.name = EventStore(folder / "state", buckets=1), name
        self.folder = folder

    def read(self, day: str, *rows: tuple[str, str, object]) -> dict[str, int]:
        """One ingest on a day, of rows of customer, known_at and value; how many of them were new."""
        values = ", ".join(f"('{who}', timestamp '{at}', {value!r})" for who, at, value in rows)
        query = f"select * from (values {values}) as t(customer_id, known_at, value)"
        receipts = self.store.ingest(
            [ORDERS],
            [Attribute(name=self.name, query=query)],
            folder=self.folder,
            timeline=UTC,
            now=UTC.instant(day),
        )
        return {"new": receipts[1].new, "there": receipts[1].already_there}

    def value(self, as_of: str | None = None, who: str = "ann") -> str | None:
        """What is known of a customer, at an as-of date as features see it."""
        until = None if as_of is None else UTC.instant(as_of)
        history = self.store.history(0, until=until, known_at=until)
        known = None
        if until is not None and len(history.recorded):
            known = history.recorded < until
        at = self.store.customers.names(history.keys).to_pylist().index(who)
        return last_values(history, self.name, known).by_customer[at]

    def verdict(self) -> tuple[int, int]:
        history = self.store.history(0)
        found = consent_verdicts(history, self.name, "must_not_contact")
        return int(found.verdict[0]), found.contradictions


def test_a_changed_value_of_one_moment_counts_from_its_ingest_on_and_the_earlier_one_until_then(tmp_path):
    made = Readings(tmp_path)
    made.read("2024-03-01", ("ann", "2024-01-01", "gold"), ("bob", "2024-01-01", "gold"))
    assert made.read("2024-04-01", ("ann", "2024-01-01", "silver"), ("bob", "2024-01-01", "gold")) == {
        "new": 1,
        "there": 1,
    }
    assert made.value() == "silver"
    assert [made.value(day) for day in ("2024-03-15", "2024-04-15")] == ["gold", "silver"]
    assert made.value(who="bob") == "gold"
    assert made.read("2024-04-02", ("ann", "2024-01-01", "silver"))["new"] == 0


def test_a_value_that_returns_counts_again(tmp_path):
    made = Readings(tmp_path)
    for month, rank in enumerate(("gold", "silver", "gold", "gold", "bronze"), start=2):
        made.read(f"2024-0{month}-01", ("ann", "2024-01-01", rank))
    seen = [made.value(f"2024-0{month}-15") for month in range(2, 7)]
    assert seen == ["gold", "silver", "gold", "gold", "bronze"]


@pytest.mark.parametrize("values", [("yes", "no"), (1, 0), ("配信停止", "希望する")])
def test_a_wish_that_changed_under_one_date_is_no_contradiction(tmp_path, values):
    made = Readings(tmp_path, "do_not_contact")
    made.read("2024-03-01", ("ann", "2024-01-01", values[0]))
    refused = made.verdict()
    made.read("2024-04-01", ("ann", "2024-01-01", values[1]))
    allowed = made.verdict()
    assert refused[0] != allowed[0]
    assert (refused[1], allowed[1]) == (0, 0)
    made.read("2024-05-01", ("ann", "2024-01-01", values[0]))
    assert made.verdict() == refused


def test_two_values_within_one_ingest_stay_a_contradiction_until_one_is_read_alone(tmp_path):
    made = Readings(tmp_path, "do_not_contact")
    both = (("ann", "2024-01-01", "yes"), ("ann", "2024-01-01", "no"))
    made.read("2024-03-01", *both)
    refused = made.verdict()
    assert refused[1] == 1
    made.read("2024-03-02", *both)
    assert made.verdict() == refused
    made.read("2024-03-03", ("ann", "2024-01-01", "no"))
    assert made.verdict() != refused
    assert made.verdict()[1] == 0


def test_values_of_several_moments_are_left_as_they_are(tmp_path):
    made = Readings(tmp_path)
    rows = (("ann", "2024-01-01", "gold"), ("ann", "2024-02-01", "silver"))
    made.read("2024-03-01", *rows)
    before = made.store.version
    assert made.read("2024-04-01", *rows) == {"new": 0, "there": 2}
    assert made.store.version == before
    assert [made.value(day) for day in ("2024-01-15", "2024-02-15")] == ["gold", "silver"]


def test_doctor_names_an_attribute_that_every_ingest_dates_anew_and_its_remedy_ends_it(tmp_path):
    made = SmallProject(tmp_path)
    who = "'c' || i as customer_id"
    orders = f"select {who}, timestamp '2024-01-01' + interval (i) hour as occurred_at, 'visit' as kind"
    source = f'[[sources]]\nname = "orders"\nquery = "{orders} from range(30) t(i)"\n'
    rank = '[[attributes]]\nname = "rank"\nquery = "select {}, {} as known_at, {} as value from {}"\n'
    value = "if(i % 2 = 0, 'gold', 'silver')"
    daily = rank.format(who, "date '2024-03-01' + d::integer", value, "range(30) t(i), range(12) s(d)")
    made.write("kizuna.toml", HEAD, source, daily)
    made.run("ingest")
    finding = made.findings()["attribute_repeats"]
    assert (finding["rows"], finding["repeated"], finding["day"]) == (360, 330, "2024-03-12")
    _, _, remedy, _, command, *_ = str(finding["sentence"]).split("`")[1:]
    day = remedy.removesuffix(" as known_at")
    made.write("kizuna.toml", HEAD, source, rank.format(who, day, value, "range(30) t(i)"))
    assert made.run(*command.split()[1:])["sources"][1]["new"] == 0
    changed = "if(i = 3, 'bronze', if(i % 2 = 0, 'gold', 'silver'))"
    made.write("kizuna.toml", HEAD, source, rank.format(who, day, changed, "range(30) t(i)"))
    assert made.run("ingest")["sources"][1]["new"] == 1
    assert made.run("ingest")["sources"][1]["new"] == 0


def test_doctor_is_content_with_a_table_of_changes(tmp_path):
    made = SmallProject(tmp_path)
    rows = "select 'c' || i as customer_id, date '2024-01-01' + (i + 30 * d)::integer as known_at, "
    rows += "if((i + d) % 2 = 0, 'gold', 'silver') as value from range(30) t(i), range(8) s(d)"
    orders = "select 'c' || i as customer_id, date '2024-01-01' as occurred_at, 'visit' as kind "
    orders += "from range(30) t(i)"
    made.write(
        "kizuna.toml",
        HEAD,
        f'[[sources]]\nname = "orders"\nquery = "{orders}"\n',
        f'[[attributes]]\nname = "rank"\nquery = "{rows}"\n',
    )
    made.run("ingest")
    assert "attribute_repeats" not in made.findings()
