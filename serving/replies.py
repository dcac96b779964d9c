"""What is said, in words: answers as the plain data that the command line and the API give out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from features.customers import Customers
from features.errors import ModelError, UnknownCustomer
from features.snapshot import snapshot
from features.store import EventStore
from features.timeline import Timeline
from serving.at_risk import Choice, at_risk
from serving.champion import load
from serving.records import Records
from serving.scores import Answers, Facts, Scores
from serving.scores import load as load_scores
from serving.settings import Project
from training.bundle import Bundle
from training.explain import Change, Reason, change_sentence, changes, reason, sentence
from training.labels import IN_COHORT, STATUSES, UNKNOWN

Reply = dict[str, Any]

AT_ONCE = 1_000
"""Customers of a list put into words at a time."""


@dataclass(frozen=True, eq=False)
class Replies:
    """The scores in use, with the bundle that made them and the names of the customers."""

    scores: Scores
    bundle: Bundle
    customers: Customers
    timeline: Timeline
    earlier: Path | None = None
    """The file of the newest scores of an earlier as-of date; read when an explanation asks for it."""

    @staticmethod
    def current(records: Records, project: Project, store: EventStore) -> Replies:
        """From the scores in use."""
        current = records.scores()
        if current is None:
            raise ModelError(
                "cannot answer: nothing has been scored yet. Run `kizuna score` first "
                "(after `kizuna train`, where no model was trained either)."
            )
        scores = load_scores(project.scores / current.file)
        earlier = records.scores_before(current.as_of)
        champion = load(project.state, scores.facts.model_version, scores.facts.fingerprint)
        return Replies(
            scores,
            champion.bundle,
            store.customers,
            project.timeline,
            None if earlier is None else project.scores / earlier.file,
        )

    def at_risk(self, choice: Choice, language: str) -> Reply:
        """The list."""
        return self.source() | {"customers": list(self.listed(choice, language))}

    def listed(self, choice: Choice, language: str) -> Iterator[Reply]:
        """The customers of the list, one after the other, so that a list of any length fits in memory."""
        rows = at_risk(self.scores, choice)
        for start in range(0, len(rows), AT_ONCE):
            chosen = self.scores.answers.take(rows[start : start + AT_ONCE])
            names = self.customers.names(chosen.key).to_pylist()
            for row, name in enumerate(names):
                yield {"rank": start + row + 1} | entry(self.bundle, chosen, row, name, language)

    def of(self, customer_ids: Sequence[str], language: str) -> Reply:
        """The stored scores of these customers, in the order asked; `status` says who is unknown."""
        keys = self.customers.keys(pa.array(customer_ids, pa.string()))
        rows = [self.scores.row(key) for key in keys.tolist()]
        return self.source() | {
            "customers": [
                {"customer_id": name, "status": "unknown", **NOTHING}
                if row is None
                else with_status(self.bundle, self.scores.answers, row, name, language)
                for name, row in zip(customer_ids, rows, strict=True)
            ]
        }

    def explain(self, customer_id: str, language: str, store: EventStore) -> Reply:
        """One customer's score and reasons, and what changed since the scores before."""
        key = int(self.customers.keys(pa.array([customer_id], pa.string()))[0])
        row = self.scores.row(key) if key >= 0 else None
        if row is None:
            raise UnknownCustomer(
                customer_id, self.timeline.name(self.scores.facts.as_of) if key >= 0 else None
            )
        answers = self.scores.answers
        reply = self.source() | {"customer": with_status(self.bundle, answers, row, customer_id, language)}
        before = None if self.earlier is None else load_scores(self.earlier)
        place = None if before is None else before.row(key)
        if before is None or place is None:
            return reply | {"previous": None, "changes": []}
        then, now = before.facts.as_of, self.scores.facts.as_of
        inside = before.answers.status[place] == answers.status[row] == IN_COHORT
        moved = self._changes(store, key, then, now) if inside else []
        return reply | {
            "previous": {
                "as_of": self.timeline.name(then),
                "model_version": before.facts.model_version,
                "status": STATUSES[before.answers.status[place]].value,
                "churn_probability": number(before.answers.churn_probability[place]),
                "tier": before.facts.tiers[before.answers.tier[place]],
            },
            "changes": [self._change(change, language) for change in moved],
        }

    def source(self) -> Reply:
        """Where an answer came from."""
        return source(self.scores.facts, self.timeline)

    def _changes(self, store: EventStore, key: int, then: int, now: int) -> list[Change]:
        history = store.history_of([key])
        keys, dates = np.array([key, key]), np.array([then, now])
        bundle = self.bundle
        matrix = snapshot(
            history, bundle.catalog, Timeline(bundle.timezone), keys, dates, bundle.priors, threads=1
        ).matrix
        parts = bundle.contributions(matrix, threads=1)
        return changes(bundle, (matrix[0], parts[0]), (matrix[1], parts[1]))

    def _change(self, change: Change, language: str) -> Reply:
        after = change.after
        return {
            "feature": after.feature,
            "indicator": after.indicator,
            "before": change.before.value_text or change.before.value,
            "after": after.value_text or after.value,
            "direction": "raised" if change.shift >= 0 else "lowered",
            "sentence": change_sentence(self.bundle.catalog, change, language),
        }


