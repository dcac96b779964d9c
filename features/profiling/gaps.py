"""Unusual runs of days without events: a failed export, or a closed shop."""

from __future__ import annotations

import numpy as np

from features.profiling.bucket_events import Ints


def gaps(days: Ints) -> list[tuple[int, int]]:
    """Unusual runs of days without events inside the record: (first day, how many), each by its place.

    Unusual is a run of two days or more that is more than twice as long as the runs of empty days
    usually are (weekends off are usual), where even at the pace of a slow day twenty events are missing.
    """
    there = np.flatnonzero(days)
    runs = np.diff(there) - 1
    starts, lengths = there[:-1][runs > 0] + 1, runs[runs > 0]
    if not len(lengths):
        return []
    usual = float(np.median(lengths)) if len(lengths) > 4 else 1.0
    pace = np.quantile(days[there], 0.25)
    unusual = (lengths > 2 * usual) & (lengths >= 2) & (lengths * pace >= 20)
    return list(zip(starts[unusual].tolist(), lengths[unusual].tolist(), strict=True))
