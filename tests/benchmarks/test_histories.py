"""The public histories differ in their sources and in what leaving means, and in nothing else."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from benchmarks.histories import HISTORIES
from serving.project.settings import Settings

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.mark.parametrize("name", HISTORIES)
def test_a_history_is_a_project_with_no_setting_of_its_own(name: str) -> None:
    words = tomllib.loads(HISTORIES[name].configuration(Path("/data")))
    assert set(words) <= {"sources", "attributes", "churn"}
    settings = Settings.model_validate(words)
    horizons = {
        "online_retail_ii": 90,
        "oulad_no_vle": 28,
        "complete_journey": 30,
        "essec": 365,
        "cdnow_180": 180,
        "cdnow_90": 90,
    }
    assert settings.churn.horizon_days == horizons[name]
    assert "{" not in "".join(source["query"] for source in words["sources"])


@pytest.mark.parametrize("name", HISTORIES)
def test_a_history_is_looked_back_upon_after_its_first_season(name: str) -> None:
    dates = HISTORIES[name].dates
    assert list(dates) == sorted(set(dates))
