"""Which rule each customer falls under, whom there is room for, and why the others are left out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.events.consent import ALL_CHANNELS, ChannelBits
from serving.actions.contact_state import NEVER, cooling_down
from serving.actions.control_group import Held, nobody_held
from serving.actions.customer_profiles import CustomerProfiles
from serving.actions.playbook import PREFERRED, Playbook, PlaybookRule
from serving.actions.rules.conditions import NumberCondition, ranks
from serving.actions.rules.vocabulary import RuleVocabulary
from serving.schemas.terms import (
    ASKED_NOT_TO,
    ATTITUDES,
    COOLING_DOWN,
    HELD_BACK,
    IN_CONTROL,
    INQUIRIES,
    MOVEMENTS,
    NO_ROOM,
    NO_RULE,
    NONE,
    PLANNED,
    STAGES,
    UNMATCHED,
)
from serving.state.scores.score_file import Scores
from serving.state.scores.score_table import UPLIFT_COLUMNS
from training.bundle.list_policy import default_order

Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class ActionPlan:
    """For every scored customer the rule that fits first, and what becomes of it."""

    rule: NDArray[np.int16]
    """The place of the rule in the playbook, `NO_RULE` where none fits."""
    outcome: NDArray[np.int8]
    """Positions in `OUTCOMES`."""
    order: NDArray[np.int64]
    """The customers in the order in which capacity was given: by value at risk, then those outside."""


def match_rules(
    playbook: Playbook,
    vocabulary: RuleVocabulary,
    profiles: CustomerProfiles,
    scores: Scores,
    acting_at: int | None = None,
    held: Held = nobody_held,
) -> ActionPlan:
    """The first rule that fits each customer, then do-not-contact, cool-down, control group and capacity.

    A rule whose channel a customer refuses is passed over for the next one that fits. Who refuses all
    channels has the first rule that fits, and is left out. Capacity is given in the order of the list; one
    who is left out takes none of it. Cool-downs are counted from `acting_at`, the as-of date when None.
    Who is `held` back as a control customer gets nothing but rules marked `service`.
    """
    n = len(scores.answers)
    rule, passed_over = np.full((2, n), NO_RULE, dtype=np.int16)
    masks = profiles.table.column("forbidden_channels").to_numpy()
    alone = masks == ALL_CHANNELS
    for number, one in enumerate(playbook.rules):
        free = np.flatnonzero(rule == NO_RULE)
        fitting = free[matches(one, vocabulary, profiles, scores)[free]]
        if one.hold_back is None:
            refused = (masks & channel_bits(playbook, one, profiles.bits, profiles.table))[fitting] != 0
            refused &= ~alone[fitting]
            late = fitting[refused]
            passed_over[late] = np.where(passed_over[late] == NO_RULE, number, passed_over[late])
            fitting = fitting[~refused]
        rule[fitting] = number
    only_refused = (rule == NO_RULE) & (passed_over != NO_RULE)
    rule[only_refused] = passed_over[only_refused]
    alone |= only_refused
    now = scores.facts.as_of if acting_at is None else acting_at
    order = _order(scores)
    outcome = np.full(n, PLANNED, dtype=np.int8)
    touches = list(playbook.touch)
    touch = np.array([*(touches.index(one.touch) if one.touch else -1 for one in playbook.rules), -1])[rule]
    held_by_rule = np.array([*(one.hold_back is not None for one in playbook.rules), False])[rule]
    for number, name in enumerate(touches):
        mine = touch == number
        days = playbook.touch[name].cool_down_days
        if days:
            nearest = profiles.table.column(f"contacted_{number}").cast(pa.int64())
            nearest = pc.fill_null(nearest, NEVER).to_numpy()
            outcome[mine & cooling_down(nearest, days, now)] = COOLING_DOWN
    outcome[alone] = ASKED_NOT_TO
    outcome[held_by_rule] = HELD_BACK
    outcome[rule == NO_RULE] = UNMATCHED
    service = np.array([*(one.service for one in playbook.rules), False])[rule]
    outcome[held(scores.answers.key) & ~service & (outcome == PLANNED)] = IN_CONTROL
    for number, name in enumerate(touches):
        room = playbook.touch[name].capacity
        waiting = order[(touch[order] == number) & (outcome[order] == PLANNED)]
        if room is not None:
            outcome[waiting[room:]] = NO_ROOM
    return ActionPlan(rule, outcome, order)


def channel_bits(
    playbook: Playbook, rule: PlaybookRule, bits: ChannelBits, table: pa.Table
) -> NDArray[np.int64]:
    """int64[n]: the bit of a rule's channel for each customer; all bits where it is unknown."""
    if rule.channel != PREFERRED:
        return np.full(len(table), bits.bit(rule.channel), dtype=np.int64)
    own = table.column("preferred_channel").combine_chunks()
    if not pa.types.is_dictionary(own.type):
        own = own.dictionary_encode()
    names = own.dictionary.to_pylist()
    # The last place is for the code -1, a customer without a preferred channel.
    channels = [playbook.channel_of(rule, name) for name in (*names, None)]
    of_name = np.array([bits.bit(channel) for channel in channels], dtype=np.int64)
    masks: NDArray[np.int64] = of_name[own.indices.fill_null(-1).to_numpy(zero_copy_only=False)]
    return masks


