"""Columns of the plan as arrays, as filters and their counts read them."""

from __future__ import annotations

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from serving.actions.plan_file import StoredPlan
from serving.schemas.terms import OPEN, SOON


def plan_column(plan: StoredPlan, name: str) -> NDArray[np.int64]:
    """int64[n]: a column of numbers."""
    numbers: NDArray[np.int64] = plan.table.column(name).to_numpy()
    return numbers


def preferred_channels(plan: StoredPlan) -> tuple[NDArray[np.int64], list[str | None]]:
    """int64[n]: each customer's own channel as a place among the channels that somebody has.

    A customer without one has the playbook's fallback, as in `Playbook.channel_of`.
    """
    column = plan.table.column("preferred_channel").combine_chunks()
    # One more code than there are names stands for none.
    codes = column.indices.fill_null(len(column.dictionary)).to_numpy(zero_copy_only=False)
    return codes, [*column.dictionary.to_pylist(), plan.playbook.fallback_channel]


def has_hook(plan: StoredPlan, hook: str) -> NDArray[np.bool_]:
    """bool[n]: who has this talking point."""
    if hook == "unanswered_inquiry":
        is_open: NDArray[np.bool_] = plan_column(plan, "inquiry") == OPEN
        return is_open
    days = {"birthday": "birthday_in_days", "anniversary": "anniversary_in_days"}
    column = plan.table.column(days.get(hook, hook))
    present = pc.less_equal(column, SOON) if hook in days else column.is_valid()
    mask: NDArray[np.bool_] = pc.fill_null(present, False).to_numpy()
    return mask
