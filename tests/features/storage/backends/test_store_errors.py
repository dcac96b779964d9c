"""Bad days of an object store: each is one sentence that says what to do, and nothing is half-written."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest

from features.errors import ConfigurationError, DamagedFile, DataError, StoreAway
from features.event_store import EventStore
from features.storage import sorted_run
from features.storage.backends import object_store
from features.storage.backends.storage import open_storage
from features.storage.backends.store_errors import translated
from features.storage.string_dictionary import StringDictionary
from tests.careless_store import careless_store
from tests.features.storage.backends.test_object_store import NOW, UTC_TIME, many
from tests.object_server import READER, READER_SECRET, ObjectServer, ThreadLock


def refusal(url: str) -> str:
    """What a store says that does not accept the first event."""
    with pytest.raises(ConfigurationError) as refused:
        EventStore(url, writers=ThreadLock()).add(
            many(np.random.default_rng(1), rows=5), source="orders", timeline=UTC_TIME, now=NOW
        )
    return refused.value.message


def test_wrong_credentials_are_named(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    assert refusal(bucket) == (
        f"cannot use {bucket}/events: the store does not accept the credentials (SignatureDoesNotMatch). "
        "Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
    )
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    assert "does not accept the credentials (InvalidAccessKeyId)" in refusal(bucket)


def test_a_bucket_that_is_not_there_is_named(bucket: str) -> None:
    with pytest.raises(ConfigurationError, match="there is no bucket 'kizuna-none'"):
        open_storage("s3://kizuna-none/state").read("x")


def test_credentials_that_may_only_read_are_told_which_permission_they_lack(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", READER)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", READER_SECRET)
    assert refusal(bucket) == (
        f"cannot use {bucket}: the store does not allow these credentials s3:PutObject. "
        "Give them that permission on the bucket."
    )


def test_a_store_that_is_away_is_named_within_seconds(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{nobody.getsockname()[1]}")
        with pytest.raises(StoreAway) as refused:
            EventStore(bucket)
    assert refused.value.message == (
        f"cannot reach the object store at {bucket}/events (no connection). Try again when it answers."
    )


def test_a_clock_that_is_off_is_named() -> None:
    answer = OSError("status code: 403 Forbidden: <Error><Code>RequestTimeTooSkewed</Code></Error>")
    known = translated("s3://bucket/state", answer)
    assert known is not None
    assert known.message == (
        "cannot use s3://bucket/state: the clock of this machine is too far from the store's for it to "
        "accept a signature. Set the clock right."
    )


def test_a_store_that_takes_both_of_two_conditional_writes_is_refused_before_anything_is_stored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with careless_store() as (endpoint, names):
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        assert refusal("s3://careless/state") == (
            "cannot keep the state in s3://careless/state: the store ignores `If-None-Match: *` (it took one "
            "object twice), so that writers would lose each other's commits. Use a store with conditional "
            "writes, such as Amazon S3, Google Cloud Storage, Azure, MinIO or SeaweedFS."
        )
        assert not names


def test_without_a_lock_nothing_is_written(bucket: str) -> None:
    with pytest.raises(ConfigurationError, match="Give `records` a PostgreSQL URL"):
        EventStore(bucket).add(
            many(np.random.default_rng(1), rows=5), source="orders", timeline=UTC_TIME, now=NOW
        )
    assert list(open_storage(bucket).files()) == []


def test_a_commit_without_the_lock_is_refused_and_the_next_run_cleans_up(bucket: str, tmp_path: Path) -> None:
    class Lost(ThreadLock):
        @contextmanager
        def held(self, _: object) -> Iterator[object]:  # type: ignore[override]
            yield lambda: False

    rows = many(np.random.default_rng(1), rows=50)
    local = EventStore(tmp_path / "state")
    local.add(rows, source="orders", timeline=UTC_TIME, now=NOW)
    with pytest.raises(DataError, match="the lock for writing was lost"):
        EventStore(bucket, writers=Lost()).add(rows, source="orders", timeline=UTC_TIME, now=NOW)  # type: ignore[arg-type]
    left = [file.name for file in open_storage(bucket).files() if file.name.endswith(".parquet")]
    assert left, "the run had written files"
    store = EventStore(bucket, writers=ThreadLock())
    store.add(rows, source="orders", timeline=UTC_TIME, now=NOW)
    assert (store.events, store.version) == (local.events, local.version)
    after = {file.name for file in open_storage(bucket).files()}
    assert not after.intersection(left)


def test_a_file_that_is_gone_is_damage_only_where_the_newest_version_names_it(
    bucket: str, rng: np.random.Generator
) -> None:
    store = EventStore(bucket, buckets=1, writers=ThreadLock())
    store.add(many(rng), source="orders", timeline=UTC_TIME, now=NOW)
    (name,) = store.files_of(0)
    file = store._events.run_file(store._snapshot().files[0])
    store.place.storage.below("events").delete([name])
    with pytest.raises(FileNotFoundError):  # a version that was replaced meanwhile: reading again helps
        sorted_run.read(file, StringDictionary())
    with pytest.raises(DamagedFile, match="it is missing"):
        EventStore(bucket).history(0)


def test_an_upload_that_is_cut_off_leaves_nothing_and_is_said(
    bucket: str, objects: ObjectServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with cutting_proxy(objects.ports["s3"], after=1 << 20) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        monkeypatch.setattr(object_store, "TRY_SECONDS", 1)
        storage = open_storage(bucket)
        large = tmp_path / "large"
        large.write_bytes(b"x" * (3 << 20))
        with pytest.raises(StoreAway):
            storage.upload("large", large)
    monkeypatch.setenv("AWS_ENDPOINT_URL", objects.endpoint)
    assert not open_storage(bucket).exists("large")


@contextmanager
def cutting_proxy(port: int, after: int) -> Iterator[str]:
    """A relay to a port of this machine that closes every connection which sent more than `after` bytes."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []

    def answers(server: socket.socket, client: socket.socket) -> None:
        try:
            while part := server.recv(65_536):
                client.sendall(part)
        except OSError:
            pass

    def relay(client: socket.socket) -> None:
        passed = 0
        with client, socket.create_connection(("127.0.0.1", port)) as server:
            back = threading.Thread(target=answers, args=(server, client))
            back.start()
            try:
                while part := client.recv(65_536):
                    passed += len(part)
                    if passed > after:
                        break
                    server.sendall(part)
            except OSError:
                pass
            for one in (server, client):
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
            back.join()

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threads.append(threading.Thread(target=relay, args=(client,)))
            threads[-1].start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join()
        for one in threads:
            one.join()
