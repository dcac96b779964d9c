"""Tests of the console's page of models: card, curves, decisions, promoting and going back."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from serving.application.models.history import model_history
from serving.application.permissions import COMMAND_LINE
from serving.state.job_index import newest_jobs
from tests.serving.console.browser import visiting
from tests.serving.console.people import NAMES, PASSWORD, Client, add_people, project_of
from tests.serving.model_versions import three_versions
from tests.serving.running import Server, serving
from training.bundle.model_card_file import CardSection, ReliabilityPoint, StoredModelCard, save_model_card

CARD = StoredModelCard(
    "2",
    "made-up",
    {
        language: (
            CardSection("What <b>it</b> says", ("One line.",), (("", "this model"), ("AUC", "0.820"))),
        )
        for language in ("en", "ja")
    },
    2_000,
    240,
    (ReliabilityPoint(0.05, 0.04, 0.02, 0.07), ReliabilityPoint(0.3, 0.33, 0.25, 0.4)),
    {"model": (0.0, 0.5, 1.0), "recency": (0.0, 0.4, 1.0)},
)


@pytest.fixture(scope="module")
def folder(scored_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop with three trained versions and a person of each role."""
    folder = Path(shutil.copytree(scored_shop, tmp_path_factory.mktemp("models") / "shop"))
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
            "Make it the champion …",
            "Change the champion",
            "See the result",
            f"Back to version {back} …",
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
    assert "is not kept here" in page.text
    assert analyst.get("/models?version=../../kizuna").status == 200, "no file is read by a made-up name"
