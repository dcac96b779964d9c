"""Tests of the console's page of models: card, curves, decisions, promoting and going back."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from serving.application.models.history import model_history
from serving.application.permissions import COMMAND_LINE
from serving.console.pages.models import models
from serving.state.job_index import newest_jobs
from tests.serving.console import list_visits
from tests.serving.console.browser import visiting
from tests.serving.console.list_visits import hosting, html
from tests.serving.console.made_card import CARD
from tests.serving.console.people import NAMES, PASSWORD, Client, add_people, project_of
from tests.serving.model_versions import three_versions
from tests.serving.running import Server, serving
from training.bundle.model_card_file import save_model_card
from training.bundle.promotions import PROMOTIONS


@pytest.fixture(scope="module")
def folder(scored_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop with three trained versions and a person of each role."""
    folder = Path(shutil.copytree(scored_template, tmp_path_factory.mktemp("models") / "shop"))
    three_versions(folder)
    save_model_card(folder / "state", CARD)
    add_people(folder)
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    with serving(folder) as running:
        yield running


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_champion_is_promoted_and_taken_back_through_the_page(
    browser: Browser, server: Server, folder: Path, language: str
) -> None:
    version, back = ("3", "2") if language == "en" else ("1", "2")
    words = {
        "en": (
            "Make champion…",
            "Change champion",
            "See the result",
            f"Return to version {back}…",
        ),
        "ja": ("本番モデルにする", "切り替える", "結果を見る", f"バージョン{back}に戻す"),
    }[language]
    with visiting(browser, server.port, language) as visitor:
        page = visitor.page
        page.goto(f"{visitor.address}/sign-in")
        page.locator("#name").fill(NAMES["administrator"])
        page.locator("#password").fill(PASSWORD)
        page.locator("main button").click()
        visitor.open("/models")
        assert page.locator("svg[role=img]").count() == 2
        assert page.get_by_text("What <b>it</b> says").is_visible(), "texts are shown as text"
        assert visitor.violations() == []
        visitor.open(f"/models?version={version}")
        page.get_by_role("link", name=words[0]).click()
        assert visitor.violations() == []
        page.get_by_role("button", name=words[1]).click()
        page.get_by_role("link", name=words[2]).click(timeout=180_000)
        with project_of(folder) as workspace:
            found = model_history(workspace, COMMAND_LINE)
        assert (found.champion, found.before) == (version, back)
        assert found.decisions[0].action == "promote"
        page.get_by_role("link", name=words[3]).click()
        page.get_by_role("button", name=words[1]).click()
        expect(page.get_by_role("link", name=words[2])).to_be_visible(timeout=180_000)
        with project_of(folder) as workspace:
            found = model_history(workspace, COMMAND_LINE)
            assert newest_jobs(workspace.database, 1)[0].who == NAMES["administrator"]
        assert (found.champion, found.decisions[0].action) == (back, "rollback")
        assert (visitor.errors, visitor.elsewhere) == ([], [])


@pytest.mark.parametrize(
    ("uri", "experiment", "address"),
    [
        (
            "http://ann:secret@runs.example:5000/",
            "7",
            "http://runs.example:5000/#/experiments/7/runs/made-up",
        ),
        ("https://runs.example/mlflow", "7", "https://runs.example/mlflow/#/experiments/7/runs/made-up"),
        ("https://runs.example/mlflow", "", None),
        ("sqlite:///mlruns/mlflow.db", "7", None),
    ],
)
def test_a_card_leads_to_its_run_where_a_server_keeps_the_runs(
    folder: Path, tmp_path: Path, uri: str, experiment: str, address: str | None
) -> None:
    own = tmp_path / "shop"
    (own / "state").mkdir(parents=True)
    shutil.copy2(folder / "state" / PROMOTIONS, own / "state" / PROMOTIONS)
    settings = (folder / "kizuna.toml").read_text(encoding="utf-8")
    (own / "kizuna.toml").write_text(f'tracking_uri = "{uri}"\n{settings}', encoding="utf-8")
    save_model_card(own / "state", replace(CARD, experiment=experiment))
    with hosting(own) as host:
        visit = list_visits.visiting(host, "/models?version=2", "analyst")
        page = html(visit, models(visit))
    links = re.findall(r'href="(http[^"]*)"', page)
    assert links == ([] if address is None else [address])
    assert "secret" not in page
    assert "kizuna models address" in page


def test_only_administrators_change_the_champion_and_viewers_see_no_models(server: Server) -> None:
    analyst, viewer = Client(server.port), Client(server.port)
    analyst.sign_in(NAMES["analyst"])
    viewer.sign_in(NAMES["viewer"])
    assert viewer.get("/models").status == 403
    page = analyst.get("/models?version=3")
    assert page.status == 200
    assert "/models/confirm" not in page.text
    assert "knows the future" in page.text, "refusals are told"
    assert analyst.get("/models/confirm?version=3").status == 403
    sent = {"csrf": page.token, "kind": "promote", "version": "3"}
    assert analyst.post("/jobs", sent).status == 403
    assert "No card is kept for this version" in page.text
    assert analyst.get("/models?version=../../kizuna").status == 200, "no file is read by a made-up name"
