"""One shop for the whole session, ingested, learned and scored; tests that change it take a copy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from serving.application.lists.make_plan import make_plan
from serving.application.permissions import COMMAND_LINE
from serving.cli.context import CliContext
from tests.serving import campaign_shop, shop


@pytest.fixture(scope="session")
def scored_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project folder that was scored on `shop.DATES`; not to be changed."""
    folder = tmp_path_factory.mktemp("shop")
    shop.lay_out(folder)
    shop.ingest(folder)
    shop.learned(folder).save(folder / "bundle")
    shop.score_all(folder, folder / "bundle")
    return folder


@pytest.fixture(scope="session")
def started_shop(scored_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop with a campaign, `campaign_shop.start_spring`; not to be changed."""
    folder = Path(shutil.copytree(scored_shop, tmp_path_factory.mktemp("campaign") / "shop"))
    campaign_shop.start_spring(folder)
    return folder


@pytest.fixture(scope="session")
def planned_shop(scored_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop with a plan for its scores; not to be changed."""
    folder = Path(shutil.copytree(scored_shop, tmp_path_factory.mktemp("planned") / "shop"))
    with CliContext(folder).workspace() as place:
        make_plan(place, COMMAND_LINE)
    return folder


@pytest.fixture(scope="session")
def uplifted_shop(scored_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop with an uplift model in use (`uplift_shop.learn_spring`); not to be changed."""
    from tests.serving import uplift_shop  # imports MLflow

    folder = Path(shutil.copytree(scored_shop, tmp_path_factory.mktemp("uplift") / "shop"))
    uplift_shop.learn_spring(folder)
    return folder


@pytest.fixture
def own_shop(scored_shop: Path, tmp_path: Path) -> Path:
    """A copy of the scored shop, to do with as one likes."""
    return Path(shutil.copytree(scored_shop, tmp_path / "shop"))
