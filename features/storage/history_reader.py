"""Reads sorted runs into a `History`: the arrays that the kernel computes features from."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, TypedDict

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.events.history import MISSING, History
from features.events.schema import TEXTS
from features.storage.backends.object_file import RunFile
from features.storage.row_order import Rowset, interleave, order
from features.storage.run_reader import RunColumns, Texts, read_columns, stretches
from features.timeline import ALWAYS, NEVER, Instants, in_history, still_counts

ALL_COLUMNS = frozenset({"value", *TEXTS})


class ReadOptions(TypedDict, total=False):
    """What to read of events, and as known when; `history` says what each stands for."""

    until: int | None
    columns: frozenset[str]
    event_ids: bool
    known_at: int | None
    retractions: bool


def history(
    paths: Sequence[RunFile],
    *,
    until: int | None = None,
    columns: frozenset[str] = ALL_COLUMNS,
    event_ids: bool = False,
    known_at: int | None = None,
    retractions: bool = False,
    wanted: Rowset | None = None,
) -> History:
    """The history that runs hold; of the customers `wanted` (ascending keys), or of all there are.

    Events at or after `until` do not exist. Those that were retracted before `known_at` (by default `until`,
    else at all) are left out. With `retractions` they are there, and `History.retracted` says since when: for
    answers at several as-of dates.
    """
    parts = [part for path in paths if len(part := read_columns(path, columns, wanted))]
    instants = _instants(parts)
    recorded = _moments([part.recorded for part in parts], parts, ALWAYS)
    retracted = _moments([part.retracted for part in parts], parts, NEVER)
    keys, offsets, places = _arrangement(parts, instants)
    past = None if until is None else in_history(instants, recorded if len(recorded) else None, until)
    if len(retracted):
        counts = still_counts(retracted, until if known_at is None else known_at)
        if not retractions:
            past = counts if past is None else past & counts
        retracted = np.where(counts, NEVER, retracted) if retractions and not counts.all() else retracted[:0]
    if past is not None:
        if places is None:
            places = np.flatnonzero(past)
            offsets = np.searchsorted(places, offsets)
        else:
            in_past = past[places]
            offsets = np.append(0, np.cumsum(in_past))[offsets]
            places = places[in_past]
        there = np.flatnonzero(np.diff(offsets))
        keys, offsets = keys[there], np.append(offsets[there], offsets[-1])

    def arranged(values: NDArray[Any]) -> NDArray[Any]:
        return values if places is None or not len(values) else values[places]

    if wanted is not None:
        offsets = np.append(offsets, offsets[-1])[
            np.searchsorted(keys, np.append(wanted, np.iinfo(np.int64).max))
        ]
        keys = wanted
    texts = {name: _together(parts, name) for name in ("kind", *TEXTS, "source")}
    codes = {name: arranged(codes) for name, (codes, _) in texts.items()}
    return History(
        keys=keys,
        offsets=offsets.astype(np.int64),
        instants=arranged(instants),
        recorded=arranged(recorded),
        retracted=arranged(retracted),
        kinds=codes["kind"],
        values=arranged(_joined([part.values for part in parts], np.float64)),
        channels=codes["channel"],
        places=codes["place"],
        details=codes["detail"],
        kind_names=texts["kind"][1],
        channel_names=texts["channel"][1],
        place_names=texts["place"][1],
        detail_names=texts["detail"][1],
        contracts=codes["contract_id"],
        contract_names=texts["contract_id"][1],
        currencies=codes["currency"],
        currency_names=texts["currency"][1],
        sources=codes["source"],
        source_names=texts["source"][1],
        event_ids=(
            arranged(np.array(_ids(parts).to_pylist(), dtype=object))
            if event_ids
            else np.empty(0, dtype=object)
        ),
    )


def holds_ids(path: RunFile, key: int, event_ids: Collection[str]) -> bool:
    """Whether a run holds an event of a customer under one of these ids that still counts."""
    found = history([path], wanted=np.array([key], np.int64), event_ids=True)
    return not set(found.event_ids.tolist()).isdisjoint(event_ids)


def _arrangement(parts: Sequence[RunColumns], instants: Instants) -> tuple[Rowset, Rowset, Rowset | None]:
    """The customers, where the events of each begin, and the row at each place (None: rows are in order)."""
    if len(parts) == 1 and parts[0].ours:
        return parts[0].keys, parts[0].starts, None
    keys, starts, places, sure = np.empty(0, np.int64), np.zeros(1, np.int64), np.empty(0, np.int64), True
    for part in parts:
        more = interleave(keys, starts, places, part.keys, part.starts, len(places), instants)
        keys, starts, places = more[:3]
        sure = sure and more[3] and part.ours
    if not sure:
        # Two runs have events of one customer at one instant: only their ids can tell which is first.
        of_row = _joined([np.repeat(part.keys, np.diff(part.starts)) for part in parts], np.int64)
        places = order(of_row, instants, _ids(parts))
        keys, starts = stretches(of_row[places])
    return keys, starts, places


def _instants(parts: Sequence[RunColumns]) -> Instants:
    return _joined([part.instants for part in parts], np.int64)


def _moments(columns: Sequence[Instants], parts: Sequence[RunColumns], missing: int) -> Instants:
    """A column of instants that an excerpt without any leaves empty; empty where all do."""
    if not any(len(column) for column in columns):
        return np.empty(0, np.int64)
    filled = [
        column if len(column) else np.full(len(part), missing)
        for column, part in zip(columns, parts, strict=True)
    ]
    return _joined(filled, np.int64)


def _together(parts: Sequence[RunColumns], name: str) -> Texts:
    """A text column of several excerpts in codes of one list; empty where none of them has it."""
    if not any(name in part.texts for part in parts):
        return np.empty(0, np.int32), ()
    texts = [
        part.texts[name] if name in part.texts else (np.full(len(part), MISSING, np.int32), ())
        for part in parts
    ]
    if len(texts) < 2:
        return texts[0]
    known: dict[str, int] = {}
    columns = []
    for codes, names in texts:
        numbers = [known.setdefault(text, len(known)) for text in names]
        columns.append(np.array([*numbers, MISSING], np.int32)[codes])
    return np.concatenate(columns), tuple(known)


def _ids(parts: Sequence[RunColumns]) -> pa.Array:
    return pa.concat_arrays([pa.array([], pa.large_string()), *(part.ids() for part in parts)])


def _joined(columns: Sequence[NDArray[Any]], kind: type) -> NDArray[Any]:
    return columns[0] if len(columns) == 1 else np.concatenate([np.empty(0, kind), *columns])
