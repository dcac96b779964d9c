"""The settings of the champion are compared with a candidate's on the candidate's test rows."""

from __future__ import annotations

import numpy as np
import pytest

from tests.training.judged import LATER, shown
from tests.training.trained import bundle, like
from training.evaluation.champion_comparison import NotComparable, champion_on
from training.labels.settings import Churn
from training.registry.gates import decide_promotion


def unasked() -> np.ndarray:
    raise AssertionError("a champion that is not compared was refitted")


def newer() -> object:
    """A candidate that learned from newer data than the champion, with other trees."""
    return like(
        bundle(), data_version="events-8", settings=dict(bundle().settings) | {"models": {"trees": 40}}
    )


@pytest.mark.parametrize("trained_until", [LATER - 5, LATER + 5])
def test_the_champions_refitted_settings_are_judged_on_every_test_row_whatever_it_had_learned_from(
    trained_until: int,
) -> None:
    evidence = shown()
    worse = np.clip(evidence.probability + 0.1, 0.01, 0.99)
    fair = champion_on(evidence, newer(), like(bundle(), trained_until=trained_until), "3", lambda: worse)
    assert (fair.not_comparable, fair.basis) == (None, "refitted")
    assert fair.candidate["log_loss"] == pytest.approx(evidence.figures["log_loss"])
    assert fair.candidate["rows"] == len(evidence.rows)
    difference = fair.candidate["log_loss"] - fair.figures["log_loss"]
    assert fair.candidate["log_loss_difference"] == pytest.approx(difference)
    low, high = fair.candidate["log_loss_difference_low"], fair.candidate["log_loss_difference_high"]
    assert low < difference < high < 0


def test_the_same_settings_on_newer_data_are_nothing_to_refit() -> None:
    same = champion_on(shown(), like(bundle(), data_version="events-8"), bundle(), "3", unasked)
    assert same.basis == "same_settings"
    assert same.candidate["log_loss_difference"] == 0.0


def test_a_champion_that_answers_another_question_is_not_refitted() -> None:
    other = Churn.from_json(bundle().churn.to_json() | {"active_days": 90})
    changed = like(bundle(), churn=other)
    found = champion_on(shown(), newer(), changed, "3", unasked)
    assert found.not_comparable is NotComparable.OTHER_CHURN


def test_the_champion_again_is_recognised_by_its_bytes() -> None:
    again = champion_on(shown(), like(bundle()), bundle(), "3", unasked)
    assert again.same
    assert again.not_comparable is None


def test_a_champion_tested_on_the_same_dates_of_the_same_data_is_held_to_what_was_found_then() -> None:
    evidence = shown()
    figures = {name: value for name, value in evidence.figures.items() if "/" not in name} | {
        "test_rows": 9.0
    }
    settings = dict(bundle().settings) | {"calendar": {"test": ["2018-03-02"]}}
    champion = like(bundle(), figures=figures | {"log_loss": 0.4}, settings=settings, trained_until=LATER + 9)
    candidate = like(champion, figures=figures | {"log_loss": 0.5})
    held = champion_on(evidence, candidate, champion, "3", unasked)
    assert (held.not_comparable, held.figures["log_loss"], held.candidate["log_loss"]) == (
        None,
        0.4,
        0.5,
    )
    assert decide_promotion(candidate, evidence, held).refusals == (
        "champion: log loss 0.5000 against 0.4000 of version 3 on the same 9 rows, worse by 0.1000",
    )
