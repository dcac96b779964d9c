"""The plan of the scores in use, as what lists, answers and files say of each customer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.catalog.display_names import in_language
from features.errors import UsageError
from serving.actions.plan_file import FOLDER, PlanFilter, StoredPlan, find, mask_matching
from serving.actions.plan_text import entries
from serving.presentation.lists import Column
from serving.project.settings import Project

Reply = dict[str, Any]

COLUMNS = (
    ("stage_words", "stage", "ステージ"),
    ("touch_words", "touch", "タッチモデル"),
    ("action_words", "action", "アクション"),
    ("action_channel_words", "action_channel", "チャネル"),
    ("owner", "owner", "担当"),
    ("deadline", "deadline", "期限"),
    ("left_out_because", "left_out_because", "見送りの理由"),
)
"""What of a plan a list as CSV shows: the part, and its heading in both languages."""
HOOKS = ("hooks", "話題")


def plan_of(project: Project, scores: str) -> StoredPlan | None:
    """The plan made for a score file, None where `kizuna plan` has not made one."""
    return find(project.state / FOLDER / scores)


def plan_entries(kept: StoredPlan | None, keys: NDArray[np.int64], language: str) -> Iterator[Reply | None]:
    """What the plan says of each customer; None of those it does not have."""
    if kept is None:
        yield from (None for _ in range(len(keys)))
        return
    rows = kept.rows(keys)
    said = iter(entries(kept, rows[rows >= 0], language))
    for row in rows.tolist():
        yield next(said) if row >= 0 else None


def planned_mask(kept: StoredPlan | None, keys: NDArray[np.int64], cut: PlanFilter) -> NDArray[np.bool_]:
    """bool[n]: whose plan fits; raises `UsageError` where there is none to cut by."""
    if kept is None:
        field = next(name for name, asked in vars(cut).items() if asked)
        raise UsageError(
            f"cannot cut the list by {field}: no plan was made for these scores. Run `kizuna plan` first.",
            field=field,
        )
    rows = kept.rows(keys)
    return np.append(mask_matching(kept, cut), False)[rows]


def columns(language: str) -> list[Column]:
    """The columns that a list as CSV has for the plan."""
    place = in_language(language, 1, 2)

    def part(name: str) -> Any:
        return lambda customer: _plan(customer).get(name) or ""

    def hooks(customer: Mapping[str, Any]) -> str:
        return "; ".join(_plan(customer).get("hook_sentences", ()))

    return [*((column[place], part(column[0])) for column in COLUMNS), (in_language(language, *HOOKS), hooks)]


def _plan(customer: Mapping[str, Any]) -> Mapping[str, Any]:
    return customer["plan"] or {}
