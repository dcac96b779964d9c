"""Versions of one event: which of several rows that arrived under one event id counts.

Only ids that came in several rows with different contents get here, so these loops need not be fast.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from features.storage.sorted_run import RARE_CODES, RunRows
from features.timeline import ALWAYS

CHOSEN, FOLDED, OUTDATED, REFUSED_VERSION = range(4)
"""The row that counts; one that says nothing more; one that is older; one that contradicts another."""
_ABSENT = np.iinfo(np.int64).min
_CONTENTS = ("keys", "occurred", "kinds", "channels", "places", "details", *RARE_CODES)


@dataclass(frozen=True, slots=True, eq=False)
class Versions:
    """The fate of each row, and for one that is refused the row that it contradicts, else -1."""

    fates: NDArray[np.int8]
    rivals: NDArray[np.int64]


def choose_versions(
    rows: RunRows, events: NDArray[np.int64], marks: NDArray[np.float64] | None, *, in_turn: bool
) -> Versions:
    """Choose among rows in their order of arrival; `events` says which of them are of one event.

    A row that says less (what it says is said by the other as well) yields to the one that says more; then
    an older one to a newer one, by when they were recorded, else by `marks`; then, of two sources that share
    their ids, the earlier to the later. Otherwise they contradict each other: all rows of the event are
    refused or, `in_turn`, the later one counts.
    """
    order = np.argsort(events, kind="stable")
    sorted_events = events[order]
    starts = np.flatnonzero(np.append(True, sorted_events[1:] != sorted_events[:-1]))
    fates, rivals = _choose(
        np.append(starts, len(events)).astype(np.int64),
        _contents(rows)[order],
        rows.recorded[order],
        (np.full(len(events), np.nan) if marks is None else marks)[order],
        rows.sources[order],
        rows.kinds[order],
        in_turn,
    )
    back = np.empty(len(order), np.int64)
    back[order] = np.arange(len(order))
    rivals = np.append(order, -1)[rivals]
    return Versions(fates[back], rivals[back])


def _contents(rows: RunRows) -> NDArray[np.int64]:
    """int64[n, columns]: what each row says, `_ABSENT` where it says nothing."""
    values = (rows.values + 0.0).view(np.int64)  # -0.0 is 0.0
    columns = [np.where(np.isnan(rows.values), _ABSENT, values)]
    columns.append(np.where(rows.recorded == ALWAYS, _ABSENT, rows.recorded))
    for name in _CONTENTS:
        column = getattr(rows, name).astype(np.int64)
        if len(column):
            columns.append(np.where(column < 0, _ABSENT, column))
    return np.ascontiguousarray(np.column_stack(columns))


@numba.njit(cache=True, nogil=True)
def _says_no_more(one, other):  # type: ignore[no-untyped-def]
    return np.all((one == _ABSENT) | (one == other))


@numba.njit(cache=True, nogil=True)
def _yields(i, j, contents, recorded, marks, sources, in_turn):  # type: ignore[no-untyped-def]
    """How the row i yields to j: `FOLDED`, `OUTDATED`, or `CHOSEN` where it does not."""
    if _says_no_more(contents[i], contents[j]):
        return FOLDED
    if _says_no_more(contents[j], contents[i]):
        return CHOSEN
    if recorded[i] != ALWAYS and recorded[j] != ALWAYS and recorded[i] != recorded[j]:
        return OUTDATED if recorded[i] < recorded[j] else CHOSEN
    if sources[i] != sources[j]:
        return OUTDATED if i < j else CHOSEN
    if marks[i] != marks[j] and not np.isnan(marks[i]) and not np.isnan(marks[j]):
        return OUTDATED if marks[i] < marks[j] else CHOSEN
    return OUTDATED if in_turn and i < j else CHOSEN


@numba.njit(cache=True, nogil=True)
def _choose(starts, contents, recorded, marks, sources, kinds, in_turn):  # type: ignore[no-untyped-def]
    count = starts[-1]
    fates, rivals = np.full(count, FOLDED, np.int8), np.full(count, -1, np.int64)
    for event in range(len(starts) - 1):
        first, stop = starts[event], starts[event + 1]
        best = first
        for i in range(first + 1, stop):
            if kinds[i] != kinds[first] and sources[i] != sources[first]:
                fates[i], rivals[i] = REFUSED_VERSION, first
            elif _yields(best, i, contents, recorded, marks, sources, in_turn) != CHOSEN:
                best = i
        clear = True
        for i in range(first, stop):
            if i == best or fates[i] == REFUSED_VERSION:
                continue
            fates[i] = _yields(i, best, contents, recorded, marks, sources, in_turn)
            if fates[i] == CHOSEN:
                if in_turn:
                    fates[i] = OUTDATED
                else:
                    clear, rivals[i], rivals[best] = False, best, i
        fates[best] = CHOSEN
        if not clear:
            for i in range(first, stop):
                fates[i] = REFUSED_VERSION
                if rivals[i] < 0:
                    rivals[i] = rivals[best]
    return fates, rivals
