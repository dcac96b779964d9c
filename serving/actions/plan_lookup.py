"""The plan of the scores in use: what it has in mind for each customer, and whom a filter of it leaves."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from features.errors import UsageError
from serving.actions import plan_text
from serving.actions.plan_file import FOLDER, PlanFilter, StoredPlan, find, mask_matching
from serving.project.settings import Project
from serving.schemas.responses import PlannedAction


def plan_of(project: Project, scores: str) -> StoredPlan | None:
    """The plan made for a score file, None where `kizuna plan` has not made one."""
    return find(project.state / FOLDER / scores)


def planned_actions(
    plan: StoredPlan | None, keys: NDArray[np.int64], language: str
) -> Iterator[PlannedAction | None]:
    """What the plan has in mind for each customer; None for those it does not have."""
    if plan is None:
        yield from (None for _ in range(len(keys)))
        return
    rows = plan.rows(keys)
    actions = plan_text.planned_actions(plan, rows[rows >= 0], language)
    for row in rows.tolist():
        yield next(actions) if row >= 0 else None


def planned_mask(plan: StoredPlan | None, keys: NDArray[np.int64], cut: PlanFilter) -> NDArray[np.bool_]:
    """bool[n]: whose plan fits; raises `UsageError` where there is none to filter by."""
    if plan is None:
        field = next(name for name, values in vars(cut).items() if values)
        raise UsageError(
            f"cannot cut the list by {field}: no plan was made for these scores. Run `kizuna plan` first.",
            field=field,
        )
    rows = plan.rows(keys)
    return np.append(mask_matching(plan, cut), False)[rows]
