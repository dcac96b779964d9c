"""Readings of attributes: a later ingest that says something else of the same moment is newer knowledge.

A table of customers with one `known_at` each says today's value under the day of yesterday's. The reading of
the newest ingest then counts from this ingest on, and the earlier one until then, so that earlier as-of dates
see what was known. Two values of one customer, attribute and moment within one ingest contradict each other:
both are kept, as nothing says which is right.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.events.schema import ATTRIBUTE
from features.storage import sorted_run
from features.storage.sorted_run import RunRows, joined
from features.storage.string_dictionary import StringDictionary
from features.timeline import NEVER

Flags = NDArray[np.bool_]
Places = NDArray[np.int64]


def superseded_readings(
    files: Mapping[str, Path],
    arrived: RunRows,
    nameless: Flags,
    vocabulary: StringDictionary,
    leaving: Mapping[str, Flags],
) -> tuple[dict[str, Places], Places]:
    """Which rows of each file of a bucket are superseded by rows that arrived, and which of these are new.

    Only rows without an id of their own are compared: an id says itself which row it corrects. Rows that
    are `leaving` a file count no more.
    """
    kinds = np.unique(arrived.kinds[nameless])
    names = vocabulary.texts.take(pa.array(kinds)).to_pylist()
    kinds = kinds[[name.startswith(ATTRIBUTE) for name in names]]
    at = np.flatnonzero(nameless & np.isin(arrived.kinds, kinds))
    found, superseded = [], dict[str, Places]()
    if not len(at):
        return superseded, at
    arrived = arrived.take(at)
    moments = np.unique(arrived.occurred)
    for name, path in files.items():
        first, last = sorted_run.span(path)
        if first > moments[-1] or last < moments[0]:
            continue
        same_moment = np.isin(sorted_run.read_instants(path), moments)
        if not same_moment.any():
            continue
        rows = sorted_run.read(path, vocabulary, with_ids=False)
        counts = same_moment & np.isin(rows.kinds, kinds)
        if len(rows.retracted):
            counts &= rows.retracted == NEVER
        if name in leaving:
            counts &= ~leaving[name]
        places = np.flatnonzero(counts)
        found.append((name, places, rows.take(places)))
    if not found:
        return superseded, at[:0]
    gone, new = newer_readings(joined([rows for *_, rows in found]), arrived)
    start = 0
    for name, places, _ in found:
        of_file = places[gone[start : start + len(places)]]
        if len(of_file):
            superseded[name] = of_file
        start += len(places)
    return superseded, at[new]


def newer_readings(stored: RunRows, arrived: RunRows) -> tuple[Flags, Flags]:
    """Which stored rows are superseded, and which rows that arrived say something new of their moment.

    Both hold rows of attributes; they are compared by source, customer, kind and `occurred_at`.
    """
    before = len(stored)

    def both(name: str) -> NDArray[np.generic]:
        return np.concatenate([getattr(stored, name), getattr(arrived, name)])

    groups = _numbered(both("keys"), both("kinds"), both("occurred"), both("sources"))
    values = both("values").astype(np.float64)
    readings = _numbered(groups, both("details"), np.where(np.isnan(values), 0.0, values), np.isnan(values))
    count, old, new = int(groups.max(initial=-1)) + 1, readings[:before], readings[before:]
    # The one reading of each group that arrived, -1 where none did, or several.
    least, most = np.full(count, len(readings)), np.full(count, -1)
    np.minimum.at(least, groups[before:], new)
    np.maximum.at(most, groups[before:], new)
    said = np.where(least == most, most, -1)
    superseded = (said[groups[:before]] >= 0) & (said[groups[:before]] != old)
    changed = np.zeros(count, dtype=bool)
    changed[groups[:before][superseded]] = True
    return superseded, changed[groups[before:]] & ~np.isin(new, old)


def _numbered(*columns: NDArray[np.generic]) -> NDArray[np.int64]:
    """int64[n]: rows that are equal in all columns have one number."""
    numbers = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        _, codes = np.unique(column, return_inverse=True)
        numbers = np.unique(numbers * (int(codes.max(initial=0)) + 1) + codes, return_inverse=True)[1]
    return numbers.astype(np.int64)
