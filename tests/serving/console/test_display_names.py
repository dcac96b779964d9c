"""Names that a project gives are what people read; files and the API keep those of the data."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from serving.application.campaigns.report import campaign_report
from serving.application.data.doctor import doctor
from serving.application.lists.last_report import last_report, last_report_csv
from serving.application.lists.make_plan import make_plan
from serving.application.lists.report import refresh_report
from serving.application.permissions import COMMAND_LINE
from serving.application.workspace import Workspace, open_workspace
from serving.cli.context import CliContext
from serving.console.host import ConsoleHost
from serving.console.pages.at_risk_list import at_risk_list
from serving.console.pages.customer import customer
from serving.console.pages.engagement import engagement
from serving.console.visit import Page
from serving.presentation.campaign_report.csv_rows import report_csv
from serving.presentation.campaign_report.page import page
from serving.presentation.campaign_report.terminal import show
from serving.presentation.terminal import show_explanation
from serving.project.language import Language
from serving.project.settings import read
from serving.schemas.json_text import to_json
from tests.serving import campaign_shop, shop
from tests.serving.console.list_visits import hosting, html, visiting

NAMES = """
[names.places]
s0 = { english = "Ginza", japanese = "銀座店" }

[names.details]
food = { english = "groceries", japanese = "食料品" }
toys = { english = "games", japanese = "玩具" }
books = { english = "reading", japanese = "書籍" }
"""
PLAN = 'name = "plan"\n'
NAMED_PLAN = (
    'name = "plan"\nenglish = "membership"\njapanese = "会員プラン"\n'
    'values.gold = { english = "Gold member", japanese = "ゴールド会員" }\n'
    'values.basic = { english = "Basic member", japanese = "一般会員" }\n'
)
SHOP = "c0000"
"""A customer of s0 with the plan gold."""


def give_names(folder: Path) -> None:
    """Write the names into the project's settings."""
    file = folder / "kizuna.toml"
    text = file.read_text("utf-8")
    assert PLAN in text
    file.write_text(text.replace(PLAN, NAMED_PLAN) + NAMES, "utf-8")


