"""Tests of the console's pages of campaigns: from the list to a started one, and what it did."""

from __future__ import annotations

import csv
import io
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from playwright.sync_api import Browser, expect
from playwright.sync_api import Page as BrowserPage

from serving.application.campaigns.export import export_campaign
from serving.application.customers.refuse_contact import refuse_contact
from serving.application.data.erase import erase
from serving.application.permissions import COMMAND_LINE, Role
from serving.console.pages.campaign_start import campaign_preview
from serving.console.pages.campaigns import one_campaign
from serving.console.visit import Page
from serving.experiments.campaign_file import load
from serving.experiments.held_back import assignment_file
from serving.state.campaigns.campaign_index import campaign, find_campaign
from tests.serving.console.browser import visiting
from tests.serving.console.list_visits import hosting, html
from tests.serving.console.list_visits import visiting as visiting_as
from tests.serving.console.people import NAMES, PASSWORD, Client, add_people, project_of
from tests.serving.running import Server, serving


@pytest.fixture(scope="module")
def folder(started_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop with the campaign `spring` and a person of each role."""
    folder = Path(shutil.copytree(started_template, tmp_path_factory.mktemp("campaigns") / "shop"))
    add_people(folder)
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    with serving(folder) as running:
        yield running


def client(server: Server, role: str) -> Client:
    signed_in = Client(server.port)
    assert signed_in.sign_in(NAMES[role]).status == 303
    return signed_in


def sign_in(page: BrowserPage, address: str, role: str) -> None:
    """Sign in as a person of a role."""
    page.goto(f"{address}/sign-in")
    page.locator("#name").fill(NAMES[role])
    page.locator("#password").fill(PASSWORD)
    page.locator("main button").click()


def test_a_marketer_starts_a_campaign_from_the_list_in_four_clicks_and_hands_it_out(
    browser: Browser, server: Server, folder: Path
) -> None:
    with visiting(browser, server.port, "ja") as visitor:
        page = visitor.page
        sign_in(page, visitor.address, "marketer")
        visitor.open("/list?min_probability=0.02")
        page.get_by_role("link", name="施策を開始").click()
        expect(page.locator("#preview table").first).to_be_visible()
        first = page.locator("#preview .figure").first.inner_text()
        page.locator("#customers").fill("60")
        page.locator("#control").fill("50")
        expect(page.locator("#preview .figure").first).not_to_have_text(first)
        expect(page.locator("#preview .figure").first).to_have_text("30名")
        preview = page.locator("#preview").inner_text()
        assert re.search(r"1か月後は、離反を.+減らせ(て初めて|ても)", preview), "the effect is hardly reached"
        assert "5回に4回" in preview
        assert "12か月前の接触の効果" in preview
        assert visitor.violations() == []
        page.locator("#name").fill("夏の施策")
        page.locator("#note").fill("<b>電話</b>")
        page.locator("#channel").select_option("phone")
        expect(page).to_have_url(re.compile("channel=phone"))
        page.get_by_role("button", name="確認して開始").click()
        assert "90日間連絡しません" in page.locator("main").inner_text()
        assert "電話で連絡不可の顧客は含みません" in page.locator("main").inner_text()
        assert visitor.violations() == []
        page.get_by_label("効果を判断できない可能性").check()
        page.get_by_role("button", name="割り付けて開始する").click()
        expect(page.get_by_role("status")).to_contain_text("夏の施策")
        assert page.get_by_text("<b>電話</b>").count() == 1, "notes are shown as text"
        assert visitor.violations() == []
        with page.expect_download() as downloading:
            page.get_by_role("button", name="CSV形式でダウンロード").click()
        rows = list(csv.reader(io.StringIO(downloading.value.path().read_text(encoding="utf-8-sig"))))
        assert (visitor.errors, visitor.elsewhere) == ([], [])
    with project_of(folder) as workspace:
        record = campaign(workspace.database, "夏の施策")
        assignment = load(assignment_file(workspace.project, record))
        names = workspace.store.customers.names(assignment.treated).to_pylist()
    assert (record.treatment, record.control, record.who) == (30, 30, NAMES["marketer"])
    place = rows[0].index("customer_id") if "customer_id" in rows[0] else 1
    assert {row[place] for row in rows[1:]} <= set(names), "the control group is never handed out"
    assert len(rows) > 1


@pytest.mark.parametrize("javascript", [True, False])
def test_what_was_written_for_a_campaign_survives_every_step_and_going_back(
    browser: Browser, server: Server, javascript: bool
) -> None:
    written = {
        "customers": "60",
        "control": "50",
        "hold": "30",
        "review": "1, 6",
        "name": "春のご案内",
        "note": "電話で",
    }
    with visiting(browser, server.port, "ja", javascript=javascript) as visitor:
        page = visitor.page

        def is_there() -> None:
            for name, value in written.items():
                expect(page.locator(f"#{name}")).to_have_value(value)
            expect(page.locator("#channel")).to_have_value("phone")

        sign_in(page, visitor.address, "marketer")
        visitor.open("/campaigns/start?min_probability=0.02&customers=60&hold=30")
        expect(page.locator("#hold")).to_have_value("30")
        for name in ("control", "review", "name", "note"):
            page.locator(f"#{name}").fill(written[name])
        page.locator("#channel").select_option("phone")
        if javascript:
            expect(page).to_have_url(re.compile("channel=phone"))
        else:
            page.get_by_role("button", name="計算する").click()
        is_there()
        page.get_by_role("button", name="確認して開始").click()
        assert "春のご案内" in page.get_by_role("heading", level=1).inner_text()
        page.go_back()
        is_there()
        page.get_by_role("button", name="確認して開始").click()
        page.get_by_role("link", name="戻って変更する").click()
        is_there()
        page.get_by_role("link", name="条件を変更する").click()
        page.get_by_role("link", name="施策を開始").click()
        is_there()
        visitor.open("/campaigns")
        page.get_by_role("navigation").get_by_role("link", name="対応リスト").click()
        page.get_by_role("link", name="施策を開始").click()
        expect(page.locator("#name")).to_have_value("")
        assert (visitor.errors, visitor.elsewhere) == ([], [])


def test_one_planned_channel_alone_keeps_what_was_written(planned_shop: Path) -> None:
    written = "customers=1000&name=spring+call&note=ask&control=50&hold=30&review=1&channel=phone"
    with hosting(planned_shop) as place:
        visit = visiting_as(place, f"/campaigns/preview?{written}")
        page = campaign_preview(visit)
        planned = cast("list[tuple[str, str, int]]", page.values["planned_channels"])
        assert all(words for _, words, _ in planned)
        assert '<option value="phone" selected>' in html(visit, page), "the channel to contact by is a choice"
        more = Page(page.template, {**page.values, "planned_channels": [*planned, ("fax", "ファクス", 3)]})
        buttons = re.findall(r'<button class="link" name="only" value="([^"]+)"', html(visit, more))
        assert buttons == [planned[0][0], "fax"], "buttons of the form, which send all that is written"
        visit = visiting_as(place, f"/campaigns/preview?{written}&only={buttons[0]}")
        text = html(visit, campaign_preview(visit))
        assert f'<input type="hidden" name="channels" value="{buttons[0]}">' in text
        for name, value in (("name", "spring call"), ("note", "ask"), ("control", "50"), ("hold", "30")):
            assert re.search(rf'name="{name}" type="\w+" value="{value}"', text), name


def test_what_could_be_seen_is_told_without_javascript(browser: Browser, server: Server) -> None:
    with visiting(browser, server.port, javascript=False, width=400) as visitor:
        sign_in(visitor.page, visitor.address, "analyst")
        visitor.open("/campaigns/start?tiers=casual")
        visitor.page.locator("#customers").fill("40")
        visitor.page.get_by_role("button", name="Calculate").click()
        assert visitor.page.locator("#preview table").first.is_visible()
        assert "fewer than 50" in visitor.page.locator("#preview").inner_text()
        assert visitor.page.get_by_role("button", name="Review and start").count() == 0, "an analyst drafts"
        visitor.page.locator("#name").fill("winter plan")
        visitor.page.get_by_role("button", name="Review and save as draft").click()
        assert visitor.page.get_by_role("button", name="Draw arms").count() == 0
        visitor.page.get_by_role("button", name="Save as draft").click()
        assert "saved as a draft" in visitor.page.get_by_role("status").inner_text()
        box = visitor.page.locator("html").bounding_box()
        assert box is not None
        assert box["width"] <= 400


def test_a_draft_is_kept_by_an_analyst_and_started_by_a_marketer(server: Server, folder: Path) -> None:
    analyst, marketer = client(server, "analyst"), client(server, "marketer")
    form = {"name": "autumn", "note": "", "customers": "40", "control": "50", "hold": "30", "review": "1,3"}
    token = analyst.get("/account").token
    shown = analyst.post("/campaigns/preview?tiers=casual", {"csrf": token, "do": "draft", **form})
    assert (shown.status, shown.headers["location"]) == (303, "/campaign?name=autumn")
    assert (
        analyst.post(
            "/campaigns/preview", {"csrf": token, "do": "start", "confirmed": "1", **form, "name": "x"}
        ).status
        == 403
    )
    assert (
        analyst.post("/campaign/do?name=autumn", {"csrf": token, "do": "start", "confirmed": "1"}).status
        == 403
    )
    token = marketer.get("/account").token
    start = {"csrf": token, "do": "start"}
    asked = marketer.post("/campaign/do?name=autumn", start)
    assert asked.status == 200
    assert "not contacted for 30 days" in asked.text
    assert marketer.post("/campaign/do?name=autumn", {**start, "confirmed": "1"}).status == 422, "too few"
    done = marketer.post("/campaign/do?name=autumn", {**start, "confirmed": "1", "accept_few": "1"})
    assert (done.status, done.headers["location"]) == (303, "/campaign?name=autumn")
    with project_of(folder) as workspace:
        record = campaign(workspace.database, "autumn")
    assert (record.state, record.review_months, record.hold_days) == ("running", (1, 3), 30)
    stopped = marketer.post("/campaign/do?name=autumn", {"csrf": token, "do": "stop"})
    assert stopped.status == 303
    assert marketer.post("/campaign/do?name=autumn", {"csrf": token, "do": "stop"}).status == 422
    assert "Stopped" in marketer.get("/campaigns").text


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("name", "", "without a name"),
        ("name", "-", "cannot name a campaign"),
        ("name", "spring", "was started already"),
        ("customers", "many", "write a whole number"),
        ("customers", "1", "leaves one of the arms empty"),
        ("control", "100", "nobody or everybody"),
        ("control", "ten", "write a percentage"),
        ("hold", "0", "write a whole number"),
        ("review", "1,99", "write a whole number"),
        ("note", "x" * 501, "cannot keep this note"),
    ],
)
def test_a_field_that_cannot_be_used_is_told_at_the_field_and_nothing_is_kept(
    server: Server, folder: Path, field: str, value: str, said: str
) -> None:
    marketer = client(server, "marketer")
    form = {"name": "wrong", "note": "", "customers": "40", "control": "10", "hold": "90", "review": "1, 3"}
    sent = {"csrf": marketer.get("/account").token, "do": "start", "confirmed": "1", **form, field: value}
    shown = marketer.post("/campaigns/preview", sent)
    assert shown.status == 422
    assert said in shown.text
    with project_of(folder) as workspace:
        assert find_campaign(workspace.database, "wrong") is None


def test_a_viewer_sees_campaigns_and_starts_none(server: Server) -> None:
    viewer = client(server, "viewer")
    assert "spring" in viewer.get("/campaigns").text
    page = viewer.get("/campaign?name=spring").text
    assert "Download CSV" not in page
    assert "/campaigns/start" not in viewer.get("/campaigns").text
    assert viewer.get("/campaigns/start").status == 403
    token = viewer.get("/account").token
    for do in ("start", "stop", "export", "note"):
        assert viewer.post("/campaign/do?name=spring", {"csrf": token, "do": do}).status == 403, do
    assert viewer.post("/campaign/do?name=spring", {"csrf": token, "do": "win"}).status == 422
    assert viewer.get("/campaign?name=winter").status == 404


def test_the_effect_is_computed_by_a_job_and_shown_with_charts_that_say_what_they_show(
    browser: Browser, server: Server
) -> None:
    with visiting(browser, server.port, "en") as visitor:
        page = visitor.page
        sign_in(page, visitor.address, "viewer")
        visitor.open("/campaign?name=spring")
        assert page.get_by_text("The effect has not been computed yet").is_visible()
        dates = page.get_by_role("region", name="Smallest detectable effects").inner_text()
        assert all(f"After {words}" in dates for words in ("1 month", "3 months", "6 months", "12 months"))
        assert "After 1 month\n1 Nov 2024\nEffect" not in dates, "the control group is held back for 60 days"
        assert "Effect of contact 12 months earlier" in dates
        assert page.get_by_text("contact may have reached the control group too").is_visible()
        page.get_by_role("button", name="Compute now").click()
        page.get_by_role("link", name="See the result").click(timeout=120_000)
        assert page.get_by_role("img", name="Retained: Difference.").first.is_visible()
        label = page.get_by_role("img", name="Retained: Difference.").first.get_attribute("aria-label") or ""
        assert "Effect after 1 month" in label
        assert visitor.violations() == []
        assert (visitor.errors, visitor.elsewhere) == ([], [])
        visitor.open("/campaigns")
        assert page.get_by_text("no effect proven").first.is_visible()
        assert visitor.violations() == []


def test_the_campaign_says_before_the_export_how_many_it_hands_out_and_why_not_the_others(
    started_template: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(started_template, tmp_path / "shop"))

    def shown(role: Role = "marketer") -> str:
        with hosting(folder) as place:
            visit = visiting_as(place, "/campaign?name=spring", role, "ja")
            return html(visit, one_campaign(visit))

    with project_of(folder) as workspace:
        record = campaign(workspace.database, "spring")
        treated = load(assignment_file(workspace.project, record)).treated
        refusing, erased = workspace.store.customers.names(treated[:2]).to_pylist()
    every = len(treated)
    assert f"{every}名全員を書き出します" in shown()
    with project_of(folder) as workspace:
        refuse_contact(workspace, COMMAND_LINE, refusing, token="a" * 20)
    page = shown()
    assert f"{every}名中{every - 1}名を書き出します" in page
    assert "連絡不可（申し出あり、または可否不明） 1名" in page
    with project_of(folder) as workspace:
        erase(workspace, COMMAND_LINE, erased)
    page = shown()
    assert f"{every}名中{every - 2}名を書き出します" in page
    assert "消去済み 1名" in page
    with project_of(folder) as workspace:
        assert export_campaign(workspace, COMMAND_LINE, "spring", "csv").exported == every - 2
    assert "名を書き出します" not in shown("viewer"), "who may not export is not told"


def test_contacts_are_pasted_and_a_wrong_line_is_named_and_stays(server: Server, folder: Path) -> None:
    marketer = client(server, "marketer")
    address = "/campaign/do?name=spring"
    wrong = marketer.submit(address, do="contacts", contacts="c0001,2024-11-01\nc0002,soon")
    assert wrong.status == 422
    assert "&#39;soon&#39; in row 2 is no moment" in wrong.text
    assert "c0001,2024-11-01\nc0002,soon</textarea>" in wrong.text
    right = marketer.submit(address, do="contacts", contacts="c0001,2024-11-01\r\nnobody,2024-11-01")
    assert (right.status, right.headers["location"]) == (303, "/campaign?name=spring")
    assert (
        "1 contacts recorded; 0 were there already, 1 were not" in marketer.get("/campaign?name=spring").text
    )
    assert client(server, "analyst").submit(address, do="contacts", contacts="c0001,2024-11-01").status == 403
    assert marketer.submit(address, do="contacts", contacts="x" * 2**21).status == 413