def source(facts: Facts, timeline: Timeline) -> Reply:
    """Where an answer came from: date, model, data, its newest event and how good the evidence is."""
    return {
        "as_of": timeline.name(facts.as_of),
        "model_version": facts.model_version,
        "data_version": facts.data_version,
        "freshness": None if facts.newest is None else timeline.name(facts.newest),
        "evidence": facts.evidence,
    }


NOTHING: Mapping[str, Any] = {
    "churn_probability": None,
    "tier": None,
    "predicted_tier": None,
    "expected_value": None,
    "value_at_risk": None,
    "reasons": [],
}
"""What is said of a customer of whom nothing is known."""


def with_status(bundle: Bundle, answers: Answers, row: int, customer_id: str, language: str) -> Reply:
    """One customer, with what they are at the as-of date: cohort, lapsed, new or unknown."""
    status = int(answers.status[row])
    if status == UNKNOWN:
        return {"customer_id": customer_id, "status": "unknown", **NOTHING}
    said = entry(bundle, answers, row, customer_id, language)
    return {"customer_id": customer_id, "status": STATUSES[status].value} | said


def entry(bundle: Bundle, answers: Answers, row: int, customer_id: str, language: str) -> Reply:
    """One customer as the list shows them."""
    tiers = bundle.tiers.names
    predicted = int(answers.predicted_tier[row])
    return {
        "customer_id": customer_id,
        "churn_probability": number(answers.churn_probability[row]),
        "tier": tiers[answers.tier[row]],
        "predicted_tier": None if predicted < 0 else tiers[predicted],
        "expected_value": number(answers.expected_value[row]),
        "value_at_risk": number(answers.value_at_risk[row]),
        "reasons": [_reason(bundle, one, language) for one in reasons(bundle, answers, row)],
    }


def reasons(bundle: Bundle, answers: Answers, row: int) -> list[Reason]:
    """The reasons of one customer, most important first."""
    return [
        reason(bundle, int(column), float(value), float(contribution))
        for column, value, contribution in zip(
            answers.reason_features[row],
            answers.reason_values[row],
            answers.reason_contributions[row],
            strict=True,
        )
        if column >= 0
    ]


def number(value: float) -> float | None:
    """A number as JSON has it: none where there is none."""
    return float(value) if math.isfinite(value) else None


def _reason(bundle: Bundle, reason: Reason, language: str) -> Reply:
    return {
        "feature": reason.feature,
        "indicator": reason.indicator,
        "value": reason.value_text or reason.value,
        "typical": reason.typical,
        "direction": reason.direction,
        "sentence": sentence(bundle.catalog, reason, language),
    }
