"""Storage in an object store: S3 and what speaks its protocol, Google Cloud Storage, Azure, by one library.

The one module that imports obstore. Credentials, region and endpoint come from the environment, under the
names that deltalake reads too (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`, …: docs/scale.md).
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import obstore
from deltalake.exceptions import DeltaError
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import from_url

from features.errors import ConfigurationError
from features.storage.backends.object_file import AT_ONCE, ObjectFile, Span
from features.storage.backends.storage import Storage, StoredFile
from features.storage.backends.store_errors import answered
from features.storage.backends.working_folder import WorkingFolder

ERRORS = (BaseError, DeltaError, OSError)
"""What obstore and deltalake raise."""
TRIES, TRY_SECONDS, REQUEST_SECONDS, CONNECT_SECONDS = 3, 15, 60, 5
"""How often and how long a request is tried again, and how long one may take."""
PART = 1 << 24
"""Bytes of a part of an upload."""
DELETED_AT_ONCE = 1000
PREFIXES = ("AWS_", "GOOGLE_", "AZURE_")
"""Of the environment variables that say how stores are reached."""


class ObjectStore(Storage):
    """The objects of a bucket whose keys begin with a prefix."""

    def __init__(self, root: str, inside: str, store: Any, work: WorkingFolder) -> None:
        self._root, self._inside, self._store, self._work = root, inside, store, work
        self.location = f"{root}/{inside}".rstrip("/")
        self.options = _delta_options()

    @staticmethod
    def open(url: str) -> ObjectStore:
        """The store of a URL `scheme://bucket/prefix`."""
        url = url.rstrip("/")
        settings = tuple(
            sorted((name, text) for name, text in os.environ.items() if name.startswith(PREFIXES))
        )
        with answered(url, (*ERRORS, ValueError)):
            return ObjectStore(url, "", _client(url, settings), WorkingFolder())

    @property
    def folder(self) -> Path:
        return self._work.path / self._inside

    def below(self, name: str) -> ObjectStore:
        return ObjectStore(self._root, f"{self._inside}{name}/", self._store, self._work)

    def read(self, name: str) -> bytes:
        with self.errors():
            return bytes(obstore.get(self._store, self._key(name)).bytes())

    def read_ranges(self, name: str, spans: Sequence[Span]) -> list[memoryview]:
        starts, lengths = [begin for begin, _ in spans], [length for _, length in spans]
        with self.errors():
            parts = obstore.get_ranges(self._store, self._key(name), starts=starts, lengths=lengths)
        return [memoryview(part) for part in parts]

    def put(self, name: str, content: bytes) -> None:
        with self.errors():
            obstore.put(self._store, self._key(name), content)

    def put_if_absent(self, name: str, content: bytes) -> bool:
        with self.errors():
            try:
                obstore.put(self._store, self._key(name), content, mode="create")
            except AlreadyExistsError:
                return False
        return True

    def add_file(self, name: str) -> int:
        self.upload(name, self.folder / name)
        return (self.folder / name).stat().st_size

    def upload(self, name: str, content: Path) -> str:
        with self.errors():
            written = obstore.put(self._store, self._key(name), content, chunk_size=PART)
        return written["e_tag"] or ""

    def local_copy(self, name: str) -> Path:
        target = self.folder / name
        if not target.exists():
            self.download(name, target)
        return target

    def run_file(self, name: str, size: int) -> ObjectFile:
        return ObjectFile(self, name, size)

    def delete(self, names: Iterable[str]) -> None:
        keys = [self._key(name) for name in names]
        with self.errors():
            for first in range(0, len(keys), DELETED_AT_ONCE):
                obstore.delete(self._store, keys[first : first + DELETED_AT_ONCE])

    def files(self, prefix: str = "") -> Iterator[StoredFile]:
        # A listing takes whole folders: what follows the last slash is compared here.
        with self.errors():
            found = [
                entry
                for page in obstore.list(self._store, self._key(prefix.rpartition("/")[0]) or None)
                for entry in page
            ]
        for entry in sorted(found, key=lambda entry: entry["path"]):
            name = entry["path"].removeprefix(self._inside)
            if name.startswith(prefix):
                modified = int(entry["last_modified"].timestamp() * 1000)
                yield StoredFile(name, entry["size"], modified, entry["e_tag"] or str(modified))

    def exists(self, name: str) -> bool:
        try:
            with self.errors():
                obstore.head(self._store, self._key(name))
        except FileNotFoundError:
            return False
        return True

    def is_table(self) -> bool:
        # Not `DeltaTable.is_deltatable`: while it waits for the store, no thread of the process runs.
        with self.errors():
            return any(page for page in obstore.list(self._store, self._key("_delta_log"), chunk_size=1))

    def modified(self, name: str) -> int:
        copy = self.folder / name
        if copy.exists():
            return int(copy.stat().st_mtime * 1000)
        with self.errors():
            return int(obstore.head(self._store, self._key(name))["last_modified"].timestamp() * 1000)

    def copy_to(self, names: Iterable[str], folder: Path) -> None:
        for name in names:
            self.download(name, folder / name)

    def forget_copies(self) -> None:
        self._work.empty()

    def delete_old_versions(self) -> str | None:
        from features.storage.backends.object_versions import delete_old_versions

        return delete_old_versions(self.location)

    def errors(self) -> AbstractContextManager[None]:
        return answered(self.location, ERRORS)

    def probe(self) -> None:
        """Write one object twice on the condition that there is none; the second must be refused.

        Raises `ConfigurationError` for a store that takes both: there two writers would each believe that
        their commit is the next, and one would be lost.
        """
        name = f"probe-{uuid.uuid4().hex}"
        self.put_if_absent(name, b"1")
        try:
            again = self.put_if_absent(name, b"2")
        finally:
            self.delete([name])
        if again:
            raise ConfigurationError(
                f"cannot keep the state in {self.location}: the store ignores `If-None-Match: *` (it took "
                "one object twice), so that writers would lose each other's commits. Use a store with "
                "conditional writes, such as Amazon S3, Google Cloud Storage, Azure, MinIO or SeaweedFS.",
                field="state",
            )

    def _key(self, name: str) -> str:
        return f"{self._inside}{name}"

    def download(self, name: str, target: Path) -> str:
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}")
        try:
            with unfinished.open("wb") as file, self.errors():
                answer = obstore.get(self._store, self._key(name))
                for part in answer.stream(min_chunk_size=AT_ONCE):
                    file.write(part)
            unfinished.replace(target)
            return answer.meta["e_tag"] or ""
        finally:
            unfinished.unlink(missing_ok=True)


@lru_cache(maxsize=8)
def _client(url: str, settings: tuple[tuple[str, str], ...]) -> Any:
    """obstore's client, with its connections; another one when the environment says something else."""
    client: Any = {
        "timeout": timedelta(seconds=REQUEST_SECONDS),
        "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
        "allow_http": _plain_http(dict(settings)),
    }
    retry: Any = {"max_retries": TRIES, "retry_timeout": timedelta(seconds=TRY_SECONDS)}
    return from_url(url, client_options=client, retry_config=retry)


def _delta_options() -> dict[str, str]:
    return {
        "allow_http": str(_plain_http(os.environ)).lower(),
        "timeout": f"{REQUEST_SECONDS}s",
        "connect_timeout": f"{CONNECT_SECONDS}s",
        "max_retries": str(TRIES),
        "retry_timeout": f"{TRY_SECONDS}s",
    }


def _plain_http(environment: Any) -> bool:
    """Whether an endpoint is given that speaks HTTP without TLS: then it is meant."""
    endpoints = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT", "AZURE_STORAGE_ENDPOINT")
    return any(str(environment.get(name, "")).startswith("http://") for name in endpoints)
