"""The plan of the scores in use, put beside each customer of a list or an explanation."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from features.customers import Customers
from serving.engagement.kept import FOLDER, Kept, find
from serving.engagement.said import entries
from serving.listing import BOM, harmless
from serving.records import Records
from serving.settings import Project

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


def current(project: Project, records: Records) -> Kept | None:
    """The plan made for the scores in use, None where `kizuna plan` has not made one."""
    scores = records.scores()
    return None if scores is None else find(project.state / FOLDER / scores.file)


def attach(listed: Sequence[Reply], kept: Kept | None, customers: Customers, language: str) -> list[Reply]:
    """The same customers, each with its `plan`; unchanged where there is none."""
    if kept is None or not listed:
        return list(listed)
    keys = customers.keys(pa.array([one["customer_id"] for one in listed], pa.string()))
    rows = [kept.row(key) for key in keys.tolist()]
    known = [row for row in rows if row is not None]
    said = iter(entries(kept, np.array(known, dtype=np.int64), language))
    return [
        dict(one) | {"plan": None if row is None else next(said)}
        for one, row in zip(listed, rows, strict=True)
    ]


def attach_csv(text: str, listed: Sequence[Reply], language: str) -> str:
    """The lines of a list with the plan's columns at their end; unchanged where there is no plan."""
    if not any("plan" in one for one in listed):
        return text
    head, *lines = csv.reader(io.StringIO(text.removeprefix(BOM)))
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\r\n")
    place = 2 if language == "ja" else 1
    writer.writerow([*head, *(column[place] for column in COLUMNS), HOOKS[language == "ja"]])
    for line, one in zip(lines, listed, strict=True):
        plan = one["plan"] or {}
        cells = [plan.get(column[0]) or "" for column in COLUMNS]
        hooks = "; ".join(plan.get("hook_sentences", ()))
        writer.writerow([*line, *(harmless(cell) for cell in (*cells, hooks))])
    return BOM + written.getvalue()
