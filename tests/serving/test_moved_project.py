"""A project folder that is moved or copied scores, explains, trains again and opens in MLflow."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import pytest

from serving.cli.main import main
from tests.experiments import URI, prepare
from tests.training.simulated import shop

TOML = """
timezone = "UTC"

[features]
windows = [7, 30, 90]

[churn]
active_days = 40
horizon_days = 20

[capacity]
contacts = 30
"""


def run(folder: Path, *words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["-C", str(folder), *words])
    return int(ended.value.code or 0)


@dataclass(frozen=True)
class Listing:
    """The artifacts of every run and the champion's model, as MLflow lists them."""

    runs: dict[str, list[str]]
    champion_files: list[str]


def listing(folder: Path) -> Listing:
    from mlflow.tracking import MlflowClient

    uri = URI.replace("sqlite:///", f"sqlite:///{folder}/")
    client = MlflowClient(uri, registry_uri=uri)
    (experiment,) = (one for one in client.search_experiments() if one.name != "Default")
    runs = client.search_runs([experiment.experiment_id])
    champion = client.get_model_version_by_alias("churn", "champion")
    location = Path(unquote(champion.source.removeprefix("file://")))
    artifacts = {run.info.run_id: client.list_artifacts(run.info.run_id) for run in runs}
    return Listing(
        {run: sorted(file.path for file in files) for run, files in artifacts.items()},
        sorted(file.name for file in location.iterdir()) if location.is_dir() else [],
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("projects") / "shop"
    folder.mkdir()
    (folder / "kizuna.toml").write_text(TOML, encoding="utf-8")
    shop(200, 240).store(folder / "state")
    prepare(folder)
    assert run(folder, "train") == 0
    assert run(folder, "score") == 0
    return folder


@pytest.mark.parametrize("how", ["moved", "copied"])
def test_a_project_in_another_place_goes_on_as_before(
    trained: Path, tmp_path: Path, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    first = Path(shutil.copytree(trained, tmp_path / "first"))
    assert run(first, "score") == 0  # its own place, of which the copy of the fixture knows nothing yet
    there = listing(first)
    assert len(there.runs) == 1
    assert "model_card.en.md" in next(iter(there.runs.values()))
    assert "MLmodel" in there.champion_files

    second = tmp_path / "second place"
    shutil.move(first, second) if how == "moved" else shutil.copytree(first, second)
    assert run(second, "score") == 0
    assert listing(second) == there
    capsys.readouterr()
    assert run(second, "--json", "explain", "c0001") == 0
    assert '"c0001"' in capsys.readouterr().out
    assert run(second, "train", "--until", "2024-07-15") == 0
    again = listing(second)
    assert len(again.runs) == 2
    assert all("model_card.en.md" in files for files in again.runs.values())
    if how == "moved":
        assert not first.exists()
    else:
        assert listing(first) == there
