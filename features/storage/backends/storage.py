"""The storage interface: where the files of a state lie, in a local folder or in an object store.

`LocalFolder` (`local_folder.py`) is a folder; `ObjectStore` (`object_store.py`) is a URL such as
`s3://bucket/prefix`. Names are relative to the storage, with slashes. New files are written in `folder`,
which is the storage itself or a working folder of this process, and become part of it with `add_file`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from features.errors import ConfigurationError
from features.storage.backends.object_file import RunFile, Span

SCHEMES = ("s3", "gs", "az")
"""Of the URLs of object stores: S3 and what speaks its protocol, Google Cloud Storage, Azure."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of a storage."""

    name: str
    size: int
    """Bytes."""
    modified: int
    """Milliseconds UTC."""
    tag: str
    """Another one whenever the content is another."""


class Storage(ABC):
    """Files under names; every method raises `FileNotFoundError` for a file that is not there.

    An object store raises `StoreAway` where it does not answer, `ConfigurationError` where it refuses.
    """

    location: str
    """The folder, or the URL."""
    options: dict[str, str] | None = None
    """What deltalake needs to open a table at `location`."""

    @property
    @abstractmethod
    def folder(self) -> Path:
        """The local folder that new files are written to."""

    @abstractmethod
    def below(self, name: str) -> Storage:
        """The storage of the files whose names begin with `name/`."""

    @abstractmethod
    def read(self, name: str) -> bytes:
        """A whole small file."""

    @abstractmethod
    def read_ranges(self, name: str, spans: Sequence[Span]) -> list[memoryview]:
        """The bytes of each span (begin, length) of a file, several at a time."""

    @abstractmethod
    def put(self, name: str, content: bytes) -> None:
        """Write a small file in one step, in the place of what was there."""

    @abstractmethod
    def put_if_absent(self, name: str, content: bytes) -> bool:
        """Write a small file where there is none; False where there was one, which stays."""

    @abstractmethod
    def add_file(self, name: str) -> int:
        """Make the file that was written at `folder / name` part of the storage, safely; gives its size."""

    @abstractmethod
    def upload(self, name: str, content: Path) -> str:
        """Write the content of a local file under a name, in one step; gives its tag (`StoredFile.tag`)."""

    @abstractmethod
    def download(self, name: str, target: Path) -> str:
        """Copy a file into a local one, which appears when it is whole; gives its tag."""

    @abstractmethod
    def local_copy(self, name: str) -> Path:
        """A file on this machine with the content: the file itself, or a copy that may go when a run ends."""

    @abstractmethod
    def run_file(self, name: str, size: int) -> RunFile:
        """A file of `size` bytes, to read parts of it where it lies."""

    @abstractmethod
    def delete(self, names: Iterable[str]) -> None:
        """Delete files; those that are gone already stay so."""

    @abstractmethod
    def files(self, prefix: str = "") -> Iterator[StoredFile]:
        """Every file whose name begins with `prefix`, a folder with its slash, in order of the names."""

    @abstractmethod
    def exists(self, name: str) -> bool:
        """Whether there is such a file."""

    @abstractmethod
    def is_table(self) -> bool:
        """Whether a Delta table lies here."""

    @abstractmethod
    def modified(self, name: str) -> int:
        """When a file was written, in milliseconds UTC."""

    @abstractmethod
    def copy_to(self, names: Iterable[str], folder: Path) -> None:
        """Put files, which never change, under the same names into a local folder."""

    @abstractmethod
    def forget_copies(self) -> None:
        """Delete the copies that this process has of files that lie elsewhere."""

    @abstractmethod
    def delete_old_versions(self) -> str | None:
        """Delete what a bucket with versioning keeps of earlier contents; says what could not be deleted."""

    @abstractmethod
    def probe(self) -> None:
        """Write twice where there is nothing; raises `ConfigurationError` for a storage that takes both."""

    @abstractmethod
    def errors(self) -> AbstractContextManager[None]:
        """Turns what libraries raise of the storage into errors that say what to do."""


def is_url(location: str) -> bool:
    """Whether a location is the URL of an object store."""
    return location.partition("://")[0] in SCHEMES and "://" in location


def open_storage(location: str | Path) -> Storage:
    """The storage of a folder, or of a URL; raises `ConfigurationError` for a URL that cannot be used."""
    from features.storage.backends.local_folder import LocalFolder

    if isinstance(location, Path):
        return LocalFolder(location)
    scheme, separator, rest = location.partition("://")
    if not separator:
        return LocalFolder(Path(location))
    if scheme == "file":
        return LocalFolder(Path(rest))
    if scheme not in SCHEMES:
        raise ConfigurationError(
            f"cannot keep the state in {location}: '{scheme}' is no kind of storage. "
            "Write a folder, or a URL that begins with s3://, gs:// or az://.",
            field="state",
        )
    try:
        from features.storage.backends.object_store import ObjectStore
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"cannot keep the state in {location}: the package {error.name} is not installed. "
            "Install it with `pip install 'kizuna[objectstore]'`.",
            field="state",
        ) from None
    return ObjectStore.open(location)
