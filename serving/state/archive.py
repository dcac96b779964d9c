"""Archives of a project: one file with its events, records, models, scores and plans, and its settings.

    manifest.json   format, instant, data version, and where the project was
    state/          the event tables at one version, kizuna.db, scores, plans, bundles, the promotion log
    project/        kizuna.toml, playbook.toml, mlruns/ (MLflow's database and artifacts), …

SQLite files are copied through SQLite's backup interface while others write. An archive holds names: only
its owner may read it.
"""

from __future__ import annotations

import io
import json
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from features.errors import DataError, UsageError
from features.privacy.suppression_list import FILE as ERASED
from serving.state.atomic_write import in_one_step
from serving.state.backups import BackupRecord

FORMAT = 1
MANIFEST = "manifest.json"
STORE = ("events", "customers", "aliases", "quarantine", ERASED)
"""What of the state folder the event store copies itself, at one version."""
PASSING = (".lock", "-wal", "-shm", "-journal")
"""Ends of names of files that belong to a running process."""
NOBODY_ERASED = b'{"salt": "", "hashes": []}'


@dataclass(frozen=True)
class Manifest:
    """What an archive says of itself."""

    made_at: int
    """Microseconds UTC."""
    data_version: str
    project: str
    """The folder of the project that it was made from."""
    state: str
    """The folder of its state."""
    format: int = FORMAT


def write_archive(file: Path, manifest: Manifest, parts: list[tuple[str, Path]]) -> int:
    """Write an archive of files and folders, each under a name; says its size in bytes.

    It appears under its name when it is whole. Raises `UsageError` where the name is taken.
    """
    if file.exists():
        raise UsageError(f"cannot back up into {file}: it is there already. Give another name.")
    with in_one_step(file, mode=0o600) as unfinished:
        with tarfile.open(unfinished, "w:gz", compresslevel=1) as archive:
            content = json.dumps(asdict(manifest)).encode()
            entry = tarfile.TarInfo(MANIFEST)
            entry.size, entry.mode = len(content), 0o600
            archive.addfile(entry, io.BytesIO(content))
            for name, source in parts:
                _add(archive, name, source)
        return unfinished.stat().st_size


def _add(archive: tarfile.TarFile, name: str, source: Path) -> None:
    """A file or everything below a folder; SQLite files as SQLite says they are at this moment."""
    if source.is_dir():
        for inner in sorted(source.iterdir()):
            if not inner.name.startswith(".") and not inner.name.endswith(PASSING):
                _add(archive, f"{name}/{inner.name}", inner)
        return
    if source.is_symlink():
        return
    try:
        if is_sqlite(source):
            with tempfile.TemporaryDirectory(prefix="kizuna-backup-") as place:
                copy = Path(place) / source.name
                copy_sqlite(source, copy)
                archive.add(copy, name)
        else:
            archive.add(source, name, recursive=False)
    except FileNotFoundError:
        return  # deleted meanwhile: a temporary file of a running process, or an erased customer's


def is_sqlite(file: Path) -> bool:
    """Whether a file begins as a SQLite database does."""
    with file.open("rb") as opened:
        return opened.read(16) == b"SQLite format 3\x00"


def copy_sqlite(source: Path, target: Path) -> None:
    """A consistent copy of a database that others may be writing."""
    with closing(sqlite3.connect(source)) as original, closing(sqlite3.connect(target)) as copy:
        original.backup(copy)


@contextmanager
def extracted(file: Path, near: Path) -> Iterator[tuple[Manifest, Path]]:
    """An archive's manifest and a temporary folder beside `near` with its content.

    Raises `UsageError` for a file that is no archive of Kizuna, `DataError` for one that is cut short.
    """
    place = Path(tempfile.mkdtemp(prefix=".restoring-", dir=near.parent))
    try:
        try:
            with tarfile.open(file, "r:gz") as archive:
                archive.extractall(place, filter="data")
        except FileNotFoundError:
            raise UsageError(f"cannot restore {file}: there is no such file.") from None
        except (tarfile.TarError, EOFError, OSError) as error:
            raise DataError(
                f"cannot restore {file}: it is no archive of `kizuna backup`, or it is cut short ({error}). "
                "Use another archive."
            ) from None
        yield _manifest(file, place), place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _manifest(file: Path, place: Path) -> Manifest:
    try:
        manifest = Manifest(**json.loads((place / MANIFEST).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        raise DataError(
            f"cannot restore {file}: it has no {MANIFEST}, so it is no archive of `kizuna backup`. "
            "Use another archive."
        ) from None
    if manifest.format != FORMAT:
        raise DataError(
            f"cannot restore {file}: it has the format {manifest.format}, and this version reads {FORMAT}. "
            "Restore it with the version of Kizuna that wrote it."
        )
    return manifest


def list_beside(file: Path) -> Path:
    """The file beside an archive that says, as hashes, who was erased since."""
    return file.with_name(f"{file.name}.{ERASED}")


def update_lists_beside(state: Path, backups: Iterable[BackupRecord]) -> None:
    """Put a project's suppression list beside every archive of it that is still where it was written.

    An archive of another project is left alone: a restored copy knows the archives of the original,
    whose list is newer. A project that is not where it was any more was moved here.
    """
    source = state / ERASED
    content = source.read_bytes() if source.is_file() else NOBODY_ERASED
    for backup in backups:
        archive = Path(backup.file)
        ours = Path(backup.state) == state.resolve() or not Path(backup.state).is_dir()
        if ours and archive.is_file():
            try:
                _write_private(list_beside(archive), content)
            except OSError:
                continue  # another machine's, or write-protected


def _write_private(file: Path, content: bytes) -> None:
    with in_one_step(file, mode=0o600) as unfinished:
        unfinished.write_bytes(content)
