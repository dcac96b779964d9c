"""The storage interface: the same suite on a folder and on S3, and how much of a file is read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from features.errors import ConfigurationError
from features.event_store import EventStore
from features.storage import history_reader
from features.storage.backends.object_file import ObjectFile, Span, joined_spans
from features.storage.backends.storage import Storage, open_storage
from tests.features.storage.backends.test_object_store import NOW, UTC_TIME, many, same


@pytest.fixture(params=["folder", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    """An empty storage of each kind."""
    if request.param == "folder":
        return open_storage(tmp_path / "state")
    return open_storage(request.getfixturevalue("bucket"))


def test_what_is_put_is_read_listed_and_deleted(storage: Storage) -> None:
    assert not list(storage.files())
    storage.put("a/one", b"first")
    storage.put("a/one", b"0123456789")
    storage.put("b=3/two", b"x")
    assert storage.read("a/one") == b"0123456789"
    assert storage.exists("a/one")
    assert [(file.name, file.size) for file in storage.files()] == [("a/one", 10), ("b=3/two", 1)]
    assert [file.name for file in storage.files("a/")] == ["a/one"]
    assert [file.name for file in storage.below("a").files()] == ["one"]
    assert [bytes(part) for part in storage.read_ranges("a/one", [(7, 2), (0, 1)])] == [b"78", b"0"]
    assert abs(storage.modified("a/one") - next(storage.files("a/")).modified) < 1_000
    storage.delete(["a/one", "gone"])
    assert not storage.exists("a/one")
    with pytest.raises(FileNotFoundError):
        storage.read("a/one")


def test_a_file_is_put_only_where_none_is(storage: Storage) -> None:
    assert storage.put_if_absent("lock", b"mine")
    assert not storage.put_if_absent("lock", b"theirs")
    assert storage.read("lock") == b"mine"
    storage.probe()
    assert [file.name for file in storage.files()] == ["lock"]


def test_a_file_is_uploaded_and_downloaded_under_one_tag(storage: Storage, tmp_path: Path) -> None:
    content = np.random.default_rng(1).bytes(40_000_000 if "s3" in storage.location else 1_000)
    (tmp_path / "file").write_bytes(content)
    tag = storage.upload("large", tmp_path / "file")
    assert next(storage.files()).tag == tag
    assert storage.download("large", tmp_path / "back/file") == tag
    assert (tmp_path / "back/file").read_bytes() == content
    assert [path.name for path in (tmp_path / "back").iterdir()] == ["file"]


def test_other_kinds_of_storage_are_refused() -> None:
    with pytest.raises(ConfigurationError) as refused:
        open_storage("ftp://host/state")
    assert refused.value.message == (
        "cannot keep the state in ftp://host/state: 'ftp' is no kind of storage. Write a folder, or a URL "
        "that begins with s3://, gs:// or az://."
    )


def test_neighbouring_spans_are_read_in_one_request() -> None:
    assert joined_spans([(100, 10), (0, 50), (55, 5), (300, 0), (58, 40)], 5) == [(0, 110)]
    assert joined_spans([(0, 10), (16, 4)], 5) == [(0, 10), (16, 4)]


class CountedFile:
    """A file on disk that is read as one in an object store, and counts what is read."""

    def __init__(self, folder: Path) -> None:
        self.location, self._storage = str(folder), open_storage(folder)
        self.requests, self.bytes = 0, 0

    def read_ranges(self, name: str, spans: Sequence[Span]) -> list[memoryview]:
        self.requests += len(spans)
        self.bytes += sum(length for _, length in spans)
        return self._storage.read_ranges(name, spans)


def test_one_customers_history_reads_a_row_group_and_not_the_bucket(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    store = EventStore(tmp_path, buckets=1)
    store.add(many(rng, 3_000, 1_000_000), source="orders", timeline=UTC_TIME, now=NOW)
    (path,) = (tmp_path / "events").glob("bucket=0/*.parquet")
    size = path.stat().st_size
    counted = CountedFile(path.parent)
    file = ObjectFile(counted, path.name, size)
    wanted = np.array([1_500])
    same(history_reader.history([path], wanted=wanted), history_reader.history([file], wanted=wanted))
    assert counted.bytes < size / 6
    assert counted.requests <= 4
    again = counted.requests
    history_reader.history([file], wanted=wanted)
    assert counted.requests - again <= 2, "the footer is kept"
