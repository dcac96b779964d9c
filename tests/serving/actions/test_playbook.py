"""What a playbook may say, and what is refused with its line."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from features.errors import ConfigurationError
from serving.actions.playbook import DEFAULTS, default_kind, default_text, parse, read
from serving.actions.rules.rule_validation import validate_rules
from serving.actions.rules.toml_positions import line_of, places
from serving.actions.rules.vocabulary import RuleVocabulary

VOCABULARY = RuleVocabulary(
    tiers=("dormant", "cooling", "casual", "engaged", "devoted"),
    reasons=("purchase", "usage", "inquiry", "tenure"),
    channels=("app", "phone"),
    programmes=(("silver", "gold", "platinum"),),
)
HEAD = """\
[touch.high]
en = "high touch"
ja = "ハイタッチ"
[actions.call]
en = "Call"
ja = "電話する"
[actions.write]
en = "Write"
ja = "メールを送る"
[owners.crm]
en = "CRM"
ja = "CRM"
[hold_back.quiet]
en = "leave in peace"
ja = "見送り"
"""
FIRST = HEAD.count("\n") + 1
"""The line of the first rule."""


def rule(name: str, *conditions: str, action: str = "call") -> str:
    said = "".join(f"when.{condition}\n" for condition in conditions)
    how = f'touch = "high"\naction = "{action}"\nchannel = "phone"\nowner = "crm"\ndeadline_days = 3\n'
    return f'[[rules]]\nname = "{name}"\n{said}{how}'


def refused(text: str, line: int, wrong: str) -> None:
    message = f"cannot use playbook.toml, line {line}: {wrong}"
    with pytest.raises(ConfigurationError, match=f"^{re.escape(message)}$"):
        validate_rules(parse(text, "playbook.toml"), VOCABULARY)


def accepted(*rules: str) -> None:
    validate_rules(parse(HEAD + "".join(rules), "playbook.toml"), VOCABULARY)


@pytest.mark.parametrize("kind", DEFAULTS)
def test_the_default_playbooks_are_accepted_whatever_channels_a_project_has(kind: str) -> None:
    validate_rules(read(None, kind), VOCABULARY)


@pytest.mark.parametrize(
    ("churn_type", "amounts", "kind"),
    [
        ("inactivity", True, "shop"),
        ("inactivity", False, "contract"),
        ("contract", True, "contract"),
        ("contract", False, "contract"),
    ],
)
def test_shops_are_those_without_a_contract_whose_events_carry_amounts(
    churn_type: str, amounts: bool, kind: str
) -> None:
    assert default_kind(churn_type, amounts=amounts) == kind


def test_the_playbook_of_shops_speaks_of_no_contract() -> None:
    text = default_text("shop")
    assert not re.search(r"プラン変更|休止|解約|カスタマーサクセス|初期設定|チュートリアル", text)
    assert len(read(None, "shop").playbook.rules) >= 12


@pytest.mark.parametrize("kind", DEFAULTS)
def test_an_unknown_preferred_channel_falls_back_to_the_one_of_the_playbook(kind: str) -> None:
    playbook = read(None, kind).playbook
    preferred = next(rule for rule in playbook.rules if rule.channel == "preferred")
    named = next(rule for rule in playbook.rules if rule.channel not in (None, "preferred"))
    assert playbook.channel_of(preferred, "store") == "store"
    assert playbook.channel_of(preferred, None) == "email"
    assert playbook.channel_of(named, "store") == playbook.channel_of(named, None) == named.channel
    without = playbook.model_copy(update={"fallback_channel": None})
    assert without.channel_of(preferred, None) is None


def test_the_default_playbook_says_everything_in_both_languages() -> None:
    playbook = read(None).playbook
    parts = [*playbook.touch.values(), *playbook.actions.values(), *playbook.owners.values()]
    parts += [*playbook.hold_back.values(), *(level for one in playbook.loyalty for level in one.levels)]
    for words in parts:
        assert words.say("en").isascii()
        assert re.search(r"[ぁ-んァ-ヶ一-龠]", words.say("ja"))
    used = {one.action for one in playbook.rules} - {None}
    assert used == set(playbook.actions)


def test_the_default_playbook_has_every_touch_model() -> None:
    playbook = read(None).playbook
    assert {one.touch for one in playbook.rules} - {None} == {"high", "low", "tech", "community"}


def test_an_unknown_word_is_refused_with_its_line() -> None:
    refused(
        HEAD + rule("a", 'tier = ["devotedd"]'),
        FIRST + 2,
        "`when.tier` of the rule 'a' names 'devotedd', which there is "
        'not. Write "devoted" instead, or another of low, middle, high, dormant, cooling, casual, '
        "engaged, devoted.",
    )
    refused(
        HEAD + rule("a", 'stage = "gone"'),
        FIRST + 2,
        "`when.stage` of the rule 'a' names 'gone', which there is "
        "not. Write one of onboarding, growing, established, considering_leaving, lapsed, returned.",
    )


def test_an_unknown_key_is_refused_with_its_line() -> None:
    refused(
        HEAD + rule("a", 'mood = "bad"'),
        FIRST + 2,
        'there is no key `rules.when.mood` in a playbook (found: `mood = "bad"`). Remove it, or write one of '
        "`probability, value, lifetime_value, uplift, incremental_value, tier, movement, attitude, stage, "
        'loyalty, reason, channel, inquiry`, such as `when.probability = "top 10%"`.',
    )


def test_a_condition_that_is_none_is_refused_with_its_line() -> None:
    refused(
        HEAD + rule("a", 'probability = "high"'),
        FIRST + 2,
        '`rules.when.probability` is `"high"`, but it takes a condition such as `>= 0.2`, `0.1 to 0.3` or '
        '`top 10%`, in double quotes. Write it like `when.probability = "top 10%"`.',
    )


def test_an_action_that_is_not_declared_is_refused_with_its_line() -> None:
    refused(
        HEAD + rule("a", action="sing"),
        FIRST + 3,
        "the rule 'a' names the action 'sing', which is not declared. "
        "Write one of call, write, or declare it.",
    )


def test_a_rule_that_says_nothing_and_one_that_says_too_much_are_refused() -> None:
    refused(
        HEAD + '[[rules]]\nname = "a"\ntouch = "high"\n',
        FIRST,
        "the rule 'a' does not fit: it says no action: add one, such as `action = "
        '"call_and_listen"`, or a hold_back.',
    )
    refused(
        HEAD + rule("a") + 'hold_back = "quiet"\n',
        FIRST,
        "the rule 'a' does not fit: it both acts (`touch = "
        '"high"`) and holds back (`hold_back = "quiet"`): keep one of the two.',
    )


def test_two_rules_of_one_name_are_refused() -> None:
    refused(
        HEAD + rule("a", 'attitude = "promoter"') + rule("a"),
        FIRST + 9,
        f"two rules are called 'a' (the other on line {FIRST + 1}). Give each its own name.",
    )


def test_two_rules_for_the_same_customers_contradict() -> None:
    same = 'attitude = ["promoter", "passive"]'
    refused(
        HEAD + rule("a", same) + rule("b", 'attitude = ["passive", "promoter"]', action="write"),
        FIRST + 8,
        f"the rule 'b' contradicts 'a' on line {FIRST}: both are for the same customers. Keep one of them.",
    )
    refused(
        HEAD + rule("a", same) + rule("b", same),
        FIRST + 8,
        f"the rule 'b' says the same as 'a' on line {FIRST}: both are "
        "for the same customers. Keep one of them.",
    )


def test_a_rule_whose_customers_are_all_taken_before_can_never_match() -> None:
    refused(
        HEAD
        + rule("a", 'probability = ">= 0.5"')
        + rule("b", 'probability = "0.2 to 0.5"')
        + rule("c", 'probability = "0.3 to 0.9"', 'tier = "high"'),
        FIRST + 16,
        "the rule 'c' can never match: everyone it is for is taken "
        "by the rules before it (a, b). Move it up, or remove it.",
    )


def test_a_rule_whose_conditions_exclude_each_other_can_never_match() -> None:
    for conditions in (
        ('stage = "lapsed"', 'probability = ">= 0.1"'),
        ('stage = "growing"', 'movement = "falling"'),
        ('stage = "considering_leaving"', 'probability = "bottom 50%"'),
        ('probability = "> 1"',),
        ("attitude = []",),
    ):
        refused(
            HEAD + rule("a", *conditions),
            FIRST,
            "the rule 'a' can never match: its conditions exclude each other. Loosen one.",
        )


def test_a_rule_after_one_that_takes_most_of_its_customers_is_accepted() -> None:
    accepted(
        rule("a", 'probability = "top 10%"'),
        rule("b", 'probability = "top 20%"'),
        rule("c", 'tier = ["low", "middle"]'),
        rule("d", 'tier = ["devoted", "casual"]'),
        rule("e", 'tier = "engaged"', 'loyalty = ["gold", "none"]'),
        rule("f"),
    )


def test_tier_words_for_a_third_mean_its_tiers() -> None:
    refused(
        HEAD + rule("a", 'tier = ["dormant", "cooling"]') + rule("b", 'tier = "low"'),
        FIRST + 8,
        f"the rule 'b' says the same as 'a' on line {FIRST}: both are "
        "for the same customers. Keep one of them.",
    )


def test_levels_that_do_not_rise_are_refused() -> None:
    levels = (
        '{ name = "gold", en = "g", ja = "g", purchases = 5, amount = 10 },\n'
        '{ name = "silver", en = "s", ja = "s", purchases = 3, amount = 20 },\n'
    )
    text = HEAD + rule("a") + f'[[loyalty]]\nname = "points"\nwindow_days = 365\nlevels = [\n{levels}]\n'
    refused(
        text,
        FIRST + 7,
        "`loyalty` does not fit: the level 'silver' (purchases 3, amount 20) asks for less than "
        "'gold' before it (purchases 5, amount 10): write levels from the lowest to the highest.",
    )


def test_a_file_that_is_no_toml_or_not_there_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    with pytest.raises(
        ConfigurationError,
        match=f"^cannot use {file}: there is no such file. Write one with `kizuna playbook {file}`, "
        r"or leave --playbook out\.$",
    ):
        read(file)
    file.write_text("[[rules]\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"mine\.toml, line 1: the heading is not closed"):
        read(file)


def test_lines_are_found_under_tables_dotted_keys_and_lists_of_tables() -> None:
    found = places('a = 1\n[b.c]\nd.e = 2\n[[f]]\ng = 1\n[[f]]\n"h" = 1\n[f.i]\nj = 1\n')
    assert line_of(found, ("a",)) == 1
    assert line_of(found, ("b", "c", "d", "e")) == 3
    assert line_of(found, ("f", 0, "g")) == 5
    assert line_of(found, ("f", 1, "h")) == 7
    assert line_of(found, ("f", 1, "i", "j")) == 9
    assert line_of(found, ("f", 1, "unknown")) == 6


@pytest.mark.parametrize("condition", ["uplift", "incremental_value"])
def test_a_rule_about_uplift_is_refused_where_nobody_has_one(condition: str) -> None:
    text = HEAD + rule("first", 'tier = "low"') + rule("helped", f'{condition} = "> 0"')
    refused(
        text,
        text.splitlines().index(f'when.{condition} = "> 0"') + 1,
        f"`when.{condition}` of the rule 'helped' asks for what nobody has: no uplift model was in use when "
        "the scores were made. Run `kizuna campaign learn` after a campaign has reached a review date, then "
        "`kizuna score`; or remove the condition.",
    )


def test_rules_about_uplift_are_compared_like_those_about_other_numbers() -> None:
    known = replace(VOCABULARY, uplift=("uplift",))
    driven, more = rule("driven", 'uplift = "< 0"'), rule("more", 'uplift = "< -0.1"')
    validate_rules(parse(HEAD + more + driven, "playbook.toml"), known)
    with pytest.raises(ConfigurationError, match="the rule 'more' can never match"):
        validate_rules(parse(HEAD + driven + more, "playbook.toml"), known)
    with pytest.raises(ConfigurationError, match=r"the uplift model is about another outcome"):
        validate_rules(parse(HEAD + rule("worth", 'incremental_value = "top 10%"'), "playbook.toml"), known)
