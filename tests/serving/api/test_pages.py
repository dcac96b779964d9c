"""The page at `/` is a file of the package."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

from serving.api.pages import index_page
from serving.lists.list_address import list_request

ROOT = Path(__file__).parents[3]


def test_the_wheel_brings_the_page_along(tmp_path: Path) -> None:
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as content:
        assert content.read("serving/api/static/index.html").decode() == index_page()


def test_filters_of_the_list_may_be_repeated_in_an_address() -> None:
    request = list_request("limit=3&tiers=casual&tiers=cooling&segment.plan=gold&segment.plan=%E9%87%91")
    assert (request.limit, request.tiers) == (3, ("casual", "cooling"))
    assert request.segment == {"plan": ("gold", "金")}
