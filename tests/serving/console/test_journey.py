"""One long journey through the console, in a real browser and in Japanese: from the list to the effect."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Browser, Locator, expect

from serving.experiments.campaign_file import load
from serving.experiments.held_back import assignment_file
from serving.state.campaigns.campaign_index import campaign
from tests.serving.console.browser import Watched, visiting
from tests.serving.console.people import NAMES, PASSWORD, Client, add_people, project_of
from tests.serving.running import COMMAND, Server, serving

pytestmark = pytest.mark.slow
NAME = "春の施策"
AT = "2025-01-03"
"""When the treatment arm is called; the simulated service begins to live on at 2025-01-01."""
PATIENT = 60_000
"""Milliseconds that a busy machine may take for a page that is computed."""


def kizuna(folder: Path, *words: str) -> str:
    """What a command prints that works on a project."""
    done = subprocess.run([*COMMAND, "-C", str(folder), *words], capture_output=True, text=True)
    assert done.returncode == 0, f"{words}: {done.stderr[-2000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated service of 1,500 customers, learned, scored and planned, with a person of each role."""
    folder = tmp_path_factory.mktemp("journey") / "service"
    kizuna(folder.parent, "simulate", str(folder), "--customers", "1500", "--months", "18", "--seed", "1")
    kizuna(folder, "ingest")
    if not json.loads(kizuna(folder, "--json", "train"))["promoted"]:  # in so small a world it may be refused
        kizuna(folder, "models", "promote", "1")
    kizuna(folder, "score")
    kizuna(folder, "plan", "--limit", "1")
    add_people(folder)
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    with serving(folder) as running:
        yield running


@dataclass
class Clicks:
    """Clicks of a person since the list."""

    count: int = 0

    def on(self, target: Locator) -> None:
        target.click()
        self.count += 1


def arms(folder: Path) -> tuple[list[str], list[str]]:
    """Ids of the treatment arm and of the control group."""
    with project_of(folder) as workspace:
        assignment = load(assignment_file(workspace.project, campaign(workspace.database, NAME)))
        names = workspace.store.customers.names
        return names(assignment.treated).to_pylist(), names(assignment.control).to_pylist()


def refused_in_the_data(folder: Path) -> set[str]:
    """Ids of the customers whose profile says that they must not be contacted."""
    profiles = pq.read_table(folder / "data" / "profiles.parquet", columns=["customer", "do_not_contact"])
    return {one["customer"] for one in profiles.to_pylist() if one["do_not_contact"]}


def key_of(folder: Path, customer_id: str) -> int:
    """The number that stands for a customer; -1 where nobody has the id."""
    with project_of(folder) as workspace:
        return int(workspace.store.customers.keys(pa.array([customer_id], pa.string()))[0])


def exported(visitor: Watched) -> list[str]:
    """Ids in the file that the campaign's page gives, in their order."""
    with visitor.page.expect_download() as downloading:
        visitor.page.get_by_role("button", name="CSV形式でダウンロード").click()
    table = csv.DictReader(io.StringIO(downloading.value.path().read_text(encoding="utf-8-sig")))
    return [row["顧客ID"] for row in table]


def sign_in(visitor: Watched, role: str) -> None:
    """Sign in as a person of a role who opened the first page."""
    visitor.open("/")
    visitor.page.get_by_label("アカウント名").fill(NAMES[role])
    visitor.page.get_by_label("パスワード").fill(PASSWORD)
    visitor.page.get_by_role("button", name="サインイン").click()


