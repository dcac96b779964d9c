"""What the service says about itself to Prometheus. No customer is named.

Counts of several workers are added up through the folder PROMETHEUS_MULTIPROC_DIR, which must be set before
`prometheus_client` is first imported: that is why it is imported late.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from serving.api.live_state import ServiceState

BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
MOST_COUNTED = 1_000
"""Customers of one answer whose tiers are counted; of more, the first are."""


class ServiceMetrics:
    """Counters of one worker."""

    def __init__(self) -> None:
        from prometheus_client import REGISTRY, CollectorRegistry, Histogram
        from prometheus_client import Counter as Count

        registry: CollectorRegistry = REGISTRY
        for name in ("kizuna_requests", "kizuna_request_seconds", "kizuna_scores"):
            if name in registry._names_to_collectors:  # a second gate of one process starts anew
                registry.unregister(registry._names_to_collectors[name])
        self._requests = Count("kizuna_requests", "Requests by path and status", ["path", "status"])
        self._seconds = Histogram("kizuna_request_seconds", "Time to answer", ["path"], buckets=BUCKETS)
        self._scores = Count("kizuna_scores", "Customers in answers, by tier and model", ["tier", "model"])
        self._known: dict[Any, Any] = {}

    def answered(self, path: str, status: int, seconds: float) -> None:
        """Count one request."""
        self._of(self._requests, path, str(status)).inc()
        self._of(self._seconds, path).observe(seconds)

    def count_customers(self, reply: dict[str, Any]) -> None:
        """Count the customers of an answer by tier."""
        customers = reply.get("customers") or ([reply["customer"]] if "customer" in reply else [])
        model = reply["model_version"]
        if len(customers) == 1:
            self._of(self._scores, customers[0]["tier"] or "none", model).inc()
            return
        for tier, count in Counter(one["tier"] for one in customers[:MOST_COUNTED]).items():
            self._of(self._scores, tier or "none", model).inc(count)

    def text(self, desk: ServiceState) -> bytes:
        """Everything in Prometheus' own words; of all workers together."""
        import os

        from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
        from prometheus_client.multiprocess import MultiProcessCollector

        registry = REGISTRY
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return bytes(generate_latest(registry)) + "".join(_lines(desk)).encode()

    def _of(self, metric: Any, *labels: str) -> Any:
        """The counter of these labels, kept: looking it up takes longer than counting."""
        key = (metric, labels)
        child = self._known.get(key)
        if child is None:
            child = self._known[key] = metric.labels(*labels)
        return child


def _lines(desk: ServiceState) -> list[str]:
    """What this worker has in use."""
    said = [_gauge("kizuna_trouble", "1 while something new cannot be used", int(desk.trouble is not None))]
    said.append(_gauge("kizuna_swaps", "New scores and champions taken into use by this worker", desk.swaps))
    said.append(_gauge("kizuna_refusals", "New scores and champions refused by this worker", desk.refusals))
    scores = desk.scores_in_use
    if scores is not None:
        facts, now = scores.facts, desk.clock()
        labels = f'{{model="{facts.model_version}",fingerprint="{facts.fingerprint}"}}'
        said.append(_gauge("kizuna_model", "The model of the scores in use", 1, labels))
        said.append(_gauge("kizuna_scored_customers", "Customers with a score", len(scores.answers)))
        said.append(_gauge("kizuna_score_age_seconds", "Since the as-of date", (now - facts.as_of) / 1e6))
        if facts.newest is not None:
            age = (now - facts.newest) / 1e6
            said.append(_gauge("kizuna_data_age_seconds", "Since the newest event behind the scores", age))
    return said


def _gauge(name: str, words: str, value: float, labels: str = "") -> str:
    return f"# HELP {name} {words}\n# TYPE {name} gauge\n{name}{labels} {value}\n"
