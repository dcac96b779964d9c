"""Who is on the list, and in what order: by value at risk, or by probability where there are no amounts."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
from numpy.typing import NDArray

from features.errors import UsageError
from serving.actions.plan_file import PlanFilter
from serving.state.score_file import Scores
from training.bundle.list_policy import ListOrder, default_order

Order = ListOrder
Rows = NDArray[np.int64]

AT_ONCE = 50_000
"""Customers looked at together: enough for NumPy, few enough that a short page stops early."""


@dataclass(frozen=True)
class ListFilter:
    """Which customers are wanted: everyone of the cohort unless something is asked."""

    limit: int | None = None
    min_probability: float = 0.0
    tiers: Collection[str] = ()
    """Names of current tiers; empty means all."""
    order_by: Order | None = None
    """None: by value at risk where there are amounts, else by probability."""
    min_value_at_risk: float | None = None
    indicators: Collection[str] = ()
    """What the main reason is about; empty means anything."""
    segment: Mapping[str, Collection[str]] = field(default_factory=dict)
    """Values of attributes; a customer must have one of those named, for each attribute."""
    cut: PlanFilter = field(default_factory=PlanFilter)
    """What the plan must say."""

    @property
    def fingerprint(self) -> str:
        """What tells this choice from others, whatever its limit."""
        said = asdict(self) | {"limit": None}
        return hashlib.sha256(json.dumps(said, sort_keys=True, default=sorted).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Cursor:
    """Where a page ended: in which scores, after how many of the ranking and of the list."""

    file: str
    place: int
    rank: int
    choice: str

    def __str__(self) -> str:
        text = json.dumps([self.file, self.place, self.rank, self.choice])
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @staticmethod
    def read(text: str) -> Cursor:
        """The cursor that this text is."""
        try:
            said = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            file, place, rank, choice = said
            good = isinstance(file, str) and isinstance(choice, str)
            if good and isinstance(place, int) and isinstance(rank, int) and place >= 0 <= rank:
                return Cursor(file, place, rank, choice)
        except (ValueError, TypeError, RecursionError, binascii.Error):
            pass
        raise UsageError(
            "cannot go on from this cursor: it is none that an answer gave. "
            "Send `next_cursor` of the page before as it was, or leave it out to start again.",
            field="cursor",
        )


def at_risk(
    scores: Scores,
    choice: ListFilter,
    subjects: Sequence[str] = (),
    planned: NDArray[np.bool_] | None = None,
) -> Rows:
    """The rows of the list, the first to approach first; ties go by customer key.

    `subjects` says what each feature is about: a list by indicators needs it.
    """
    return page(scores, choice, subjects, planned=planned)[0]


def page(
    scores: Scores,
    choice: ListFilter,
    subjects: Sequence[str] = (),
    start: int = 0,
    planned: NDArray[np.bool_] | None = None,
) -> tuple[Rows, int | None]:
    """As `at_risk`, from a place of the ranking on; also the place where the next page begins.

    `planned` says of every score whether the plan fits the choice's cut.
    """
    ranking = _ranking(scores, choice.order_by)
    matches = _Filter(scores, choice, subjects, planned)
    found: list[Rows] = []
    missing = choice.limit if choice.limit is not None else len(ranking)
    place = start
    while place < len(ranking) and missing > 0:
        rows = ranking[place : place + AT_ONCE]
        fits = np.flatnonzero(matches(rows))
        if len(fits) >= missing:
            place += int(fits[missing - 1]) + 1
            found.append(rows[fits[:missing]])
            missing = 0
        else:
            place += len(rows)
            found.append(rows[fits])
            missing -= len(fits)
    more = place if missing == 0 and place < len(ranking) else None
    return np.concatenate([np.empty(0, np.int64), *found]), more


class _Filter:
    """Which rows fit a choice; what the choice names is looked up once."""

    def __init__(
        self, scores: Scores, choice: ListFilter, subjects: Sequence[str], planned: NDArray[np.bool_] | None
    ) -> None:
        self.answers = scores.answers
        self.planned = planned
        self.choice = choice
        self.tiers = [_place(scores.facts.tiers, name, "tier", "tiers") for name in choice.tiers]
        self.about = np.zeros(len(subjects) + 1, dtype=bool)
        known = tuple(dict.fromkeys(subjects))
        for name in choice.indicators:
            _place(known, name, "indicator", "indicators")
            self.about[: len(subjects)] |= np.array([subject == name for subject in subjects])
        self.segment = {}
        for name, values in choice.segment.items():
            _place(tuple(scores.facts.attributes), name, "attribute", "segment")
            there = scores.facts.attributes[name]
            self.segment[name] = [_place(there, value, name, f"segment.{name}") for value in values]

    def __call__(self, rows: Rows) -> NDArray[np.bool_]:
        answers, choice = self.answers, self.choice
        fits = np.ones(len(rows), dtype=bool) if self.planned is None else self.planned[rows]
        if choice.min_probability > 0:
            fits &= answers.churn_probability[rows] >= choice.min_probability
        if choice.min_value_at_risk is not None:
            fits &= answers.value_at_risk[rows] >= choice.min_value_at_risk
        if choice.tiers:
            fits &= np.isin(answers.tier[rows], self.tiers)
        if choice.indicators:
            fits &= self.about[answers.reason_features[rows, 0]]
        for name, codes in self.segment.items():
            fits &= np.isin(answers.attributes[name][rows], codes)
        return fits


def _ranking(scores: Scores, order_by: Order | None) -> Rows:
    amounts = scores.facts.amounts
    if order_by == "value_at_risk" and not amounts:
        raise UsageError(
            "cannot order by value_at_risk: the events carry no amounts, so nobody's value is known. "
            "Order by churn_probability.",
            field="order_by",
        )
    return scores.ranked(order_by or default_order(amounts=amounts))


def _place(names: Sequence[str], name: str, what: str, field: str) -> int:
    if name not in names:
        plural = {"tier": "tiers", "indicator": "indicators", "attribute": "attributes"}.get(what, "values")
        known = f"The {plural} are {', '.join(names[:20])}." if names else "There are none."
        raise UsageError(f"cannot list the {what} '{name}': there is none of that name. {known}", field=field)
    return names.index(name)
