"""Speed of the report over all events, and of playbook and hooks for every customer.

    python -m benchmarks.engagement --events 20_000_000 --customers 1_000_000 --json

The scores are drawn, not computed: what is measured begins where scoring ends. `report_s` counts from the
store to the finished answer for twelve months, `plan_s` from the store to the kept plan; `…_cpu_s` is
processor time.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks.events import made, plain_features
from benchmarks.machine import machine
from features.catalog.defaults import indicators
from features.engine.snapshot import Priors
from features.event_store import EventStore
from features.timeline import Timeline
from serving.actions.customer_profiles import customer_profiles
from serving.actions.plan_file import StoredPlan, save
from serving.actions.playbook import read
from serving.actions.rules.rule_matching import match_rules
from serving.actions.rules.rule_validation import validate_rules
from serving.actions.rules.vocabulary import RuleVocabulary
from serving.reports.compute import ReportRequestData, compute_report
from serving.reports.report import reply
from serving.state.scores.score_file import Scores
from serving.state.scores.score_metadata import ScoreMetadata
from serving.state.scores.score_table import ScoreTable
from training.labels.settings import Churn, ChurnSettings

TIERS = ("dormant", "cooling", "casual", "engaged", "devoted")
UTC = Timeline()
INDICATORS = indicators({})
CHURN = Churn.of(ChurnSettings.model_validate({}), INDICATORS)


def drawn_scores(customers: int, as_of: int) -> Scores:
    """Scores of everyone, by chance."""
    draw = np.random.default_rng(0)
    probability, value = 0.4 * draw.random(customers), draw.lognormal(8, 1, customers)
    tier, following = (draw.integers(0, len(TIERS), customers).astype(np.int8) for _ in range(2))
    answers = ScoreTable(
        key=np.arange(customers),
        status=np.zeros(customers, np.int8),
        churn_probability=probability,
        tier=tier,
        predicted_tier=following,
        expected_value=value,
        value_at_risk=probability * value,
        reason_features=draw.integers(0, 100, (customers, 3)).astype(np.int16),
        reason_values=np.zeros((customers, 3)),
        reason_contributions=np.ones((customers, 3)),
    )
    facts: dict[str, Any] = {"model_version": "1", "fingerprint": "", "data_version": "", "newest": None}
    facts |= {"evidence": "normal", "amounts": True, "tiers": TIERS, "scored_at": as_of}
    return Scores(answers, ScoreMetadata(as_of=as_of, **facts))


def report(store: EventStore, as_of: int) -> None:
    """The report over twelve months."""
    reply(compute_report(store, ReportRequestData(INDICATORS, CHURN, UTC, 12, as_of)), "en")


def planned(store: EventStore, as_of: int) -> None:
    """Hooks, stages, rules and the kept plan of everyone."""
    scores = drawn_scores(len(store.customers), as_of)
    bundle: Any = SimpleNamespace(
        timezone="UTC", churn=CHURN, catalog=plain_features(), priors=Priors(), typical={}
    )
    written = read(None)
    seen = customer_profiles(store, scores, bundle, written.playbook, INDICATORS)
    reasons = (*(one.name for one in INDICATORS), "tenure")
    levels = tuple(tuple(level.name for level in one.levels) for one in written.playbook.loyalty)
    words = RuleVocabulary(TIERS, reasons, (), levels)
    validate_rules(written, words)
    with tempfile.TemporaryDirectory() as folder:
        actions = match_rules(written.playbook, words, seen, scores)
        plan = StoredPlan.of(seen, actions, written, as_of=as_of, tiers=TIERS, timezone="UTC")
        save(Path(folder) / "plan.arrow", plan)


def timed(name: str, job: Callable[[], None]) -> dict[str, float]:
    """How long a job takes by the clock, and how much processor time."""
    clock, used = time.perf_counter(), time.process_time()
    job()
    return {
        f"{name}_s": round(time.perf_counter() - clock, 2),
        f"{name}_cpu_s": round(time.process_time() - used, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20_000_000)
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    store = EventStore(made(asked.events, asked.customers))
    newest = store.newest()
    if newest is None:
        raise SystemExit("the store is empty")
    as_of = UTC.as_of_after(newest, newest + 2 * 86_400_000_000)
    found = {
        "events": store.events,
        "customers": len(store.customers),
        **timed("report", lambda: report(store, as_of)),
        **timed("plan", lambda: planned(store, as_of)),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "machine": machine(),
    }
    print(json.dumps(found) if asked.json else "\n".join(f"{name}: {value}" for name, value in found.items()))


if __name__ == "__main__":
    main()
