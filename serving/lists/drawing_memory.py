"""What drawing a campaign reads of the event store, kept between previews of one process.

A preview is made whenever a number is typed, and two scans of the store take seconds where it is large. Who
may be contacted is followed bucket by bucket; tenure and past spend are of one file of scores and one version
of the store.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from features.event_store import EventStore
from features.events.consent import ConsentRules
from serving.actions.contact_state import ContactRegister, ContactState
from serving.experiments.baseline import BaselineCovariates, baseline_covariates
from serving.lists.filters import Rows
from serving.lists.score_reader import ScoreReader


@dataclass(eq=False)
class DrawingMemory:
    """Contact state and covariates of the last drawing; empty, it reads both."""

    _register: ContactRegister | None = None
    _baseline: BaselineCovariates | None = None
    _baseline_of: tuple[str, str] = ("", "")
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def contacts(self, rules: ConsentRules, store: EventStore, now: int) -> ContactState:
        """Who may be contacted at an instant."""
        with self._lock:
            if self._register is None or self._register.rules != rules:
                self._register = ContactRegister(rules, ())
            return self._register.state(store, now)

    def baseline(self, reader: ScoreReader, store: EventStore, rows: Rows) -> BaselineCovariates:
        """Tenure and past spend of the customers in these rows of the scores."""
        scores = reader.scores
        with self._lock:
            of = (reader.file, store.version)
            if self._baseline is None or self._baseline_of != of:
                self._baseline = baseline_covariates(
                    store, reader.bundle.churn, scores.answers.key, scores.facts.as_of
                )
                self._baseline_of = of
            known = self._baseline
        return BaselineCovariates(known.tenure_days[rows], known.past_spend[rows])
