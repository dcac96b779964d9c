"""A shop with a plan, opened."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.application.lists.make_plan import make_plan
from serving.application.permissions import COMMAND_LINE
from serving.application.workspace import Workspace
from serving.cli.context import CliContext


@pytest.fixture(scope="package")
def planned_shop(scored_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop with a plan for its scores; not to be changed."""
    folder = Path(shutil.copytree(scored_shop, tmp_path_factory.mktemp("planned") / "shop"))
    with CliContext(folder).workspace() as place:
        make_plan(place, COMMAND_LINE)
    return folder


@pytest.fixture
def workspace(planned_shop: Path, tmp_path: Path) -> Iterator[Workspace]:
    """A copy of the shop, open."""
    with CliContext(Path(shutil.copytree(planned_shop, tmp_path / "shop"))).workspace() as place:
        yield place
