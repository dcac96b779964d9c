"""Whether labelled rows have both outcomes, without which there is nothing to learn."""

from __future__ import annotations

import numpy as np

from features.errors import DataError
from features.timeline import Timeline
from training.data.rows.labelled_rows import LabelledRows
from training.data.splits import TemporalSplits
from training.labels.settings import Churn


def require_both_outcomes(
    rows: LabelledRows, splits: TemporalSplits, churn: Churn, timeline: Timeline
) -> None:
    """Raise `DataError` when nobody could leave, nobody left, or everybody did."""
    span = f"between {timeline.name(splits.labelled[0])} and {timeline.name(splits.labelled[-1])}"
    if not len(rows):
        raise DataError(
            f"cannot train: no customer could still leave on any as-of date {span}. "
            "Check [churn]: do the kinds of event it names exist, and is active_days long enough?"
        )
    if rows.churned.all() or not rows.churned.any():
        who = "every one" if rows.churned.all() else "none"
        raise DataError(
            f"cannot train: {who} of the {len(np.unique(rows.keys)):,} customers who could leave {span} "
            f"did so within {churn.horizon.reach} days, so there is nothing to tell apart. "
            "Write another horizon_days in [churn], or check the kinds of event it names."
        )