@pytest.fixture(scope="module")
def named(started_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop with a campaign, a plan and a report, whose settings give names."""
    folder = Path(shutil.copytree(started_template, tmp_path_factory.mktemp("named") / "shop"))
    give_names(folder)
    place = opened(folder)
    with place.database:
        make_plan(place, COMMAND_LINE)
        refresh_report(place, COMMAND_LINE, 12)
    return folder


@pytest.fixture(scope="module")
def host(named: Path) -> Iterator[ConsoleHost]:
    with hosting(named) as running:
        yield running


def opened(folder: Path) -> Workspace:
    call = CliContext(folder)
    return campaign_shop.at(open_workspace(call.project, lambda: call.now), campaign_shop.NOW)


def shown(text: str) -> str:
    """What a page says, without its marks and their attributes."""
    return re.sub(r"<[^>]*>", " ", text)


@pytest.mark.parametrize(
    ("language", "attribute", "values"),
    [
        ("en", "membership", ("Gold member", "Basic member")),
        ("ja", "会員プラン", ("ゴールド会員", "一般会員")),
    ],
)
def test_the_filters_of_the_list_are_called_as_the_project_calls_them(
    host: ConsoleHost, language: Language, attribute: str, values: Sequence[str]
) -> None:
    visit = visiting(host, "/list?segment.plan=gold", language=language)
    answer = at_risk_list(visit)
    assert isinstance(answer, Page)
    text = shown(html(visit, answer))
    assert attribute in text
    assert all(value in text for value in values)
    assert "gold" not in text


@pytest.mark.parametrize(
    ("language", "attribute", "value", "place", "detail"),
    [
        ("en", "Membership", "Gold member", "Ginza", "groceries"),
        ("ja", "会員プラン", "ゴールド会員", "銀座店", "食料品"),
    ],
)
def test_a_customer_s_page_and_timeline_say_the_names(
    host: ConsoleHost, language: Language, attribute: str, value: str, place: str, detail: str
) -> None:
    visit = visiting(host, f"/customer?id={SHOP}", language=language)
    answer = customer(visit)
    assert isinstance(answer, Page)
    text = shown(html(visit, answer))
    for name in (attribute, value, place, detail):
        assert name in text
    assert not re.search(r"\b(gold|s0|food|toys|books)\b", text)


@pytest.mark.parametrize(
    ("language", "place", "detail"), [("en", "Ginza", "groceries"), ("ja", "銀座店", "食料品")]
)
def test_reports_say_the_names_and_their_csv_keeps_those_of_the_data(
    host: ConsoleHost, named: Path, language: Language, place: str, detail: str
) -> None:
    visit = visiting(host, "/engagement?months=12&by=place", language=language)
    text = html(visit, engagement(visit))
    assert place in text
    assert ">s0<" not in text
    workspace = opened(named)
    with workspace.database:
        table = last_report_csv(workspace, COMMAND_LINE, 12, language)
        report = last_report(workspace, COMMAND_LINE, 12, language)
    assert table is not None
    assert report is not None
    assert ",place,s0," in table
    assert place not in table
    groups = [one for measure in report.reply.measures for one in measure.groups]
    assert {(one.group, one.group_words) for one in groups if one.cut == "place"} >= {
        ("s0", place),
        ("s1", "s1"),
    }
    assert {one.group_words for one in groups if one.group == "food"} <= {detail}


@pytest.mark.parametrize(
    ("language", "attribute", "value"),
    [("en", "membership", "Gold member"), ("ja", "会員プラン", "ゴールド会員")],
)
def test_a_campaign_s_report_says_the_names_and_its_files_for_programs_do_not(
    named: Path, capsys: pytest.CaptureFixture[str], language: Language, attribute: str, value: str
) -> None:
    workspace = opened(named)
    with workspace.database:
        found = campaign_report(workspace, COMMAND_LINE, "spring")
    words = workspace.project.words
    show(found, language, words)
    for text in (capsys.readouterr().out, page(found, language, words)):
        assert attribute in text
        assert value in text
    for text in ("".join(report_csv(found)), to_json(found)):
        assert "gold" in text
        assert value not in text


def test_reasons_and_talking_points_say_the_names_and_the_answers_of_the_api_keep_those_of_the_data(
    named: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = opened(named)
    with workspace.database:
        reader = workspace.scores.current()
        answers = [reader.explain(f"c{number:04d}", "ja", workspace.store) for number in range(60)]
    sentences = [line for one in answers if one.customer.plan for line in one.customer.plan.hook_sentences]
    assert any("食料品" in line or "玩具" in line or "書籍" in line for line in sentences)
    assert not any(re.search(r"food|toys|books", line) for line in sentences)
    hooks = {one.customer.plan.hooks.favourite_category for one in answers if one.customer.plan}
    assert hooks & {"food", "toys", "books"}
    reasons = [
        reason for one in answers for reason in one.customer.reasons if reason.value in ("gold", "basic")
    ]
    assert all("会員プランは「" in one.sentence and str(one.value) not in one.sentence for one in reasons)
    show_explanation(answers[0], "ja")
    assert not re.search(r"food|toys|books|gold", capsys.readouterr().out)


def test_names_change_no_score_no_feature_and_no_byte_of_a_bundle(
    scored_template: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(scored_template, tmp_path / "shop"))
    before = contents(folder / "state" / "scores")
    give_names(folder)
    shop.learned(folder).save(tmp_path / "bundle")
    for file in (folder / "bundle").iterdir():
        assert (tmp_path / "bundle" / file.name).read_bytes() == file.read_bytes(), file.name
    shop.score_all(folder, tmp_path / "bundle")
    assert contents(folder / "state" / "scores") == before


def contents(scores: Path) -> dict[str, bytes]:
    """Every score file without the moment at which it was made."""
    return {file.name: re.sub(rb'"scored_at": \d+', b"", file.read_bytes()) for file in scores.iterdir()}


def test_doctor_names_the_display_names_of_what_no_event_has_with_the_nearest(
    scored_template: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(scored_template, tmp_path / "shop"))
    give_names(folder)
    file = folder / "kizuna.toml"
    text = file.read_text("utf-8").replace("values.gold", "values.gould").replace("toys =", "tois =")
    file.write_text(text, "utf-8")
    workspace = opened(folder)
    with workspace.database:
        findings = {one.name: one for one in doctor(workspace, COMMAND_LINE).findings}
    finding = findings["unknown_display_names"]
    assert finding.english == (
        "kizuna.toml gives a name to what no event has: 'tois' in names.details: write 'toys'; "
        "'gould' in attributes.values (plan): write 'gold'. Until then people read the name in the data."
    )
    assert "names.details の「tois」→「toys」" in finding.japanese
    give = read(scored_template).words
    assert give.detail("toys", "ja") == "toys"
