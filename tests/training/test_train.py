"""The recipe on shops whose customers leave with a known probability."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pyarrow as pa
import pytest

from features.catalog.settings import FeatureSettings
from features.errors import DataError
from features.event_store import EventStore
from features.timeline import DAY
from serving.presentation.training import reply, summary_lines
from tests.experiments import experiments
from tests.training.simulated import HORIZON, NOW, UTC, Shop, plan, shop
from tests.training.worlds import INACTIVITY, day
from training.bundle.model_bundle import Bundle
from training.bundle.model_card_file import load_model_card, save_model_card
from training.data.dataset import dataset
from training.data.extent import data_extent
from training.data.splits import temporal_splits
from training.evaluation.evaluate import Evaluation, evaluate_models
from training.fitting.lightgbm import BIN_SAMPLE
from training.fitting.pipeline import TrainingPipeline, thinned
from training.registry.gates import decide_promotion
from training.registry.mlflow_tracking import Tracking
from training.train import learn, train


@lru_cache(maxsize=1)
def learned() -> tuple[Shop, EventStore, Bundle, Evaluation]:
    """One shop, its store, and what was learned of it; shared because it takes seconds."""
    there = shop()
    store = there.store(Path(mkdtemp()) / "state")
    bundle, evidence = learn(store, plan(), until=None)
    return there, store, bundle, evidence


def test_probabilities_are_near_the_known_ones_and_as_near_as_is_said() -> None:
    there, store, _, evidence = learned()
    assert evidence.level == "normal"
    numbers = [int(name[1:]) for name in store.customers.names(evidence.rows.keys).to_pylist()]
    known = there.churn_probability()[numbers]
    said, figures = evidence.probability, evidence.figures
    assert abs(said.mean() - known.mean()) < figures["expected_calibration_error_noise"] + 0.02
    worst = -(known * np.log(known) + (1 - known) * np.log1p(-known)).mean()
    assert worst - 0.02 < figures["log_loss"] < figures["baseline/base_rate/log_loss"]
    error = np.abs(said - known).mean()
    assert error < 0.12
    assert np.corrcoef(said, known)[0, 1] > 0.8


def test_the_model_beats_the_trivial_baselines_on_the_same_dates() -> None:
    figures = learned()[3].figures
    assert figures["difference/base_rate/log_loss_high"] < 0
    assert figures["difference/overdue/auc_low"] > 0
    for name in ("base_rate", "recency", "overdue", "rfm"):
        assert f"baseline/{name}/auc" in figures


def test_calibration_and_test_lie_later_than_what_was_fitted() -> None:
    _, _, bundle, evidence = learned()
    roles = bundle.settings["calendar"]
    assert max(roles["fit"]) < min(roles["calibrate"]) <= max(roles["calibrate"]) < min(roles["test"])
    assert {UTC.name(int(date)) for date in np.unique(evidence.rows.as_of)} == set(roles["test"])
    assert len(roles["test"]) > 1


def test_the_total_of_the_expected_values_is_right() -> None:
    figures = learned()[3].figures
    assert 0.85 < figures["value/total_ratio"] < 1.15
    assert figures["value/rank_correlation"] > figures["value/as_before/rank_correlation"] - 0.05


def test_the_predicted_tier_beats_the_tier_that_stays_as_it_is() -> None:
    figures = learned()[3].figures
    assert figures["tier/log_loss"] < figures["tier/unchanged/log_loss"] + 0.05
    assert figures["tier/kappa"] > 0.3


def test_what_lies_after_until_teaches_nothing() -> None:
    _, store, _, _ = learned()
    until = day(280)
    hidden, _ = learn(store, plan(), until=until)
    assert hidden.trained_until < until
    assert hidden.labelled_until + HORIZON * DAY <= until


def test_the_order_of_ingestion_and_the_keys_it_gave_do_not_matter(tmp_path: Path) -> None:
    there, _, bundle, _ = learned()
    again, _ = learn(there.store(tmp_path / "b", shuffled=7), plan(threads=2), until=None)
    assert again.files == bundle.files


@pytest.mark.slow
def test_above_the_rows_that_bins_are_sampled_from_the_order_of_ingestion_does_not_matter_either(
    tmp_path: Path,
) -> None:
    there = shop(6_000, 400)
    bundle, evidence = learn(there.store(tmp_path / "a"), plan(), until=None)
    assert evidence.roles is not None
    assert len(evidence.roles.rows) > 200_000
    learned_from = thinned(evidence.roles.rows.on(evidence.roles.splits.labelled), bundle.churn)
    assert len(learned_from) > BIN_SAMPLE
    again, _ = learn(there.store(tmp_path / "b", shuffled=7), plan(threads=2), until=None)
    assert again.files == bundle.files


def test_what_became_of_the_test_rows_does_not_choose_the_model_that_they_judge() -> None:
    _, store, bundle, _ = learned()
    past = data_extent(store, None, bundle.churn, UTC)
    dates = temporal_splits(past.first, past.coverage.covered_until, bundle.churn, UTC)
    assert not dates.cross_fitted
    rows = dataset(store, bundle.catalog, bundle.churn, UTC, bundle.priors, dates.labelled, past, None)
    recipe = TrainingPipeline(plan().models, bundle.catalog, bundle.churn, bundle.tiers)
    tested = np.isin(rows.as_of, dates.test)
    other = replace(
        rows, churned=np.where(tested, np.random.default_rng(1).permutation(rows.churned), rows.churned)
    )
    (one, judged), (same, judged_by_chance) = (
        evaluate_models(recipe, each, dates, 30) for each in (rows, other)
    )
    assert one.shape == same.shape
    shapes = [name for name in judged.figures if name.startswith("shape/")]
    assert shapes
    assert [judged.figures[name] for name in shapes] == [judged_by_chance.figures[name] for name in shapes]


def test_shuffled_outcomes_cannot_be_learned() -> None:
    _, store, bundle, _ = learned()
    past = data_extent(store, None, bundle.churn, UTC)
    dates = temporal_splits(past.first, past.coverage.covered_until, bundle.churn, UTC)
    rows = dataset(store, bundle.catalog, bundle.churn, UTC, bundle.priors, dates.labelled, past, None)
    mixed_up = replace(rows, churned=np.random.default_rng(1).permutation(rows.churned))
    recipe = TrainingPipeline(plan().models, bundle.catalog, bundle.churn, bundle.tiers)
    figures = evaluate_models(recipe, mixed_up, dates, 30)[1].figures
    assert figures["auc_low"] < 0.5 < figures["auc_high"]
    assert figures["log_loss"] > figures["baseline/base_rate/log_loss"] - 0.005


def test_many_numbers_are_thinned_evenly_over_the_dates(monkeypatch: pytest.MonkeyPatch) -> None:
    _, store, bundle, _ = learned()
    past = data_extent(store, None, bundle.churn, UTC)
    dates = temporal_splits(past.first, past.coverage.covered_until, bundle.churn, UTC)
    read = (store, bundle.catalog, bundle.churn, UTC, bundle.priors, dates.labelled, past, None)
    every = dataset(*read)
    most = past.customers * len(dates.labelled) * len(bundle.catalog.columns) // 2
    monkeypatch.setattr("training.data.dataset.MOST_NUMBERS", most)
    half = dataset(*read)
    assert 0.4 < len(half) / len(every) < 0.6
    assert abs(half.churned.mean() - every.churned.mean()) < 0.03
    assert set(half.as_of.tolist()) == set(every.as_of.tolist())


def test_without_amounts_there_is_no_value_model(tmp_path: Path) -> None:
    bundle, evidence = learn(shop(200, 240, amounts=False).store(tmp_path / "d"), plan(), until=None)
    assert bundle.models.value is None
    assert evidence.value_predicted is None
    assert not any(name.startswith("value/") for name in evidence.figures)


def test_too_little_history_is_cross_fitted_and_says_low_evidence(tmp_path: Path) -> None:
    bundle, evidence = learn(shop(200, 70).store(tmp_path / "e"), plan(), until=None)
    assert bundle.evidence == evidence.level == "low"
    assert 0.5 < evidence.figures["auc"] < 0.95
    assert len(evidence.probability) == len(evidence.rows)


def test_a_cohort_without_a_churner_is_one_clear_sentence(tmp_path: Path) -> None:
    events = pa.table(
        {
            "customer_id": [f"c{n}" for n in range(20) for _ in range(100)],
            "occurred_at": pa.array(
                [day(d) for _ in range(20) for d in range(100)], pa.timestamp("us", "UTC")
            ),
            "kind": ["purchase"] * 2000,
        }
    )
    (tmp_path / "state").mkdir()
    store = EventStore(tmp_path / "state")
    store.add(events, source="daily", timeline=UTC, now=NOW)
    with pytest.raises(DataError) as refusal:
        learn(store, plan(), until=None)
    assert refusal.value.message == (
        "cannot train: none of the 20 customers who could leave between 2024-02-11 and 2024-03-21 did so "
        "within 20 days, so there is nothing to tell apart. Write another horizon_days in [churn], or check "
        "the kinds of event it names."
    )


def test_nobody_who_could_leave_is_one_clear_sentence(tmp_path: Path) -> None:
    store = shop(50, 200).store(tmp_path / "f")
    with pytest.raises(DataError) as refusal:
        learn(store, plan(indicators=("usage",)), until=None)
    assert str(refusal.value) == (
        "cannot train: nobody can leave, because no event is of a kind that [churn] counts on "
        "(visit, session, login, feature_used). The kinds there are: purchase."
    )


def test_a_store_without_events_before_until_is_one_clear_sentence(tmp_path: Path) -> None:
    store = shop(50, 100).store(tmp_path / "g")
    with pytest.raises(DataError, match="cannot train: there are no events before 2023-12-01"):
        learn(store, plan(), until=UTC.instant("2023-12-01"))


def test_training_keeps_the_run_and_promotes_what_earns_it(tmp_path: Path) -> None:
    _, store, bundle, _ = learned()
    tracking = experiments(tmp_path)
    said: list[float] = []
    verdict = train(store, plan(), tracking, now=NOW, progress=lambda _, share: said.append(share))
    assert verdict.promoted
    assert verdict.bundle.fingerprint == bundle.fingerprint
    champion = tracking.champion()
    assert champion is not None
    assert champion[0] == verdict.version == "1"
    assert Bundle.load(champion[1]).files == bundle.files
    assert said == sorted(said)
    assert said[-1] == 1.0


def test_the_list_that_is_shown_and_the_list_by_probability_are_both_evaluated(tmp_path: Path) -> None:
    """Where there are amounts the list is by value at risk: its figures stand beside those by probability."""
    store = shop(200, 240).store(tmp_path / "state")
    tracking = experiments(tmp_path)
    result = train(store, plan(), tracking, now=NOW)
    (logged,) = (model.figures for model in tracking.registered())
    for metric in ("precision_at_capacity", "lift_at_capacity", "leavers_reached", "list_stability"):
        for end in ("", "_low", "_high"):
            by_probability = logged[f"list_by_churn_probability/{metric}{end}"]
            assert by_probability == pytest.approx(result.bundle.figures[f"{metric}{end}"])
            assert np.isfinite(logged[f"list_by_value_at_risk/{metric}{end}"])
    assert logged["list_by_value_at_risk/precision_at_capacity"] != logged["precision_at_capacity"]
    assert not any(name.startswith("list_by_") for name in result.bundle.figures)
    assert any(line.startswith("  of those with the most value at risk") for line in summary_lines(result))
    assert "list_by_value_at_risk/lift_at_capacity" in reply(result).figures
    card = load_model_card(tmp_path / "state", "1")
    assert card is not None, "what pages show of the list is what `train` prints"
    assert card.list_figures == {name: one for name, one in logged.items() if name.startswith("list_by_")}


def test_a_run_is_tagged_with_the_data_version_that_it_learned_from(tmp_path: Path) -> None:
    store = shop(200, 240).store(tmp_path / "state")
    learned_from, tracking = store.version, experiments(tmp_path)
    late = shop(5, 240, seed=9).events

    def ingest_meanwhile(words: str, _: float) -> None:
        if words == "learned" and store.version == learned_from:
            store.add(late, source="late", timeline=UTC, now=NOW)

    result = train(store, plan(), tracking, now=NOW, progress=ingest_meanwhile)
    assert store.version != learned_from
    (model,) = tracking.registered()
    assert model.run_id == result.run_id
    assert model.tags["store_version"] == learned_from


RHYTHM = tuple(
    f"*_{part}*"
    for part in ("days_since", "gap", "overdue", "silence", "alive", "decayed", "share", "day_rate")
)
"""Features without which a model of this shop ranks worse."""


@pytest.mark.slow
def test_the_same_model_again_keeps_its_place_or_is_refused_again_and_is_not_registered_twice(
    tmp_path: Path,
) -> None:
    store = shop(200, 240).store(tmp_path / "state")
    tracking = experiments(tmp_path)
    first = train(store, plan(), tracking, now=NOW)
    log = (tmp_path / "state" / "promotions.jsonl").read_bytes()
    card = load_model_card(tmp_path / "state", "1")
    assert card is not None
    assert card.experiment == tracking.experiment_of(first.run_id or "") != ""
    (tmp_path / "state" / "model_cards" / "1.json").unlink()
    again = train(store, plan(), tracking, now=NOW)
    rewritten = load_model_card(tmp_path / "state", "1")
    assert rewritten is not None, "a card that is gone is written again"
    assert (rewritten.run, rewritten.experiment) == (card.run, card.experiment)
    assert (first.promoted, first.unchanged) == (True, False)
    assert (again.promoted, again.unchanged) == (False, True)
    assert (again.version, again.run_id) == (first.version, first.run_id)
    assert (again.refusals, again.warnings) == ((), ())
    assert next(summary_lines(again)) == (
        "Nothing is new: the same data and settings gave model 1 again, byte for byte. It stays the champion."
    )
    assert reply(again).unchanged is True
    assert (tmp_path / "state" / "promotions.jsonl").read_bytes() == log
    other = replace(plan(), features=FeatureSettings(windows=(7,), drop=RHYTHM))
    second = train(store, other, tracking, now=NOW)
    refused = load_model_card(tmp_path / "state", "2")
    assert refused is not None
    save_model_card(tmp_path / "state", replace(refused, rows=1, list_figures={}))
    third = train(store, other, tracking, now=NOW)
    kept = load_model_card(tmp_path / "state", "2")
    assert kept is not None
    assert kept.rows == 1, "a card of a list whose figures are all undefined is a whole card"
    assert (second.promoted, third.promoted) == (False, False)
    assert (second.unchanged, third.unchanged) == (False, True)
    assert third.version == second.version == "2"
    assert third.refusals == second.refusals != ()
    assert next(summary_lines(third)) == (
        "Nothing is new: the same data and settings gave model 2 again, byte for byte. It is refused again."
    )
    assert "  To use it all the same: `kizuna models promote 2`." in list(summary_lines(second))
    assert (tracking.champion() or ("",))[0] == "1"


def test_the_end_of_the_customers_own_events_is_told_apart_from_the_companys(tmp_path: Path) -> None:
    store = shop(200, 240).store(tmp_path / "state")
    campaign = {
        "customer_id": [f"c{n:04}" for n in range(50)],
        "occurred_at": pa.array([day(250)] * 50, pa.timestamp("us", "UTC")),
        "kind": ["email_sent"] * 50,
    }
    store.add(pa.table(campaign), source="campaign", timeline=UTC, now=NOW)
    past = data_extent(EventStore(tmp_path / "state"), None, INACTIVITY, UTC, plan().indicators)
    assert past.newest == day(250)
    assert day(239) < past.coverage.rest_until < day(240)
    bundle, evidence = learn(EventStore(tmp_path / "state"), plan(), until=None)
    (warning,) = (
        one for one in decide_promotion(bundle, evidence, None).warnings if one.startswith("coverage")
    )
    days = (past.newest - past.coverage.rest_until) / DAY
    assert warning == (
        f"coverage: the customers' own events end on 2024-08-27, {days:.1f} days before all others, which "
        "end on 2024-09-07, so no date is labelled whose horizon reaches beyond 2024-08-27. "
        "Ingest what customers did since"
    )
    early, _ = learn(EventStore(tmp_path / "state"), plan(), until=day(240))
    assert bundle.settings["calendar"] == early.settings["calendar"], "no label hangs on what was sent"


@pytest.mark.slow
def test_a_decision_is_logged_with_its_moment_before_the_champion_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = shop(200, 240).store(tmp_path / "state")
    tracking = experiments(tmp_path)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Tracking, "promote", killed)
    with pytest.raises(KeyboardInterrupt):
        train(store, plan(), tracking, now=NOW)
    (line,) = (tmp_path / "state" / "promotions.jsonl").read_text(encoding="utf-8").splitlines()
    logged = json.loads(line)
    assert (logged["version"], logged["promoted"]) == ("1", True)
    assert UTC.instant(logged["decided_at"]) == NOW


@pytest.mark.slow
def test_a_champion_that_is_no_more_is_replaced_by_training_again(tmp_path: Path) -> None:
    store = shop(200, 240).store(tmp_path / "state")
    tracking = experiments(tmp_path)
    train(store, plan(), tracking, now=NOW)
    for what in ("cannot be read", "is lost"):
        version, folder = tracking.champion() or ("", Path())
        if what == "is lost":
            shutil.rmtree(folder.parent.parent)
        else:
            (folder / "churn.txt").write_text("rubbish")
        verdict = train(store, plan(), tracking, now=NOW)
        assert verdict.promoted
        assert (
            f"champion: version {version} {what}, so the two could not be compared; "
            "the newer one is taken if nothing else is wrong"
        ) in verdict.warnings


def test_contracts_that_end_are_learned_and_completed_ones_are_no_churn(tmp_path: Path) -> None:
    draw = np.random.default_rng(11)
    rows: list[tuple[str, float, str]] = []
    for n in range(400):
        start, keen = draw.uniform(0, 200), n % 2 == 0
        end = start + draw.exponential(400 if keen else 60)
        over = min(end, start + 150, 319.0)
        rows.append((f"c{n:03}", start, "started"))
        rows += [(f"c{n:03}", t, "login") for t in np.arange(start + 1, over, 4 if keen else 12)]
        if over == start + 150:
            rows.append((f"c{n:03}", over, "completed"))
        elif over == end:
            rows.append((f"c{n:03}", end, "cancelled"))
    events = pa.table(
        {
            "customer_id": [row[0] for row in rows],
            "occurred_at": pa.array([day(row[1]) for row in rows], pa.timestamp("us", "UTC")),
            "kind": [row[2] for row in rows],
        }
    )
    (tmp_path / "state").mkdir()
    store = EventStore(tmp_path / "state")
    store.add(events, source="members", timeline=UTC, now=NOW)
    bundle, evidence = learn(EventStore(tmp_path / "state"), plan(type="contract"), until=None)
    assert bundle.churn.definition == (
        "cancelled in [as_of + 0 d, as_of + 20 d), among those with a running contract"
    )
    assert bundle.models.value is None
    assert evidence.figures["auc_low"] > 0.6
    assert evidence.figures["difference/base_rate/log_loss_high"] < 0
