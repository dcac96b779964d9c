"""A Delta table whose files Kizuna writes itself, to control their order, statistics and log.

The log names files and counts rows; it holds no statistics of any column, and so no identity.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable
from deltalake import Field as DeltaField
from deltalake.transaction import AddAction, RemoveAction

from features.storage.backends.local_folder import LocalFolder
from features.storage.backends.object_file import RunFile
from features.storage.backends.storage import Storage

_RECORD = "kizuna"
_LOG = "_delta_log/"
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
    """A Delta table in a folder or in an object store."""

    def __init__(
        self,
        storage: Path | Storage,
        schema: pa.Schema,
        *,
        buckets: int | None = None,
        check: Callable[[], None] | None = None,
    ) -> None:
        self.storage = LocalFolder(storage) if isinstance(storage, Path) else storage
        self._check = check or _may_write
        """Called before each commit and each deletion; raises where this process may not write any more."""
        self._plain = pa.schema(
            [
                (column.name, column.type.value_type if pa.types.is_dictionary(column.type) else column.type)
                for column in schema
            ]
        )
        self._buckets = buckets
        self._table: DeltaTable | None = None
        self._latest: TableVersion | None = None

    @property
    def folder(self) -> Path:
        """The local folder in which new files are written; `written` makes them part of the table."""
        return self.storage.folder

    @property
    def name(self) -> str:
        """What the table is called in its store."""
        return self.storage.location.rstrip("/").rpartition("/")[2]

    def snapshot(self) -> TableVersion | None:
        """The newest version, or None where there is no table yet."""
        with self.storage.errors():
            if self._table is None:
                if not self.storage.is_table():
                    return None
                self._table = DeltaTable(self.storage.location, storage_options=self.storage.options)
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
        snapshot = self.snapshot()
        # Not by deltalake's history(): while that waits for an object store, no thread of the process runs.
        for version in range(-1 if snapshot is None else snapshot.version, -1, -1):
            try:
                entries = self.storage.read(f"{_LOG}{version:020}.json").splitlines()
            except FileNotFoundError:  # older entries are gone
                return {}
            for entry in map(json.loads, entries):
                if _RECORD in entry.get("commitInfo", ()):
                    noted: dict[str, Any] = json.loads(entry["commitInfo"][_RECORD])
                    return noted
        return {}

    def path(self, file: File) -> Path:
        """A file of the table on this machine: itself, or a copy that is fetched when it is not there."""
        return self.storage.local_copy(file.path)

    def run_file(self, file: File) -> RunFile:
        """A file of the table where it lies, to read parts of it."""
        return self.storage.run_file(file.path, file.size)

    def new_path(self, run: str, bucket: int | None = None) -> str:
        """Where a new file goes; its name tells the run that wrote it."""
        name = f"{run}-{uuid.uuid4().hex[:12]}.parquet"
        return name if bucket is None else f"bucket={bucket}/{name}"

    def written(self, path: str, rows: int, bucket: int | None = None) -> File:
        """The file that was written at `path` in `folder`, now safe where the table lies."""
        return File(path, rows, self.storage.add_file(path), bucket)

    def write(self, run: str, table: pa.Table) -> File:
        """Write a small table as one file."""
        path = self.new_path(run)
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, self.folder / path, compression="zstd", write_statistics=False)
        return self.written(path, table.num_rows)

    def commit(
        self, added: Sequence[File], removed: Sequence[File] = (), record: dict[str, Any] | None = None
    ) -> None:
        """Add and remove files in one atomic step; nothing to do is no commit."""
        if added or removed or record is not None:
            self._check()
            with self.storage.errors():
                self._commit(added, removed, record)

    def _commit(self, added: Sequence[File], removed: Sequence[File], record: dict[str, Any] | None) -> None:
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
                self.storage.location,
                schema,
                partition_by=partition,
                configuration=configuration,
                storage_options=self.storage.options,
                raise_if_key_not_exists=False,
            )
        table = self._table
        if table is None:
            return
        self._add_columns(table, added)
        newest = max((self.storage.modified(file.path) for file in added), default=0)
        actions: list[AddAction | RemoveAction] = [
            AddAction(
                file.path, file.size, file.partition, newest, True, json.dumps({"numRecords": file.rows})
            )
            for file in added
        ]
        clock = max(newest, *(self.storage.modified(file.path) for file in removed), 0)
        actions += [RemoveAction(file.path, True, clock, file.size, file.partition) for file in removed]
        note = {_RECORD: json.dumps(record)} if record is not None else {}
        table.create_write_transaction(
            actions, "append", schema, partition, commit_properties=CommitProperties(custom_metadata=note)
        )
        table.update_incremental()
        if removed:
            self.storage.delete(table.vacuum(KEPT_HOURS, dry_run=True, enforce_retention_duration=False))

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
        self._check()
        snapshot = self.snapshot()
        current = {file.path for file in snapshot.files} if snapshot else set()
        written = [
            file.name
            for file in self.storage.files()
            if file.name.rpartition("/")[2].startswith(f"{run}-") and file.name.endswith(".parquet")
        ]
        self._delete([name for name in written if name not in current])

    def link_version(self, folder: Path) -> None:
        """Put the newest version into another folder: its data files, which never change, as hard links."""
        snapshot = self.snapshot()
        if snapshot is None:
            return
        self.storage.copy_to([file.path for file in snapshot.files], folder)
        for entry in self.storage.files(_LOG):
            target = folder / entry.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(self.storage.read(entry.name))

    def forget_the_past(self) -> None:
        """Leave only the newest version: delete every file and log entry of older ones."""
        self._check()
        snapshot = self.snapshot()
        if snapshot is None or self._table is None:
            return
        with self.storage.errors():
            self._table.create_checkpoint()
        entries = [file.name for file in self.storage.files(_LOG)]
        numbers = {name: name.removeprefix(_LOG).partition(".")[0] for name in entries}
        old = [
            name for name, number in numbers.items() if number.isdigit() and int(number) < snapshot.version
        ]
        current = {file.path for file in snapshot.files}
        files = [file.name for file in self.storage.files() if file.name.endswith(".parquet")]
        old += [name for name in files if not name.startswith(_LOG) and name not in current]
        self._delete(old)
        self._table, self._latest = None, None

    def _delete(self, names: Sequence[str]) -> None:
        """Delete files that were listed before: while the lock still holds, none is of another run."""
        self._check()
        self.storage.delete(names)


def _may_write() -> None:
    """A table in a folder: the lock on its file lasts as long as the process."""
