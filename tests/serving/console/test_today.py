"""Today, Engagement, Data: every figure is that of the list, the report or the ingest, in both languages."""

from __future__ import annotations

import html
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser

from features.errors import Forbidden
from serving.application.data.data_overview import data_overview
from serving.application.data.doctor import doctor
from serving.application.data.ingest import ingest
from serving.application.lists.last_report import last_report, last_report_csv
from serving.application.lists.make_plan import make_plan
from serving.application.lists.report import refresh_report
from serving.application.lists.score_overview import behaviour_by_attitude, score_overview
from serving.application.permissions import COMMAND_LINE, person
from serving.application.workspace import Workspace, open_workspace
from serving.cli.context import CliContext
from serving.console.formats import Formats
from serving.console.texts import text
from serving.presentation.i18n import amount_range, money
from serving.reports import stored_report
from serving.reports.measure_view import format_figure
from tests.serving import campaign_shop, shop
from tests.serving.console.browser import visiting
from tests.serving.console.test_app import answer
from tests.serving.running import Server, serving

SECRET_ID, SECRET_TEXT = "customer-4711", "please never call me again"
MARKUP = "<b>not a day</b>"
"""What one row of a source says that no event can be made of."""


@pytest.fixture(scope="module")
def reported(started_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop with survey answers, quarantined rows, a plan, reports and an examination; not to be changed."""
    folder = Path(shutil.copytree(started_template, tmp_path_factory.mktemp("reported") / "shop"))
    with (folder / "kizuna.toml").open("a", encoding="utf-8") as file:
        file.write(
            '\n[[sources]]\nname = "surveys"\nquery = "select customer as customer_id, '
            "answered as occurred_at, 'nps' as kind, cast(score as double) as value, remark as text "
            "from read_csv('data/answers.csv', all_varchar = true)\"\n"
        )
    answers = "".join(f"c{n:04d},2024-12-{n % 28 + 1:02d},{(n * 7) % 11},fine\n" for n in range(0, 240, 2))
    answers += f"{SECRET_ID},{MARKUP},5,{SECRET_TEXT}\n"
    (folder / "data" / "answers.csv").write_text(f"customer,answered,score,remark\n{answers}", "utf-8")
    call = CliContext(folder)
    with open_workspace(call.project, lambda: call.now).database:
        place = campaign_shop.at(open_workspace(call.project, lambda: 0), "2025-02-02")
        ingest(place, COMMAND_LINE)
        shop.score_all(folder, folder / "bundle")
        make_plan(place, COMMAND_LINE)
        for months in (3, 12):
            refresh_report(place, COMMAND_LINE, months)
        doctor(place, COMMAND_LINE)
    return folder


@pytest.fixture(scope="module")
def reported_console(reported: Path) -> Iterator[Server]:
    """The open service of that shop."""
    with serving(reported) as running:
        yield running


def opened(folder: Path) -> Workspace:
    project = CliContext(folder).project
    return campaign_shop.at(open_workspace(project, lambda: 0), "2025-02-02")


def text_of(server: Server, path: str, language: str = "en", expected: int = 200) -> str:
    """What a page says, its tags left out."""
    status, _, page = answer(server, "GET", path, accept_language=language)
    assert status == expected, page
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


@pytest.mark.parametrize("language", ["en", "ja"])
def test_every_figure_of_today_is_that_of_the_report_and_of_the_list(
    reported: Path, reported_console: Server, language: str
) -> None:
    page, place = text_of(reported_console, "/", language), opened(reported)
    project = place.project
    f = Formats(language, project.words.currency or None, project.timeline)
    report = last_report(place, COMMAND_LINE, 12, language)
    assert report is not None
    for measure in report.reply.measures:
        if measure.name in ("active_customers", "retention_rate", "churn_rate", "nps"):
            newest = [month.value for month in measure.by_month if month.value is not None][-1]
            assert f"{measure.words} {format_figure(measure.unit)(newest)}" in page
    overview = score_overview(place, COMMAND_LINE)
    summary = overview.summary
    assert f.day(overview.provenance.as_of) in page
    assert f"{f.short_money(summary.value_at_risk)} {f.people(summary.customers)}" in page
    assert f.short_money(summary.top_value_at_risk) in page
    for tier in summary.tiers:
        share, value = f.percent(tier.share), f.short_money(tier.value_at_risk)
        assert f"{f.tier(tier.tier)} {f.count(tier.customers)} {share} {value}" in page
    assert summary.moves is not None
    for moved in (summary.moves.rose, summary.moves.fell, summary.moves.joined, summary.moves.gone):
        assert f.people(moved) in page
    silent, horizon = project.settings.churn.active_days, project.settings.churn.horizon_days
    meaning = text("today.churn_meaning", language, days=silent, horizon=horizon)
    assert meaning in page, "what churn of the report is, and what the list asks"
    folded = f"<details><summary>{text('today.churn_title', language)}</summary>"
    assert folded in answer(reported_console, "GET", "/", accept_language=language)[2]
    assert "spring" in page
    for source in report.stored.sources:
        assert f"{source.source} {f.day(source.newest)}" in page


@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_figure_of_one_month_and_that_of_the_whole_report_are_named_on_both_pages(
    reported: Path, reported_console: Server, language: str
) -> None:
    place = opened(reported)
    report = last_report(place, COMMAND_LINE, 12, language)
    assert report is not None
    measure = next(one for one in report.reply.measures if one.name == "retention_rate")
    assert measure.figure is not None
    assert measure.figure.value is not None
    month = [one for one in measure.by_month if one.value is not None][-1]
    write = format_figure(measure.unit)
    whole, newest = write(measure.figure.value), write(month.value or 0.0)
    assert whole != newest
    name = Formats(language, None, place.project.timeline).month(f"{month.month}-01")
    today, engagement = (text_of(reported_console, one, language) for one in ("/", "/engagement?months=12"))
    if language == "ja":
        assert f"{measure.words} {newest} {name}の1か月間" in today
        assert f"12か月間では{whole}" in today
        assert f"{whole} 12か月間" in engagement
        assert f"{name}の1か月間では{newest}" in engagement
    else:
        assert f"{measure.words} {newest} {name}, one month" in today
        assert f"over 12 months: {whole}" in today
        assert f"{whole} over 12 months" in engagement
        assert f"In {name} alone: {newest}" in engagement
    page = answer(reported_console, "GET", "/", accept_language=language)[2]
    assert 'href="/engagement?months=12#retention_rate"' in page, "the period that the figure is of"


def test_the_list_is_opened_from_beside_the_value_at_risk_and_no_warning_speaks_of_data_alone(
    reported_console: Server,
) -> None:
    page = answer(reported_console, "GET", "/", accept_language="ja")[2]
    at = page.index('id="risk"')
    assert '<a class="button primary end" href="/list">対応リストを開く</a>' in page[at : at + 200]
    sentence = text("today.nothing", "ja")
    assert "データ・スコア・プランは最新で、警告はありません" in sentence
    assert "離反リスク" in sentence, "it says where the customers to contact are"


def test_each_cell_of_the_matrix_opens_as_many_customers_as_it_says(
    reported: Path, reported_console: Server
) -> None:
    _, _, page = answer(reported_console, "GET", "/engagement", accept_language="en")
    found = re.findall(r'<a class="count" href="(/list\?[^"]+)">([\d,]+) customers?</a>', page)
    counts = [cell.customers for cell in behaviour_by_attitude(opened(reported), COMMAND_LINE)]
    assert [int(count) for _, count in found] == [count for count in counts if count]
    for link, count in found:
        query = urlsplit(html.unescape(link)).query
        status, lines = reported_console.send("GET", f"/v1/at_risk.csv?{query}")
        assert status == 200
        assert len(lines.decode().splitlines()) - 1 == int(count)


@pytest.mark.parametrize("language", ["en", "ja"])
def test_engagement_shows_each_measure_of_the_report_and_what_is_missing(
    reported: Path, reported_console: Server, language: str
) -> None:
    report = last_report(opened(reported), COMMAND_LINE, 3, language)
    assert report is not None
    page = text_of(reported_console, "/engagement?months=3", language)
    for measure in report.reply.measures:
        assert measure.words in page
        if measure.missing_input is not None:
            assert measure.missing_input in page
        elif measure.figure is not None and measure.figure.value is not None:
            assert format_figure(measure.unit)(measure.figure.value) in page
        for one in measure.left_out:
            assert one.words in page


def test_engagement_can_be_divided_and_handed_out_as_csv(reported: Path, reported_console: Server) -> None:
    _, _, page = answer(reported_console, "GET", "/engagement?months=12&by=place", accept_language="en")
    assert 'aria-current="true">place</a>' in page
    for shop_name in ("s0", "s1", "s2"):
        assert f">{shop_name}</text>" in page
    _, headers, text = answer(reported_console, "GET", "/engagement.csv?months=12", accept_language="ja")
    assert headers["content-type"].startswith("text/csv")
    assert text == last_report_csv(opened(reported), COMMAND_LINE, 12, "ja")


def test_a_period_that_there_is_not_is_refused_and_one_not_computed_can_be(reported_console: Server) -> None:
    assert "cannot report on 5 months" in text_of(reported_console, "/engagement?months=5", expected=422)
    assert "5か月" in text_of(reported_console, "/engagement?months=5", "ja", expected=422)
    assert "No 6-month report yet" in text_of(reported_console, "/engagement?months=6")
    assert "none was computed yet" in text_of(reported_console, "/engagement.csv?months=6", expected=422)


@pytest.mark.parametrize("language", ["en", "ja"])
def test_data_shows_what_became_of_the_rows_and_nothing_of_whom_they_are(
    reported: Path, reported_console: Server, language: str
) -> None:
    _, _, page = answer(reported_console, "GET", "/data", accept_language=language)
    text = text_of(reported_console, "/data", language)
    found = data_overview(opened(reported), COMMAND_LINE)
    for source in found.sources:
        assert source.receipt is not None
        assert f"{source.receipt.read:,} {source.receipt.new:,} {source.receipt.corrected:,}" in text
    assert MARKUP in text, "shown as text"
    assert MARKUP not in page, "and not as markup"
    for whole in (SECRET_ID, SECRET_TEXT):
        assert whole not in page
    assert found.examination is not None
    for finding in found.examination.texts[language].findings:
        assert " ".join(finding.sentence.split()) in text


def test_data_is_for_those_who_analyse(reported: Path) -> None:
    place = opened(reported)
    for role in ("viewer", "marketer"):
        with pytest.raises(Forbidden):
            data_overview(place, person("ann", role))  # type: ignore[arg-type]
    assert data_overview(place, person("ann", "analyst")).ingests


def test_before_anything_was_scored_today_says_what_to_do(tmp_path: Path) -> None:
    shop.lay_out(tmp_path)
    shop.ingest(tmp_path)
    with serving(tmp_path) as server:
        assert "kizuna score" in text_of(server, "/", expected=503)
        assert "No 12-month report yet" in text_of(server, "/engagement")
        assert "orders" in text_of(server, "/data")


def test_engagement_tells_lifetime_value_by_one_cut_at_a_time(
    reported: Path, reported_console: Server
) -> None:
    by_tier, by_month = (
        text_of(reported_console, f"/engagement?months=12{cut}", "ja") for cut in ("", "&value_by=joined")
    )
    assert "顧客生涯価値（LTV） 1名あたりの予測購買額と、その合計です。" in by_tier
    assert "24か月 根拠は限定的" in by_tier
    assert "24か月は、この長さの実績がまだなく根拠が限定的なため、水準の範囲で示しています。" in by_tier
    report = last_report(opened(reported), COMMAND_LINE, 12, "ja")
    assert report is not None
    groups = report.reply.lifetime
    known = next(one for one in groups if (one.cut, one.months) == ("tier", 12))
    unknown = next(one for one in groups if (one.cut, one.group, one.months) == ("tier", known.group, 24))
    row = by_tier[by_tier.index(f"{known.group_words} {known.customers:,} ") :]
    assert row.index(money(known.per_customer)) < row.index("〜")
    shown = amount_range(unknown.per_customer_low, unknown.per_customer_high, None, "ja")
    assert row.index(shown) < 100
    year, month = next(one.group for one in reversed(groups) if one.cut == "joined").split("-")
    assert f"{year}年{int(month)}月" in by_month
    assert "利用開始月" in by_month


@pytest.mark.parametrize(
    ("language", "words"), [("en", "There are no groups to compare:"), ("ja", "比較できる区分はありません。")]
)
def test_engagement_says_so_where_nothing_makes_two_groups(
    reported: Path, reported_console: Server, language: str, words: str
) -> None:
    state = CliContext(reported).project.state
    stored = stored_report.newest(state, 12)
    assert stored is not None
    whole = {
        name: replace(reply, lifetime=[one for one in reply.lifetime if one.cut == "all"])
        for name, reply in stored.replies.items()
    }
    stored_report.save(state, replace(stored, data_version="one", replies=whole), {})
    try:
        page = text_of(reported_console, "/engagement?months=12", language)
    finally:
        (state / stored_report.FOLDER / "12-one.json").unlink()
    assert words in page
    assert words not in text_of(reported_console, "/engagement?months=12", language)


PAGES = ("/", "/engagement", "/engagement?months=12&by=place", "/data")


@pytest.mark.parametrize("language", ["en", "ja"])
def test_full_pages_are_accessible_and_fit_a_phone(
    browser: Browser, reported_console: Server, language: str
) -> None:
    dark = language == "ja"
    with visiting(browser, reported_console.port, language, width=400, dark=dark) as visitor:
        for path in PAGES:
            visitor.open(path)
            assert visitor.violations() == []
            assert visitor.page.evaluate("document.documentElement.scrollWidth") <= 400, path
        assert (visitor.errors, visitor.elsewhere) == ([], [])


BOXES = """() => [...document.querySelectorAll(".scroll")].map(box =>
  getComputedStyle(box).backgroundAttachment)"""
NEWEST = """() => [...document.querySelectorAll(".indicator-card .chart")].map(box =>
  Math.round(box.querySelector("svg").getBoundingClientRect().right - box.getBoundingClientRect().right))"""
ROWS = """() => {
  const all = document.querySelector(".list-actions").getBoundingClientRect(), rows = {};
  for (const one of document.querySelectorAll(".list-actions > *")) {
    const at = one.getBoundingClientRect();
    (rows[Math.round(at.bottom)] ??= []).push(at);
  }
  return Object.values(rows).map(row => [
    Math.round(Math.min(...row.map(at => at.left)) - all.left),
    Math.round(Math.max(...row.map(at => at.right)) - all.right),
  ]);
}"""


@pytest.mark.parametrize("language", ["en", "ja"])
def test_on_a_phone_edges_show_that_more_lies_beside_charts_begin_at_the_newest_month_and_buttons_fill_rows(
    browser: Browser, reported_console: Server, language: str
) -> None:
    with visiting(browser, reported_console.port, language, width=400) as visitor:
        visitor.open("/data")
        for attachment in visitor.page.evaluate(BOXES):
            assert {"local", "scroll"} <= set(attachment.split(", "))
        visitor.open("/engagement")
        beyond = visitor.page.evaluate(NEWEST)
        assert beyond
        assert max(beyond) <= 0, "the newest month can be seen"
        visitor.open("/list")
        rows = visitor.page.evaluate(ROWS)
        assert rows
        assert rows == [[0, 0]] * len(rows)


def test_a_report_is_computed_by_a_button_without_javascript(browser: Browser, own_shop: Path) -> None:
    with (
        serving(own_shop) as server,
        visiting(browser, server.port, "ja", javascript=False) as visitor,
    ):
        visitor.open("/engagement?months=3")
        visitor.page.get_by_role("button", name="集計する").click()
        assert visitor.page.url.partition("?")[0].endswith("/jobs")
        job = visitor.page.url
        kept = own_shop / "state" / "reports"
        server.wait_for(lambda: any(kept.glob("3-*.json")), 120)
        server.wait_for(lambda: "集計しました" in text_of(server, job.partition(str(server.port))[2], "ja"))
        visitor.open("/engagement?months=3")
        assert visitor.page.locator("article.indicator-card").count() > 5
    report = last_report(opened(own_shop), COMMAND_LINE, 3)
    assert report is not None
    assert report.is_current
