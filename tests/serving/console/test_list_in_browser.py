"""The list in a real browser: filters that refresh, an address that follows, and no script at all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.serving.console.browser import visiting
from tests.serving.console.test_app import answer
from tests.serving.running import Server, serving


@pytest.fixture(scope="module")
def planned_console(planned_shop: Path) -> Iterator[Server]:
    with serving(planned_shop) as running:
        yield running


def count(page: Page) -> str:
    return page.locator(".list-totals dd").first.inner_text()


def test_a_changed_filter_refreshes_results_counts_and_address(
    browser: Browser, planned_console: Server
) -> None:
    with visiting(browser, planned_console.port) as visitor:
        page = visitor.page
        visitor.open("/list")
        everybody = count(page)
        page.evaluate("document.body.dataset.mark = 'same page'")
        page.get_by_label("Min. risk").select_option("0.2")
        expect(page.locator(".chip")).to_have_text(["Min. risk: 20%×Remove"])
        assert count(page) != everybody
        assert page.url.endswith("/list?min_probability=0.2")
        assert page.evaluate("document.body.dataset.mark") == "same page"
        page.locator("summary", has_text="Any").first.click()
        page.locator(".picker[open] input").first.check()
        expect(page.locator(".chip")).to_have_count(2)
        assert "tiers=" in page.url
        page.go_back()
        expect(page.locator(".chip")).to_have_count(1)
        page.locator(".chip").first.click()
        expect(page.locator(".chip")).to_have_count(0)
        assert count(page) == everybody
        assert (visitor.errors, visitor.elsewhere) == ([], [])


def test_filters_pages_and_saved_filters_work_without_javascript(
    browser: Browser, planned_console: Server
) -> None:
    with visiting(browser, planned_console.port, "ja", javascript=False) as visitor:
        page = visitor.page
        visitor.open("/list?rows=25")
        page.get_by_label("離反確率の下限").select_option("0.1")
        page.get_by_role("button", name="絞り込む").click()
        assert "min_probability=0.1" in page.url
        first = page.locator(".id").all_inner_texts()
        page.get_by_role("link", name="次へ").click()
        assert set(page.locator(".id").all_inner_texts()).isdisjoint(first)
        page.get_by_role("link", name="前へ").click()
        assert page.locator(".id").all_inner_texts() == first
        page.locator("summary", has_text="保存した条件").click()
        page.get_by_label("現在の条件に名前を付けて保存").fill("<b>10%以上</b>")
        page.get_by_role("button", name="保存", exact=True).click()
        expect(page.locator("main > .notice")).to_have_text("条件を保存しました。")
        page.locator("summary", has_text="保存した条件").click()
        expect(page.get_by_role("link", name="<b>10%以上</b>")).to_be_visible()
        page.locator("summary", has_text="名前を変更").click()
        page.get_by_role("button", name="削除").click()
        expect(page.locator("main > .notice")).to_have_text("「<b>10%以上</b>」を削除しました。")


def test_all_reasons_are_a_key_away_and_the_page_is_accessible_with_everything_open(
    browser: Browser, planned_console: Server
) -> None:
    with visiting(browser, planned_console.port) as visitor:
        page = visitor.page
        visitor.open("/list?rows=1000&min_probability=0.01&hooks=last_survey&hooks=favourite_category")
        summary = page.locator(".why summary").first
        summary.focus()
        page.keyboard.press("Enter")
        expect(page.locator(".why details[open]")).to_have_count(1)
        page.locator("summary", has_text="More filters").first.focus()
        for name in ("Saved filters", "Columns", "Download"):
            page.locator("summary", has_text=name).click()
            assert visitor.violations() == []


def test_the_list_fits_a_phone(browser: Browser, planned_console: Server) -> None:
    for language in ("en", "ja"):
        with visiting(browser, planned_console.port, language, width=400) as visitor:
            visitor.open("/list?min_probability=0.1")
            assert visitor.page.evaluate("document.documentElement.scrollWidth") <= 400
            assert visitor.violations() == []


def test_htmx_gets_the_results_alone_with_the_address_they_have(planned_console: Server) -> None:
    path = "/list?min_probability=0.2&tiers=&rows=50"
    _, headers, whole = answer(planned_console, "GET", path)
    assert "<html" in whole
    assert "hx-push-url" not in headers
    _, headers, part = answer(planned_console, "GET", path, hx_request="true")
    assert part.lstrip().startswith('<section id="results"')
    assert headers["hx-push-url"] == "/list?min_probability=0.2"


def test_a_file_comes_over_http_under_its_name(planned_console: Server) -> None:
    status, headers, text = answer(planned_console, "GET", "/list.csv?limit=3")
    assert status == 200
    assert re.fullmatch(r'attachment; filename="List_\d{4}-\d\d-\d\d\.csv"', headers["content-disposition"])
    _, headers, _ = answer(planned_console, "GET", "/list.csv?limit=3&language=ja")
    assert re.fullmatch(
        r"attachment; filename=\"_+\d{4}-\d\d-\d\d\.csv\"; filename\*=UTF-8''%E5%AF%BE[%0-9A-Fa-z_.-]+\.csv",
        headers["content-disposition"],
    ), headers["content-disposition"]
    assert len(text.splitlines()) == 4
    assert answer(planned_console, "GET", "/list.csv?columns=salesforce")[0] == 403
    assert answer(planned_console, "GET", "/list.csv?tiers=nonsense")[0] == 422


def test_menus_say_what_is_chosen_and_close_on_escape_and_on_a_click_elsewhere(
    browser: Browser, planned_console: Server
) -> None:
    with visiting(browser, planned_console.port) as visitor:
        page = visitor.page
        visitor.open("/list?tiers=casual")
        menu = page.locator("details.picker", has=page.locator("input[name=tiers]"))
        expect(menu.locator(".some")).to_be_visible()
        before = menu.locator(".some").inner_text()
        assert before not in ("", "Selected")
        menu.locator("summary").click()
        menu.locator("input:not(:checked)").first.check()
        assert "・" in menu.locator(".some").inner_text()
        page.keyboard.press("Escape")
        expect(menu).not_to_have_attribute("open", "")
        menu.locator("summary").click()
        expect(menu).to_have_attribute("open", "")
        page.locator("h1").click()
        expect(menu).not_to_have_attribute("open", "")
        assert (visitor.errors, visitor.elsewhere) == ([], [])


def test_the_menu_and_a_customers_page_lead_back_to_the_list_as_it_was(
    browser: Browser, planned_console: Server
) -> None:
    with visiting(browser, planned_console.port, "ja", javascript=False) as visitor:
        page = visitor.page
        visitor.open("/customer?id=c0001")
        assert page.locator(".above a[href^='/list']").count() == 0, "nobody came from a list"
        visitor.open("/list?min_probability=0.1&rows=25")
        count = page.locator(".list-totals dd").first.inner_text()
        page.locator(".id").first.click()
        assert page.locator(".above").inner_text() == f"対応リスト（{count}）"
        page.locator(".above a").click()
        assert page.url.endswith("/list?min_probability=0.1&rows=25")
        visitor.open("/")
        page.get_by_role("navigation").get_by_role("link", name="対応リスト").click()
        assert page.url.endswith("/list?min_probability=0.1&rows=25")


def test_a_cookie_that_is_no_list_of_ours_leads_nowhere(planned_console: Server) -> None:
    for kept in (
        "query=x",
        "query=%0d%0aSet-Cookie&customers=-1",
        "customers=9999999999999",
        "%%%",
        "customers=%D9%A3",
    ):
        status, _, text = answer(planned_console, "GET", "/customer?id=c0001", cookie=f"kizuna_list={kept}")
        assert status == 200
        assert '<p class="above"><a href="/customer">' in text
