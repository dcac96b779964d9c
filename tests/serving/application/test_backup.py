"""Backup and restore: one consistent archive, made while the service writes; nobody comes back from it."""

from __future__ import annotations

import json
import sqlite3
import stat
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from features.errors import DataError, UsageError
from serving.application.access.audit import audit
from serving.application.data.erase import ErasedCustomer, erase
from serving.application.lists.stored_scores import stored_scores
from serving.application.operation.backup import Backup, backup
from serving.application.operation.restore import Restoration, restore
from serving.application.permissions import COMMAND_LINE
from serving.application.workspace import ProjectFolder
from serving.cli.context import CliContext
from serving.integrations.training import tracking
from serving.state.accounts import people
from serving.state.accounts.links import account_of_link, make_link
from serving.state.accounts.sessions import begin_session, find_session
from serving.state.api_keys import add_key
from tests.experiments import prepare
from tests.serving.running import serving
from tests.training.trained import bundle

NOW = 2_000_000_000_000_000
"""Microseconds, in 2033: later than the system's clock."""


def backed_up(folder: Path, file: Path) -> Backup:
    with CliContext(folder).workspace() as workspace:
        return backup(workspace, COMMAND_LINE, file)


def restored(file: Path, folder: Path, reason: str | None = None) -> Restoration:
    place = ProjectFolder(
        folder, lambda: CliContext(folder).now if folder.exists() else 2_000_000_000_000_000
    )
    return restore(place, COMMAND_LINE, file, without_erasures=reason)


def erased(folder: Path, customer: str) -> ErasedCustomer:
    with CliContext(folder).workspace() as workspace:
        return erase(workspace, COMMAND_LINE, customer)


def scores_of(folder: Path, customer: str) -> Any:
    with CliContext(folder).workspace() as workspace:
        return stored_scores(workspace, COMMAND_LINE, [customer])


def knows(folder: Path, customer: str) -> bool:
    return bool(CliContext(folder).store.customers.keys(pa.array([customer]))[0] >= 0)


