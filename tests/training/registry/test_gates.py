"""A candidate becomes the champion only through every gate; a refusal says which and by how much."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from tests.training.judged import N, shown
from tests.training.trained import bundle, like, outcome, rows
from training.bundle.shap_values import Explainer
from training.evaluation.champion_comparison import ChampionComparison, NotComparable
from training.evaluation.leaks import Leak, strongest_alone
from training.registry.gates import GateDecision, decide_promotion


class Crooked(Explainer):
    """An explainer whose contributions miss by half."""

    def __call__(self, matrix: np.ndarray, *, threads: int = 0) -> np.ndarray:
        values = super().__call__(matrix, threads=threads)
        values[:, -1] += 0.5
        return values


class Hasty(Explainer):
    """An explainer whose fast way gives one feature what belongs to another."""

    def _fast(self, matrix: np.ndarray) -> np.ndarray:
        values = self._exact(matrix, 1)
        values[:, 0] += 0.5
        values[:, 1] -= 0.5
        return values


def test_the_first_candidate_that_beats_the_base_rate_becomes_the_champion() -> None:
    decision = decide_promotion(bundle(), shown(), None)
    assert decision == GateDecision(True, (), (), decision.figures)
    assert decision.figures["additivity_gap"] < 1e-4
    assert 0.5 < decision.figures["strongest_feature_auc"] < 0.95


def test_a_list_that_holds_a_large_share_of_the_customers_is_a_warning() -> None:
    evidence = shown()
    cohort = len(evidence.rows.as_of) / len(np.unique(evidence.rows.as_of))
    for contacts, says in ((int(cohort / 3) - 1, False), (int(cohort / 2), True), (int(cohort) + 1, True)):
        trained = replace(bundle(), settings={**bundle().settings, "contacts": contacts})
        decision = decide_promotion(trained, evidence, None)
        assert decision.promoted
        assert any(one.startswith("capacity: one list holds") for one in decision.warnings) is says
        assert any(one.startswith("リストの人数：") for one in decision.japanese) is says
        assert not says or f"contacts = {contacts}" in decision.warnings[-1]


def test_a_candidate_no_better_than_the_base_rate_is_refused_with_the_difference() -> None:
    decision = decide_promotion(
        bundle(), shown(**{"log_loss": 0.65, "baseline/base_rate/log_loss": 0.64}), None
    )
    assert not decision.promoted
    assert decision.refusals == (
        "base rate: log loss 0.6500 against 0.6400 of giving everyone the same probability, worse by 0.0100",
    )


def test_the_first_champion_carries_what_else_is_wrong_as_warnings() -> None:
    decision = decide_promotion(
        bundle(), shown(level="low", **{"baseline/recency/log_loss": 0.1, "log_loss": 0.5}), None
    )
    assert decision.promoted
    assert decision.warnings == (
        "baseline: log loss 0.5000 against 0.1000 of recency alone, worse by 0.4000",
        "evidence: low, because there are too few dates, or too few customers who left or stayed, "
        "to test on later dates than those that taught",
    )
    assert decision.japanese == (
        "単純な基準：対数損失0.5000。最終行動からの日数だけによる予測の0.1000より0.4000悪い。",
        "根拠の強さ：低い。学習より後の日付で検証するには、基準日または離反・継続した顧客が少なすぎる。",
    )


def test_a_challenger_that_a_single_ratio_beats_is_refused() -> None:
    evidence = shown(**{"baseline/recency/log_loss": 0.1, "log_loss": 0.5})
    decision = decide_promotion(
        bundle(),
        evidence,
        ChampionComparison("3", bundle().catalog.columns, {}, not_comparable=NotComparable.UNREADABLE),
    )
    assert decision.refusals == (
        "baseline: log loss 0.5000 against 0.1000 of recency alone, worse by 0.4000",
    )


def test_a_leaking_feature_refuses_a_challenger_by_name() -> None:
    leaking = rows(N, seed=21)
    column = bundle().catalog.columns.index("purchase_sum_90d")
    leaking[:, column] = outcome(rows(N, seed=21), seed=22) + np.random.default_rng(0).normal(0, 0.1, N)
    decision = decide_promotion(
        bundle(),
        shown(matrix=leaking),
        ChampionComparison("3", bundle().catalog.columns, {}, not_comparable=NotComparable.UNREADABLE),
    )
    assert not decision.promoted
    assert decision.refusals == (
        "leak: 'purchase_sum_90d' alone reaches an AUC of 1.000, above 0.95 by 0.050; "
        "it seems to know the future. Check when its events are recorded. If it was known in time, say why: "
        "`kizuna train --accept-leak REASON`.",
    )


def test_a_leak_refuses_the_first_candidate_too_unless_somebody_says_why_it_is_none() -> None:
    leak = Leak(("profile_status_last",), "leak: the attribute 'status' …", "リーク：属性「status」…")
    first = decide_promotion(bundle(), replace(shown(), leaks=(leak,)), None)
    assert not first.promoted
    assert first.refusals[0].startswith("leak: the attribute 'status' …")
    assert "`kizuna train --accept-leak REASON`" in first.refusals[0]
    assert first.japanese[0].startswith("リーク：属性「status」…")
    taken = decide_promotion(bundle(), replace(shown(), leaks=(leak,)), None, accept_leak="known at sign-up")
    assert taken.promoted
    assert taken.warnings[0] == "leak: the attribute 'status' … Accepted: known at sign-up"
    assert taken.accepted_leak == "known at sign-up"
    assert decide_promotion(bundle(), shown(), None, accept_leak="none there").accepted_leak == ""


def test_a_leak_by_missing_values_is_found_too() -> None:
    matrix, churned = rows(N, seed=21), outcome(rows(N, seed=21), seed=22)
    matrix[churned, 7] = np.nan
    matrix[~churned, 7] = np.random.default_rng(0).normal(size=(~churned).sum())
    auc, column = strongest_alone(matrix, churned)
    assert (auc, column) == (1.0, 7)


def test_honest_features_raise_no_alarm_whichever_way_they_point() -> None:
    matrix, churned = rows(N, seed=21), outcome(rows(N, seed=21), seed=22)
    auc, column = strongest_alone(matrix, churned)
    mirrored = strongest_alone(-matrix, churned)
    assert 0.55 < auc < 0.9
    assert mirrored == (pytest.approx(auc), column)
    assert strongest_alone(matrix, np.zeros(N, dtype=bool)) == (0.5, 0)


def rival(figures: Mapping[str, float], **candidate: float) -> ChampionComparison:
    ours = {"rows": 1_200.0, "log_loss_difference_low": 0.0, "log_loss_difference_high": 0.02}
    return ChampionComparison("3", bundle().catalog.columns, figures, candidate=ours | candidate)


def test_a_challenger_worse_than_the_champion_on_the_same_dates_is_refused() -> None:
    champion = rival(
        {"log_loss": 0.41, "expected_calibration_error": 0.03},
        log_loss=0.42,
        expected_calibration_error=0.05,
        expected_calibration_error_noise=0.02,
    )
    decision = decide_promotion(bundle(), shown(), champion)
    assert decision.refusals == (
        "champion: log loss 0.4200 against 0.4100 of version 3 on the same 1,200 rows, worse by 0.0100 "
        "(95% interval +0.0000 to +0.0200)",
        "calibration: error 0.0500 against 0.0300 of version 3 on the same rows, worse by 0.0200, "
        "and chance explains 0.0200",
    )
    assert decision.figures["champion/log_loss"] == 0.41
    assert decision.figures["champion/candidate/log_loss"] == 0.42


def test_a_fast_explanation_that_is_off_is_a_warning_because_the_exact_one_takes_its_place() -> None:
    slow = like(bundle())
    slow.__dict__["explainer"] = Hasty(bundle().explainer.booster)
    decision = decide_promotion(slow, shown(), None)
    assert decision.promoted
    assert decision.warnings == (
        "explanation: that of large batches misses LightGBM's by 0.5, above 1e-04, so LightGBM explains "
        "them, which takes several times as long",
    )


def test_a_calibration_error_within_chance_is_no_reason_to_refuse() -> None:
    champion = rival(
        {"log_loss": 0.41, "expected_calibration_error": 0.01},
        log_loss=0.40,
        expected_calibration_error=0.019,
        expected_calibration_error_noise=0.02,
    )
    assert decide_promotion(bundle(), shown(), champion).promoted


def test_an_explanation_that_does_not_add_up_is_refused() -> None:
    crooked = like(bundle())
    crooked.__dict__["explainer"] = Crooked(bundle().explainer.booster)
    assert decide_promotion(
        crooked,
        shown(),
        ChampionComparison("3", bundle().catalog.columns, {}, not_comparable=NotComparable.UNREADABLE),
    ).refusals == ("explanation: contributions miss the model's log-odds by 0.5, above 1e-04 by 0.5",)


def test_a_challenger_that_lost_features_is_refused() -> None:
    champion = ChampionComparison(
        "3",
        (*bundle().catalog.columns, "inquiry_count_30d", "inquiry_count_90d"),
        {},
        not_comparable=NotComparable.UNREADABLE,
    )
    assert decide_promotion(bundle(), shown(), champion).refusals == (
        "features: 2 that version 3 has are missing, such as 'inquiry_count_30d'; is a source gone?",
    )


def test_a_feature_that_the_settings_drop_is_no_source_that_is_gone() -> None:
    champion = ChampionComparison(
        "3",
        (*bundle().catalog.columns, "purchase_sum_7d", "inquiry_count_30d"),
        {},
        not_comparable=NotComparable.UNREADABLE,
    )
    dropping = {"features": {"drop": ["purchase_sum_*"]}}
    candidate = like(bundle(), settings=dict(bundle().settings) | dropping)
    assert decide_promotion(candidate, shown(), champion).refusals == (
        "features: 1 that version 3 has are missing, such as 'inquiry_count_30d'; is a source gone?",
    )
    both = {"features": {"drop": ["purchase_sum_*", "inquiry_*"]}}
    candidate = like(bundle(), settings=dict(bundle().settings) | both)
    assert decide_promotion(candidate, shown(), champion).promoted


def test_features_of_windows_that_the_settings_no_longer_have_are_no_source_that_is_gone() -> None:
    columns = (*bundle().catalog.columns, "purchase_sum_7d", "inquiry_count_30d")
    champion = ChampionComparison(
        "3", columns, {}, not_comparable=NotComparable.UNREADABLE, features={"windows": [7, 30, 90]}
    )
    narrower = {"features": {"windows": [30, 90]}}
    candidate = like(bundle(), settings=dict(bundle().settings) | narrower)
    assert decide_promotion(candidate, shown(), champion).refusals == (
        "features: 1 that version 3 has are missing, such as 'inquiry_count_30d'; is a source gone?",
    )


def test_a_feature_that_the_model_reads_must_say_something_on_the_test_dates() -> None:
    matrix = rows(N, seed=21)
    matrix[:, bundle().catalog.columns.index("purchase_count_30d")] = np.nan
    decision = decide_promotion(
        bundle(),
        shown(matrix=matrix),
        ChampionComparison("3", bundle().catalog.columns, {}, not_comparable=NotComparable.UNREADABLE),
    )
    assert decision.refusals == (
        f"features: 1 of the {int(bundle().used.sum())} that the model reads say nothing on the test dates, "
        "such as 'purchase_count_30d'",
    )


def test_drift_of_the_base_rate_is_a_warning_with_its_size() -> None:
    decision = decide_promotion(bundle(), shown(base_rate=0.5, drift=0.12), None)
    assert decision.promoted
    assert decision.warnings == (
        "drift: 62.0% were expected to leave on the test dates and 50.0% left, 12.0 points fewer",
    )


def test_company_events_that_outlast_those_of_customers_are_a_warning_with_both_dates() -> None:
    short = like(
        bundle(), settings=dict(bundle().settings) | {"customers_until": "2017-12-22T09:00:00+00:00"}
    )
    decision = decide_promotion(short, shown(), None)
    assert decision.promoted
    assert decision.warnings == (
        "coverage: the customers' own events end on 2017-12-22, 9.6 days before all others, which end on "
        "2018-01-01, so no date is labelled whose horizon reaches beyond 2017-12-22. Ingest what customers "
        "did since",
    )


def test_a_champion_that_cannot_be_compared_is_named_in_a_warning() -> None:
    champion = ChampionComparison("3", bundle().catalog.columns, {}, not_comparable=NotComparable.LOST)
    decision = decide_promotion(bundle(), shown(), champion)
    assert decision.promoted
    assert decision.warnings == (
        "champion: version 3 is lost, so the two could not be compared; "
        "the newer one is taken if nothing else is wrong",
    )


@pytest.mark.parametrize("why", [*NotComparable])
def test_both_languages_say_why_a_champion_is_not_compared_with(why: NotComparable) -> None:
    champion = ChampionComparison("3", bundle().catalog.columns, {}, not_comparable=why)
    decision = decide_promotion(bundle(), shown(), champion)
    english, japanese = decision.compared
    assert english == f"Not compared with version 3, which {why.english}."
    assert japanese == f"バージョン3とは同じ条件で比較できない（{why.japanese}）。"
    assert any(f"（{why.japanese}）" in one for one in decision.japanese)
