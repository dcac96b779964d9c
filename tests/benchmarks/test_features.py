"""The feature benchmark on a small run: what it says is true, however fast."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import contender, events
from benchmarks.features import RIVALS, compare, difference
from features.event_store import EventStore

EVENTS, CUSTOMERS = 20_000, 400


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("benchmarks")


@pytest.fixture(scope="module")
def store(home: Path) -> Path:
    return events.made(EVENTS, CUSTOMERS, home, buckets=2)


@pytest.mark.parametrize("dates", [1, 2])
def test_every_form_of_every_rival_gives_the_same_answers(store: Path, tmp_path: Path, dates: int) -> None:
    catalog, buckets, answers = events.plain_features(), list(events.files(store)), []
    for name in RIVALS:
        task = contender.Task(name, str(store), events.as_of_dates(dates), 1, "")
        for form, rows in contender.forms(task, catalog).items():
            contender.leave(tmp_path / f"{name}, {form}", rows(buckets), catalog.columns)
            answers.append(tmp_path / f"{name}, {form}")
    assert len(answers) >= 10
    for other in answers[1:]:
        assert difference(answers[0], other, catalog.columns)[1] < 1e-6


def test_the_answer_is_one_json_object_with_the_figures(home: Path, store: Path) -> None:
    found = json.loads(json.dumps(compare(EVENTS, CUSTOMERS, 1, repeat=1, home=home)))
    assert {
        "kizuna_s", "duckdb_s", "polars_s", "ratio_duckdb", "ratio_polars", "read_s", "features",
        "max_abs_diff", "max_rel_diff", "peak_memory_mb", "events", "customers", "as_of_dates", "machine",
    } <= set(found)  # fmt: skip
    assert found["features"] >= 96
    assert found["rows"] == sum(history.customers for history in EventStore(store).histories())
    assert found["max_rel_diff"] < 1e-6
    assert found["ratio_duckdb"] == found["duckdb_s"] / found["kizuna_s"]


def test_answers_that_differ_are_told_apart(store: Path, tmp_path: Path) -> None:
    catalog = events.plain_features()
    task = contender.Task("kizuna", str(store), events.as_of_dates(1), 1, "")
    (snapshot, *others) = contender.forms(task, catalog)["buckets in turn"](list(events.files(store)))
    contender.leave(tmp_path / "one", [snapshot, *others], catalog.columns)
    snapshot.matrix[3, 0] += 1
    contender.leave(tmp_path / "other", [snapshot, *others], catalog.columns)
    assert difference(tmp_path / "one", tmp_path / "other", catalog.columns)[0] == 1
    contender.leave(tmp_path / "fewer", [snapshot], catalog.columns)
    with pytest.raises(SystemExit, match=r"^one and fewer have different customers or dates$"):
        difference(tmp_path / "one", tmp_path / "fewer", catalog.columns)


def test_the_scale_run_has_150_features() -> None:
    assert len(events.rich_features().columns) == 150
