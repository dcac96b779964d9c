"""One shop for the whole session, ingested, learned and scored, and three that went on from it.

A `…_template` is only copied, and the end of the session fails if anything in it changed. A `…_shop` is a
copy for tests that read: a command or a service may leave its records there, so nothing may depend on what
`state` holds besides. Tests that change a shop take a copy of their own.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from serving.application.lists.make_plan import make_plan
from serving.application.permissions import COMMAND_LINE
from serving.cli.context import CliContext
from tests.serving import campaign_shop, shop


def contents(folder: Path) -> dict[str, object]:
    """Each file below a folder with its size and when it was last written; of the records what they say."""
    found: dict[str, object] = {}
    for file in folder.rglob("*"):
        if file.name == "kizuna.db":
            with closing(sqlite3.connect(file)) as records:
                found[str(file)] = list(records.iterdump())
        elif file.is_file() and not file.name.startswith("kizuna.db-"):  # SQLite's, which come and go
            found[str(file)] = file.stat().st_size, file.stat().st_mtime_ns
    return found


def kept(folder: Path) -> Iterator[Path]:
    """A template: what is in it at the end is what was in it at the start."""
    before = contents(folder)
    yield folder
    assert contents(folder) == before, "a test changed a template; it has to take a copy"


@pytest.fixture(scope="session")
def scored_template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project folder that was scored on `shop.DATES`."""
    folder = tmp_path_factory.mktemp("shop")
    shop.lay_out(folder)
    shop.ingest(folder)
    shop.learned(folder).save(folder / "bundle")
    shop.score_all(folder, folder / "bundle")
    yield from kept(folder)


@pytest.fixture(scope="session")
def started_template(scored_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The shop with a campaign, `campaign_shop.start_spring`."""
    folder = Path(shutil.copytree(scored_template, tmp_path_factory.mktemp("campaign") / "shop"))
    campaign_shop.start_spring(folder)
    yield from kept(folder)


@pytest.fixture(scope="session")
def planned_template(scored_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The shop with a plan for its scores."""
    folder = Path(shutil.copytree(scored_template, tmp_path_factory.mktemp("planned") / "shop"))
    with CliContext(folder).workspace() as place:
        make_plan(place, COMMAND_LINE)
    yield from kept(folder)


@pytest.fixture(scope="session")
def uplifted_template(scored_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The shop with an uplift model in use (`uplift_shop.learn_spring`)."""
    from tests.serving import uplift_shop  # imports MLflow

    folder = Path(shutil.copytree(scored_template, tmp_path_factory.mktemp("uplift") / "shop"))
    uplift_shop.learn_spring(folder)
    yield from kept(folder)


@pytest.fixture(scope="session")
def scored_shop(scored_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scored shop for tests that read."""
    return Path(shutil.copytree(scored_template, tmp_path_factory.mktemp("read") / "shop"))


@pytest.fixture(scope="session")
def started_shop(started_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop with a campaign for tests that read."""
    return Path(shutil.copytree(started_template, tmp_path_factory.mktemp("read") / "shop"))


@pytest.fixture(scope="session")
def planned_shop(planned_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop with a plan for tests that read."""
    return Path(shutil.copytree(planned_template, tmp_path_factory.mktemp("read") / "shop"))


@pytest.fixture(scope="session")
def uplifted_shop(uplifted_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop with an uplift model for tests that read."""
    return Path(shutil.copytree(uplifted_template, tmp_path_factory.mktemp("read") / "shop"))


@pytest.fixture
def own_shop(scored_template: Path, tmp_path: Path) -> Path:
    """A copy of the scored shop, to do with as one likes."""
    return Path(shutil.copytree(scored_template, tmp_path / "shop"))
