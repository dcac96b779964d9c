"""A shop with a campaign that was started four months ago."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from serving.application.workspace import Workspace
from tests.serving.application.campaigns.test_start import opened
from tests.serving.campaign_shop import NOW, at


@pytest.fixture
def spring(started_template: Path, tmp_path: Path) -> Workspace:
    """A copy of that shop at the end of its record, to do with as one likes."""
    return at(opened(Path(shutil.copytree(started_template, tmp_path / "spring"))), NOW)
