"""MLflow's addresses follow a project that is moved or copied, and nothing else changes."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from features.errors import ModelError
from tests.experiments import DATABASE, URI, experiments
from tests.training.trained import bundle
from training.bundle.model_bundle import Bundle
from training.registry.artifact_locations import ADDRESSES, relocate_artifacts
from training.registry.mlflow_tracking import Tracking


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("projects") / "first place"
    tracking = experiments(folder)
    with tracking.run("one") as run:
        run.log_texts({"notes.txt": "one"})
        tracking.promote(tracking.register(run, bundle()))
    return folder


def addresses(folder: Path) -> set[str]:
    with closing(sqlite3.connect(folder / DATABASE)) as connection:
        return {
            str(address)
            for table, column in ADDRESSES
            for (address,) in connection.execute(f"select {column} from {table}")
            if address and "/mlruns/artifacts" in address
        }


@pytest.mark.parametrize("name", ["second", "移転先 100%"])
def test_a_copied_project_reads_and_writes_its_own_files(trained: Path, tmp_path: Path, name: str) -> None:
    copy = Path(shutil.copytree(trained, tmp_path / name))
    tracking = Tracking(URI, copy)
    version, champion = tracking.champion() or ("", Path())
    assert (version, Bundle.load(champion)) == ("1", bundle())
    assert champion.is_relative_to(copy)
    (model,) = tracking.registered()
    assert [file.path for file in tracking._client.list_artifacts(model.run_id)] == ["notes.txt"]
    assert all(address.startswith(copy.as_uri()) for address in addresses(copy))
    assert all(address.startswith(trained.as_uri()) for address in addresses(trained))


def test_a_moved_project_goes_on_in_its_experiment_and_leaves_nothing_behind(
    trained: Path, tmp_path: Path
) -> None:
    before = Path(shutil.copytree(trained, tmp_path / "before"))
    assert Tracking(URI, before).champion() is not None
    after = Path(shutil.move(before, tmp_path / "after"))
    tracking = Tracking(URI, after)
    with tracking.run("two") as run:
        run.log_texts({"later.txt": "two"})
        assert tracking.register(run, bundle()) == "2"
    assert not before.exists()
    assert (after / "mlruns" / "artifacts" / run.id / "artifacts" / "later.txt").is_file()
    experiments_there = {one.name for one in tracking._client.search_experiments()}
    assert experiments_there == {"Default", "after"}
    assert len({run.experiment, tracking._client.get_experiment_by_name("after").experiment_id}) == 1


def test_addresses_outside_the_project_and_of_projects_whose_files_are_elsewhere_stay(
    trained: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(trained, tmp_path / "copy"))
    shutil.rmtree(copy / "mlruns" / "artifacts")
    assert relocate_artifacts(copy / DATABASE, copy) == []
    assert all(address.startswith(trained.as_uri()) for address in addresses(copy))
    shared = tmp_path / "shared.db"
    shutil.copy(trained / DATABASE, shared)
    assert relocate_artifacts(shared, copy) == []


def test_a_project_that_shares_the_database_keeps_its_own_addresses(trained: Path, tmp_path: Path) -> None:
    owner = Path(shutil.copytree(trained, tmp_path / "owner"))
    Tracking(URI, owner)
    guest = tmp_path / "guest"
    guest.mkdir()
    shared = f"sqlite:///{owner / DATABASE}"
    tracking = Tracking(shared, guest)
    with tracking.run("theirs") as run:
        run.log_texts({"notes.txt": "theirs"})
        tracking.register(run, bundle())
    tracking._client.create_experiment("empty", artifact_location=(guest / "mlruns/artifacts").as_uri())
    before = addresses(owner)
    assert len({one for one in before if one.startswith(guest.as_uri())}) > 2
    assert relocate_artifacts(owner / DATABASE, owner) == []
    assert addresses(owner) == before
    with Tracking(shared, guest).run("later") as later:
        later.log_texts({"notes.txt": "later"})
    assert later.experiment == run.experiment
    assert (guest / "mlruns" / "artifacts" / later.id / "artifacts" / "notes.txt").is_file()
    moved = Path(shutil.move(owner, tmp_path / "moved"))
    assert relocate_artifacts(moved / DATABASE, moved) == [owner]
    theirs = {one for one in addresses(moved) if one.startswith(guest.as_uri())}
    assert theirs >= {one for one in before if one.startswith(guest.as_uri())}
    assert not any(one.startswith(owner.as_uri()) for one in addresses(moved))


def test_a_second_look_changes_nothing(trained: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(trained, tmp_path / "copy"))
    assert relocate_artifacts(copy / DATABASE, copy) == [trained]
    content = (copy / DATABASE).read_bytes()
    assert relocate_artifacts(copy / DATABASE, copy) == []
    assert (copy / DATABASE).read_bytes() == content


def test_a_database_that_is_written_to_by_another_is_waited_for_and_named(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Path(shutil.copytree(trained, tmp_path / "copy"))
    monkeypatch.setattr("training.registry.artifact_locations.PATIENCE", 0.1)
    with closing(sqlite3.connect(copy / DATABASE, isolation_level=None)) as other:
        other.execute("begin immediate")
        with pytest.raises(ModelError) as refusal:
            relocate_artifacts(copy / DATABASE, copy)
        other.execute("rollback")
    assert str(refusal.value) == (
        f"cannot point MLflow at the files of this project, which was in {trained} before: "
        f"database is locked. Make {copy / DATABASE} writable, then try again."
    )