def matches(
    rule: PlaybookRule, vocabulary: RuleVocabulary, profiles: CustomerProfiles, scores: Scores
) -> Flags:
    """bool[n]: the customers for whom all of a rule's conditions hold."""
    when, answers, table = rule.when, scores.answers, profiles.table
    fits = np.ones(len(answers), dtype=np.bool_)
    if when.probability is not None:
        rank = table.column("probability_rank").to_numpy()
        fits &= when.probability.hold(answers.churn_probability, rank)
    if when.value is not None:
        fits &= when.value.hold(answers.expected_value, table.column("value_rank").to_numpy())
    if when.lifetime_value is not None:
        fits &= when.lifetime_value.hold(scores.lifetime_value, _lifetime_ranks(scores))
    for name in UPLIFT_COLUMNS:
        condition: NumberCondition | None = getattr(when, name)
        if condition is not None:
            values = scores.uplift_column(name)
            fits &= condition.hold(values, ranks(values))
    if when.tier is not None:
        fits &= np.isin(answers.tier, list(vocabulary.tier_numbers(when.tier)))
    for column, words, chosen in (
        ("attitude", ATTITUDES, when.attitude),
        ("stage", STAGES, when.stage),
        ("inquiry", INQUIRIES, when.inquiry),
        ("main_reason", profiles.reasons, when.reason),
    ):
        if chosen is not None:
            fits &= np.isin(
                table.column(column).to_numpy(), [words.index(word) for word in chosen if word in words]
            )
    if when.movement is not None:
        fits &= np.isin(table.column("movement").to_numpy(), [MOVEMENTS[word] for word in when.movement])
    if when.loyalty is not None:
        fits &= np.isin(_levels(table, vocabulary), [_level(word, vocabulary) for word in when.loyalty])
    if when.channel is not None:
        channel = table.column("preferred_channel").cast(pa.string()).fill_null(NONE)
        fits &= pc.is_in(channel, value_set=pa.array(when.channel)).to_numpy()
    return fits


def _lifetime_ranks(scores: Scores) -> NDArray[np.float64]:
    """float64[n]: the rank of each lifetime value among the cohort's; NaN for who lapsed, whatever theirs."""
    found = np.full(len(scores.answers), np.nan)
    found[scores.cohort] = ranks(scores.lifetime_value[scores.cohort])
    return found


def _level(word: str, vocabulary: RuleVocabulary) -> int:
    return -1 if word == NONE else vocabulary.loyalty.index(word)


def _levels(table: pa.Table, vocabulary: RuleVocabulary) -> NDArray[np.int64]:
    """The place of each customer's level among the vocabulary's, -1 for none."""
    programme = pc.fill_null(table.column("loyalty_programme"), -1).to_numpy().astype(np.int64)
    level = pc.fill_null(table.column("loyalty_level"), -1).to_numpy().astype(np.int64)
    found = np.full(len(level), -1, dtype=np.int64)
    for number, names in enumerate(vocabulary.programmes):
        for place, name in enumerate(names):
            found[(programme == number) & (level == place)] = vocabulary.loyalty.index(name)
    return found


def _order(scores: Scores) -> NDArray[np.int64]:
    listed = scores.ranked(default_order(amounts=scores.facts.amounts))
    others = np.ones(len(scores.answers), dtype=np.bool_)
    others[listed] = False
    return np.concatenate([listed, np.flatnonzero(others)])
