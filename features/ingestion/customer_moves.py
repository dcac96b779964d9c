"""Moving the stored events of customers who turned out to be one under one key, and under one name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.ingestion.staged_batch import with_ids
from features.storage import row_order, sorted_run
from features.storage.customer_ids import Customers
from features.storage.damage import reading
from features.storage.delta_table import File, Lake
from features.storage.hashing import Words, as_ids, numbered
from features.storage.sorted_run import RunRows, joined
from features.storage.string_dictionary import StringDictionary, large

REPEATS = 4
"""Ids are looked for among so many times the rows of one content, as some of them may be gone by now."""


@dataclass(frozen=True)
class CustomerIdentities:
    """The customers with aliases applied, and the keys whose events have to be written anew."""

    customers: Customers
    before: Customers
    """The customers as they were."""
    moves: Mapping[int, int] = field(default_factory=dict)
    """Key → the key that its events have from now on; the same one where only the name is another."""


@dataclass
class MovedFiles:
    """The files of the event table once customers were moved: nothing is committed."""

    files: dict[int, list[File]]
    """Every file of a bucket, longest first."""
    added: list[File] = field(default_factory=list)
    removed: list[File] = field(default_factory=list)
    rows: int = 0
    """Rows that have another customer now, or a customer of another name."""


def move_customers(
    lake: Lake,
    people: CustomerIdentities | None,
    customers: Customers,
    scratch: Path,
    run: str,
    *,
    by_source: bool = True,
) -> MovedFiles:
    """Write every bucket anew that holds a customer whose key or name is another now; commits nothing.

    `customers` are those that `people` has, with the ones that were seen since. An event id that was derived
    from a row's content, the name included, is derived anew, so that a source that is read again finds it.
    `by_source` says how the store numbers equal rows without an id (`with_ids`).
    Rows that leave a bucket wait in `scratch`, so that memory holds one bucket.
    """
    version = lake.snapshot()
    files = dict(version.by_bucket) if version is not None else {}
    moved = MovedFiles(files)
    if people is None or not people.moves or version is None:
        return moved
    keys, before, after = people.moves, people.before.vocabulary.prints, customers.vocabulary.prints
    old = np.array(sorted(keys), dtype=np.int64)
    new = np.array([keys[key] for key in old.tolist()], dtype=np.int64)
    buckets = int(version.configuration["kizuna.buckets"])
    vocabulary = StringDictionary()
    waiting: dict[int, list[Path]] = {}
    for bucket in sorted(files):
        for file in files[bucket]:
            path = lake.path(file)
            if not np.isin(_keys(path), old).any():
                continue
            rows = sorted_run.read(path, vocabulary)
            theirs = np.isin(rows.keys, old)
            moved.removed.append(file)
            moved.rows += int(theirs.sum())
            if not theirs.all():
                moved.added.append(_write(lake, run, bucket, rows.take(~theirs), vocabulary, after))
            leaving = _without_derived_ids(rows.take(theirs), before, vocabulary)
            leaving = replace(leaving, keys=new[np.searchsorted(old, leaving.keys)])
            homes = leaving.keys % buckets
            for home in np.unique(homes).tolist():
                part = scratch / f"moved-{home}-{len(waiting.setdefault(home, []))}.parquet"
                sorted_run.write(part, leaving.take(homes == home), vocabulary, after)
                waiting[home].append(part)
    for home, parts in waiting.items():
        rows = joined([sorted_run.read(part, vocabulary) for part in parts])
        # Rows retracted at one moment are compared among themselves: their ids may count again by now.
        since = np.unique(rows.retracted).tolist()
        of_each = [rows.take(rows.retracted == moment) for moment in since] or [rows]
        rows = joined([_named_anew(part, after, vocabulary, by_source=by_source) for part in of_each])
        moved.added.append(_write(lake, run, home, rows, vocabulary, after))
    gone = {file.path for file in moved.removed}
    for bucket in {*files, *waiting}:
        stay = [file for file in files.get(bucket, ()) if file.path not in gone]
        stay += [file for file in moved.added if file.bucket == bucket]
        files[bucket] = sorted(stay, key=lambda file: (-file.rows, file.path))
    return moved


def _named_anew(
    rows: RunRows, people: tuple[Words, Words], vocabulary: StringDictionary, *, by_source: bool
) -> RunRows:
    """The rows with an id each, one of those with the same id of a source."""
    rows, _ = with_ids(rows, *rows.prints(people, vocabulary), by_source=by_source)
    codes = rows.ids.dictionary_encode().indices.to_numpy().astype(np.int64)
    codes = codes * (1 + int(rows.sources.max(initial=0))) + rows.sources  # ids belong to their source
    return rows.take(np.sort(np.unique(codes, return_index=True)[1]))


def _without_derived_ids(rows: RunRows, people: tuple[Words, Words], vocabulary: StringDictionary) -> RunRows:
    """The rows without the ids that were derived from their content; given ids stay."""
    first, second = rows.prints(people, vocabulary)
    derived = as_ids(*numbered(np.tile(first, REPEATS), np.tile(second, REPEATS)))
    own = pc.is_in(rows.ids, value_set=derived)
    return replace(rows, ids=large(pc.if_else(own, pa.scalar(None, pa.large_string()), rows.ids)))


def _write(
    lake: Lake,
    run: str,
    bucket: int,
    rows: RunRows,
    vocabulary: StringDictionary,
    people: tuple[Words, Words],
) -> File:
    name = lake.new_path(run, bucket)
    place = row_order.order(rows.keys, rows.occurred, rows.ids)
    sorted_run.write(lake.folder / name, rows.take(place), vocabulary, people)
    return lake.written(name, len(rows), bucket)


def _keys(path: Path) -> NDArray[np.int64]:
    with reading(path):
        keys: NDArray[np.int64] = pq.read_table(path, columns=["key"], partitioning=None)["key"].to_numpy()
    return keys
