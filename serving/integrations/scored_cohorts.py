"""Earlier score files as rows that outcomes can judge: cohort, campaign arms, segments, the list shown.

Of several score files of one as-of date the last made is judged. A file whose model was trained on events
after the date had seen the outcomes: a score made later for an earlier day is no prediction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.errors import ModelError
from features.storage.customer_ids import CustomerAliases
from features.timeline import Timeline
from serving.actions.plan_file import FOLDER, find
from serving.experiments.held_back import assignment_today
from serving.project.settings import Project
from serving.schemas.terms import PLANNED
from serving.state.active_model import load as load_bundle
from serving.state.campaigns.campaign_index import CampaignRecord
from serving.state.remote.state_files import fetch
from serving.state.scores.score_file import Scores, load
from serving.state.scores.score_index import ScoreFile
from training.bundle.list_policy import default_order
from training.bundle.model_bundle import Bundle
from training.monitoring.matured_outcomes import MaturedOutcomes
from training.monitoring.outcome_performance import JudgedRows
from training.monitoring.records import ListSource, UnjudgedDate, UnjudgedReason

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ScoredCohort:
    """One stored score file with the model that made it."""

    record: ScoreFile
    scores: Scores
    bundle: Bundle
    keys: Ints
    """int64[n]: today's keys of its cohort, in the order of `scores.cohort`."""

    @property
    def as_of(self) -> int:
        """Microseconds UTC."""
        return self.record.as_of

    @property
    def decided(self) -> int:
        """The instant at which its horizon ends."""
        return int(self.bundle.churn.horizon.end(self.as_of))


def read_cohorts(
    project: Project, records: Sequence[ScoreFile], aliases: CustomerAliases
) -> tuple[list[ScoredCohort], list[UnjudgedDate]]:
    """The cohorts of these score files, and the files that cannot be judged however much data comes."""
    found: list[ScoredCohort] = []
    unjudged: list[UnjudgedDate] = []
    bundles: dict[tuple[str, str], Bundle] = {}
    for record in records:
        try:
            fetch(project.scores / record.file)
            scores = load(project.scores / record.file)
            pointer = record.model_version, scores.facts.fingerprint
            if pointer not in bundles:
                bundles[pointer] = load_bundle(project.state, *pointer).bundle
        except ModelError:
            unjudged.append(_unjudged(record, project.timeline, "unreadable", None))
            continue
        bundle = bundles[pointer]
        if record.as_of < bundle.trained_until:
            unjudged.append(_unjudged(record, project.timeline, "learned_from_later", None))
            continue
        keys = current_keys(scores.answers.key[scores.cohort], aliases)
        found.append(ScoredCohort(record, scores, bundle, keys))
    return found, unjudged


def unjudged_date(cohort: ScoredCohort, timeline: Timeline, reason: UnjudgedReason) -> UnjudgedDate:
    """That a cohort cannot be judged, with the day on which its horizon ends."""
    return _unjudged(cohort.record, timeline, reason, timeline.name(cohort.decided))


def current_keys(keys: Ints, aliases: CustomerAliases) -> Ints:
    """int64[n]: the keys that these customers are known by today."""
    gone = np.isin(keys, aliases.keys_out_of_use)
    if not gone.any():
        return keys
    today = keys.copy()
    today[gone] = [aliases.superseded[key] for key in keys[gone].tolist()]
    return today


def judged_rows(
    project: Project,
    cohort: ScoredCohort,
    outcomes: MaturedOutcomes,
    campaigns: Sequence[CampaignRecord],
    aliases: CustomerAliases,
) -> tuple[JudgedRows, ListSource]:
    """The customers of a cohort whose outcome is known, and whether the list shown was a `plan` or a `list`.

    A customer is treated where a campaign held or contacted them at any time within the horizon.
    """
    scores, known = cohort.scores, outcomes.known
    rows, keys = scores.cohort[known], cohort.keys[known]
    treated = np.zeros(len(keys), dtype=np.bool_)
    arms: dict[str, NDArray[np.bool_]] = {}
    for record in campaigns:
        if not _runs_within(record, cohort.as_of, cohort.decided):
            continue
        assignment = assignment_today(project, record, aliases).assignment
        for arm, members in (("treatment", assignment.treated), ("control", assignment.control)):
            mine = np.isin(keys, members)
            if mine.any():
                arms[f"{record.name}/{arm}"] = mine
            if arm == "treatment":
                treated |= mine
    listed, source = _shown(project, cohort)
    answers = scores.answers
    segments = {
        name: (codes[rows], scores.facts.attributes[name]) for name, codes in answers.attributes.items()
    }
    judged = JudgedRows(
        keys=keys,
        probability=answers.churn_probability[rows],
        expected_value=answers.expected_value[rows],
        churned=outcomes.churned[known],
        value=outcomes.value[known],
        treated=treated,
        segments=segments,
        arms=arms,
        listed=np.isin(rows, listed),
    )
    return judged, source


def _runs_within(record: CampaignRecord, start: int, end: int) -> bool:
    """Whether a campaign's customers were treated, or held back, at some time of `[start, end)`."""
    if not record.file or record.started_at is None or record.hold_until is None:
        return False
    last = record.hold_until if record.stopped_at is None else min(record.hold_until, record.stopped_at)
    return record.started_at < end and last > start


def _shown(project: Project, cohort: ScoredCohort) -> tuple[Ints, ListSource]:
    """The rows of the customers that a date's plan chose, else the first of the list in its default order."""
    scores = cohort.scores
    file = project.state / FOLDER / cohort.record.file
    plan = find(fetch(file)) if file.exists() else None
    if plan is not None:
        rows = scores.rows(plan.keys[plan.made_outcomes == PLANNED])
        return rows[rows >= 0], "plan"
    order = default_order(amounts=scores.facts.amounts)
    return scores.ranked(order)[: project.settings.capacity.contacts], "list"


def _unjudged(
    record: ScoreFile, timeline: Timeline, reason: UnjudgedReason, matures: str | None
) -> UnjudgedDate:
    return UnjudgedDate(timeline.name(record.as_of), record.model_version, record.file, reason, matures)
