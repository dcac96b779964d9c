"""What is said, in words: answers as the plain data that the command line and the API give out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.errors import ModelError, UnknownCustomer
from features.event_store import EventStore
from features.storage.customer_ids import Customers
from features.timeline import Timeline
from serving.actions.plan_file import StoredPlan
from serving.actions.plan_lookup import plan_entries, plan_of, planned_mask
from serving.lists.customer_view import Reply, entries, number, unknown, with_status
from serving.lists.ranking import Cursor, ListFilter, Rows, at_risk, page
from serving.project.settings import Project
from serving.scoring.explained_changes import what_changed
from serving.state.active_model import load
from serving.state.database import Database
from serving.state.score_file import Ints, ScoreMetadata, Scores
from serving.state.score_file import load as load_scores
from serving.state.score_index import ScoreFile, current_scores, scores_before
from training.bundle.model_bundle import Bundle
from training.explanation.reasons import reason_of
from training.labels.cohort import IN_COHORT, STATUSES

AT_ONCE = 1_000
"""Customers of a list put into words at a time."""


@dataclass(frozen=True, eq=False)
class ScoreReader:
    """The scores in use, with the bundle that made them and the names of the customers."""

    scores: Scores
    bundle: Bundle
    customers: Customers
    timeline: Timeline
    earlier: Path | None = None
    """The file of the newest scores of an earlier as-of date; read when an explanation asks for it."""
    file: str = ""
    """The name of the score file."""
    plan: StoredPlan | None = None
    """What `kizuna plan` made for these scores."""

    @staticmethod
    def current(records: Database, project: Project, store: EventStore) -> ScoreReader:
        """From the scores in use."""
        current = current_scores(records)
        if current is None:
            raise ModelError(
                "cannot answer: nothing has been scored yet. Run `kizuna score` first "
                "(after `kizuna train`, where no model was trained either)."
            )
        return ScoreReader.of_file(records, project, store, current)

    @staticmethod
    def of_file(records: Database, project: Project, store: EventStore, kept: ScoreFile) -> ScoreReader:
        """From the scores of one file."""
        scores = load_scores(project.scores / kept.file)
        earlier = scores_before(records, kept.as_of)
        champion = load(project.state, scores.facts.model_version, scores.facts.fingerprint)
        return ScoreReader(
            scores,
            champion.bundle,
            store.customers,
            project.timeline,
            None if earlier is None else project.scores / earlier.file,
            kept.file,
            plan_of(project, kept.file),
        )

    def rehearse(self) -> None:
        """Do beforehand what the first questions would wait for; raises `ModelError` where nothing fits."""
        answers, columns = self.scores.answers, len(self.subjects)
        if (
            self.scores.facts.tiers != self.bundle.tiers.names
            or answers.reason_features.max(initial=0) >= columns
        ):
            raise ModelError(
                f"cannot use the scores in {self.file}: they are not of the bundle they name. "
                "Run `kizuna score` again."
            )
        self.keys([""])
        ranked = (self.scores.by_value_at_risk, self.scores.by_churn_probability)
        for ranking in ranked:
            list(self._in_words(ranking[:1], "en"))

    def at_risk(self, choice: ListFilter, language: str) -> Reply:
        """The list."""
        return self.source() | {"customers": list(self.listed(choice, language))}

    def page(self, choice: ListFilter, language: str, cursor: Cursor | None = None) -> Reply:
        """A part of the list that goes on where the cursor says, and the cursor of the next part."""
        start, rank = (0, 0) if cursor is None else (cursor.place, cursor.rank)
        rows, more = page(self.scores, choice, self.subjects, start, self._planned(choice))
        after = None if more is None else str(Cursor(self.file, more, rank + len(rows), choice.fingerprint))
        customers = list(self._in_words(rows, language, rank))
        return self.source() | {"customers": customers, "next_cursor": after}

    def listed(self, choice: ListFilter, language: str) -> Iterator[Reply]:
        """The customers of the list, one after the other, so that a list of any length fits in memory."""
        rows = at_risk(self.scores, choice, self.subjects, self._planned(choice))
        return self._in_words(rows, language)

    def _planned(self, choice: ListFilter) -> NDArray[np.bool_] | None:
        return planned_mask(self.plan, self.scores.answers.key, choice.cut) if choice.cut else None

    def _in_words(self, rows: Rows, language: str, rank: int = 0) -> Iterator[Reply]:
        for start in range(0, len(rows), AT_ONCE):
            chosen = self.scores.answers.take(rows[start : start + AT_ONCE])
            names = self.customers.names(chosen.key).to_pylist()
            said = entries(self.bundle, chosen, names, language)
            planned = plan_entries(self.plan, chosen.key, language)
            for place, (one, plan) in enumerate(zip(said, planned, strict=True), rank + start + 1):
                yield {"rank": place} | one | {"plan": plan}

    @cached_property
    def subjects(self) -> tuple[str, ...]:
        """What each column of the bundle is about: its indicator, or tenure."""
        columns = range(len(self.bundle.catalog.columns))
        return tuple(reason_of(self.bundle, column, math.nan, 1.0).indicator for column in columns)

    def keys(self, customer_ids: Sequence[str]) -> Ints:
        """The customers' keys, -1 for those who are not known."""
        return self.customers.keys(pa.array(customer_ids, pa.large_string()))

    def of(self, customer_ids: Sequence[str], language: str, keys: Ints | None = None) -> Reply:
        """The stored scores of these customers, in the order asked; `status` says who is unknown.

        `keys` are theirs, where they were looked up before.
        """
        keys = self.keys(customer_ids) if keys is None else keys
        customers = self.scored(customer_ids, language, keys)
        for one, plan in zip(customers, plan_entries(self.plan, keys, language), strict=True):
            one["plan"] = plan
        return self.source() | {"customers": customers}

    def scored(self, customer_ids: Sequence[str], language: str, keys: Ints | None = None) -> list[Reply]:
        """The same without where they came from and without the plan."""
        places = self.scores.rows(self.keys(customer_ids) if keys is None else keys)
        known = places >= 0
        names = [name for name, there in zip(customer_ids, known.tolist(), strict=True) if there]
        said = with_status(self.bundle, self.scores.answers, names, language, places[known])
        return [
            next(said) if there else unknown(name)
            for name, there in zip(customer_ids, known.tolist(), strict=True)
        ]

    def explain(self, customer_id: str, language: str, store: EventStore) -> Reply:
        """One customer's score and reasons, and what changed since the scores before."""
        key = int(self.customers.keys(pa.array([customer_id], pa.string()))[0])
        row = self.scores.row(key) if key >= 0 else None
        if row is None:
            raise UnknownCustomer(
                customer_id, self.timeline.name(self.scores.facts.as_of) if key >= 0 else None
            )
        answers = self.scores.answers
        (customer,) = with_status(self.bundle, answers, [customer_id], language, np.array([row]))
        (customer["plan"],) = plan_entries(self.plan, np.array([key]), language)
        reply = self.source() | {"customer": customer}
        before = None if self.earlier is None else load_scores(self.earlier)
        place = None if before is None else before.row(key)
        if before is None or place is None:
            return reply | {"previous": None, "changes": []}
        then, now = before.facts.as_of, self.scores.facts.as_of
        inside = before.answers.status[place] == answers.status[row] == IN_COHORT
        return reply | {
            "previous": {
                "as_of": self.timeline.name(then),
                "model_version": before.facts.model_version,
                "status": STATUSES[before.answers.status[place]].value,
                "churn_probability": number(float(before.answers.churn_probability[place])),
                "tier": before.facts.tiers[before.answers.tier[place]],
            },
            "changes": what_changed(self.bundle, store, key, then, now, self.timeline, language)
            if inside
            else [],
        }

    def source(self) -> Reply:
        """Where an answer came from."""
        return self._source

    @cached_property
    def _source(self) -> Reply:
        return source(self.scores.facts, self.timeline)


def source(facts: ScoreMetadata, timeline: Timeline) -> Reply:
    """Where an answer came from: date, model, data, its newest event and how good the evidence is."""
    return {
        "as_of": timeline.name(facts.as_of),
        "model_version": facts.model_version,
        "data_version": facts.data_version,
        "freshness": None if facts.newest is None else timeline.name(facts.newest),
        "evidence": facts.evidence,
    }
