"""Answers as the plain data that people and machines read: one customer's numbers, tier and reasons."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from weakref import WeakKeyDictionary

from serving.state.score_file import Ints, ScoreTable
from training.bundle.model_bundle import Bundle
from training.explanation.reasons import reason_of, sentence
from training.labels.cohort import STATUSES, UNKNOWN

Reply = dict[str, Any]

MOST_KEPT = 20_000
"""Reasons of a bundle and language kept ready; many customers share one."""

NOTHING: Mapping[str, Any] = {
    "churn_probability": None,
    "tier": None,
    "predicted_tier": None,
    "expected_value": None,
    "value_at_risk": None,
    "reasons": [],
}
"""What is said of a customer of whom nothing is known."""


class _Reasons:
    """The reasons of one bundle in one language; each is put into words once."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.kept: dict[tuple[int, float | None, bool], Reply] = {}

    def of(self, bundle: Bundle, column: int, value: float, contribution: float) -> Reply:
        key = (column, None if value != value else value, contribution >= 0)
        said = self.kept.get(key)
        if said is None:
            if len(self.kept) >= MOST_KEPT:
                self.kept.clear()
            said = self.kept[key] = self._said(bundle, column, value, contribution)
        return said

    def _said(self, bundle: Bundle, column: int, value: float, contribution: float) -> Reply:
        why = reason_of(bundle, column, value, contribution)
        return {
            "feature": why.feature,
            "indicator": why.indicator,
            "value": why.value_text or why.value,
            "typical": why.typical,
            "direction": why.direction,
            "actionable": why.actionable,
            "sentence": sentence(bundle.catalog, why, self.language),
        }


_REASONS: WeakKeyDictionary[Bundle, dict[str, _Reasons]] = WeakKeyDictionary()


def entries(
    bundle: Bundle, answers: ScoreTable, names: Iterable[str], language: str, rows: Ints | None = None
) -> Iterator[Reply]:
    """Each customer as the list shows them, or those of these rows; `names` are theirs, in order."""
    tiers = bundle.tiers.names
    words = _REASONS.setdefault(bundle, {})
    reasons = words.setdefault(language, _Reasons(language))
    for name, told in zip(names, answers.iter_rows(rows), strict=True):
        _, probability, tier, predicted, expected, at_risk, features, values, contributions = told
        yield {
            "customer_id": name,
            "churn_probability": number(probability),
            "tier": tiers[tier],
            "predicted_tier": None if predicted < 0 else tiers[predicted],
            "expected_value": number(expected),
            "value_at_risk": number(at_risk),
            "reasons": [
                reasons.of(bundle, column, value, contribution)
                for column, value, contribution in zip(features, values, contributions, strict=True)
                if column >= 0
            ],
        }


def with_status(
    bundle: Bundle, answers: ScoreTable, names: Iterable[str], language: str, rows: Ints | None = None
) -> Iterator[Reply]:
    """Each customer, with what they are at the as-of date: cohort, lapsed, new or unknown."""
    said = entries(bundle, answers, names, language, rows)
    statuses = answers.status if rows is None else answers.status[rows]
    for status, entry in zip(statuses.tolist(), said, strict=True):
        name = entry["customer_id"]
        first = {"customer_id": name, "status": STATUSES[status].value}
        yield unknown(name) if status == UNKNOWN else first | entry


def unknown(customer_id: str) -> Reply:
    """A customer of whom nothing is known."""
    return {"customer_id": customer_id, "status": "unknown", **NOTHING}


def number(value: float) -> float | None:
    """A number as JSON has it: none where there is none."""
    return value if math.isfinite(value) else None
