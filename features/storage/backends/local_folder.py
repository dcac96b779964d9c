"""Storage in a local folder: paths, hard links, and files that last through a power cut."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from deltalake import DeltaTable

from features.storage.backends.object_file import Span
from features.storage.backends.storage import Storage, StoredFile


class LocalFolder(Storage):
    """The files below a folder, which is made when the first is written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.location = str(folder)

    @property
    def folder(self) -> Path:
        return self._folder

    def below(self, name: str) -> LocalFolder:
        return LocalFolder(self._folder / name)

    def read(self, name: str) -> bytes:
        return (self._folder / name).read_bytes()

    def read_ranges(self, name: str, spans: Sequence[Span]) -> list[memoryview]:
        with (self._folder / name).open("rb") as file:
            return [memoryview(os.pread(file.fileno(), length, begin)) for begin, length in spans]

    def put(self, name: str, content: bytes) -> None:
        self._unfinished(name, content).replace(self._folder / name)

    def put_if_absent(self, name: str, content: bytes) -> bool:
        unfinished = self._unfinished(name, content)
        try:
            os.link(unfinished, self._folder / name)
        except FileExistsError:
            return False
        finally:
            unfinished.unlink()
        return True

    def add_file(self, name: str) -> int:
        with (self._folder / name).open("rb") as stream:
            os.fsync(stream.fileno())
            return os.fstat(stream.fileno()).st_size

    def upload(self, name: str, content: Path) -> str:
        self.put(name, content.read_bytes())
        return _tag(self._folder / name)

    def download(self, name: str, target: Path) -> str:
        LocalFolder(target.parent).put(target.name, self.read(name))
        return _tag(self._folder / name)

    def local_copy(self, name: str) -> Path:
        return self._folder / name

    def run_file(self, name: str, size: int) -> Path:  # noqa: ARG002 # an object store needs the size
        return self._folder / name

    def delete(self, names: Iterable[str]) -> None:
        for name in names:
            (self._folder / name).unlink(missing_ok=True)

    def files(self, prefix: str = "") -> Iterator[StoredFile]:
        for path in sorted((self._folder / prefix).glob("**/*")):
            if path.is_file():
                known = path.stat()
                name = path.relative_to(self._folder).as_posix()
                yield StoredFile(name, known.st_size, known.st_mtime_ns // 1_000_000, _tag(path))

    def exists(self, name: str) -> bool:
        return (self._folder / name).exists()

    def is_table(self) -> bool:
        return bool(DeltaTable.is_deltatable(self.location))

    def modified(self, name: str) -> int:
        return int((self._folder / name).stat().st_mtime * 1000)

    def copy_to(self, names: Iterable[str], folder: Path) -> None:
        for name in names:
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(self._folder / name, target)

    def forget_copies(self) -> None:
        """Nothing: the files lie here themselves."""

    def delete_old_versions(self) -> str | None:
        return None

    def probe(self) -> None:
        """Nothing: a hard link is made once."""

    def errors(self) -> AbstractContextManager[None]:
        return nullcontext()

    def _unfinished(self, name: str, content: bytes) -> Path:
        """A file beside the one that it shall become, safe on disk."""
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.new")
        with unfinished.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        return unfinished


def _tag(path: Path) -> str:
    return str(path.stat().st_mtime_ns)