def test_a_marketer_goes_from_the_list_to_the_effect_and_who_is_erased_is_gone_from_every_page(
    browser: Browser, server: Server, folder: Path, tmp_path: Path
) -> None:
    with visiting(browser, server.port, "ja") as visitor:
        page, clicks = visitor.page, Clicks()
        page.set_default_timeout(PATIENT)
        sign_in(visitor, "marketer")
        page.get_by_role("navigation").get_by_role("link", name="対応リスト").click()

        # The list, a customer, and a campaign with the customers of the list
        page.locator(".list-table tbody th a").first.click()
        expect(page.get_by_role("heading", name="主な理由")).to_be_visible(timeout=PATIENT)
        assert visitor.violations() == []
        page.go_back()
        clicks.on(page.locator(".list-table td.why summary").first)
        clicks.on(page.get_by_role("link", name="施策を開始"))
        page.get_by_label("対象人数").fill("1000")
        page.get_by_label("評価の時期").fill("1, 3")
        page.get_by_label("対照群の割合").fill("40")
        page.get_by_label("施策名").fill(NAME)
        expect(page).to_have_url(re.compile("control=40"), timeout=PATIENT)
        expect(page.locator("#preview table").first).to_be_visible(timeout=PATIENT)
        clicks.on(page.get_by_role("button", name="確認して開始"))
        clicks.on(page.get_by_role("button", name="割り付けて開始する"))
        expect(page.get_by_role("status")).to_contain_text(NAME, timeout=PATIENT)
        assert clicks.count <= 4, "list, reason, campaign started"

        # One of the treatment arm asks not to be contacted: not in the file, as nobody of the control group
        treated, control = arms(folder)
        first = exported(visitor)
        silent, erased, called = first[:3]
        visitor.open(f"/customer?id={silent}")
        page.get_by_text("連絡を停止する", exact=True).first.click()
        page.get_by_role("button", name="連絡を停止する").click()
        expect(page.get_by_role("status")).to_contain_text("連絡を停止しました", timeout=PATIENT)
        visitor.open(f"/campaign?name={NAME}")
        handed_out = exported(visitor)
        assert set(handed_out) == set(first) - {silent}
        assert set(handed_out) <= set(treated)
        assert not set(handed_out) & (set(control) | refused_in_the_data(folder))
        assert len(handed_out) > 100

        # A contact is noted on a customer's page, with the campaign that is under way
        visitor.open(f"/customer?id={called}")
        page.get_by_text("接触を記録する", exact=True).first.click()
        assert page.locator("#campaign").input_value() == NAME
        page.locator("#text").fill("<b>続けたい</b>とのこと")
        page.get_by_role("button", name="記録する", exact=True).click()
        expect(page.get_by_role("status")).to_contain_text("接触を記録しました", timeout=PATIENT)
        assert page.locator("#timeline").get_by_text("<b>続けたい</b>とのこと").is_visible()
        assert visitor.violations() == []

        # A customer is erased, and is gone from every page; the service lives on with the calls
        assert key_of(folder, erased) >= 0
        kizuna(folder, "erase", erased)
        calls = tmp_path / "calls.csv"
        rows = [f"{one},{AT},{NAME}" for one in handed_out]
        calls.write_text("\n".join(["customer_id,at,campaign", *rows]) + "\n", encoding="utf-8")
        kizuna(folder.parent, "simulate", str(folder), "--advance", "3", "--contacts", str(calls))
        administrator = Client(server.port, headers={"accept-language": "ja"})
        assert administrator.sign_in(NAMES["administrator"]).status == 303
        started = administrator.submit("/jobs", kind="ingest")
        assert started.status == 303
        server.wait_for(
            lambda: "結果を見る" in administrator.get(started.headers["location"]).text, seconds=300
        )
        kizuna(folder, "campaign", "contacts", NAME, str(calls))

        # The effect, with its interval
        visitor.open(f"/campaign?name={NAME}")
        page.get_by_role("button", name="効果を集計する").click()
        page.get_by_role("link", name="結果を見る").click(timeout=300_000)
        cells = page.get_by_role("region", name=re.compile("3か月")).locator("tbody tr").first.locator("td")
        difference, interval = cells.nth(2).inner_text(), cells.nth(3).inner_text()
        assert re.search(r"\d", difference), difference
        assert len(re.findall(r"\d+(?:\.\d+)?", interval)) == 2, interval
        assert visitor.violations() == []
        assert (visitor.errors, visitor.elsewhere) == ([], [])

        # Who was erased is nowhere: not in what is shown, not in files, not after the next ingest
        assert key_of(folder, erased) == -1, "the ingest brought nobody back"
        page.get_by_label("顧客IDで検索").fill(erased)
        page.get_by_label("顧客IDで検索").press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text(
            "該当する顧客が見つかりません", timeout=PATIENT
        )
    marketer = Client(server.port, headers={"accept-language": "ja"})
    assert marketer.sign_in(NAMES["marketer"]).status == 303
    is_named = re.compile(rf"\b{erased}\b").search
    assert marketer.get(f"/customer?id={erased}").status == 404
    assert marketer.get(f"/customer?id={erased}&kind=visit", hx_request="true").status == 404
    for path in (
        *("/", "/list?rows=1000", "/list.csv", f"/customer?id={erased[:-1]}", f"/customer?id={called}"),
        *("/campaigns", f"/campaign?{urlencode({'name': NAME})}", "/engagement", "/playbook", "/jobs"),
    ):
        shown = marketer.get(path)
        assert shown.status in (200, 404), path
        assert not is_named(shown.text), path
    export = marketer.submit(f"/campaign/do?{urlencode({'name': NAME})}", do="export", columns="csv")
    assert export.status == 200
    assert not is_named(export.text)
    for path in ("/data", "/access/audit?action=erase", "/access/audit?of=lookups"):
        assert not is_named(administrator.get(path).text), path
    assert "顧客データの消去" in administrator.get("/access/audit?action=erase").text
