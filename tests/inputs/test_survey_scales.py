"""Survey answers on several scales: declared, or found by `doctor`, whose remedy brings them to one scale."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.catalog.defaults import indicators
from features.event_store import EventStore
from features.profiling.profile import profile_events
from features.profiling.survey_scales import scale_findings
from features.timeline import Timeline
from tests.inputs.services import kizuna, simulated
from tests.inputs.small_project import SmallProject
from tests.inputs.test_suspicious_rows import Row, project, wrapped

TEN = (10, 9, 8, 7, 10, 3, 0, 9, 6, 8, 5, 2)
ONE_TO_TEN = (10, 9, 8, 7, 10, 3, 1, 9, 6, 8, 5, 2)
FIVE = (5, 4, 3, 5, 4, 1, 2, 5)
SEVEN = (7, 6, 5, 7, 3, 1, 6, 4)
NAMES = {"survey_scale_changes", "survey_scale_differs", "survey_scale", "survey_scale_in_doubt"}


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
        ("nps", TEN, FIVE, ("0-10", "1-5"), {*TEN, *FIVE}),
        ("csat", TEN, FIVE, ("0-10", "1-5"), {*(1 + 0.4 * one for one in TEN), *FIVE}),
        ("csat", FIVE, SEVEN, ("1-5", "1-7"), {*FIVE, *(1 + (one - 1) * 4 / 6 for one in SEVEN)}),
        ("nps", SEVEN, TEN, ("1-7", "0-10"), {*TEN, *(1 + (one - 1) * 4 / 6 for one in SEVEN)}),
        ("rating", ONE_TO_TEN, FIVE, ("1-10", "1-5"), {*ONE_TO_TEN, *(1 + (n - 1) * 9 / 4 for n in FIVE)}),
    ],
)
def test_a_scale_that_changes_on_a_day_is_found_and_healed(
    tmp_path: Path,
    kind: str,
    before: tuple[int],
    after: tuple[int],
    names: tuple[str, str],
    expected: set[float],
) -> None:
    rows = [*answered(before, "2024-04-01", kind=kind), *answered(after, "2024-05-01", kind=kind)]
    more = '[indicators.survey]\nkinds = ["nps", "csat", "rating"]\n'
    made = project(tmp_path, more=more, answers=rows)
    finding = scales(made)
    assert set(finding) == {"survey_scale_changes"}
    change = finding["survey_scale_changes"]
    assert (change["day"], change["before"], change["after"]) == ("2024-05-01", *names)
    assert f"'{kind}' in 'answers'" in change["sentence"]
    healed(tmp_path, change, more, answers=rows)
    assert kizuna(tmp_path, "ingest", "--replace", "answers") == 0
    assert scales(made) == {}
    assert stored(made) == (len(rows), approx(expected))


def stored(made: SmallProject) -> tuple[int, Any]:
    """How many answers the store holds, and which."""
    store = EventStore(made.folder / "state")
    values = [value for bucket in store.buckets for value in store.history(bucket).values.tolist()]
    return len(values), approx(values)


def approx(values: Collection[float]) -> set[float]:
    return {round(value, 9) for value in values}


def healed(
    folder: Path, finding: dict[str, Any], more: str = "", only: str = "", **files: list[Row]
) -> SmallProject:
    """The project with what a finding says done: a query around that of `only` or of each, declarations."""
    queries, declarations = {}, more
    for text in str(finding["sentence"]).split("`")[1::2]:
        if text.startswith("select"):
            queries = {name: wrapped(text, name) for name in files if name == (only or name)}
        if text.startswith("[[surveys]]"):
            declarations += f"\n{text}\n"
    return project(folder, queries, declarations, **files)


def test_a_source_on_another_scale_is_named_and_healed(tmp_path: Path) -> None:
    web, shop = answered(TEN, "2024-04-01", 90), answered(FIVE, "2024-04-01", 60)
    finding = scales(project(tmp_path, web=web, shop=shop))
    assert set(finding) == {"survey_scale_differs"}
    differs = finding["survey_scale_differs"]
    assert (differs["source"], differs["scale"], differs["others"]) == ("shop", "1-5", "0-10")
    mended = healed(tmp_path, differs, only="shop", web=web, shop=shop)
    assert kizuna(tmp_path, "ingest", "--replace", "shop") == 0
    assert scales(mended) == {}
    assert stored(mended) == (150, {*TEN, *FIVE})


def test_the_source_on_the_scale_of_the_report_stays_and_the_others_are_brought_to_it(tmp_path: Path) -> None:
    web, shop = answered(TEN, "2024-04-01", 90, "csat"), answered(FIVE, "2024-04-01", 60, "csat")
    differs = scales(project(tmp_path, web=web, shop=shop))["survey_scale_differs"]
    mended = healed(tmp_path, differs, web=web, shop=shop)
    assert "`kizuna ingest --replace web`" in differs["sentence"]
    assert kizuna(tmp_path, "ingest", "--replace", "web") == 0
    assert scales(mended) == {}
    assert stored(mended) == (150, approx({*(1 + 0.4 * one for one in TEN), *FIVE}))


@pytest.mark.parametrize("column", ["channel", "detail"])
def test_questions_of_one_kind_on_two_scales_are_told_apart(tmp_path: Path, column: str) -> None:
    rows = [
        *answered(FIVE, "2024-04-01", 90, "csat", **{column: "checkout"}),
        *answered(SEVEN, "2024-04-02", 88, "csat", **{column: "delivery's"}),
        {**answered((50,), "2024-04-01", 1)[0], "kind": "purchase", "value": "1250.5", column: "delivery's"},
    ]
    differs = scales(project(tmp_path, answers=rows))["survey_scale_differs"]
    assert (differs[column], differs["scale"], differs["others"]) == ("delivery's", "1-7", "1-5")
    mended = healed(tmp_path, differs, answers=rows)
    assert kizuna(tmp_path, "ingest", "--replace", "answers") == 0
    assert scales(mended) == {}
    assert stored(mended) == (179, {1, 2, 3, 4, 5, 1250.5})


def test_answers_with_labels_are_brought_to_one_scale_with_them(tmp_path: Path) -> None:
    labels = ("5 - Very satisfied", "４（満足）", "3", "5 - Very satisfied", "1: never", "2点")
    rows = [*answered(TEN, "2024-04-01"), *answered(labels, "2024-05-01")]
    change = scales(project(tmp_path, answers=rows))["survey_scale_changes"]
    mended = healed(tmp_path, change, answers=rows)
    assert kizuna(tmp_path, "ingest", "--replace", "answers") == 0
    assert scales(mended) == {}
    assert stored(mended)[0] == 120
    assert means(mended)["2024-05"] == pytest.approx((5 + 4 + 3 + 5 + 1 + 2) / 6)


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
    mended = healed(tmp_path, finding["survey_scale"], answers=rows)
    assert kizuna(tmp_path, "ingest", "--replace", "answers") == 0
    assert scales(mended) == {}


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


DECLARED = """
[[surveys]]
kind = "csat"
scale = "1-7"
source = "web"

