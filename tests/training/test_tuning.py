"""The search tries settings on later dates than those that taught, and goes on where it stopped."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from features.errors import UsageError
from features.timeline import DAY
from tests.experiments import experiments
from tests.training.judged import shown
from tests.training.simulated import plan, shop
from tests.training.trained import CHURN
from training import tuning
from training.data.rows.labelled_rows import LabelledRows
from training.fitting.lightgbm import TreeParameters
from training.registry.run_artifacts import upload_tuning_trials
from training.train import learn
from training.tuning import SPACE, Tuning, TuningTrial, splits, study_name

QUICK = TreeParameters(trees=60, threads=1)


def rows(days: int = 150) -> LabelledRows:
    """Rows of the small bundle, on a date every ten days."""
    seen = shown().rows
    date = np.arange(len(seen)) * (days // 10) // len(seen) * 10
    return replace(seen, as_of=(17_000 + date) * DAY)


def silent(_words: str, _share: float) -> None:
    pass


def test_a_split_is_judged_on_dates_that_no_label_of_its_own_reaches() -> None:
    kind, parts = splits(rows(), CHURN)
    assert kind == "time"
    assert len(parts) == 3
    newest = [int(later.as_of.max()) for _, later in parts]
    assert newest == sorted(newest, reverse=True)
    for earlier, later in parts:
        assert earlier.as_of.max() + CHURN.horizon.reach * DAY <= later.as_of.min()


def test_with_too_few_dates_customers_are_split_instead() -> None:
    kind, parts = splits(rows(20), CHURN)
    assert kind == "customers"
    for earlier, later in parts:
        assert not set(earlier.keys.tolist()) & set(later.keys.tolist())


def test_the_best_trial_is_at_least_as_good_as_the_settings_given(tmp_path: Path) -> None:
    search = Tuning(6, tmp_path / "state" / "tuning.db")
    said: list[str] = []
    taken = search(QUICK, rows(), CHURN, lambda words, _: said.append(words))
    assert [trial.number for trial in search.trials] == list(range(6))
    assert search.trials[0].settings == QUICK
    losses = {trial.number: trial.losses[-1] for trial in search.trials if trial.state == "finished"}
    number = min(losses, key=lambda one: losses[one])
    best = search.trials[number].settings
    assert taken in (QUICK, best)
    assert (search.facts["taken"] == "best") == (taken != QUICK)
    assert search.facts["log_loss_best"] <= search.facts["log_loss_defaults"]
    assert said[-1] == f"trial 6 of 6, best log loss {losses[number]:.4f}"
    for name, (low, high) in SPACE.items():
        assert low <= getattr(best, name) <= high
    assert best.leaves <= 2**best.depth


def test_the_best_of_many_trials_is_taken_where_it_is_clearly_better_than_the_settings_given() -> None:
    def trial(number: int, *of_each_split: float, state: str = "finished") -> TuningTrial:
        means = np.cumsum(of_each_split) / np.arange(1, len(of_each_split) + 1)
        return TuningTrial(number, state, replace(QUICK, trees=100 + number), tuple(means.tolist()), 0, 0)

    def taken(*trials: TuningTrial) -> TreeParameters | None:
        return Tuning(1, Path("tuning.db"), list(trials)).chosen

    given = trial(0, 0.50, 0.60, 0.55)
    everywhere, once = trial(1, 0.49, 0.59, 0.53), trial(2, 0.40, 0.61, 0.56)
    pruned = trial(3, 0.30, state="pruned")
    assert taken(given, everywhere, pruned) == everywhere.settings
    assert taken(given, once, pruned) is None
    assert taken(given) is None
    assert taken(trial(0, 0.5, state="failed"), once) == once.settings
    assert taken() is None
    assert taken(trial(0, 0.5), trial(1, 0.4)) is None


def test_a_search_that_was_stopped_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "tuning.db"
    real, calls = tuning.fit_churn, 0

    def killed(*arguments: object) -> object:
        nonlocal calls
        calls += 1
        if calls > 7:
            raise KeyboardInterrupt
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(tuning, "fit_churn", killed)
    with pytest.raises(KeyboardInterrupt):
        Tuning(4, file)(QUICK, rows(), CHURN, silent)
    monkeypatch.setattr(tuning, "fit_churn", real)
    search = Tuning(4, file)
    best = search(QUICK, rows(), CHURN, silent)
    assert [trial.state for trial in search.trials] == [
        "finished",
        "finished",
        "failed",
        "finished",
        "finished",
    ]
    again = Tuning(4, file)
    assert again(QUICK, rows(), CHURN, silent) == best
    assert len(again.trials) == 5


def test_other_rows_or_another_question_are_another_search() -> None:
    name = study_name(QUICK, rows(), CHURN)
    assert study_name(QUICK, rows(), CHURN) == name
    assert study_name(QUICK, rows(100), CHURN) != name
    assert study_name(replace(QUICK, seed=2), rows(), CHURN) != name


def test_without_optuna_tuning_is_refused_before_anything_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "find_spec", lambda _: None)
    with pytest.raises(UsageError) as refusal:
        Tuning(4, tmp_path / "tuning.db")
    assert refusal.value.message == (
        "cannot tune: Optuna is not installed. Install it with `pip install 'kizuna[tune]'`, "
        "or train without --tune."
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_every_trial_is_a_run_nested_below_the_one_that_used_the_best(tmp_path: Path) -> None:
    search = Tuning(3, tmp_path / "tuning.db")
    search(QUICK, rows(), CHURN, silent)
    tracking = experiments(tmp_path)
    with tracking.run("parent") as run:
        upload_tuning_trials(tracking, run, search)
    found = run.client.search_runs([run.experiment], order_by=["start_time"])
    nested = [one for one in found if one.data.tags.get("mlflow.parentRunId") == run.id]
    assert [one.info.run_name for one in nested] == ["trial 0", "trial 1", "trial 2"]
    first = search.trials[0]
    assert nested[0].data.metrics["tuning/log_loss"] == pytest.approx(first.losses[-1])
    assert nested[0].data.params["models.trees"] == "60"
    assert nested[0].info.start_time == first.started // 1_000
    assert nested[0].data.tags["state"] == "finished"
    parent = run.client.get_run(run.id).data
    assert parent.params["tuning.trials"] == "3"
    assert parent.metrics["tuning/log_loss"] <= parent.metrics["tuning/log_loss_defaults"]


def test_nothing_but_the_search_needs_optuna() -> None:
    code = (
        "import sys; sys.modules['optuna'] = None\n"
        "import training.train, training.registry.run_artifacts, training.tuning, serving.cli.main\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
def test_training_judges_the_settings_found_at_the_same_test_dates(tmp_path: Path) -> None:
    store = shop(200, 240).store(tmp_path / "state")
    search = Tuning(3, tmp_path / "state" / "tuning.db")
    tuned, evidence = learn(store, plan(), until=None, tuning=search)
    usual, as_usual = learn(store, plan(), until=None)
    assert tuned.settings["models"] == (search.chosen or plan().models).to_json()
    assert tuned.settings["calendar"] == usual.settings["calendar"]
    assert np.array_equal(evidence.rows.as_of, as_usual.rows.as_of)
