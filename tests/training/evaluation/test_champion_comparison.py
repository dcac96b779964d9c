"""The champion is compared with a candidate only on dates it has not learned from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.training.judged import LATER, shown
from tests.training.trained import bundle, like
from training.data.dataset import LabelledRows
from training.evaluation.champion_comparison import champion_on
from training.labels.settings import Churn
from training.registry.gates import decide_promotion


def unasked(_: LabelledRows) -> np.ndarray:
    raise AssertionError("a champion that is not compared was asked")


def newer() -> object:
    """A candidate that learned from newer data than the champion."""
    return like(bundle(), data_version="events-8")


def test_a_champion_that_learned_from_earlier_dates_is_judged_on_every_row() -> None:
    evidence = shown()
    fair = champion_on(
        evidence, newer(), bundle(), "3", lambda rows: bundle().predict(rows.matrix).churn_probability
    )
    assert not fair.not_comparable_reason
    assert fair.figures["log_loss"] == pytest.approx(evidence.figures["log_loss"])
    assert fair.candidate["log_loss"] == pytest.approx(evidence.figures["log_loss"])
    assert fair.candidate["rows"] == len(evidence.rows)
    assert fair.candidate["log_loss_difference"] == 0.0


def test_a_champion_that_learned_from_some_test_dates_is_judged_on_the_later_ones_alone() -> None:
    evidence = shown()
    half = np.arange(len(evidence.rows)) % 3 == 0
    evidence = replace(evidence, rows=replace(evidence.rows, as_of=np.where(half, LATER + 5, LATER - 5)))
    asked: list[LabelledRows] = []

    def says(rows: LabelledRows) -> np.ndarray:
        asked.append(rows)
        return np.clip(bundle().predict(rows.matrix).churn_probability + 0.1, 0.01, 0.99)

    champion = like(bundle(), trained_until=LATER)
    fair = champion_on(evidence, newer(), champion, "3", says)
    assert set(asked[0].as_of.tolist()) == {LATER + 5}
    assert fair.candidate["rows"] == len(asked[0]) == half.sum()
    difference = fair.candidate["log_loss"] - fair.figures["log_loss"]
    assert difference < 0
    assert fair.candidate["log_loss_difference"] == pytest.approx(difference)
    low, high = fair.candidate["log_loss_difference_low"], fair.candidate["log_loss_difference_high"]
    assert low < difference < high < 0


def test_a_champion_that_saw_every_test_date_or_answers_another_question_is_not_asked() -> None:
    evidence = shown()
    seen = like(bundle(), trained_until=LATER + 1)
    assert (
        champion_on(evidence, newer(), seen, "3", unasked).not_comparable_reason
        == "learned from the test dates"
    )
    other = Churn.from_json(bundle().churn.to_json() | {"active_days": 90})
    changed = like(bundle(), churn=other)
    assert (
        champion_on(evidence, newer(), changed, "3", unasked).not_comparable_reason
        == "decides churn by another rule"
    )


def test_too_few_customers_on_the_later_dates_are_no_comparison() -> None:
    evidence = shown()
    late = np.where(np.arange(len(evidence.rows)) < 30, LATER + 5, LATER - 5)
    evidence = replace(evidence, rows=replace(evidence.rows, as_of=late))
    apart = champion_on(
        evidence, newer(), like(bundle(), trained_until=LATER), "3", unasked
    ).not_comparable_reason
    left = evidence.rows.churned[:30]
    keys = evidence.rows.keys[:30]
    assert apart == (
        f"learned from the test dates but for those on which {len(set(keys[left]))} left and "
        f"{len(set(keys[~left]))} stayed"
    )


def test_the_champion_again_is_recognised_by_its_bytes() -> None:
    again = champion_on(shown(), like(bundle()), bundle(), "3", unasked)
    assert again.same
    assert not again.not_comparable_reason


def test_a_champion_tested_on_the_same_dates_of_the_same_data_is_held_to_what_was_found_then() -> None:
    evidence = shown()
    figures = {name: value for name, value in evidence.figures.items() if "/" not in name} | {
        "test_rows": 9.0
    }
    settings = dict(bundle().settings) | {"calendar": {"test": ["2018-03-02"]}}
    champion = like(bundle(), figures=figures | {"log_loss": 0.4}, settings=settings, trained_until=LATER + 9)
    candidate = like(champion, figures=figures | {"log_loss": 0.5})
    held = champion_on(evidence, candidate, champion, "3", unasked)
    assert (held.not_comparable_reason, held.figures["log_loss"], held.candidate["log_loss"]) == (
        "",
        0.4,
        0.5,
    )
    assert decide_promotion(candidate, evidence, held).refusals == (
        "champion: log loss 0.5000 against 0.4000 of version 3 on the same 9 rows, worse by 0.1000",
    )
    grown = like(candidate, data_version="events-8")
    assert (
        champion_on(evidence, grown, champion, "3", unasked).not_comparable_reason
        == "learned from the test dates"
    )
