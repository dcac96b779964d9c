"""The stored scores as answers: of named customers, as a list, a page at a time, and explained."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.errors import ModelError, UnknownCustomer
from features.event_store import EventStore
from features.storage.customer_ids import Customers
from features.timeline import Timeline
from serving.actions.contact_state import ContactState
from serving.actions.plan_file import StoredPlan
from serving.actions.plan_lookup import CheckedPlan, PlanLookup, planned_actions
from serving.experiments.held_back import NOBODY_HELD_BACK, HeldBackCustomers, held_back
from serving.lists.cursor import Cursor
from serving.lists.customer_view import STATUS_NAMES, Numbers, change_entry, numbers, unknown_numbers
from serving.lists.filtered_rows import FilterCache
from serving.lists.filters import ListFilter, Rows
from serving.lists.planned.outcomes_now import outcome_codes, outcomes_now
from serving.lists.ranking import at_risk, left_out, page
from serving.lists.similar_ids import similar_ids
from serving.lists.uplift_reason import uplift_basis
from serving.project.settings import Project
from serving.schemas.change_responses import Change
from serving.schemas.plan_responses import CustomerOutcome, PlannedAction
from serving.schemas.responses import (
    AtRiskReply,
    ExplainReply,
    ListedCustomer,
    ListReply,
    PlannedCustomer,
    Previous,
    Provenance,
    ScoredCustomer,
    ScoreReply,
    UpliftBasis,
)
from serving.scoring.explained_changes import explained_changes
from serving.state.active_model import load
from serving.state.database import Database
from serving.state.scores.score_file import Scores
from serving.state.scores.score_file import load as load_scores
from serving.state.scores.score_index import ScoreFile, current_scores, scores_before
from serving.state.scores.score_table import Ints
from training.bundle.list_policy import default_order
from training.bundle.model_bundle import Bundle
from training.explanation.project_words import NO_WORDS, ProjectWords
from training.explanation.reasons import reason_of
from training.labels.cohort import IN_COHORT
from training.statistics import finite

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
    words: ProjectWords = NO_WORDS
    """The currency and the names of attributes that reasons are written with."""
    plan: StoredPlan | None = None
    """What `kizuna plan` made for these scores, with the outcomes that hold now."""
    contacts: ContactState | None = None
    """Who may be contacted now, where no plan says it."""
    held: HeldBackCustomers = NOBODY_HELD_BACK
    """Who is a control customer now."""

    @staticmethod
    def current(
        records: Database, project: Project, store: EventStore, now: int | None = None
    ) -> ScoreReader:
        """From the scores in use."""
        current = current_scores(records)
        if current is None:
            raise ModelError(
                "cannot answer: nothing has been scored yet. Run `kizuna score` first "
                "(after `kizuna train`, where no model was trained either)."
            )
        return ScoreReader.of_file(records, project, store, current, now)

    @staticmethod
    def of_file(
        records: Database,
        project: Project,
        store: EventStore,
        score_file: ScoreFile,
        now: int | None = None,
        plans: PlanLookup | None = None,
    ) -> ScoreReader:
        """From the scores of one file, with the plan that was made for them, checked again."""
        reader = ScoreReader.without_plan(records, project, store, score_file)
        # Without a moment every hold counts as not ended: in doubt a customer is not contacted.
        held = held_back(records, project, reader.customers.aliases, now or 0)
        found = (plans or PlanLookup(project)).checked(score_file.file, store, now, held.held)
        return reader.with_plan(found, held)

    @staticmethod
    def without_plan(
        records: Database, project: Project, store: EventStore, score_file: ScoreFile
    ) -> ScoreReader:
        """From the scores of one file, whether or not a plan was made for them."""
        customers = store.customers
        # A customer who was scored under two keys, and turned out to be one, is listed once.
        scores = load_scores(project.scores / score_file.file).without(customers.aliases.keys_out_of_use)
        earlier = scores_before(records, score_file.as_of)
        champion = load(project.state, scores.facts.model_version, scores.facts.fingerprint)
        return ScoreReader(
            scores,
            champion.bundle,
            customers,
            project.timeline,
            None if earlier is None else project.scores / earlier.file,
            score_file.file,
            project.words,
        )

    def with_plan(self, found: CheckedPlan, held: HeldBackCustomers) -> ScoreReader:
        """The same with a plan, without its rows of keys that went out of use, and who is held back."""
        plan = found.plan
        if plan is not None:
            plan = plan.without(self.customers.aliases.keys_out_of_use)
        return replace(self, plan=plan, contacts=found.contacts, held=held)

    def rehearse(self) -> None:
        """Load beforehand what the first requests would wait for; raises `ModelError` where nothing fits."""
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
        for ranking in (self.scores.by_value_at_risk, self.scores.by_churn_probability):
            list(self.in_words(ranking[:1], "en"))

    def at_risk(self, choice: ListFilter, language: str) -> ListReply:
        """The whole list."""
        return ListReply(**vars(self.provenance), customers=list(self.listed(choice, language)))

    def page(self, choice: ListFilter, language: str, cursor: Cursor | None = None) -> AtRiskReply:
        """A part of the list that goes on where the cursor says, and the cursor of the next part."""
        start, rank = (0, 0) if cursor is None else (cursor.place, cursor.rank)
        rows, more = page(self.scores, choice, self.subjects, start, self.plan)
        after = None if more is None else str(Cursor(self.file, more, rank + len(rows), choice.fingerprint))
        customers = list(self.in_words(rows, language, np.arange(rank, rank + len(rows)) + 1))
        return AtRiskReply(**vars(self.provenance), customers=customers, next_cursor=after)

    def listed(
        self, choice: ListFilter, language: str, *, planned_first: bool = False
    ) -> Iterator[ListedCustomer]:
        """The customers of the list, one after the other, so that a list of any length fits in memory.

        With `planned_first` those planned come before those left out, each in the order of the list.
        """
        rows = at_risk(self.scores, choice, self.subjects, self.plan)
        ranks = np.arange(1, len(rows) + 1)
        if planned_first and self.plan is not None:
            order = np.argsort(left_out(self.plan, self.scores.answers.key[rows]), kind="stable")
            rows, ranks = rows[order], ranks[order]
        return self.in_words(rows, language, ranks)

    def of_keys(self, keys: Ints, language: str) -> Iterator[ListedCustomer]:
        """These customers as rows of a list, in its order, those outside the cohort last."""
        order = self.scores.ranked(default_order(amounts=self.scores.facts.amounts))
        rows = self.scores.rows(keys)
        rows = rows[rows >= 0]
        listed = order[np.isin(order, rows)]
        return self.in_words(np.concatenate([listed, rows[~np.isin(rows, listed)]]), language)

    def in_words(self, rows: Rows, language: str, ranks: Rows | None = None) -> Iterator[ListedCustomer]:
        """These rows as customers of a list, with their places on it; from 1 on where none are given."""
        ranks = np.arange(1, len(rows) + 1) if ranks is None else ranks
        for start in range(0, len(rows), AT_ONCE):
            chosen = self.scores.answers.take(rows[start : start + AT_ONCE])
            names = self.customers.names(chosen.key).to_pylist()
            scored = numbers(self.bundle, chosen, language, project=self.words, basis=self.uplift_basis)
            plans = list(planned_actions(self.plan, chosen.key, language))
            outcomes = self._outcomes(chosen.key, plans, language)
            places = ranks[start : start + AT_ONCE].tolist()
            for place, name, row, plan, now in zip(places, names, scored, plans, outcomes, strict=True):
                yield ListedCustomer(
                    place,
                    name,
                    *row[1:],
                    plan,
                    now.outcome,
                    now.left_out_because,
                    list(now.refused_channels),
                )

    def outcomes(self, keys: Ints, language: str) -> list[CustomerOutcome]:
        """Each customer's outcome now, why they are left out, and the channels they refuse."""
        return self._outcomes(keys, list(planned_actions(self.plan, keys, language)), language)

    def _outcomes(
        self, keys: Ints, plans: Sequence[PlannedAction | None], language: str
    ) -> list[CustomerOutcome]:
        held = self.held.held(keys).tolist() if self.held.anybody else [False] * len(keys)
        return outcomes_now(plans, held, self.refused_channels(keys), language)

    def refused_channels(self, keys: Ints) -> list[tuple[str, ...]]:
        """The channels over which each customer must not be contacted now; `all` for all of them."""
        if self.contacts is not None:
            return self.contacts.refused_channels(keys)
        return (self.plan and self.plan.refused_channels(keys)) or [()] * len(keys)

    def refuse(self, keys: Ints, channel: str) -> NDArray[np.bool_]:
        """bool[n]: who must not be contacted over a channel now; over any, where none is given."""
        if self.contacts is not None:
            return self.contacts.refuse(keys, channel)
        found = None if self.plan is None else self.plan.refuse(keys, channel)
        return np.zeros(len(keys), np.bool_) if found is None else found

    @cached_property
    def filtered(self) -> FilterCache:
        """Who fits a filter, kept for the last ones asked for."""
        keys, refuse = self.scores.answers.key, partial(self.refuse, channel="")
        return FilterCache(
            self.scores,
            self.subjects,
            self.plan,
            lambda: outcome_codes(self.plan, keys, refuse, self.held.held),
            lambda: refuse(keys),
        )

    @cached_property
    def subjects(self) -> tuple[str, ...]:
        """What each column of the bundle is about: its indicator, or tenure."""
        columns = range(len(self.bundle.catalog.columns))
        return tuple(reason_of(self.bundle, column, math.nan, 1.0).indicator for column in columns)

    def keys(self, customer_ids: Sequence[str]) -> Ints:
        """The customers' keys, -1 for those who are not known."""
        return self.customers.keys(pa.array(customer_ids, pa.large_string()))

    def of(self, customer_ids: Sequence[str], language: str, keys: Ints | None = None) -> ScoreReply:
        """The stored scores of these customers, in their order; `status` says who is unknown.

        `keys` are theirs, where they were looked up before.
        """
        keys = self.keys(customer_ids) if keys is None else keys
        places = self.scores.rows(keys)
        known = places >= 0
        scored = self._numbers(language, places[known])
        plans = list(planned_actions(self.plan, keys, language))
        customers = [
            PlannedCustomer(
                name,
                *(next(scored) if is_known else unknown_numbers()),
                plan,
                list(now.refused_channels),
                now.outcome,
                now.left_out_because,
            )
            for name, is_known, plan, now in zip(
                customer_ids, known.tolist(), plans, self._outcomes(keys, plans, language), strict=True
            )
        ]
        return ScoreReply(**vars(self.provenance), customers=customers)

    def scored(self, customer_ids: Sequence[str], language: str) -> list[ScoredCustomer]:
        """The same without the plan and where the scores came from."""
        places = self.scores.rows(self.keys(customer_ids))
        known = places >= 0
        scored = self._numbers(language, places[known])
        return [
            ScoredCustomer(name, *(next(scored) if is_known else unknown_numbers()))
            for name, is_known in zip(customer_ids, known.tolist(), strict=True)
        ]

    def explain(self, customer_id: str, language: str, store: EventStore) -> ExplainReply:
        """One customer's score and reasons, and what changed since the scores before."""
        key = int(self.customers.keys(pa.array([customer_id], pa.string()))[0])
        row = self.scores.row(key) if key >= 0 else None
        if row is None:
            if key < 0:
                raise UnknownCustomer(customer_id, similar=similar_ids(self.customers, customer_id))
            raise UnknownCustomer(customer_id, self.timeline.name(self.scores.facts.as_of))
        (customer,) = self.of([customer_id], language, np.array([key])).customers
        before = None if self.earlier is None else load_scores(self.earlier)
        place = None if before is None else before.row(key)
        previous: Previous | None = None
        changes: list[Change] = []
        if before is not None and place is not None:
            earlier, later = before.facts.as_of, self.scores.facts.as_of
            previous = Previous(
                as_of=self.timeline.name(earlier),
                model_version=before.facts.model_version,
                status=STATUS_NAMES[before.answers.status[place]],
                churn_probability=finite(before.answers.churn_probability[place]),
                tier=before.facts.tiers[before.answers.tier[place]],
            )
            if before.answers.status[place] == self.scores.answers.status[row] == IN_COHORT:
                changes = [
                    change_entry(self.bundle, one, self.timeline, language, self.words)
                    for one in explained_changes(self.bundle, store, key, earlier, later)
                ]
        return ExplainReply(**vars(self.provenance), customer=customer, previous=previous, changes=changes)

    def _numbers(self, language: str, rows: Rows) -> Iterator[Numbers]:
        answers, basis = self.scores.answers, self.uplift_basis
        return numbers(self.bundle, answers, language, rows, project=self.words, basis=basis)

    @cached_property
    def uplift_basis(self) -> UpliftBasis | None:
        """What the customers' uplift is about, None where they have none."""
        return uplift_basis(self.scores.facts, self.timeline)

    @cached_property
    def provenance(self) -> Provenance:
        """Where an answer came from: date, model, data, its newest event and how good the evidence is."""
        facts = self.scores.facts
        return Provenance(
            as_of=self.timeline.name(facts.as_of),
            model_version=facts.model_version,
            data_version=facts.data_version,
            freshness=None if facts.data_until is None else self.timeline.name(facts.data_until),
            evidence=facts.evidence,
            currency=self.words.currency or None,
            contacts=facts.contacts,
            uplift=self.uplift_basis,
            expected_leavers=facts.expected_leavers,
            lifetime_months=() if facts.lifetime is None else facts.lifetime.months,
        )
