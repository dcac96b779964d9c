"""The plan of the scores in use: what it has in mind for each customer."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from serving.actions import plan_text
from serving.actions.plan_file import FOLDER, StoredPlan, find
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
