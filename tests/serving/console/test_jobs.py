"""Tests of the console's page of jobs, over HTTP and in a real browser."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlencode

from playwright.sync_api import Browser, expect

from serving.cli.context import CliContext
from serving.state.database import Database
from serving.state.job_index import JobRecord, add_job, newest_jobs
from tests.serving.console.browser import visiting
from tests.serving.console.forms import send
from tests.serving.running import serving


def test_a_job_is_started_followed_and_its_result_shown(browser: Browser, own_shop: Path) -> None:
    with serving(own_shop) as service:
        status, headers, _ = send(service, "/jobs", {"kind": "plan"})
        assert status == 303
        assert re.fullmatch(r"/jobs\?id=[0-9a-f]{16}", headers["location"])
        with visiting(browser, service.port, "ja") as visitor:
            visitor.open(headers["location"])
            expect(visitor.page.get_by_text("アクションを割り当てました")).to_be_visible(timeout=120_000)
            assert visitor.page.get_by_text("完了").is_visible()
            assert visitor.violations() == []
            assert (visitor.errors, visitor.elsewhere) == ([], [])
            visitor.page.get_by_role("link", name="処理", exact=True).click()
            assert visitor.page.get_by_role("link", name="プランの作成").count() == 1
            assert visitor.violations() == []
        for form, code in (({"kind": "promote", "version": "1"}, 403), ({"kind": "bake"}, 422)):
            assert send(service, "/jobs", form)[0] == code


def test_a_job_goes_on_when_the_service_is_stopped(own_shop: Path) -> None:
    with serving(own_shop) as service:
        assert send(service, "/jobs", {"kind": "plan"})[0] == 303
    with Database(CliContext(own_shop).project.records) as database:
        service.wait_for(lambda: newest_jobs(database, 1)[0].is_finished, seconds=120)
        assert newest_jobs(database, 1)[0].state == "done"


def test_a_job_that_is_gone_is_told_without_javascript(browser: Browser, own_shop: Path) -> None:
    with Database(CliContext(own_shop).project.records) as database:
        assert add_job(database, JobRecord("ab", "plan", "{}", "<b>aki</b>", "person", (), 1), "plan", 1)
    with serving(own_shop) as service, visiting(browser, service.port, javascript=False) as visitor:
        visitor.open(f"/jobs?{urlencode({'id': 'ab'})}")
        assert visitor.page.get_by_role("alert").inner_text().startswith("Cannot finish this: its process")
        assert visitor.page.get_by_text("<b>aki</b>").is_visible(), "names are shown as text"
        visitor.open("/jobs?id=00")
        assert "Cannot find the job '00'" in visitor.page.locator("main").inner_text()
