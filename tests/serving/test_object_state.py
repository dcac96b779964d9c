"""A project whose state lies in an object store: the same answers, shared by machines, erased there too."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError

from features.errors import ConfigurationError, UsageError
from features.event_store import EventStore
from serving.api.live_state import ServiceState
from serving.application.data.doctor import doctor
from serving.application.data.erase import erase
from serving.application.lists.at_risk import list_at_risk
from serving.application.lists.make_plan import make_plan
from serving.application.operation.backup import backup
from serving.application.operation.restore import restore
from serving.application.permissions import COMMAND_LINE
from serving.application.workspace import ProjectFolder, open_workspace
from serving.cli.context import CliContext
from serving.jobs.runner import STARTS_WITHIN, job
from serving.lists.filters import ListFilter
from serving.state.database import Database
from serving.state.job_index import INTERRUPTED, RUNNING, JobRecord, add_job, save_running
from serving.state.remote.job_locks import job_lock
from serving.state.remote.state_files import StateFiles, delete, open_state_files
from serving.state.scores.score_file import load
from serving.state.scores.score_index import current_scores, scores_before
from tests.careless_store import careless_store
from tests.features.storage.test_linked_folder import BACKUP
from tests.object_server import ObjectServer, object_server
from tests.postgres_server import PostgresServer, postgres_server
from tests.serving import shop
from tests.serving.running import COMMAND, serving

NOW = 1_750_000_000_000_000


@pytest.fixture(scope="module")
def database() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


def machine(template: Path, folder: Path, url: str, records: str) -> Path:
    """A copy of a project that keeps its state at a URL."""
    shutil.copytree(template, folder, ignore=shutil.ignore_patterns("state"))
    toml = folder / "kizuna.toml"
    toml.write_text(f'state = "{url}"\nrecords = "{records}"\n' + toml.read_text())
    return folder


def test_a_state_on_s3_gives_the_same_list_and_plan_on_two_machines(
    scored_template: Path, tmp_path: Path, bucket: str, database: PostgresServer
) -> None:
    here, there = (machine(scored_template, tmp_path / name, bucket, database.url) for name in ("a", "b"))
    fill(here)
    with CliContext(here).workspace() as place:
        make_plan(place, COMMAND_LINE)
    with CliContext(scored_template).workspace() as place:
        expected = list_at_risk(place, COMMAND_LINE, ListFilter(limit=50))
        customers = list(expected.customers)
        version = place.store.version
    for folder in (here, there):
        with CliContext(folder).workspace() as place:
            assert place.store.version == version
            listed = list_at_risk(place, COMMAND_LINE, ListFilter(limit=50))
            assert listed.source == expected.source
            # The plan, which the shop on disk has not, adds what is planned for each.
            assert [(one.customer_id, one.churn_probability, one.reasons) for one in listed.customers] == [
                (one.customer_id, one.churn_probability, one.reasons) for one in customers
            ]
            assert listed.planned
    names = {name.rpartition("/")[2] for name in StateFiles(tmp_path / "none", bucket).names_in_store()}
    assert {path.name for path in (scored_template / "state").rglob("*.arrow")} <= names


def fill(folder: Path) -> None:
    """Ingest and score the shop in a state that others may read."""
    open_state_files(CliContext(folder).project)
    shop.ingest(folder)
    shop.score_all(folder, folder / "bundle")


@pytest.fixture
def versions(objects: ObjectServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a bucket that keeps every version of its objects."""
    for name, value in objects.environment().items():
        monkeypatch.setenv(name, value)
    return f"s3://{objects.bucket(versions=True)}/state"


@pytest.fixture
def own_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectServer]:
    """A server of the test's own: one that was stopped and started again is late to take policies."""
    with object_server() as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        yield server


def test_an_erased_customer_is_in_no_object_and_no_version(
    scored_template: Path, tmp_path: Path, versions: str, objects: ObjectServer, database: PostgresServer
) -> None:
    folder = machine(scored_template, tmp_path / "a", versions, database.url)
    fill(folder)
    customer = b"c0003"
    bucket, client = versions.split("/")[2], objects.client()
    assert customer in b"".join(everything(client, bucket))
    with CliContext(folder).workspace() as place:
        key = place.store.customers.all_keys("c0003")[0]
        make_plan(place, COMMAND_LINE)
        receipt = erase(place, COMMAND_LINE, "c0003")
        assert receipt.events > 0
        assert receipt.score_files == len(shop.DATES)
        assert not receipt.left_in
        assert any(name.startswith("events/bucket=") for name in receipt.checked)
        for file in place.project.scores.glob("*.arrow"):
            assert load(file).row(key) is None
    listed = client.list_object_versions(Bucket=bucket)
    assert not [one for one in listed["Versions"] if not one["IsLatest"]]
    assert not listed.get("DeleteMarkers")
    assert customer not in b"".join(everything(client, bucket))
    assert not [name for name in receipt.not_read if "versions" in name]


