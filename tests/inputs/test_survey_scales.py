"""Survey answers on several scales: `doctor` names scale and day, and its remedy brings them to one scale."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from features.catalog.defaults import indicators
from features.event_store import EventStore
from features.profiling.profile import profile_events
from features.profiling.survey_scales import scale_findings
from features.timeline import Timeline
from tests.inputs.services import kizuna, simulated
from tests.inputs.small_project import SmallProject
from tests.inputs.test_suspicious_rows import Row, project, remedy, wrapped

TEN = (10, 9, 8, 7, 10, 3, 0, 9, 6, 8, 5, 2)
ONE_TO_TEN = (10, 9, 8, 7, 10, 3, 1, 9, 6, 8, 5, 2)
FIVE = (5, 4, 3, 5, 4, 1, 2, 5)
SEVEN = (7, 6, 5, 7, 3, 1, 6, 4)
NAMES = {"survey_scale_changes", "survey_scale_differs", "survey_scale"}


def answered(
    answers: tuple[object, ...], start: str, count: int = 60, kind: str = "nps", **more: Any
) -> list[Row]:
    """An answer every twelve hours, in turn."""
    first = datetime.fromisoformat(f"{start} 09:00:00")
    return [
        {
            "customer_id": f"c{n % 40}",
            "occurred_at": (first + timedelta(hours=12 * n)).isoformat(sep=" "),
            "kind": kind,
            "value": answers[n % len(answers)],
            **more,
        }
        for n in range(count)
    ]


def scales(made: SmallProject) -> dict[str, dict[str, Any]]:
    made.run("ingest")
    return {name: one for name, one in made.findings().items() if name in NAMES}


def means(made: SmallProject) -> dict[str, float]:
    """The mean answer by source and month of what the store holds."""
    store = EventStore(made.folder / "state")
    found: dict[str, list[float]] = {}
    for bucket in store.buckets:
        history = store.history(bucket)
        for value, instant in zip(history.values.tolist(), history.instants.tolist(), strict=True):
            found.setdefault(Timeline().name(instant)[:7], []).append(value)
    return {month: sum(values) / len(values) for month, values in sorted(found.items())}


@pytest.mark.parametrize(
    ("kind", "before", "after", "names", "expected"),
    [
        ("nps", TEN, FIVE, ("0-10", "1-5"), {0, 2, 3, 5, 6, 7, 8, 9, 10}),
        ("csat", TEN, FIVE, ("0-10", "1-5"), {1, 2, 3, 4, 5}),
        ("csat", FIVE, SEVEN, ("1-5", "1-7"), {1, 2, 3, 4, 5}),
        ("nps", SEVEN, TEN, ("1-7", "0-10"), {0, 2, 3, 5, 6, 7, 8, 9, 10}),
        ("rating", ONE_TO_TEN, FIVE, ("1-10", "1-5"), {1, 2, 3, 4, 5}),
    ],
)
def test_a_scale_that_changes_on_a_day_is_found_and_healed(
    tmp_path: Path,
    kind: str,
    before: tuple[int],
    after: tuple[int],
    names: tuple[str, str],
    expected: set[int],
) -> None:
    rows = [*answered(before, "2024-04-01", kind=kind), *answered(after, "2024-05-01", kind=kind)]
    more = '[indicators.survey]\nkinds = ["nps", "csat", "rating"]\n'
    made = project(tmp_path, more=more, answers=rows)
    finding = scales(made)
    assert set(finding) == {"survey_scale_changes"}
    change = finding["survey_scale_changes"]
    assert (change["day"], change["before"], change["after"]) == ("2024-05-01", *names)
    assert f"'{kind}' in 'answers'" in change["sentence"]
    project(tmp_path, {"answers": wrapped(remedy(change), "answers")}, more, answers=rows)
    assert kizuna(tmp_path, "ingest", "--replace", "answers") == 0
    assert scales(made) == {}
    assert stored(made) == (len(rows), expected)


def stored(made: SmallProject) -> tuple[int, set[int]]:
    """How many answers the store holds, and which."""
    store = EventStore(made.folder / "state")
    values = [value for bucket in store.buckets for value in store.history(bucket).values.tolist()]
    return len(values), {int(value) for value in values}


def test_a_source_on_another_scale_is_named_and_healed(tmp_path: Path) -> None:
    web, shop = answered(TEN, "2024-04-01", 90), answered(FIVE, "2024-04-01", 60)
    finding = scales(project(tmp_path, web=web, shop=shop))
    assert set(finding) == {"survey_scale_differs"}
    differs = finding["survey_scale_differs"]
    assert (differs["source"], differs["scale"], differs["others"]) == ("shop", "1-5", "0-10")
    healed = project(tmp_path, {"shop": wrapped(remedy(differs), "shop")}, web=web, shop=shop)
    assert kizuna(tmp_path, "ingest", "--replace", "shop") == 0
    assert scales(healed) == {}
    assert stored(healed) == (150, {0, 2, 3, 5, 6, 7, 8, 9, 10})


def test_the_source_on_the_scale_of_the_report_stays_and_the_others_are_brought_to_it(tmp_path: Path) -> None:
    web, shop = answered(TEN, "2024-04-01", 90, "csat"), answered(FIVE, "2024-04-01", 60, "csat")
    differs = scales(project(tmp_path, web=web, shop=shop))["survey_scale_differs"]
    assert "around the query of each other source" in differs["sentence"]
    healed = project(tmp_path, {"web": wrapped(remedy(differs), "web")}, web=web, shop=shop)
    assert "`kizuna ingest --replace web`" in differs["sentence"]
    assert kizuna(tmp_path, "ingest", "--replace", "web") == 0
    assert scales(healed) == {}
    assert stored(healed) == (150, {1, 2, 3, 4, 5})


@pytest.mark.parametrize("column", ["channel", "detail"])
def test_questions_of_one_kind_on_two_scales_are_told_apart(tmp_path: Path, column: str) -> None:
    rows = [
        *answered(TEN, "2024-04-01", 90, **{column: "checkout"}),
        *answered(SEVEN, "2024-04-01", 60, **{column: "delivery's"}),
        {**answered((50,), "2024-04-01", 1)[0], "kind": "purchase", "value": "1250.5", column: "delivery's"},
    ]
    differs = scales(project(tmp_path, answers=rows))["survey_scale_differs"]
    assert (differs[column], differs["scale"], differs["others"]) == ("delivery's", "1-7", "0-10")
    healed = project(tmp_path, {"answers": wrapped(remedy(differs), "answers")}, answers=rows)
    assert kizuna(tmp_path, "ingest", "--replace", "answers") == 0
    assert scales(healed) == {}
    assert stored(healed) == (151, {0, 2, 3, 5, 6, 7, 8, 9, 10, 1250})


def test_answers_with_labels_are_brought_to_one_scale_with_them(tmp_path: Path) -> None:
    labels = ("5 - Very satisfied", "４（満足）", "3", "5 - Very satisfied", "1: never", "2点")
    rows = [*answered(TEN, "2024-04-01"), *answered(labels, "2024-05-01")]
    change = scales(project(tmp_path, answers=rows))["survey_scale_changes"]
    healed = project(tmp_path, {"answers": wrapped(remedy(change), "answers")}, answers=rows)
    assert kizuna(tmp_path, "ingest", "--replace", "answers") == 0
    assert scales(healed) == {}
    assert stored(healed)[0] == 120
    assert means(healed)["2024-05"] == pytest.approx((10 + 8 + 5 + 10 + 0 + 3) / 6)


@pytest.mark.parametrize(
    ("kind", "answers", "scale", "expected"),
    [("nps", FIVE, "1-5", "0-10"), ("nps", SEVEN, "1-7", "0-10"), ("csat", ONE_TO_TEN, "1-10", "1-5")],
)
def test_a_scale_that_the_report_does_not_read_is_said(
    tmp_path: Path, kind: str, answers: tuple[int], scale: str, expected: str
) -> None:
    rows = answered(answers, "2024-04-01", kind=kind)
    finding = scales(project(tmp_path, answers=rows))
    assert set(finding) == {"survey_scale"}
    assert (finding["survey_scale"]["scale"], finding["survey_scale"]["expected"]) == (scale, expected)
    query = wrapped(remedy(finding["survey_scale"]), "answers")
    healed = project(tmp_path, {"answers": query}, answers=rows)
    assert kizuna(tmp_path, "ingest", "--replace", "answers") == 0
    assert scales(healed) == {}


@pytest.mark.parametrize(
    "rows",
    [
        answered(TEN, "2024-04-01") + answered((0, 1, 2, 3, 0, 5, 4, 1), "2024-05-01"),
        answered(TEN, "2024-04-01") + answered((10, 9, 9, 8), "2024-05-01"),
        answered(TEN, "2024-04-01") + answered((3, 2, 1), "2024-05-01"),
        answered(TEN, "2024-04-01") + answered((4, 5), "2024-05-01", 20),
        answered(TEN, "2024-04-01") + answered(FIVE, "2024-05-01", kind="csat"),
        answered((*TEN * 20, 99), "2024-04-01", 400),
        answered((87.5, 100, 62, 0), "2024-04-01", kind="csat"),
    ],
    ids=["unhappy", "happy", "low only", "few", "two kinds", "a stray", "percent"],
)
def test_answers_on_one_scale_raise_no_finding(tmp_path: Path, rows: list[Row]) -> None:
    assert scales(project(tmp_path, answers=rows)) == {}


@pytest.mark.parametrize("strays", [0, 3])
def test_the_day_is_exact_although_some_answers_are_off_the_scale(tmp_path: Path, strays: int) -> None:
    rows = [*answered(TEN[2:] + TEN[:2], "2023-06-01", 696), *answered(FIVE, "2024-05-14", 400)]
    for place in range(strays):
        rows[-1 - 100 * place]["value"] = 10
    assert scales(project(tmp_path, answers=rows))["survey_scale_changes"]["day"] == "2024-05-14"


def test_a_simulated_service_raises_no_finding_of_scales(tmp_path: Path) -> None:
    simulated(tmp_path / "service")
    store, time = EventStore(tmp_path / "service" / "state"), Timeline("Asia/Tokyo")
    profile = profile_events(store, indicators({}), time)
    assert {"nps", "csat"} <= set(profile.by_row.answers)
    assert list(scale_findings(profile.by_row.answers, time, profile.first_day)) == []


def test_scales_add_up_over_buckets(tmp_path: Path) -> None:
    rows = [*answered(TEN, "2024-04-01"), *answered(FIVE, "2024-05-01")]
    table = pa.table(
        {name: [str(row[name]) for row in rows] for name in ("customer_id", "occurred_at", "kind")}
    )
    table = table.append_column("value", pa.array([float(row["value"]) for row in rows]))
    days = []
    for buckets in (1, 8):
        store = EventStore(tmp_path / str(buckets), buckets=buckets)
        store.add(table, source="answers", timeline=Timeline(), now=Timeline().instant("2025-01-01"))
        profile = profile_events(store, indicators({}), Timeline())
        found = list(scale_findings(profile.by_row.answers, Timeline(), profile.first_day))
        days.append([(one.name, one.figures["day"]) for one in found])
    assert days[0] == days[1] == [("survey_scale_changes", "2024-05-01")]
