"""What one ingest changes of the event table: files that come and go, and the fates of its rows."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import pyarrow as pa

from features.ingestion.customer_moves import MovedFiles
from features.storage.delta_table import File, Lake

Counted = TypeVar("Counted", bound=Hashable)


@dataclass
class TableChange:
    """The files an ingest adds to and removes from the event table, and the fates of its rows."""

    added: list[File] = field(default_factory=list)
    removed: list[File] = field(default_factory=list)
    fates: dict[tuple[str, int], int] = field(default_factory=dict)
    """How many rows of a source had a fate."""
    refused: list[pa.Table] = field(default_factory=list)
    several: dict[str, int] = field(default_factory=dict)
    """How many event ids of a source came in several rows."""
    taken_out: dict[str, int] = field(default_factory=dict)
    """How many rows of a source were retracted or deleted; those retracted before do not count again."""

    def add(self, other: TableChange) -> None:
        """Take in what was changed in other buckets."""
        self.added += other.added
        self.removed += other.removed
        self.refused += other.refused
        _sum_into(self.fates, other.fates)
        _sum_into(self.several, other.several)
        _sum_into(self.taken_out, other.taken_out)

    def after(self, moved: MovedFiles, lake: Lake) -> TableChange:
        """Both changes as one, where this one was planned on the files that the other leaves."""
        written = {file.path for file in moved.added}
        passing = {file.path for file in self.removed if file.path in written}
        for path in passing:
            (lake.folder / path).unlink()
        self.added += [file for file in moved.added if file.path not in passing]
        self.removed = moved.removed + [file for file in self.removed if file.path not in passing]
        return self


def _sum_into(counts: dict[Counted, int], more: Mapping[Counted, int]) -> None:
    for counted, rows in more.items():
        counts[counted] = counts.get(counted, 0) + rows
