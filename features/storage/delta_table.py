"""A Delta table whose files Kizuna writes itself, to control their order, statistics and log.

The log names files and counts rows; it holds no statistics of any column, and so no identity.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable
from deltalake import Field as DeltaField
from deltalake.transaction import AddAction, RemoveAction

from features.storage.linked_folder import sweep_linked_folders

_RECORD = "kizuna"
KEPT_HOURS = 24
"""How long a replaced file stays for those who are still reading it."""


@dataclass(frozen=True)
class File:
    """A file of a table."""

    path: str
    """Relative to the table's folder."""
    rows: int
    size: int
    bucket: int | None = None

    @property
    def partition(self) -> dict[str, str | None]:
        return {} if self.bucket is None else {"bucket": str(self.bucket)}


@dataclass(frozen=True)
class TableVersion:
    """What a table holds at one version."""

    version: int
    files: tuple[File, ...] = ()
    configuration: dict[str, str] = field(default_factory=dict)

    @cached_property
    def by_bucket(self) -> dict[int, list[File]]:
        """The files of each bucket, longest first."""
        found: dict[int, list[File]] = {}
        for file in sorted(self.files, key=lambda file: (-file.rows, file.path)):
            found.setdefault(file.bucket or 0, []).append(file)
        return found


class Lake:
    """A Delta table in a folder."""

    def __init__(self, folder: Path, schema: pa.Schema, *, buckets: int | None = None) -> None:
        self.folder = folder
        self._plain = pa.schema(
            [
                (column.name, column.type.value_type if pa.types.is_dictionary(column.type) else column.type)
                for column in schema
            ]
        )
        self._buckets = buckets
        self._table: DeltaTable | None = None
        self._latest: TableVersion | None = None

    def snapshot(self) -> TableVersion | None:
        """The newest version, or None where there is no table yet."""
        if self._table is None:
            if not DeltaTable.is_deltatable(str(self.folder)):
                return None
            self._table = DeltaTable(str(self.folder))
        else:
            self._table.update_incremental()
        version = self._table.version()
        if self._latest is None or self._latest.version != version:
            actions = pa.RecordBatchReader.from_stream(self._table.get_add_actions(flatten=True)).read_all()
            buckets = (
                [None] * actions.num_rows
                if self._buckets is None
                else [int(bucket) for bucket in actions.column("partition.bucket").to_pylist()]
            )
            paths, sizes = actions.column("path").to_pylist(), actions.column("size_bytes").to_pylist()
            counts = actions.column("num_records").to_pylist()
            files = tuple(File(*row) for row in zip(paths, counts, sizes, buckets, strict=True))
            configuration = dict(self._table.metadata().configuration)
            self._latest = TableVersion(version, files, configuration)
        return self._latest

    def record(self) -> dict[str, Any]:
        """The record that our newest commit wrote beside its files."""
        if self.snapshot() is None or self._table is None:
            return {}
        for entry in self._table.history():
            if _RECORD in entry:
                noted: dict[str, Any] = json.loads(entry[_RECORD])
                return noted
        return {}

    def path(self, file: File) -> Path:
        return self.folder / file.path

    def new_path(self, run: str, bucket: int | None = None) -> str:
        """Where a new file goes; its name tells the run that wrote it."""
        name = f"{run}-{uuid.uuid4().hex[:12]}.parquet"
        return name if bucket is None else f"bucket={bucket}/{name}"

    def written(self, path: str, rows: int, bucket: int | None = None) -> File:
        """The file that now lies at `path`, safe on disk."""
        with (self.folder / path).open("rb") as stream:
            os.fsync(stream.fileno())
        return File(path, rows, (self.folder / path).stat().st_size, bucket)

    def write(self, run: str, table: pa.Table) -> File:
        """Write a small table as one file."""
        path = self.new_path(run)
        self.folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, self.folder / path, compression="zstd", write_statistics=False)
        return self.written(path, table.num_rows)

    def commit(
        self, added: Sequence[File], removed: Sequence[File] = (), record: dict[str, Any] | None = None
    ) -> None:
        """Add and remove files in one atomic step; nothing to do is no commit."""
        if not added and not removed and record is None:
            return
        schema = self._plain
        if self._buckets is not None:
            schema = schema.insert(0, pa.field("bucket", pa.int32()))
        partition = None if self._buckets is None else ["bucket"]
        if self.snapshot() is None:
            configuration = {
                "delta.dataSkippingNumIndexedCols": "0",
                "delta.deletedFileRetentionDuration": f"interval {KEPT_HOURS} hours",
            }
            if self._buckets is not None:
                configuration["kizuna.buckets"] = str(self._buckets)
            self.folder.mkdir(parents=True, exist_ok=True)
            self._table = DeltaTable.create(
                str(self.folder),
                schema,
                partition_by=partition,
                configuration=configuration,
                raise_if_key_not_exists=False,
            )
        table = self._table
        if table is None:
            return
        self._add_columns(table, added)
        newest = max((int(self.path(file).stat().st_mtime * 1000) for file in added), default=0)
        actions: list[AddAction | RemoveAction] = [
            AddAction(
                file.path, file.size, file.partition, newest, True, json.dumps({"numRecords": file.rows})
            )
            for file in added
        ]
        clock = max(newest, *(int(self.path(file).stat().st_mtime * 1000) for file in removed), 0)
        actions += [RemoveAction(file.path, True, clock, file.size, file.partition) for file in removed]
        note = {_RECORD: json.dumps(record)} if record is not None else {}
        table.create_write_transaction(
            actions, "append", schema, partition, commit_properties=CommitProperties(custom_metadata=note)
        )
        table.update_incremental()
        if removed:
            for path in table.vacuum(KEPT_HOURS, dry_run=True, enforce_retention_duration=False):
                (self.folder / path).unlink(missing_ok=True)

    def _add_columns(self, table: DeltaTable, added: Sequence[File]) -> None:
        """Declare the columns of new files that a table made by an earlier version of Kizuna has not."""
        declared = {column.name for column in table.schema().fields}
        wanted = [column for column in self._plain if column.name not in declared]
        if not wanted or not added:
            return
        there = {name for file in added for name in pq.read_schema(self.path(file)).names}
        fields = [DeltaField.from_arrow(column) for column in wanted if column.name in there]
        if fields:
            table.alter.add_columns(fields)

    def sweep(self, run: str) -> None:
        """Delete the files that a broken run left without committing them."""
        snapshot = self.snapshot()
        current = {file.path for file in snapshot.files} if snapshot else set()
        for path in self.folder.glob(f"**/{run}-*.parquet"):
            if path.relative_to(self.folder).as_posix() not in current:
                path.unlink(missing_ok=True)

    def link_version(self, folder: Path) -> None:
        """Put the newest version into another folder: its data files, which never change, as hard links."""
        snapshot = self.snapshot()
        if snapshot is None:
            return
        for file in snapshot.files:
            target = folder / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(self.path(file), target)
        shutil.copytree(self.folder / "_delta_log", folder / "_delta_log")

    def forget_the_past(self) -> None:
        """Leave only the newest version: delete every file and log entry of older ones."""
        snapshot = self.snapshot()
        if snapshot is None or self._table is None:
            return
        self._table.create_checkpoint()
        for entry in (self.folder / "_delta_log").iterdir():
            number = entry.name.partition(".")[0]
            if number.isdigit() and int(number) < snapshot.version:
                entry.unlink()
        current = {file.path for file in snapshot.files}
        for path in self.folder.glob("**/*.parquet"):
            relative = path.relative_to(self.folder).as_posix()
            if not relative.startswith("_delta_log") and relative not in current:
                path.unlink()
        self._table, self._latest = None, None


@contextmanager
def turn(
    folder: Path,
    repair: Callable[[str], None],
    progress: Callable[[str, float], None] | None,
    purpose: str = "",
) -> Iterator[str]:
    """The lock for writing, waited for; yields the name of this run.

    The name stays in the lock file while the run lasts. One that is found there is of a run that
    broke: `repair` cleans up after it first. What killed backups left is deleted too.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "ingest.lock").open("a+", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if progress:
                progress("waiting for another ingest to finish", 0.0)
            fcntl.flock(lock, fcntl.LOCK_EX)
        lock.seek(0)
        broken = lock.read().strip()
        if broken:
            repair(broken)
        sweep_linked_folders(folder)
        run = purpose + uuid.uuid4().hex[:16]
        _say(lock, run)
        yield run
        _say(lock, "")


def _say(lock: IO[str], run: str) -> None:
    lock.seek(0)
    lock.truncate()
    lock.write(run)
    lock.flush()
    os.fsync(lock.fileno())
