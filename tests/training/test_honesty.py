"""What training says comes from the past alone, and is as right as it claims."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from features.event_store import EventStore
from features.timeline import DAY
from tests.training.simulated import HORIZON, NOW, UTC, plan, shop
from tests.training.worlds import day
from training.backtest import backtest_with_bundle
from training.bundle.model_bundle import Bundle
from training.evaluation.evaluate import Evaluation
from training.labels.labelling import label
from training.labels.settings import Churn
from training.registry.gates import decide_promotion
from training.train import learn


def learned(folder: Path, **settings: object) -> tuple[Bundle, Evaluation]:
    return learn(EventStore(folder), plan(**settings), until=None)  # type: ignore[arg-type]


@pytest.mark.parametrize("customers", [120, 500, 1_500])
def test_calibrated_probabilities_are_within_their_stated_error_of_the_known_ones(
    customers: int, tmp_path: Path
) -> None:
    """Small, middling and enough: customers buy at rates of their own, so the chance of none is known."""
    there = shop(customers, 300, seed=customers)
    store = there.store(tmp_path / "state")
    _, evidence = learned(tmp_path / "state")
    numbers = [int(name[1:]) for name in store.customers.names(evidence.rows.keys).to_pylist()]
    known, said = there.churn_probability()[numbers], evidence.probability
    figures = evidence.figures
    stated = figures["expected_calibration_error_high"] + figures["expected_calibration_error_noise"]
    for tenth in np.array_split(np.argsort(said, kind="stable"), 10):
        assert abs(said[tenth].mean() - known[tenth].mean()) < max(2 * stated, 0.05)
    assert abs(said.mean() - known.mean()) < stated
    best = float(-(known * np.log(known) + (1 - known) * np.log1p(-known)).mean())
    assert figures["log_loss_low"] - 0.02 < best < figures["log_loss_high"]


def test_what_was_said_before_the_future_came_agrees_with_it(tmp_path: Path) -> None:
    there = shop(800, 300, seed=9)
    store = there.store(tmp_path / "state")
    looked = backtest_with_bundle(store, plan(), day(260))
    said = looked.table.column("churn_probability").to_numpy()
    numbers = [int(name[1:]) for name in looked.table.column("customer_id").to_pylist()]
    known = there.churn_probability()[numbers]
    assert abs(said.mean() - known.mean()) < 0.04
    assert np.corrcoef(said, known)[0, 1] > 0.8
    churn = Churn.of(plan().churn, plan().indicators)
    left = np.concatenate(
        [
            label(
                history, churn, looked.keys[np.isin(looked.keys, history.keys)], day(260), day(300), UTC
            ).churned
            for history in store.histories()
        ]
    )
    assert abs(said.mean() - left.mean()) < 0.08


def test_outcomes_that_are_drawn_at_random_give_an_auc_of_a_half(tmp_path: Path) -> None:
    """All customers buy at one rate, so that who falls silent is luck."""
    draw = np.random.default_rng(4)
    who = np.repeat(np.arange(400), draw.poisson(0.06 * 300, 400))
    events = pa.table(
        {
            "customer_id": pa.array([f"c{n:04}" for n in who]),
            "occurred_at": pa.array(
                day(0) + (draw.random(len(who)) * 300 * DAY).astype(np.int64), pa.timestamp("us", "UTC")
            ),
            "kind": ["purchase"] * len(who),
        }
    )
    (tmp_path / "state").mkdir()
    EventStore(tmp_path / "state").add(events, source="luck", timeline=UTC, now=NOW)
    figures = learned(tmp_path / "state")[1].figures
    assert figures["auc_low"] < 0.5 < figures["auc_high"]
    assert abs(figures["mean_probability"] - np.exp(-0.06 * HORIZON)) < 0.05


def test_a_planted_leak_is_caught_by_the_alarm(tmp_path: Path) -> None:
    """A mail that is sent to whoever will not come again for a while: the future, dressed as an event."""
    there = shop(300, 300, seed=2)
    store = there.store(tmp_path / "state")
    honest, evidence = learned(tmp_path / "state")
    assert not any(one.startswith("leak") for one in decide_promotion(honest, evidence, None).refusals)
    instants = there.events.column("occurred_at").cast(pa.int64()).to_numpy()
    names = np.array(there.events.column("customer_id").to_pylist())
    order = np.lexsort((instants, names))
    instants, names = instants[order], names[order]
    last = np.r_[names[1:] != names[:-1], True]
    gap = np.where(last, 2**60, np.r_[instants[1:], 0] - instants)
    quiet = np.flatnonzero(gap > HORIZON * DAY)
    # A day after each purchase that begins a silence, and again every day of it until the next purchase.
    days = np.concatenate([instants[at] + np.arange(1, 40) * DAY for at in quiet])
    silent = np.repeat(quiet, 39)
    kept = (days < instants[silent] + np.minimum(gap[silent] - HORIZON * DAY, 40 * DAY)) & (days < day(300))
    leak = pa.table(
        {
            "customer_id": pa.array(names[silent[kept]]),
            "occurred_at": pa.array(days[kept], pa.timestamp("us", "UTC")),
            "kind": ["email_sent"] * int(kept.sum()),
        }
    )
    store.add(leak, source="leak", timeline=UTC, now=NOW)
    bundle, evidence = learned(tmp_path / "state")
    decision = decide_promotion(bundle, evidence, None)
    warning = next(one for one in decision.refusals if one.startswith("leak"))
    assert not decision.promoted
    assert "'campaign_" in warning
    assert "it seems to know the future" in warning


@pytest.mark.parametrize("settings", [{}, {"horizon_days": 30, "lead_days": 5, "active_days": 60}])
def test_deleting_the_future_gives_the_bundle_that_hiding_it_gives(
    settings: dict[str, object], tmp_path: Path
) -> None:
    there, until = shop(250, 320, seed=5), day(251.3)
    there.store(tmp_path / "whole")
    there.store(tmp_path / "cut", before=until)
    hidden, _ = learn(EventStore(tmp_path / "whole"), plan(**settings), until=until)  # type: ignore[arg-type]
    deleted, _ = learned(tmp_path / "cut", **settings)
    hidden.save(tmp_path / "hidden")
    deleted.save(tmp_path / "deleted")
    files = sorted(path.name for path in (tmp_path / "hidden").iterdir())
    assert files == sorted(path.name for path in (tmp_path / "deleted").iterdir())
    for name in files:
        assert (tmp_path / "hidden" / name).read_bytes() == (tmp_path / "deleted" / name).read_bytes()
