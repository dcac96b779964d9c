"""Which as-of dates are skipped where there are plenty of rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from features.timeline import DAY, Horizon
from tests.training.worlds import INACTIVITY
from training.data.rows.labelled_rows import LabelledRows
from training.fitting.pipeline import ENOUGH, thinned


def rows(dates: int, gap_days: int, each: int) -> LabelledRows:
    as_of = np.repeat(np.arange(dates, dtype=np.int64) * gap_days * DAY, each)
    n = len(as_of)
    nothing = np.zeros((n, 0))
    return LabelledRows(
        np.arange(n), np.zeros(n, np.uint64), as_of, nothing, np.zeros(n, bool), np.zeros(n), nothing, (), ()
    )


@pytest.mark.parametrize(
    ("horizon", "gap", "kept"),
    [(365, 365, 6), (30, 5, 2), (30, 10, 6), (30, 7, 3)],
    ids=["no horizons overlap", "a sixth of the horizon", "a third of it", "half a horizon at most"],
)
def test_dates_are_skipped_only_where_their_horizons_overlap(horizon: int, gap: int, kept: int) -> None:
    churn = replace(INACTIVITY, horizon=Horizon(horizon))
    few = thinned(rows(6, gap, ENOUGH // 2), churn)
    dates = np.unique(few.as_of) // DAY
    assert len(dates) == kept
    assert dates[-1] == 5 * gap
    assert np.diff(dates).max() <= max(gap, horizon / 2)
    assert len(thinned(rows(6, gap, 10), churn)) == 60
