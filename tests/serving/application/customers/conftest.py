"""The shop with a campaign, on the day after its record ends, for tests that write to it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from serving.application.workspace import Workspace, open_workspace
from serving.cli.context import CliContext
from tests.serving.campaign_shop import at


@pytest.fixture
def shop(started_template: Path, tmp_path: Path) -> Workspace:
    project = CliContext(Path(shutil.copytree(started_template, tmp_path / "shop"))).project
    return at(open_workspace(project, lambda: 0), "2025-02-06")
