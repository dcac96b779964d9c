"""Compile all kernels into the cache on disk: `python -m serving.cli.warmup`, run by `make`.

A shop of a few made-up customers, some with contracts, is ingested, learned, scored, asked about and
reported, in a folder that is deleted afterwards. What nobody waits for here, somebody would wait for at their
first call.
"""

from __future__ import annotations

import tempfile
import warnings
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.catalog.defaults import indicators
from features.catalog.settings import FeatureSettings
from features.event_store import EventStore
from features.timeline import DAY, Timeline
from serving.actions import loyalty
from serving.experiments.campaign_file import ASSIGNMENT_SCHEMA, Assignment, AssignmentFacts
from serving.experiments.outcomes import OutcomeRules, campaign_outcomes
from serving.reports.compute import ReportRequestData, compute_report
from serving.schemas.requests import PredictRequest
from serving.scoring.batch import score
from serving.scoring.live import beside_stored, predict
from serving.state.active_model import ActiveModel
from serving.state.scores.score_file import load, save
from training.bundle.tiers import TierSettings
from training.causal.uplift_metrics import paired_qini
from training.fitting.lightgbm import TreeParameters
from training.labels.cohort import cohorts
from training.labels.labelling import label
from training.labels.settings import Churn, ChurnSettings
from training.train import learn
from training.training_config import TrainingConfig

CUSTOMERS, DAYS = 150, 200
KINDS = ("purchase", "login", "nps", "coupon_sent", "coupon_redeemed", "started", "upgraded", "cancelled")
UTC = Timeline("UTC")
FIRST = UTC.instant("2024-01-01")
LAST = FIRST + DAYS * DAY


STEPS = ("ingesting", "training", "scoring", "answering requests", "reporting", "contracts", "campaigns")


def warm() -> None:
    """Go the way of every command once; each step is said as it begins, for some take a minute."""
    steps = iter(enumerate(STEPS, start=1))

    def begin() -> None:
        number, name = next(steps)
        click.echo(f"  {number}/{len(STEPS)} {name}", err=True)

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a shop of nobody has little to say
        state = Path(folder)
        begin()
        store = EventStore(state, buckets=1)
        for part in (_purchases(0), _purchases(1), _purchases(0).slice(0, 50)):
            store.add(part, source="made up", timeline=UTC, now=LAST)
        store = EventStore(state)
        plan = TrainingConfig(
            timeline=UTC,
            indicators=indicators({}),
            features=FeatureSettings.model_validate({"windows": [7, 30]}),
            churn=ChurnSettings.model_validate({"active_days": 40, "horizon_days": 20}),
            tiers=TierSettings.model_validate({}),
            contacts=10,
            models=TreeParameters(trees=5, threads=1),
        )
        begin()
        bundle, _ = learn(store, plan, until=None)
        champion = ActiveModel("0", bundle)
        begin()
        answers, facts = score(store, champion, LAST, LAST)
        scores = load(state / save(state, answers, facts))
        for keys in (answers.key, scores.answers.key):  # that of a file cannot be written
            scores.rows(keys)
        begin()
        event = {"occurred_at": "2024-07-01", "kind": "purchase", "value": 1.0, "detail": "a"}
        for events in ([event, event | {"value": 2.0}], [event, event]):
            sent = {"customers": [{"customer_id": "c1", "events": events}], "as_of": "2024-07-02"}
            predict(champion, PredictRequest.model_validate(sent), LAST)
        beside_stored(champion, PredictRequest.model_validate(sent), LAST, store)
        churn = Churn.of(plan.churn, plan.indicators, plan.timeline.timezone)
        begin()
        loyalty.warm()
        compute_report(store, ReportRequestData(plan.indicators, churn, UTC, 3, LAST, bundle))
        begin()
        _contracts(store, plan, champion)
        begin()
        rules = OutcomeRules("a", FIRST, churn, plan.indicators, UTC, bundle)
        campaign_outcomes(store, rules, _assigned(answers.key), [LAST], tier_dates=[LAST])
    _qini_curve()


def _contracts(store: EventStore, plan: TrainingConfig, model: ActiveModel) -> None:
    """Labels, scores and a report where churn is the end of a contract."""
    settings = ChurnSettings.model_validate({"type": "contract", "horizon_days": 20, "plans": ["a"]})
    churn = Churn.of(settings, plan.indicators, UTC.timezone)
    bundle = replace(model.bundle, churn=churn)
    as_of = FIRST + DAYS // 2 * DAY
    history = store.history(store.buckets[0])
    (customers,) = cohorts(history, churn, [as_of])
    label(history, churn, customers, as_of, LAST, UTC)
    champion = ActiveModel("0", bundle)
    score(store, champion, LAST, LAST)
    started = {"occurred_at": "2024-06-01", "kind": "started", "detail": "a"}
    known = started | {"recorded_at": "2024-06-02", "contract_id": "1"}
    for events in ([started], [started | {"value": 5.0}], [known]):
        sent = {"customers": [{"customer_id": "c1", "events": events}], "as_of": "2024-07-02"}
        predict(champion, PredictRequest.model_validate(sent), LAST)
    beside_stored(champion, PredictRequest.model_validate(sent), LAST, store)
    compute_report(store, ReportRequestData(plan.indicators, churn, UTC, 3, LAST, bundle))


def _assigned(keys: NDArray[np.int64]) -> Assignment:
    columns: dict[str, NDArray[np.generic]] = {
        one.name: np.zeros(len(keys), one.type.to_pandas_dtype()) for one in ASSIGNMENT_SCHEMA
    }
    columns["key"] = keys
    return Assignment.of(columns, AssignmentFacts("a", ()), [None] * len(keys), {})


def _qini_curve() -> None:
    """The Qini coefficients of a campaign of four."""
    score, treated = np.arange(4.0), np.array([True, False, True, False])
    paired_qini(score, -score, treated, score, count=1)


def _purchases(seed: int) -> pa.Table:
    draw = np.random.default_rng(seed)
    count = 20 * CUSTOMERS
    when = FIRST + (draw.random(count) * DAYS * DAY).astype(np.int64)
    return pa.table(
        {
            "customer_id": [f"c{n}" for n in draw.integers(0, CUSTOMERS, count)],
            "occurred_at": pa.array(when, pa.timestamp("us", "UTC")),
            "kind": draw.choice(KINDS, count),
            "value": np.round(draw.random(count) * 10),
            "channel": draw.choice(["web", "store"], count),
            "detail": draw.choice(["a", "b", "c"], count),
            "recorded_at": pa.array(when + DAY // 24, pa.timestamp("us", "UTC")),
        }
    )


if __name__ == "__main__":
    warm()
