"""Prometheus metrics of the service. No customer is named.

Counts of several workers are added up through the folder PROMETHEUS_MULTIPROC_DIR, which must be set before
`prometheus_client` is first imported: that is why it is imported late.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from serving.schemas.responses import AtRiskReply, ExplainReply, PredictReply, ScoreReply
from serving.state import monitor_file
from serving.state.database import DATABASE_ERRORS
from serving.state.run_index import BLOCKED, FAILED, HELD, newest_runs

if TYPE_CHECKING:
    from prometheus_client import Counter as PrometheusCounter
    from prometheus_client import Histogram

    from serving.api.live_state import ServiceState
    from serving.schemas.responses import Answer, ListedCustomer, ScoredCustomer

BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
UNWELL = (FAILED, HELD, BLOCKED)
"""States of a run, and of its steps, at which somebody should look."""
MOST_COUNTED = 1_000
"""Customers of one answer whose tiers are counted; of more, the first are."""


class ServiceMetrics:
    """Counters of one worker process."""

    def __init__(self) -> None:
        from prometheus_client import Counter as PrometheusCounter
        from prometheus_client import Histogram

        self._requests = PrometheusCounter(
            "kizuna_requests", "Requests by path and status", ["path", "status"]
        )
        self._seconds = Histogram("kizuna_request_seconds", "Time to answer", ["path"], buckets=BUCKETS)
        self._scores = PrometheusCounter(
            "kizuna_scores", "Customers in answers, by tier and model", ["tier", "model"]
        )
        self._swaps = PrometheusCounter("kizuna_swaps", "New scores, plans and champions taken into use")
        self._refusals = PrometheusCounter("kizuna_refusals", "New scores, plans and champions refused")
        # Children by label: looking one up takes longer than counting.
        self._counters: dict[tuple[PrometheusCounter, str, str], PrometheusCounter] = {}
        self._histograms: dict[str, Histogram] = {}

    @staticmethod
    @cache
    def of_process() -> ServiceMetrics:
        """The metrics of this process: Prometheus registers a name once."""
        return ServiceMetrics()

    def count_request(self, path: str, status: int, seconds: float) -> None:
        """Count one request."""
        self._child(self._requests, path, str(status)).inc()
        histogram = self._histograms.get(path)
        if histogram is None:
            histogram = self._histograms.setdefault(path, self._seconds.labels(path))
        histogram.observe(seconds)

    def count_customers(self, answer: Answer) -> None:
        """Count the customers of an answer by tier."""
        customers: Sequence[ScoredCustomer | ListedCustomer]
        if isinstance(answer, ExplainReply):
            customers = [answer.customer]
        elif isinstance(answer, ScoreReply | AtRiskReply | PredictReply):
            customers = answer.customers
        else:
            return
        if len(customers) == 1:
            self._child(self._scores, customers[0].tier or "none", answer.model_version).inc()
            return
        for tier, count in Counter(one.tier for one in customers[:MOST_COUNTED]).items():
            self._child(self._scores, tier or "none", answer.model_version).inc(count)

    def count_swap(self) -> None:
        """Count new scores, a new plan or a new champion that is in use from now on."""
        self._swaps.inc()

    def count_refusal(self) -> None:
        """Count something new that could not be used."""
        self._refusals.inc()

    def text(self, state: ServiceState) -> bytes:
        """Everything in Prometheus' text format: counts of all workers together, gauges of this one."""
        from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
        from prometheus_client.multiprocess import MultiProcessCollector

        registry = REGISTRY
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return bytes(generate_latest(registry)) + "".join(_gauges(state)).encode()

    def _child(self, counter: PrometheusCounter, first: str, second: str) -> PrometheusCounter:
        """The counter of two labels."""
        key = counter, first, second
        child = self._counters.get(key)
        if child is None:
            child = self._counters.setdefault(key, counter.labels(first, second))
        return child


def _gauges(state: ServiceState) -> list[str]:
    """What this worker has in use."""
    lines = [_gauge("kizuna_trouble", "1 while something new cannot be used", int(state.trouble is not None))]
    scores = state.scores_in_use
    if scores is not None:
        facts, now = scores.facts, state.clock()
        labels = f'{{model="{facts.model_version}",fingerprint="{facts.fingerprint}"}}'
        lines.append(_gauge("kizuna_model", "The model of the scores in use", 1, labels))
        lines.append(_gauge("kizuna_scored_customers", "Customers with a score", len(scores.answers)))
        lines.append(_gauge("kizuna_score_age_seconds", "Since the as-of date", (now - facts.as_of) / 1e6))
        if facts.data_until is not None:
            age = (now - facts.data_until) / 1e6
            lines.append(_gauge("kizuna_data_age_seconds", "Since the newest event behind the scores", age))
    return [*lines, *_run_gauges(state), *_monitor_gauges(state)]


def _run_gauges(state: ServiceState) -> list[str]:
    """How the newest run of the schedule ended; nothing before the first, and while the records are away."""
    try:
        run = next(iter(newest_runs(state.database, 1)), None)
    except DATABASE_ERRORS:
        return []
    if run is None:
        return []
    lines = [
        _gauge("kizuna_run_age_seconds", "Since the newest run began", (state.clock() - run.began_at) / 1e6),
        _gauge(
            "kizuna_run_unwell",
            "1 while the newest run failed or held something back",
            int(run.state in UNWELL),
        ),
    ]
    help_line = "# HELP kizuna_run_step_unwell 1 for a step of the newest run that is not done\n"
    steps = "".join(
        f'kizuna_run_step_unwell{{step="{step.step}"}} {int(step.state in UNWELL)}\n' for step in run.steps
    )
    return [*lines, f"{help_line}# TYPE kizuna_run_step_unwell gauge\n{steps}"]


def _monitor_gauges(state: ServiceState) -> list[str]:
    """Alarms that stand and how right the newest matured scores were; nothing before the first monitoring."""
    found = monitor_file.load(state.project.state)
    if found is None:
        return []
    moved = 0 if found.drift is None else sum(not one.seasonal for one in found.drift.drifted)
    lines = [
        _gauge("kizuna_calibration_alarms", "Alarms of wrong probabilities that stand", len(found.alarms)),
        _gauge("kizuna_drifted_columns", "Columns that moved further than usual, without the season", moved),
    ]
    if found.dates:
        newest = found.dates[0]
        labels = f'{{model="{newest.model_version}"}}'
        ratio, auc = newest.performance.observed_to_expected.value, newest.performance.auc.value
        for name, words, value in (
            (
                "kizuna_observed_to_expected",
                "Leavers per expected leaver, newest matured scores",
                ratio,
            ),
            ("kizuna_matured_auc", "AUC of the newest matured scores", auc),
        ):
            if value is not None:
                lines.append(_gauge(name, words, value, labels))
    return lines


def _gauge(name: str, words: str, value: float, labels: str = "") -> str:
    return f"# HELP {name} {words}\n# TYPE {name} gauge\n{name}{labels} {value}\n"
