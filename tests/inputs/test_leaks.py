"""Leaks: what is written down after the fact is found before a first model is taken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.catalog.defaults import catalog, indicators
from features.event_store import EventStore
from features.ingestion.sources import Source
from features.timeline import DAY, Horizon, Timeline, to_instant
from serving.cli.context import CliContext
from serving.integrations.training import training_config
from tests.inputs.habits import START, project, write
from tests.inputs.services import answer
from training.data.attribute_dates import attribute_findings
from training.data.dataset import dataset
from training.data.extent import data_extent
from training.data.lead_labels import lead_labels
from training.data.priors import learn_priors
from training.data.rows.labelled_rows import LabelledRows
from training.data.splits import temporal_splits
from training.evaluation.leaks import Leak, find_leaks
from training.labels.labelling import label
from training.labels.settings import Churn, ChurnSettings

CHURN = 'type = "contract"\nhorizon_days = 30'
DAYS, CUSTOMERS = 730, 500
NOW = to_instant(START.replace(tzinfo=UTC)) + DAYS * DAY
LEAVING = '[indicators.leaving]\nkinds = ["exit_call"]\n'

Value = Callable[[int, bool], str | None]
"""The value of an attribute, by customer and by whether they leave at last; None for none."""


def contracts() -> tuple[list[tuple[str, datetime, str]], dict[int, float], dict[int, float]]:
    """Contracts and visits that get fewer before an end; when each begins and ends, in days."""
    chance = np.random.default_rng(5)
    rows, starts, ends = [], {}, {}
    for n in range(CUSTOMERS):
        start = float(chance.uniform(0, 500))
        end = start + float(chance.exponential(500)) + 20
        starts[n] = start
        rows.append((f"m{n:03d}", START + timedelta(days=start), "started"))
        if end < DAYS:
            ends[n] = end
            rows.append((f"m{n:03d}", START + timedelta(days=end), "cancelled"))
        quiet = end - 25 if chance.random() < 0.6 else end
        visits = np.arange(start + 1, min(quiet, DAYS), 6.0)
        rows += [(f"m{n:03d}", START + timedelta(days=float(at)), "visit") for at in visits]
    return rows, starts, ends


ROWS, STARTS, ENDS = contracts()


def service(folder: Path, attributes: dict[str, Value], more: Sequence[object] = ()) -> Path:
    """A service whose attributes are all dated at sign-up."""
    write(folder, "service", ROWS)
    parts = []
    for name, value in attributes.items():
        values = [value(n, n in ENDS) for n in range(CUSTOMERS)]
        some = [n for n in range(CUSTOMERS) if values[n] is not None]
        when = pa.array([START + timedelta(days=STARTS[n]) for n in some], pa.timestamp("us"))
        table = {
            "customer_id": [f"m{n:03d}" for n in some],
            "known_at": when,
            "value": [values[n] for n in some],
        }
        (folder / "attributes").mkdir(exist_ok=True)
        pq.write_table(pa.table(table), folder / "attributes" / f"{name}.parquet")
        query = f"select * from 'attributes/{name}.parquet'"
        parts.append(f'[[attributes]]\nname = "{name}"\nquery = "{query}"\n')
    return project(folder, CHURN, more="\n".join([*parts, *map(str, more)]))


def leaks(folder: Path) -> tuple[Leak, ...]:
    """What training would suspect, without fitting a model."""
    opened = CliContext(folder).project
    store, config, timeline = EventStore(opened.state), training_config(opened), opened.timeline
    churn = Churn.of(config.churn, config.indicators)
    extent = data_extent(store, None, churn, timeline, config.indicators)
    covered = extent.coverage.covered_until
    splits = temporal_splits(extent.first, covered, churn, timeline)
    features = catalog(config.indicators, config.features, extent.kinds, horizon_days=churn.horizon.reach)
    priors = learn_priors(store, features, timeline, splits.every[0])
    rows = dataset(store, features, churn, timeline, priors, splits.every, extent, None)
    ahead = lead_labels(store, rows, churn, covered, timeline, None)
    return find_leaks(rows.on(splits.test), features, ahead)


def test_labels_at_a_lead_know_all_contracts_of_a_customer(tmp_path: Path) -> None:
    rows = [
        (f"m{n:02d}", START + timedelta(days=day + n), kind, contract)
        for n in range(40)
        for day, kind, contract in [
            (0, "started", "phone"),
            (30, "started", "internet"),
            (150 + 5 * n, "cancelled", "phone"),
            (330, "cancelled", "internet"),
        ]
    ]
    columns = ("customer_id", "occurred_at", "kind", "contract_id")
    table = dict(zip(columns, zip(*rows, strict=True), strict=True))
    pq.write_table(pa.table(table), tmp_path / "events.parquet")
    timeline, churn = (
        Timeline(),
        Churn.of(ChurnSettings.model_validate({"type": "contract", "horizon_days": 30}), indicators({})),
    )
    store = EventStore(tmp_path / "state")
    query = "select * from 'events.parquet'"
    store.ingest([Source(name="contracts", query=query)], [], folder=tmp_path, timeline=timeline, now=NOW)
    as_of = to_instant(START.replace(tzinfo=UTC)) + 200 * DAY
    whole = store.history_of(list(range(40)))
    keys, dates, none = whole.keys, np.full(40, as_of), np.empty((40, 0))
    later = replace(churn, horizon=Horizon(lead_days=7, days=30))
    right = label(whole, later, keys, dates, NOW, timeline).churned
    assert not right.any()
    some = LabelledRows(keys, keys.astype(np.uint64), dates, none, right, np.zeros(40), none, (), ())
    found = lead_labels(store, some, churn, NOW, timeline, None, leads=(7,))
    assert found is not None
    assert (found.left[7] == right).all()
    assert found.still[7].all()


def region(n: int, _: bool) -> str:
    return f"r{n % 7}"


def age(n: int, leaves: bool) -> str:
    return "young" if (n * 7) % 10 < (6 if leaves else 4) else "old"


def status(_: int, leaves: bool) -> str:
    return "churned" if leaves else "active"


def reason(n: int, leaves: bool) -> str | None:
    return ("price", "quality", "moved")[n % 3] if leaves else None


def first_half(n: int, _: bool) -> str:
    return str((n * 7919) % 2)


def second_half(n: int, leaves: bool) -> str:
    return str(((n * 7919) % 2 + leaves) % 2)


def days_left(n: int, _: bool) -> str:
    return f"{ENDS.get(n, 10_000.0) // 30:.0f}"


def test_honest_attributes_and_events_raise_no_alarm(tmp_path: Path) -> None:
    assert leaks(service(tmp_path, {"region": region, "age": age})) == ()


@pytest.mark.parametrize(
    ("attributes", "named"),
    [
        ({"status": status, "region": region}, ["status"]),
        ({"cancelled_reason": reason, "region": region}, ["cancelled_reason"]),
        ({"first": first_half, "second": second_half, "region": region}, ["first", "second"]),
        ({"months_left": days_left, "age": age}, ["months_left"]),
    ],
    ids=["a status", "a reason of leaving", "two that are weak alone", "a number"],
)
def test_attributes_that_know_who_leaves_are_leaks(
    tmp_path: Path, attributes: dict[str, Value], named: list[str]
) -> None:
    (leak,) = leaks(service(tmp_path, attributes))
    for name in named:
        assert f"'{name}'" in leak.english
        assert f"「{name}」" in leak.japanese
    assert "'region'" not in leak.english
    assert "`known_at`" in leak.english


@pytest.mark.parametrize("days_before", [5, 12, 20])
def test_a_kind_of_event_that_is_recorded_after_the_fact_is_a_leak(tmp_path: Path, days_before: int) -> None:
    calls = [(f"m{n:03d}", START + timedelta(days=end - days_before), "exit_call") for n, end in ENDS.items()]
    write(tmp_path, "calls", calls)
    (leak,) = leaks(service(tmp_path, {}, [LEAVING]))
    assert leak.english.startswith("leak: 'leaving_")
    assert "left" in leak.english


def test_an_event_that_also_others_have_is_no_leak(tmp_path: Path) -> None:
    chance = np.random.default_rng(1)
    calls = [
        (
            f"m{n:03d}",
            START + timedelta(days=chance.uniform(STARTS[n], ENDS.get(n, DAYS))),
            "exit_call",
        )
        for n in range(CUSTOMERS)
    ]
    write(tmp_path, "calls", calls)
    assert leaks(service(tmp_path, {}, [LEAVING])) == ()


def test_doctor_names_attributes_whose_dates_cannot_be_right(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    query = "select customer_id, timestamp '2024-12-30 09:00' as known_at, 'gold' as value"
    one = f'[[attributes]]\nname = "rank"\nquery = "{query} from \'data/service.parquet\' group by all"\n'
    folder = service(tmp_path, {"status": status, "region": region}, [one])
    found = {one["name"]: one for one in answer(capsys, folder, "doctor")["findings"]}
    assert found["attribute_after_the_fact"]["attribute"] == "status"
    assert "dated at sign-up for all of its 500 customers" in found["attribute_after_the_fact"]["sentence"]
    assert found["attribute_instant"]["attribute"] == "rank"
    assert "2024-12-30" in found["attribute_instant"]["instant"]


def test_an_attribute_that_leaks_is_named_among_however_many_others(tmp_path: Path) -> None:
    many = {f"a{n:02d}": region for n in range(26)}
    found = leaks(service(tmp_path, {**many, "status": status}))
    assert [leak.columns[0] for leak in found] == ["profile_status_last"]


def test_attributes_that_say_consent_are_not_named_for_their_dates(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    query = "select customer_id, timestamp '2024-12-30 09:00' as known_at, 'no' as value"
    one = (
        f'[[attributes]]\nname = "no letters"\nquery = "{query} from \'data/service.parquet\' group by all"\n'
    )
    consent = '[[consent]]\nattribute = "no letters"\nsays = "must_not_contact"\n'
    folder = service(tmp_path, {"region": region}, [one, consent])
    found = {finding["name"] for finding in answer(capsys, folder, "doctor")["findings"]}
    assert "attribute_instant" not in found


def test_attributes_that_are_dated_as_they_became_known_are_not_named(tmp_path: Path) -> None:
    folder = service(tmp_path, {"region": region, "age": age})
    opened = CliContext(folder).project
    store = EventStore(opened.state)
    as_of = opened.timeline.instant("2025-01-01")
    assert attribute_findings(store, opened.churn, opened.timeline, as_of) == ()
