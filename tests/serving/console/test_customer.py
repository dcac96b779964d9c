"""The page of one customer: what it shows, what is noted on it, who is not there, markup that stays text."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast
from urllib.parse import parse_qsl

import pyarrow as pa
import pytest
from playwright.sync_api import Browser, expect
from starlette.datastructures import ImmutableMultiDict

from features.errors import Forbidden
from serving.application.lists.make_plan import make_plan
from serving.application.permissions import COMMAND_LINE, Role, person
from serving.application.workspace import Clock, Workspace, open_workspace
from serving.cli.context import CliContext
from serving.console.app import error_page
from serving.console.host import ConsoleHost
from serving.console.pages.customer import customer, customer_form
from serving.console.rendering import render
from serving.console.texts import text as text_of
from serving.console.visit import Answer, Page, Redirect, Visit
from serving.console.visitors import Visitor
from serving.presentation.columns import COLUMNS
from serving.presentation.rule_words import LABELS
from serving.project.language import Language
from serving.project.settings import Project
from serving.schemas.customer_responses import CustomerOverview, ScoreHistory
from serving.schemas.terms import ATTITUDE_WORDS
from tests.serving.campaign_shop import at
from tests.serving.console.browser import visiting
from tests.serving.console.made_card import CARD
from tests.serving.console.people import PASSWORD
from tests.serving.console.test_app import answer
from tests.serving.running import Server, serving
from training.bundle.model_card_file import save_model_card
from training.labels.cohort import IN_COHORT

MARKUP = "<b onclick='x'>&amp;\"x\"</b>"


@dataclass
class Open:
    """A project as a page sees it."""

    workspace: Workspace

    @property
    def project(self) -> Project:
        return self.workspace.project

    @property
    def clock(self) -> Clock:
        return self.workspace.clock

    def workspace_for_one_call(self) -> Workspace:
        return self.workspace


@pytest.fixture
def shop(started_template: Path, tmp_path: Path) -> Workspace:
    project = CliContext(Path(shutil.copytree(started_template, tmp_path / "shop"))).project
    return at(open_workspace(project, lambda: 0), "2025-02-06")


def visit(
    shop: Workspace,
    query: Mapping[str, str],
    form: Sequence[tuple[str, str]] = (),
    *,
    role: Role = "marketer",
    language: Language = "en",
    fragment: bool = False,
) -> Visit:
    who = Visitor(person("mari", role), "a secret", is_signed_in=True, shown_name="Mari", role=role)
    host = cast(ConsoleHost, type("Host", (), {"service": Open(shop)}))
    fields = [ImmutableMultiDict(list(query.items())), ImmutableMultiDict(list(form))]
    return Visit(host, who, language, "/customer", *fields, fragment)


def html(one: Visit, page: Answer) -> str:
    """The page as text, in a frame without a menu."""
    assert isinstance(page, Page)
    frame = {"menu": [], "other_language_address": "/", "is_open": False, "project_title": "shop"}
    return render(one, page, {**frame, "simulated_now": None, "list_visited": None, "notice": None})


def shown(shop: Workspace, customer_id: str, **query: str) -> str:
    one = visit(shop, {"id": customer_id, **query})
    return html(one, customer(one))


def post(shop: Workspace, customer_id: str, *form: tuple[str, str], role: Role = "marketer") -> Answer:
    return customer_form(visit(shop, {"id": customer_id}, form, role=role))


def ids(shop: Workspace) -> list[str]:
    """The customers of the scores in use."""
    reader = shop.scores.current()
    return [str(one) for one in reader.customers.names(reader.scores.answers.key).to_pylist()]


def fields(text: str, action: str) -> list[tuple[str, str]]:
    """The hidden fields of the form of an action, as a browser sends them."""
    (form,) = [one for one in re.findall(r"<form.*?</form>", text, re.S) if f'value="{action}"' in one][:1]
    return re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form)


def test_the_page_shows_risk_reasons_scores_over_time_and_the_timeline(shop: Workspace) -> None:
    text = shown(shop, "c0009")
    for words in (
        "Risk of leaving within 30 days",
        "How certain is this?",
        "Risk over time",
        "Purchase",
        "spring",
    ):
        assert words in text
    assert "<polyline" in text
    assert 'class="timeline"' in text


@pytest.mark.parametrize(
    ("language", "interval", "level"),
    [("en", "80% interval", "Range of the level"), ("ja", "80%区間", "水準の範囲")],
)
def test_the_range_of_a_lifetime_value_is_that_of_the_level_where_the_customer_lapsed(
    shop: Workspace, language: Language, interval: str, level: str
) -> None:
    reader = shop.scores.current()
    answers = reader.scores.answers
    assert answers.lifetime is not None
    for lapsed, words, other in ((False, interval, level), (True, level, interval)):
        mine = ((answers.status != IN_COHORT) == lapsed) & (answers.lifetime.joined_month >= 0)
        (name,) = reader.customers.names(answers.key[mine][:1]).to_pylist()
        one = visit(shop, {"id": name}, language=language)
        text = html(one, customer(one))
        assert f'<p class="soft">{words} <span class="badge">' in text
        assert other not in text


def test_scores_over_time_are_a_table_only_where_there_are_several(shop: Workspace) -> None:
    one = visit(shop, {"id": "c0009"})
    page = customer(one)
    assert isinstance(page, Page)
    title = text_of("customer.as_table", "en")
    assert title in html(one, page)
    history = cast(ScoreHistory, page.values["history"])
    first = {"history": replace(history, points=history.points[:1]), "chart": ""}
    after_one_scoring = html(one, replace(page, values={**page.values, **first}))
    assert text_of("customer.history_short", "en") in after_one_scoring
    assert title not in after_one_scoring


def test_the_timeline_is_narrowed_and_goes_on_where_it_ended(shop: Workspace) -> None:
    text = shown(shop, "c0009", kind="refund", since="2024-01-01", until="2025-12-31")
    assert "No events match" in text or "refunded" in text
    seen: list[str] = []
    address = f"id=c0009&before={10**17}.x"
    while True:
        query = dict(part.split("=", 1) for part in address.split("&"))
        one = visit(shop, query, fragment=True)
        part = html(one, customer(one))
        assert "<html" not in part
        seen += re.findall(r"<strong>(.*?)</strong>", part)
        following = re.search(r'hx-get="/customer\?([^"]*)"', part)
        if following is None:
            break
        address = following[1].replace("&amp;", "&")
    total = re.search(r"of (\d+) events", shown(shop, "c0009"))
    assert total is not None
    assert len(seen) == int(total[1])


def test_a_noted_contact_stands_in_the_timeline_and_a_second_click_changes_nothing(shop: Workspace) -> None:
    text = shown(shop, "c0009")
    form = [
        *fields(text, "contact"),
        ("kind", "call_made"),
        ("at", "2025-02-05T10:30"),
        ("text", "Wants news"),
    ]
    first, second = post(shop, "c0009", *form), post(shop, "c0009", *form)
    assert first == Redirect("/customer?id=c0009", "customer.done_contact")
    assert second == Redirect("/customer?id=c0009", "customer.done_before")
    text = shown(shop, "c0009")
    assert "Wants news" in text
    told = re.search(r"of (\d+) events", text)
    assert told is not None
    assert f"· {told[1]} events" in text, "the header counts what the timeline tells"
    undone = post(shop, "c0009", *fields(text, "take_back"))
    assert undone == Redirect("/customer?id=c0009", "customer.done_take_back")
    assert "Wants news" not in shown(shop, "c0009")


def test_a_wrong_field_is_named_and_what_was_written_stays(shop: Workspace) -> None:
    form = [("action", "contact"), ("token", "a" * 20), ("kind", "call_made"), ("text", "Typed <once>")]
    one = visit(shop, {"id": "c0009"}, [*form, ("at", "2025-02-07T10:30")], language="ja")
    page = customer_form(one)
    text = html(one, page)
    assert isinstance(page, Page)
    assert page.status == 422
    assert "未来の日時です" in text
    assert "Typed &lt;once&gt;" in text
    assert customer_form(visit(shop, {"id": "c0009"}, [*form, ("at", "soon")])).status == 422  # type: ignore[union-attr]


def test_stopping_contact_shows_at_once_and_leaves_no_action(shop: Workspace) -> None:
    form = fields(shown(shop, "c0009"), "refuse")
    assert post(shop, "c0009", *form, ("all", "yes")) == Redirect(
        "/customer?id=c0009", "customer.done_refuse"
    )
    text = shown(shop, "c0009")
    assert "Do not contact" in text
    assert "No action planned" in text
    assert "Because: " in text
    assert "the list shows them as “do not contact”" in text_of("customer.done_refuse", "en")
    assert "リストには「連絡不可」と表示されます" in text_of("customer.done_refuse", "ja")


def test_the_first_of_the_list_without_an_action_are_told_why_beside_their_rank(shop: Workspace) -> None:
    def tested(customer_id: str) -> str:
        """The page by a model whose test says how many of such lists left."""
        one = visit(shop, {"id": customer_id})
        page = customer(one)
        assert isinstance(page, Page)
        known = cast(CustomerOverview, page.values["customer"])
        assert known.certainty is not None
        certainty = replace(known.certainty, list_observed=0.4, list_low=0.3, list_high=0.5)
        return html(
            one, Page(page.template, {**page.values, "customer": replace(known, certainty=certainty)})
        )

    text = tested("c0012")
    assert "By value at risk, this customer is among the first of the list" in text
    assert "Even so" not in text
    assert isinstance(post(shop, "c0012", *fields(text, "refuse"), ("all", "yes")), Redirect)
    assert "Even so, no action is planned: not to be contacted" in tested("c0012")


def test_who_is_on_the_list_is_told_how_many_left_of_a_list_in_the_same_order(shop: Workspace) -> None:
    reader = shop.scores.current()
    ranked = reader.scores.ranked("value_at_risk")  # the list holds 20
    last, below = reader.customers.names(reader.scores.answers.key[ranked[[19, 20]]]).to_pylist()
    assert "first of the list" not in shown(shop, str(last)), "no test, no share"
    lists = {
        f"list_by_{order}/precision_at_capacity{end}": share
        for order, shares in {
            "value_at_risk": (0.42, 0.35, 0.51),
            "churn_probability": (0.5, 0.4, 0.6),
        }.items()
        for end, share in zip(("", "_low", "_high"), shares, strict=True)
    }
    card = replace(CARD, version=reader.scores.facts.model_version, list_figures=lists)
    save_model_card(shop.project.state, card)
    text = shown(shop, str(last))
    assert "By value at risk, this customer is among the first of the list." in text
    assert "In the test, 42.0% of the first in this order left (95% interval 35.0% to 51.0%)." in text
    assert "first of the list" not in shown(shop, str(below))


def test_an_answer_and_an_attitude_say_of_which_survey_they_are() -> None:
    assert COLUMNS["attitude"].title("ja") == LABELS["attitude"][1] == text_of("customer.attitude", "ja")
    assert text_of("list.field_attitudes", "ja") == "NPS（推奨度）"
    assert ATTITUDE_WORDS["unknown"] == ("no NPS answer", "NPS回答なし")


def test_stopping_some_channels_names_just_those(shop: Workspace) -> None:
    form = [*fields(shown(shop, "c0012"), "refuse"), ("channels", "email"), ("channels", "phone")]
    answered = customer_form(visit(shop, {"id": "c0012"}, form, language="ja"))
    assert answered == Redirect(
        "/customer?id=c0012", "customer.done_refuse_some", {"channels": "メール、電話"}
    )
    said = text_of("customer.done_refuse_some", "ja", channels="メール、電話")
    assert said == "メール、電話での連絡を停止しました。ほかのチャネルの可否は変わりません。"
    assert "No contact by email, phone" in shown(shop, "c0012")


def test_a_refusal_that_was_taken_back_says_that_the_next_plan_takes_the_customer_up(shop: Workspace) -> None:
    make_plan(shop, COMMAND_LINE)
    planned = next(one for one in ids(shop) if "No action" not in shown(shop, one))
    post(shop, planned, *fields(shown(shop, planned), "refuse"), ("all", "yes"))
    make_plan(shop, COMMAND_LINE)
    stopped = shown(shop, planned)
    assert "the next plan takes them up" not in stopped
    undone = post(shop, planned, *fields(stopped, "take_back"))
    assert undone == Redirect(f"/customer?id={planned}", "customer.done_take_back")
    one = visit(shop, {"id": planned}, language="ja")
    text = html(one, customer(one))
    assert "すべてのチャネルで連絡できます" in text
    assert "次のプランから対象に戻ります" in text
    make_plan(shop, COMMAND_LINE)
    text = shown(shop, planned)
    assert "the next plan takes them up" not in text
    assert "No action" not in text
    asked = shown(shop, "c0013")
    assert '<input type="radio" name="all" value="yes" checked>' in asked, "one of two: all, or these alone"
    assert '<input type="radio" name="all" value="">Only these' in asked


def test_roles_that_may_not_note_see_no_form_and_are_refused(shop: Workspace) -> None:
    roles: tuple[Role, ...] = ("viewer", "analyst")
    for role in roles:
        one = visit(shop, {"id": "c0009"}, role=role)
        assert "Record a contact" not in html(one, customer(one))
        with pytest.raises(Forbidden) as refused:
            post(shop, "c0009", ("action", "refuse"), ("token", "a" * 20), role=role)
        assert error_page(one, refused.value).status == 403


def test_ids_and_texts_of_any_kind_are_shown_as_text(shop: Workspace) -> None:
    odd = f"{MARKUP}/?&=#%20 名前"
    row = {
        "customer_id": odd,
        "occurred_at": "2025-02-05T10:00:00Z",
        "kind": f"purchase{MARKUP}",
        "value": 3.0,
    }
    attribute = {"customer_id": odd, "occurred_at": "2025-02-05T10:00:00Z", "kind": f"attribute.{MARKUP}"}
    texts = dict.fromkeys(("channel", "place", "detail"), MARKUP)
    events = pa.Table.from_pylist([{**row, **texts}, {**attribute, **texts}])
    shop.store.add(events, source="crm", timeline=shop.project.timeline, now=shop.clock())
    text = shown(shop, odd)
    assert "<b " not in text
    assert "This customer came after the last scoring" in text
    form = [*fields(text, "contact"), ("kind", "call_made"), ("at", "2025-02-06T00:00"), ("text", MARKUP)]
    said = post(shop, odd, *form)
    assert isinstance(said, Redirect)
    assert said.notice == "customer.done_contact"
    assert dict(parse_qsl(said.path.partition("?")[2])) == {"id": odd}
    assert "<b " not in shown(shop, odd)
    assert "<b " not in shown(shop, MARKUP)


def test_an_erased_customer_is_nobody_and_leaves_no_name_in_the_log(
    started_template: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(started_template, tmp_path / "erased"))
    with serving(folder) as running:
        assert answer(running, "GET", "/customer?id=c0009")[0] == 200
        CliContext(folder).store.erase("c0009")
        status, _, text = answer(running, "GET", "/customer?id=c0009")
        assert status == 404
        assert "No such customer" in text
        log = "".join(running.log)
    assert "c0009" not in log


def test_similar_ids_are_proposed(console: Server) -> None:
    status, _, text = answer(console, "GET", "/customer?id=C0009")
    assert status == 404
    assert 'href="/customer?id=c0009"' in text


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_page_is_accessible_and_asks_nobody_else(
    browser: Browser, console: Server, language: str
) -> None:
    for dark, width in ((False, 1280), (True, 400)):
        with visiting(browser, console.port, language, width=width, dark=dark) as visitor:
            visitor.open("/customer?id=c0009")
            assert visitor.page.locator("h1").inner_text() == "c0009"
            assert visitor.page.evaluate("document.documentElement.scrollWidth") <= width
            assert visitor.violations() == []
            assert (visitor.errors, visitor.elsewhere) == ([], [])


def test_older_events_are_appended_with_and_without_javascript(browser: Browser, console: Server) -> None:
    with visiting(browser, console.port) as visitor:
        visitor.open("/customer?id=c0009")
        entries = visitor.page.locator("ol.timeline > li")
        before = entries.count()
        visitor.page.get_by_role("link", name="Show older").click()
        expect(entries).not_to_have_count(before)
    with visiting(browser, console.port, javascript=False) as visitor:
        visitor.open("/customer")
        visitor.page.get_by_label("Customer ID").last.fill("c0009")
        visitor.page.get_by_role("button", name="Show").click()
        visitor.page.get_by_role("link", name="Show older").click()
        assert visitor.page.locator("ol.timeline > li").count() >= 1


def test_a_chip_narrows_the_timeline_alone_and_the_address_follows(browser: Browser, console: Server) -> None:
    with visiting(browser, console.port) as visitor:
        page = visitor.page
        visitor.open("/customer?id=c0009")
        page.evaluate("document.body.dataset.mark = 'same page'")
        page.locator("#timeline .chip", has_text="Purchases").click()
        expect(page.locator("#timeline .chip[aria-current]")).to_contain_text("Purchases")
        assert "indicator=purchase" in page.url
        assert page.evaluate("document.body.dataset.mark") == "same page"
        assert visitor.violations() == []
        page.go_back()
        expect(page.locator("#timeline .chip[aria-current]")).to_have_text("All")
        assert (visitor.errors, visitor.elsewhere) == ([], [])


@pytest.mark.parametrize("javascript", [True, False])
def test_a_marketer_notes_a_contact_takes_it_back_and_stops_contact(
    browser: Browser, staffed: Server, javascript: bool
) -> None:
    customer_id = "c0021" if javascript else "c0024"
    with visiting(browser, staffed.port, "ja", javascript=javascript) as visitor:
        page = visitor.page
        visitor.open(f"/customer?id={customer_id}")
        page.get_by_label("アカウント名").fill("taro")
        page.get_by_label("パスワード").fill(PASSWORD)
        page.get_by_role("button", name="サインイン").click()
        expect(page.locator("h1")).to_have_text(customer_id)
        page.locator("summary", has_text="接触を記録する").click()
        page.get_by_label("内容・結果").fill("秋の新商品に関心あり")
        page.get_by_label("費用（任意）").fill("1,200")
        assert visitor.violations() == [] if javascript else True
        page.get_by_role("button", name="記録する", exact=True).click()
        expect(page.get_by_role("status")).to_have_text("接触を記録しました。")
        first = page.locator("ol.timeline > li").first
        expect(first).to_contain_text("秋の新商品に関心あり")
        expect(first).to_contain_text("1,200")
        first.get_by_role("button", name="取り消す").click()
        expect(page.get_by_role("status")).to_have_text("取り消しました。")
        expect(page.get_by_text("秋の新商品に関心あり")).to_have_count(0)
        page.locator("summary", has_text="連絡を停止する").click()
        page.get_by_role("button", name="連絡を停止する").click()
        expect(page.locator("h1 ~ .chips")).to_contain_text("連絡不可")
        assert (visitor.errors, visitor.elsewhere) == ([], [])
