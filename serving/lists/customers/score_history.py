"""A customer's stored scores over time: one row of each score file, which is memory-mapped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from features.errors import ModelError
from features.timeline import Timeline
from serving.lists.customer_view import STATUS_NAMES
from serving.schemas.customer_responses import ScorePoint
from serving.state.scores.score_file import Scores, load
from serving.state.scores.score_index import ScoreFile
from training.statistics import finite

NEWEST = 24
"""Score files that are all asked; of older ones the last of each month."""


def chosen_files(files: Sequence[ScoreFile], timeline: Timeline) -> list[ScoreFile]:
    """The files that a history asks, from those of all as-of dates, the newest first."""
    chosen, months = list(files[:NEWEST]), set()
    for one in files[NEWEST:]:
        local = timeline.local(one.as_of)
        if (month := (local.year, local.month)) not in months:
            months.add(month)
            chosen.append(one)
    return chosen


def score_points(folder: Path, files: Sequence[ScoreFile], keys: Sequence[int]) -> Iterator[ScorePoint]:
    """The scores of a customer in these files, the oldest first; files without them are passed over.

    `keys` are the customer's, the one in use first: before two customers turned out to be one, each had a
    row. A file that is gone or damaged is passed over too.
    """
    model: str | None = None
    for file in reversed(files):
        try:
            scores = load(folder / file.file)
        except ModelError:
            continue
        row = next((place for key in keys if (place := scores.row(key)) is not None), None)
        if row is not None:
            yield _point(scores, row, file, model)
            model = file.model_version


def _point(scores: Scores, row: int, file: ScoreFile, model_before: str | None) -> ScorePoint:
    answers, tiers = scores.answers, scores.facts.tiers
    tier = int(answers.tier[row])
    return ScorePoint(
        as_of=file.as_of,
        model_version=file.model_version,
        other_model=model_before is not None and model_before != file.model_version,
        status=STATUS_NAMES[answers.status[row]],
        churn_probability=finite(answers.churn_probability[row]),
        tier=tiers[tier],
        tier_place=tier,
        tiers=len(tiers),
        expected_value=finite(answers.expected_value[row]),
        value_at_risk=finite(answers.value_at_risk[row]),
    )