[[surveys]]
kind = "csat"
scale = "1–10"
source = "web"
since = "2024-05-01"
"""


def test_declared_scales_of_sources_and_days_are_compared_on_one(tmp_path: Path) -> None:
    web = [
        *answered((1, 4, 7), "2024-04-01", kind="csat"),
        *answered((1, 5.5, 10), "2024-05-01", kind="csat"),
    ]
    made = project(tmp_path, more=DECLARED, web=web, shop=answered((1, 3, 5), "2024-04-01", kind="csat"))
    receipts = made.run("ingest")
    assert [one["quarantined"] for one in receipts["sources"]] == [0, 0]
    assert stored(made) == (180, {1, 3, 5})


def test_answers_off_a_declared_scale_go_to_quarantine_with_the_scale(tmp_path: Path) -> None:
    rows = [
        *answered(FIVE * 50, "2024-01-01", 400, kind="csat"),
        *answered((0, 6), "2024-08-01", 2, kind="csat"),
    ]
    made = project(tmp_path, more='[[surveys]]\nkind = "csat"\nscale = "1-5"\n', answers=rows)
    (receipt,) = made.run("ingest")["sources"]
    assert [(one["reason"], one["rows"]) for one in receipt["reasons"]] == [
        ("value is outside 1–5, the declared scale of 'csat'", 2)
    ]
    assert stored(made) == (400, set(FIVE))


def test_nps_stays_as_it_is_and_has_no_other_scale(tmp_path: Path) -> None:
    rows = answered(TEN, "2024-04-01")
    made = project(tmp_path, more='[[surveys]]\nkind = "nps"\nscale = "0-10"\n', answers=rows)
    made.run("ingest")
    assert stored(made) == (60, {*TEN})
    project(tmp_path, more='[[surveys]]\nkind = "nps"\nscale = "1-5"\n', answers=rows)
    assert "Give these answers another kind in the query, such as `'csat' as kind`" in made.refused("ingest")


def test_a_scale_declared_later_is_not_mixed_with_what_is_stored(tmp_path: Path) -> None:
    rows = answered(SEVEN, "2024-04-01", kind="csat")
    project(tmp_path, answers=rows).run("ingest")
    made = project(tmp_path, more='[[surveys]]\nkind = "csat"\nscale = "1-7"\n', answers=rows)
    assert "kizuna ingest --replace answers" in made.refused("ingest")
    made.run("ingest", "--replace", "answers")
    assert stored(made) == (60, approx({1 + (one - 1) * 4 / 6 for one in SEVEN}))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ('kind = "csat"\nscale = "five"', 'write the worst and the best answer, as in "1-7"'),
        (
            'kind = "csat"\nscale = "1-5"\nsource = "shops"',
            "there is no such source. The sources are answers",
        ),
        (
            'kind = "csat"\nscale = "1-5"\n[[surveys]]\nkind = "csat"\nscale = "1-7"',
            "`surveys[1]` says already",
        ),
    ],
)
def test_a_declaration_that_cannot_be_is_refused(tmp_path: Path, more: str, words: str) -> None:
    made = project(tmp_path, more=f"[[surveys]]\n{more}\n", answers=answered(FIVE, "2024-04-01"))
    assert words in made.refused("ingest")


def test_answers_up_to_ten_without_low_ones_are_in_doubt_until_declared(tmp_path: Path) -> None:
    rows = answered((10, 9, 8, 7, 10, 3), "2024-04-01", kind="rating")
    more = '[indicators.survey]\nkinds = ["nps", "rating"]\n'
    finding = scales(project(tmp_path, more=more, answers=rows))
    assert set(finding) == {"survey_scale_in_doubt"}
    doubt = finding["survey_scale_in_doubt"]
    assert (doubt["answers"], doubt["ones"]) == (60, 0)
    mended = healed(tmp_path, doubt, more, answers=rows)
    mended.run("ingest", "--replace", "answers")
    assert scales(mended) == {}
    assert stored(mended) == (60, {10, 9, 8, 7, 3})


@pytest.mark.parametrize("low", [0, 1])
def test_a_zero_or_several_ones_tell_the_scale_up_to_ten(tmp_path: Path, low: int) -> None:
    rows = answered((10, 9, 8, 7, 10, low), "2024-04-01", kind="rating")
    more = '[indicators.survey]\nkinds = ["nps", "rating"]\n'
    assert scales(project(tmp_path, more=more, answers=rows)) == {}


def test_features_of_two_declared_scales_side_by_side_are_comparable(tmp_path: Path) -> None:
    web = answered((7, 4, 1), "2024-04-01", 3, kind="csat")
    shop = [
        {**row, "customer_id": f"s{n}"} for n, row in enumerate(answered((5, 3, 1), "2024-04-01", 3, "csat"))
    ]
    more = '[[surveys]]\nkind = "csat"\nscale = "1-7"\nsource = "web"\n'
    more += '[churn]\nindicators = ["survey"]\n'
    made = project(tmp_path, more=more, web=web, shop=shop)
    made.run("ingest")
    made.run("features", "--as-of", "2024-04-10", "--output", str(tmp_path / "f.parquet"))
    table = pq.read_table(tmp_path / "f.parquet")
    last = dict(zip(table["customer_id"].to_pylist(), table["survey_last"].to_pylist(), strict=True))
    assert last == {"c0": 5, "c1": 3, "c2": 1, "s0": 5, "s1": 3, "s2": 1}
