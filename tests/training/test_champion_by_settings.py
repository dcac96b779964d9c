"""A newer candidate is compared with the champion's settings, not with what later dates taught it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pyarrow as pa
import pytest

from features.catalog.settings import FeatureSettings
from features.event_store import EventStore
from features.timeline import DAY, Timeline
from tests.training.simulated import NOW, UTC, plan
from tests.training.worlds import ORIGIN, day
from training.bundle.model_bundle import Bundle
from training.data.dataset import matrix_of
from training.evaluation.evaluate import Evaluation
from training.evaluation.metrics import HeldOutOutcomes, WeightedMetrics
from training.evaluation.refitted import ModelSettings, refitted_probability
from training.registry.champion import compare_with_champion
from training.registry.gates import decide_promotion
from training.registry.mlflow_tracking import Tracking
from training.train import learn, train

TURN, FIRST, DAYS = 236, 284, 320
"""The day on which big spenders begin to come less; the end of the champion's data; the end of all."""


@dataclass(frozen=True)
class Turned:
    """A shop whose customers changed after what the fit role of the newest test can know."""

    store: EventStore
    tracking: Tracking
    champion: Bundle
    candidate: Bundle
    evidence: Evaluation


def _store(folder: Path) -> EventStore:
    draw = np.random.default_rng(4)
    rates = draw.gamma(6.0, 0.08 / 6.0, 400) + 0.02
    big = np.arange(400) % 2 == 0
    who = np.repeat(np.arange(400), draw.poisson(rates * DAYS))
    when = draw.random(len(who)) * DAYS
    kept = ~(big[who] & (when >= TURN) & (draw.random(len(who)) < 0.75))
    who, when = who[kept], when[kept]
    spend = np.where(big[who], 200.0, 20.0) * draw.lognormal(0.0, 0.1, len(who))
    events = pa.table(
        {
            "customer_id": pa.array([f"c{n:04}" for n in who]),
            "occurred_at": pa.array(ORIGIN + (when * DAY).astype(np.int64), pa.timestamp("us", "UTC")),
            "kind": pa.array(["purchase"] * len(who)),
            "value": pa.array(spend),
            "event_id": pa.array([f"e{n}" for n in range(len(who))]),
        }
    )
    folder.mkdir(parents=True)
    store = EventStore(folder)
    store.add(events, source="shop", timeline=UTC, now=NOW)
    return store


@lru_cache(maxsize=1)
def turned() -> Turned:
    """Shared because it takes seconds."""
    folder = Path(mkdtemp())
    store, tracking = _store(folder / "state"), Tracking("sqlite:///mlruns/mlflow.db", folder)
    first = train(store, plan(), tracking, now=NOW, until=day(FIRST))
    assert first.promoted
    candidate, evidence = learn(store, plan(), until=None)
    return Turned(store, tracking, first.bundle, candidate, evidence)


def test_a_champion_that_knows_later_dates_than_the_fit_role_does_not_refuse_its_own_retraining() -> None:
    world = turned()
    rows = world.evidence.rows
    assert rows.as_of.min() >= world.champion.trained_until
    matrix = matrix_of(
        world.store, world.champion.catalog, Timeline("UTC"), world.champion.priors, rows, None
    )
    delivered = world.champion.predict(matrix).churn_probability
    outcomes = HeldOutOutcomes(rows.churned, np.arange(len(rows)), rows.as_of, len(rows))
    as_delivered, tested = (
        WeightedMetrics(p, outcomes)(np.ones(len(rows)))[2] for p in (delivered, world.evidence.probability)
    )
    assert as_delivered < tested - 0.01  # the champion has seen customers after the turn, the fit role none

    champion = compare_with_champion(world.store, world.tracking, world.candidate, world.evidence, None)
    decision = decide_promotion(world.candidate, world.evidence, champion)
    assert champion is not None
    assert champion.basis == "same_settings"
    assert decision.promoted
    assert decision.compared[0] == "The settings are those of version 1: only what was learned from is newer."


def test_other_settings_are_compared_by_refitting_both_on_the_same_role_and_the_decision_says_so() -> None:
    world = turned()
    blind = replace(plan(), features=FeatureSettings(windows=(7, 30, 90), drop=("purchase_sum_*",)))
    candidate, evidence = learn(world.store, blind, until=None)
    champion = compare_with_champion(world.store, world.tracking, candidate, evidence, None)
    assert champion is not None
    assert champion.basis == "refitted"
    # What the champion's settings would have shown on this data, as the same training finds it.
    assert champion.figures["log_loss"] == pytest.approx(world.evidence.figures["log_loss"], abs=1e-9)
    assert champion.figures["auc"] == pytest.approx(world.evidence.figures["auc"], abs=1e-9)
    decision = decide_promotion(candidate, evidence, champion)
    assert not any("source gone" in refusal for refusal in decision.refusals)
    assert decision.compared[0].startswith(
        "Compared with the settings of version 1, refitted on the dates that this model's test was fitted on"
    )
    assert "バージョン1の設定を同じ日付で学習し直し" in decision.compared[1]


def test_refitting_the_candidates_own_settings_gives_its_own_test_again() -> None:
    world = turned()
    assert world.evidence.roles is not None
    again = refitted_probability(
        ModelSettings.of(world.candidate), world.store, world.evidence.roles, UTC, None
    )
    assert np.allclose(again, world.evidence.probability, atol=1e-12)


def test_of_a_wide_catalogue_a_refit_chooses_the_columns_that_the_training_chose(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("training.fitting.column_choice.MOST_COLUMNS", 5)
    monkeypatch.setattr("training.fitting.column_choice.FEWEST_ROWS", 100)
    monkeypatch.setattr("training.fitting.column_choice.OF_EACH", 4)
    store = turned().store
    candidate, evidence = learn(store, plan(), until=None)
    assert evidence.roles is not None
    assert not evidence.roles.splits.cross_fitted
    assert 0 < candidate.settings["columns_chosen"] < len(candidate.catalog.columns)
    assert "columns_chosen" not in turned().candidate.settings
    settings = ModelSettings.of(candidate)
    again = refitted_probability(settings, store, evidence.roles, UTC, None)
    assert np.allclose(again, evidence.probability, atol=1e-12)
    assert not np.allclose(again, turned().evidence.probability, atol=1e-3)
    without_tiers = replace(evidence.roles.rows, after=evidence.roles.rows.after[:, :0], after_columns=())
    narrow = replace(evidence.roles, rows=without_tiers)
    assert np.isfinite(refitted_probability(settings, store, narrow, UTC, None)).all()
