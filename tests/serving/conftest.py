"""One shop for the whole session, ingested, learned and scored; tests that change it take a copy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.serving import shop


@pytest.fixture(scope="session")
def scored_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project folder that was scored on `shop.DATES`; not to be changed."""
    folder = tmp_path_factory.mktemp("shop")
    shop.lay_out(folder)
    shop.ingest(folder)
    shop.learned(folder).save(folder / "bundle")
    shop.score_all(folder, folder / "bundle")
    return folder


@pytest.fixture
def own_shop(scored_shop: Path, tmp_path: Path) -> Path:
    """A copy of the scored shop, to do with as one likes."""
    return Path(shutil.copytree(scored_shop, tmp_path / "shop"))