def test_a_restored_project_has_the_same_events_scores_models_and_settings(
    own_shop: Path, tmp_path: Path
) -> None:
    prepare(own_shop)
    registry = tracking(CliContext(own_shop).project)
    with registry.run("run") as run:
        registry.register(run, bundle())
    (own_shop / "playbook.toml").write_text("# ours\n", encoding="utf-8")
    file = tmp_path / "shop.kizuna"
    made = backed_up(own_shop, file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert made.size == file.stat().st_size
    again = tmp_path / "again"
    assert restored(file, again).data_version == CliContext(own_shop).store.version
    assert CliContext(again).store.version == CliContext(own_shop).store.version
    for name in ("kizuna.toml", "playbook.toml"):
        assert (again / name).read_bytes() == (own_shop / name).read_bytes()
    assert scores_of(again, "c0003") == scores_of(own_shop, "c0003")
    assert [one.version for one in tracking(CliContext(again).project).registered()] == ["1"]
    with CliContext(again).workspace() as workspace:
        (entry, *_) = audit(workspace, COMMAND_LINE).entries
    assert (entry.action, entry.details) == ("restore", "shop.kizuna; 0 erased again")


def test_an_archive_made_while_the_service_takes_events_holds_one_version(
    own_shop: Path, tmp_path: Path
) -> None:
    over = threading.Event()
    with CliContext(own_shop).records() as records:
        bearer = {"authorization": "Bearer " + add_key(records, "crm", ("score", "write"), 0, who="test")}
    with serving(own_shop) as running:

        def write() -> None:
            for number in range(1_000):
                if over.is_set():
                    return
                event = {
                    "occurred_at": "2025-02-01T10:00:00",
                    "kind": "purchase",
                    "event_id": f"live{number}",
                }
                body = {"customers": [{"customer_id": f"new{number}", "events": [event]}], "append": True}
                assert running.post("/v1/predict", body, bearer)[0] == 200

        writer = threading.Thread(target=write)
        writer.start()
        try:
            running.wait_for(lambda: knows(own_shop, "new0"))
            file = tmp_path / "busy.kizuna"
            made = backed_up(own_shop, file)
        finally:
            over.set()
            writer.join()
    again = tmp_path / "again"
    restored(file, again)
    store = CliContext(again).store
    assert store.version == made.data_version
    assert sum(history.events for history in store.histories()) == store.events
    database = sqlite3.connect(again / "state" / "kizuna.db")
    assert database.execute("pragma integrity_check").fetchone() == ("ok",)
    database.close()


def test_who_was_erased_since_is_erased_again_by_restoring(own_shop: Path, tmp_path: Path) -> None:
    file = tmp_path / "shop.kizuna"
    backed_up(own_shop, file)
    receipt = erased(own_shop, "c0003")
    assert [backup.file for backup in receipt.backups] == [str(file)]
    assert "c0003" not in (tmp_path / "shop.kizuna.erased.json").read_text()
    assert restored(file, tmp_path / "again").erased == 1
    assert not knows(tmp_path / "again", "c0003")
    assert knows(tmp_path / "again", "c0006")
    (own_shop / "kizuna.toml").unlink()
    (own_shop / "state" / "erased.json").unlink()
    assert restored(file, tmp_path / "third").erased == 1, "the list beside the archive says so too"


def test_a_copy_that_erases_nobody_leaves_the_list_of_the_original_alone(
    own_shop: Path, tmp_path: Path
) -> None:
    file, beside = tmp_path / "shop.kizuna", tmp_path / "shop.kizuna.erased.json"
    backed_up(own_shop, file)
    restored(file, tmp_path / "copy")
    erased(own_shop, "c0003")
    before = beside.read_bytes()
    erased(tmp_path / "copy", "c0006")
    assert beside.read_bytes() == before


def test_without_the_list_of_the_erased_it_takes_a_reason_that_is_audited(
    own_shop: Path, tmp_path: Path
) -> None:
    file = tmp_path / "shop.kizuna"
    backed_up(own_shop, file)
    own_shop.rename(tmp_path / "gone")
    (tmp_path / "shop.kizuna.erased.json").unlink()
    with pytest.raises(UsageError, match=r"who was erased since it was written is not known"):
        restored(file, tmp_path / "again")
    assert not (tmp_path / "again").exists()
    restored(file, tmp_path / "again", "the machine burnt down")
    with CliContext(tmp_path / "again").workspace() as workspace:
        (entry, *_) = audit(workspace, COMMAND_LINE).entries
    assert entry.details == "shop.kizuna; without erasures: the machine burnt down"


def test_an_archive_that_is_cut_short_or_taken_is_refused_and_leaves_nothing(
    own_shop: Path, tmp_path: Path
) -> None:
    file = tmp_path / "shop.kizuna"
    backed_up(own_shop, file)
    with pytest.raises(UsageError, match=r"it is there already"):
        backed_up(own_shop, file)
    half = tmp_path / "half.kizuna"
    half.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(DataError, match=r"cut short"):
        restored(half, tmp_path / "again")
    with pytest.raises(UsageError, match=r"it is not empty"):
        restored(file, own_shop)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"shop", "shop.kizuna", "shop.kizuna.erased.json", "half.kizuna"}
    assert json.loads((tmp_path / "shop.kizuna.erased.json").read_text()) == {"salt": "", "hashes": []}


def test_sessions_and_links_of_an_archive_open_nothing_once_restored(own_shop: Path, tmp_path: Path) -> None:
    with CliContext(own_shop).workspace() as workspace:
        people.add_account(workspace.database, "hanako", "viewer", 1, who="test", password_hash="hash")
        now, day = workspace.machine_now, 86_400_000_000
        _, link = make_link(workspace.database, "hanako", 1, now, day, who="test")
        token = begin_session(workspace.database, 1, "hanako", 1, now, day, address="", agent="")
    file = tmp_path / "shop.kizuna"
    backed_up(own_shop, file)
    restored(file, tmp_path / "again")
    for folder, is_open in ((own_shop, True), (tmp_path / "again", False)):
        with CliContext(folder).records() as records:
            assert (find_session(records, token, now + 1, day) is not None) is is_open
            assert people.password_hash_of(records, "hanako") == "hash"
    with CliContext(tmp_path / "again").records() as records, pytest.raises(UsageError, match="this link"):
        account_of_link(records, link, now + 1)
