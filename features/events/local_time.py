"""Local clock readings as instants: what a timestamp without zone means in a time zone."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from features.timeline import SECOND, Instants, zone

_YEARS = range(1970, 2071)


def to_instants(local: Instants, timezone: str) -> Instants:
    """The instants of local clock readings (int64[n], microseconds as if they were UTC).

    As in `datetime` with `fold=0`: a reading that happens twice means the first time, one that is
    skipped by a change of the clock counts on from before the change.
    """
    starts, offsets = _offsets(timezone)
    if len(starts) == 1:
        return np.asarray(local - offsets[0])
    stretch = np.maximum(np.searchsorted(starts, local, side="right") - 1, 0)
    instants: Instants = local - offsets[stretch]
    return instants


@lru_cache(maxsize=64)
def _offsets(timezone: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where each stretch of local time with one offset from UTC begins, and that offset (microseconds)."""
    where = zone(timezone)

    def offset(moment: datetime) -> int:
        shift = moment.replace(tzinfo=where).utcoffset()
        return round(shift.total_seconds()) if shift else 0

    first = datetime(_YEARS.start, 1, 1)  # noqa: DTZ001 (a reading of a clock has no zone yet)
    starts, offsets = [0], [offset(first)]
    for day in range((datetime(_YEARS.stop, 1, 1) - first).days):  # noqa: DTZ001
        early, late = day * 86_400, (day + 1) * 86_400
        if offset(first + timedelta(seconds=late)) == offsets[-1]:
            continue
        while late - early > 1:
            middle = (early + late) // 2
            if offset(first + timedelta(seconds=middle)) == offsets[-1]:
                early = middle
            else:
                late = middle
        starts.append(late)
        offsets.append(offset(first + timedelta(seconds=late)))
    return np.array(starts, dtype=np.int64) * SECOND, np.array(offsets, dtype=np.int64) * SECOND