def everything(client: Any, bucket: str) -> Iterator[bytes]:
    """Every object in every version; of Parquet files their columns, which are compressed."""
    for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for one in page.get("Versions", ()):
            content = client.get_object(Bucket=bucket, Key=one["Key"], VersionId=one["VersionId"])[
                "Body"
            ].read()
            yield content
            if one["Key"].endswith(".parquet"):
                yield str(pq.read_table(pa.BufferReader(content)).to_pylist()).encode()


def deny(client: Any, bucket: str, *actions: str) -> None:
    """Let the server refuse these actions on the objects of a bucket; waits until it does."""
    statement = {
        "Sid": "keep",
        "Effect": "Deny",
        "Principal": "*",
        "Action": list(actions),
        "Resource": [f"arn:aws:s3:::{bucket}/*"],
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    client.put_bucket_policy(Bucket=bucket, Policy=policy)
    wait_for_policy(client, bucket, refuses=True)


def wait_for_policy(client: Any, bucket: str, *, refuses: bool) -> None:
    """Until the server, which reads policies in its own time, refuses to delete a version, or does it."""
    for _ in range(200):
        made = client.put_object(Bucket=bucket, Key="probe", Body=b"")
        try:
            client.delete_object(Bucket=bucket, Key="probe", VersionId=made["VersionId"])
            refused = False
        except ClientError:
            refused = True
        if refused == refuses:
            return
        time.sleep(0.05)
    raise AssertionError("the server does not take the policy")


def test_an_erasure_that_may_not_delete_fails_loudly_and_the_next_ends_it(
    scored_template: Path, tmp_path: Path, own_server: ObjectServer, database: PostgresServer
) -> None:
    bucket, client = own_server.bucket(versions=True), own_server.client()
    versions = f"s3://{bucket}/state"
    folder = machine(scored_template, tmp_path / "a", versions, database.url)
    fill(folder)
    deny(client, bucket, "s3:DeleteObject", "s3:DeleteObjectVersion")
    with (
        CliContext(folder).workspace() as place,
        pytest.raises(ConfigurationError, match="does not allow these credentials s3:DeleteObject"),
    ):
        erase(place, COMMAND_LINE, "c0003")
    client.delete_bucket_policy(Bucket=bucket)
    wait_for_policy(client, bucket, refuses=False)
    with CliContext(folder).workspace() as place:
        assert "c0003" in place.store.erased, "whoever is to be erased stays out already"
        erase(place, COMMAND_LINE, "c0003")
    assert b"c0003" not in b"".join(everything(client, bucket))


def test_the_service_goes_on_while_the_store_is_away_and_sees_what_another_machine_scored(
    scored_template: Path, tmp_path: Path, bucket: str, objects: ObjectServer, database: PostgresServer
) -> None:
    here, there = (machine(scored_template, tmp_path / name, bucket, database.url) for name in ("a", "b"))
    fill(here)
    request = {"customer_ids": ["c0003"]}
    with serving(there) as running:
        running.wait_for(lambda: running.ready().get("model_version") == "1")
        status, before = running.post("/v1/score", request)
        assert status == 200, before
        # A store that takes requests and answers none is worse than one that is not there.
        assert objects.process is not None
        objects.process.send_signal(signal.SIGSTOP)
        try:
            time.sleep(3)  # the watcher asks every second
            for _ in range(20):
                began = time.monotonic()
                assert running.post("/v1/score", request) == (200, before)
                assert time.monotonic() - began < 2
        finally:
            objects.process.send_signal(signal.SIGCONT)
        objects.stop()
        try:
            running.wait_for(lambda: "cannot reach the object store" in running.ready().get("trouble", ""))
            for _ in range(20):
                assert running.post("/v1/score", request) == (200, before)
        finally:
            objects.start()
        running.wait_for(lambda: "trouble" not in running.ready(), seconds=60)
        open_state_files(CliContext(here).project)
        shop.score_all(here, here / "bundle", "2")
        running.wait_for(lambda: running.ready()["model_version"] == "2", seconds=60)


def test_a_cursor_of_earlier_scores_that_are_not_on_this_machine_is_answered(
    scored_template: Path, tmp_path: Path, bucket: str, database: PostgresServer
) -> None:
    here, there = (machine(scored_template, tmp_path / name, bucket, database.url) for name in ("a", "b"))
    fill(here)
    call = CliContext(there)
    with closing(ServiceState(call.project, lambda: call.now, open_without_keys=True)) as state:
        current = current_scores(state.database)
        assert current is not None
        earlier = scores_before(state.database, current.as_of)
        assert earlier is not None
        (call.project.scores / earlier.file).unlink()  # fetched to be compared with; a file before it is not
        reader = state.of_file(earlier.file)
        assert reader.file == earlier.file
        delete(call.project.scores / earlier.file)
        with pytest.raises(UsageError, match="its scores are not kept any more"):
            state.of_file(earlier.file)


def test_doctor_refuses_a_store_without_conditional_writes(
    scored_template: Path, tmp_path: Path, database: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = machine(scored_template, tmp_path / "a", "s3://careless/doctor", database.url)
    with careless_store() as (endpoint, _):
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
            monkeypatch.setenv(name, "any")
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        with (
            CliContext(folder).workspace() as place,
            pytest.raises(ConfigurationError, match="the store ignores `If-None-Match"),
        ):
            doctor(place, COMMAND_LINE)


def test_features_on_a_cluster_from_s3_are_those_of_one_machine_from_disk(
    scored_template: Path, tmp_path: Path, bucket: str, database: PostgresServer
) -> None:
    folder = machine(scored_template, tmp_path / "a", bucket, database.url)
    fill(folder)
    rows = []
    for project, cluster in ((scored_template, "none"), (folder, "none"), (folder, "local:2")):
        output = tmp_path / f"{project.name}-{cluster[:5]}.parquet"
        words = ("features", "--as-of", "2025-02-01", "--output", str(output), "--cluster", cluster)
        subprocess.run([*COMMAND, "-C", str(project), *words], check=True, stdout=subprocess.DEVNULL)
        rows.append(output.read_bytes())
    assert rows[0] == rows[1] == rows[2]


def test_earlier_versions_that_the_bucket_keeps_are_named_in_the_receipt(
    scored_template: Path, tmp_path: Path, own_server: ObjectServer, database: PostgresServer
) -> None:
    bucket, client = own_server.bucket(versions=True), own_server.client()
    versions = f"s3://{bucket}/state"
    folder = machine(scored_template, tmp_path / "a", versions, database.url)
    fill(folder)
    deny(client, bucket, "s3:DeleteObjectVersion")
    with CliContext(folder).workspace() as place:
        receipt = erase(place, COMMAND_LINE, "c0003")
    (entry,) = [name for name in receipt.not_read if "earlier versions" in name]
    assert f"earlier versions of objects in {versions}" in entry
    assert "refused to delete" in entry or "does not allow" in entry
    assert b"c0003" in b"".join(everything(client, bucket)), "so the receipt has to say so"
    client.delete_bucket_policy(Bucket=bucket)
    wait_for_policy(client, bucket, refuses=False)
    with CliContext(folder).workspace() as place:
        again = erase(place, COMMAND_LINE, "c0003")
    assert not [name for name in again.not_read if "earlier versions" in name]
    assert b"c0003" not in b"".join(everything(client, bucket))


def test_a_job_of_another_machine_is_seen_to_live_and_to_have_ended(
    scored_template: Path, tmp_path: Path, bucket: str, database: PostgresServer
) -> None:
    here, there = (machine(scored_template, tmp_path / name, bucket, database.url) for name in ("a", "b"))
    fill(here)
    with open_workspace(CliContext(there).project, lambda: NOW, lambda: NOW).database as records:
        row = JobRecord("0" * 16, "report", "{}", "aki", "person", (), NOW - 10 * STARTS_WITHIN)
        assert add_job(records, row, (), NOW)
        assert save_running(records, row.id, 1, NOW)
    place = open_workspace(CliContext(here).project, lambda: NOW, lambda: NOW)
    with place.database, Database(database.url) as elsewhere:
        with job_lock(CliContext(there).project, elsewhere, row.id):
            assert job(place, COMMAND_LINE, row.id).state == RUNNING
        assert job(place, COMMAND_LINE, row.id).state == INTERRUPTED


def test_a_backup_has_everything_and_is_not_restored_over_the_state_in_use(
    scored_template: Path, tmp_path: Path, bucket: str, database: PostgresServer
) -> None:
    folder = machine(scored_template, tmp_path / "a", bucket, database.url)
    fill(folder)
    archive = tmp_path / "shop.tgz"
    with CliContext(folder).workspace() as place:
        backup(place, COMMAND_LINE, archive)
        version = place.store.version
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path / "unpacked", filter="data")
    state = tmp_path / "unpacked/state"
    assert EventStore(state).version == version
    assert len(list((state / "scores").glob("*.arrow"))) == len(shop.DATES)
    assert not list(state.glob("state*")), "no file of the copies' own"
    with pytest.raises(UsageError) as refused:
        restore(ProjectFolder(tmp_path / "back", lambda: NOW), COMMAND_LINE, archive)
    assert refused.value.message == (
        f"cannot restore {archive}: its kizuna.toml keeps the state in {bucket}, where the state in use may "
        "be. Unpack the archive with `tar -xzf`, and let `state` in project/kizuna.toml name the unpacked "
        f"folder. Customers who were erased since are in the archive: put {bucket}/erased.json, the list of "
        "their hashes, into that folder, and erase them again."
    )


def test_copies_that_a_killed_backup_left_are_deleted_when_the_state_is_next_opened(
    scored_template: Path, tmp_path: Path, bucket: str, database: PostgresServer
) -> None:
    project = CliContext(machine(scored_template, tmp_path / "a", bucket, database.url)).project
    open_state_files(project)
    command = [sys.executable, "-c", BACKUP, str(project.state)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        linked = Path(running.stdout.readline().strip())
        open_state_files(project)
        assert (linked / "rows").is_file(), "the backup still reads it"
        running.kill()
    assert (linked / "rows").is_file()
    open_state_files(project)
    assert not linked.exists()
