"""Which rule wins, who is left out, and why."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.timeline import DAY, Timeline
from serving.actions.customer_profiles import CustomerProfiles
from serving.actions.lifecycle import movement, stages
from serving.actions.playbook import Playbook, StageRules, default_text, parse
from serving.actions.rules.conditions import NumberCondition, ranks
from serving.actions.rules.rule_matching import ActionPlan, match_rules
from serving.schemas.terms import OUTCOMES, STAGES
from serving.state.scores.score_file import Scores
from serving.state.scores.score_metadata import ScoreMetadata
from serving.state.scores.score_table import ScoreTable
from tests.serving.actions.test_playbook import HEAD, VOCABULARY, rule
from training.labels.cohort import IN_COHORT

AS_OF = Timeline("UTC").instant("2025-01-01")
LAPSED = 1


def scores(probability: list[float], value: list[float] | None = None) -> Scores:
    """Scored customers 0, 1, 2, …; NaN is one who has left."""
    p = np.array(probability)
    v = np.full(len(p), 1000.0) if value is None else np.array(value)
    n = len(p)
    inside = ~np.isnan(p)
    answers = ScoreTable(
        key=np.arange(n),
        status=np.where(inside, IN_COHORT, LAPSED).astype(np.int8),
        churn_probability=p,
        tier=np.full(n, 2, np.int8),
        predicted_tier=np.where(inside, 2, -1).astype(np.int8),
        expected_value=np.where(inside, v, np.nan),
        value_at_risk=np.where(inside, p * v, np.nan),
        reason_features=np.zeros((n, 3), np.int16),
        reason_values=np.zeros((n, 3)),
        reason_contributions=np.ones((n, 3)),
    )
    facts = {"as_of": AS_OF, "model_version": "1", "fingerprint": "", "data_version": "", "newest": None}
    more = {"evidence": "normal", "amounts": True, "tiers": VOCABULARY.tiers, "scored_at": AS_OF}
    return Scores(answers, ScoreMetadata(**facts, **more))


def portraits(scored: Scores, **columns: list[object]) -> CustomerProfiles:
    """What is known of the scored customers besides; the same for all unless given."""
    n = len(scored.answers)
    usual: dict[str, object] = {
        "attitude": 3, "stage": 2, "inquiry": 0, "main_reason": 0, "movement": 0, "forbidden_channels": 0,
        "preferred_channel": "app", "loyalty_programme": 0, "loyalty_level": -1, "contacted_0": None,
    }  # fmt: skip
    table = {name: pa.array(columns.get(name, [value] * n)) for name, value in usual.items()}
    table["contacted_0"] = table["contacted_0"].cast(pa.timestamp("us", "UTC"))
    table |= {f"contacted_{more}": pa.nulls(n, pa.timestamp("us", "UTC")) for more in (1, 2, 3)}
    table["probability_rank"] = pa.array(ranks(scored.answers.churn_probability))
    table["value_rank"] = pa.array(ranks(scored.answers.expected_value))
    return CustomerProfiles(pa.table(table), ("purchase", "usage", "inquiry", "tenure", "none"))


def made(text: str, scored: Scores, **columns: list[object]) -> tuple[Playbook, ActionPlan]:
    playbook = parse(text, "playbook.toml").playbook
    return playbook, match_rules(playbook, VOCABULARY, portraits(scored, **columns), scored)


def rules_of(playbook: Playbook, planned: ActionPlan) -> list[str | None]:
    return [None if number < 0 else playbook.rules[number].name for number in planned.rule.tolist()]


def outcomes(planned: ActionPlan) -> list[str]:
    return [OUTCOMES[number] for number in planned.outcome.tolist()]


def test_the_first_rule_that_fits_wins_and_is_named() -> None:
    playbook, planned = made(
        HEAD + rule("unhappy", 'attitude = "detractor"') + rule("risky", 'probability = ">= 0.3"'),
        scores([0.5, 0.5, 0.1, np.nan]),
        attitude=[2, 0, 2, 0],
    )
    assert rules_of(playbook, planned) == ["unhappy", "risky", "unhappy", None]
    assert outcomes(planned) == ["planned", "planned", "planned", "no_rule"]


def test_nobody_is_thanked_for_coming_back_whose_purchases_have_nearly_stopped_again() -> None:
    risks = [0.42, 0.03, 0.3, *(0.01 + 0.001 * other for other in range(20))]
    scored = scores(risks, [5.0] * 3 + [9.0] * 12 + [1.0] * 8)
    scored.answers.tier[:3] = [0, 2, 2]
    stage = [STAGES.index("returned")] * 3 + [STAGES.index("established")] * 20
    playbook, planned = made(default_text("shop"), scored, stage=stage)
    found = rules_of(playbook, planned)
    assert found[0] not in ("returned", None)
    assert found[1] == "returned"


def test_every_condition_looks_at_its_own_side() -> None:
    scored = scores([0.5, 0.4, 0.3, 0.2], [10.0, 40.0, 30.0, 20.0])
    for condition, columns, fits in (
        ('probability = "< 0.4"', {}, [2, 3]),
        ('probability = "top 25%"', {}, [0]),
        ('value = "top 50%"', {}, [1, 2]),
        ('value = "15 to 30"', {}, [3]),
        ('movement = "falling"', {"movement": [-1, 0, 1, -1]}, [0, 3]),
        ('stage = ["growing", "returned"]', {"stage": [1, 5, 0, 2]}, [0, 1]),
        ('inquiry = "open"', {"inquiry": [0, 1, 2, 2]}, [2, 3]),
        ('reason = ["usage", "none"]', {"main_reason": [1, 4, 0, 2]}, [0, 1]),
        ('channel = "phone"', {"preferred_channel": ["app", "phone", None, "phone"]}, [1, 3]),
        ('channel = "none"', {"preferred_channel": ["app", "phone", None, "phone"]}, [2]),
        ('loyalty = ["gold", "none"]', {"loyalty_level": [-1, 0, 1, 2]}, [0, 2]),
        ('tier = "middle"', {}, [0, 1, 2, 3]),
        ('tier = "devoted"', {}, []),
    ):
        _, planned = made(HEAD + rule("a", condition), scored, **columns)
        assert np.flatnonzero(planned.rule == 0).tolist() == fits, condition


def test_capacity_goes_to_the_most_at_stake_and_the_others_are_told() -> None:
    text = HEAD.replace('ja = "ハイタッチ"\n', 'ja = "ハイタッチ"\ncapacity = 2\n') + rule("all")
    _, planned = made(text, scores([0.1, 0.4, 0.2, 0.3]))
    assert outcomes(planned) == ["capacity", "planned", "capacity", "planned"]


def test_who_is_left_out_takes_no_capacity() -> None:
    text = 'do_not_contact = "quiet"\n' + HEAD.replace(
        'ja = "ハイタッチ"\n', 'ja = "ハイタッチ"\ncapacity = 1\n'
    )
    _, planned = made(text + rule("all"), scores([0.4, 0.3, 0.2]), forbidden_channels=[-1, 0, 0])
    assert outcomes(planned) == ["do_not_contact", "planned", "capacity"]


def test_a_customer_contacted_within_the_cool_down_is_left_alone() -> None:
    text = HEAD.replace(
        'ja = "ハイタッチ"\n', 'ja = "ハイタッチ"\ncool_down_days = 14\nkinds = ["call_made"]\n'
    )
    contacted = [AS_OF - 14 * DAY, AS_OF - 14 * DAY + 1, None]
    _, planned = made(text + rule("all"), scores([0.4, 0.3, 0.2]), contacted_0=contacted)
    assert outcomes(planned) == ["planned", "cool_down", "planned"]


def test_a_rule_that_holds_back_contacts_nobody_whatever_else_is_true() -> None:
    text = HEAD + '[[rules]]\nname = "peace"\nwhen.probability = "< 0.3"\nhold_back = "quiet"\n' + rule("all")
    _, planned = made(text, scores([0.4, 0.2]), forbidden_channels=[0, -1])
    assert outcomes(planned) == ["planned", "held_back"]


def test_stages_are_tried_from_lapsed_to_established() -> None:
    tier = np.array([2, 2, 2, 2, 2, 2, 2], np.int8)
    moved = movement(tier, np.array([-1, 3, 3, 3, 3, 2, -1], np.int8))
    probability = np.array([np.nan, 0.9, 0.9, 0.1, 0.1, 0.1, np.nan])
    found = stages(
        StageRules(considering_leaving=NumberCondition.of(">= 0.5"), onboarding_days=60),
        np.array([1, 0, 0, 0, 0, 0, 2], np.int8),
        np.array([500.0, 10, 10, 59.9, 60, 500, 500]),
        np.array([True, True, False, False, False, False, False]),
        moved,
        probability,
        ranks(probability),
    )
    named = [STAGES[number] for number in found.tolist()]
    expected = [
        "lapsed",
        "returned",
        "considering_leaving",
        "onboarding",
        "growing",
        "established",
        "onboarding",
    ]
    assert named == expected


def test_a_rank_is_shared_by_equal_values_and_unknown_without_one() -> None:
    found: NDArray[np.float64] = ranks(np.array([0.2, 0.9, np.nan, 0.2, 0.5]))
    np.testing.assert_array_equal(found, [0.5, 0.0, np.nan, 0.5, 0.25])


def test_a_rule_about_uplift_takes_whom_contact_drives_away_and_nobody_of_whom_it_is_not_known() -> None:
    scored = scores([0.5, 0.5, 0.5, 0.1, np.nan])
    uplift = np.array([-0.02, 0.0, 0.04, 0.01, np.nan])
    value = np.array([-20.0, 0.0, 40.0, 10.0, np.nan])
    with_uplift = Scores(replace(scored.answers, uplift=uplift, incremental_value=value), scored.facts)
    quiet = '[[rules]]\nname = "driven"\nwhen.uplift = "< 0"\nhold_back = "quiet"\n'
    worth, rest = rule("worth", 'incremental_value = "top 25%"'), rule("rest", 'uplift = ">= 0"')
    playbook, planned = made(HEAD + quiet + worth + rest, with_uplift)
    assert rules_of(playbook, planned) == ["driven", "rest", "worth", "rest", None]
    assert outcomes(planned) == ["held_back", "planned", "planned", "planned", "no_rule"]
