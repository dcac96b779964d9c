"""The shop with a plan, opened."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.application.workspace import Workspace
from serving.cli.context import CliContext


@pytest.fixture
def workspace(planned_template: Path, tmp_path: Path) -> Iterator[Workspace]:
    """A copy of the shop, open."""
    with CliContext(Path(shutil.copytree(planned_template, tmp_path / "shop"))).workspace() as place:
        yield place
