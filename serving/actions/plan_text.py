"""A customer's place in the plan, in words: stage, action and what to take up when talking to them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.catalog.display_names import in_language, is_japanese, kind_words
from serving.actions.plan_file import StoredPlan
from serving.actions.playbook import PREFERRED
from serving.schemas.terms import (
    ANSWERED,
    ATTITUDE_WORDS,
    ATTITUDES,
    CHANNEL_WORDS,
    NO_INQUIRY,
    OUTCOME_WORDS,
    OUTCOMES,
    SOON,
    STAGE_WORDS,
    STAGES,
)

Reply = dict[str, Any]


def entries(kept: StoredPlan, rows: Sequence[int] | NDArray[np.int64], language: str) -> list[Reply]:
    """What the plan says of these rows, in their order."""
    columns = [name for name in kept.table.column_names if name != "key"]
    table = {name: kept.values(name, rows) for name in columns}
    return [entry(kept, {name: table[name][at] for name in columns}, language) for at in range(len(rows))]


def entry(kept: StoredPlan, row: Reply, language: str) -> Reply:
    """What the plan says of one customer, with the hooks."""
    rule, playbook = kept.rule_of(row["rule"]), kept.playbook
    today = kept.timeline.local(kept.as_of).date()
    acts = rule is not None and rule.hold_back is None
    channel = None if not acts else rule.channel if rule.channel != PREFERRED else row["preferred_channel"]
    outcome = OUTCOMES[row["outcome"]]
    why = _pick(OUTCOME_WORDS[outcome], language)
    if rule is not None and rule.hold_back is not None:
        why = playbook.hold_back[rule.hold_back].say(language)
    said = hooks(kept, row, language)
    return {
        "stage": STAGES[row["stage"]],
        "stage_words": _pick(STAGE_WORDS[STAGES[row["stage"]]], language),
        "attitude": ATTITUDES[row["attitude"]],
        "attitude_words": _pick(ATTITUDE_WORDS[ATTITUDES[row["attitude"]]], language),
        "rule": None if rule is None else rule.name,
        "touch": rule.touch if acts else None,
        "touch_words": playbook.touch[rule.touch].say(language) if acts else None,
        "action": rule.action if acts else None,
        "action_words": playbook.actions[rule.action].say(language) if acts else None,
        "action_channel": channel,
        "action_channel_words": channel_words(channel, language) or None,
        "owner": playbook.owners[rule.owner].say(language) if acts else None,
        "deadline": (today + timedelta(days=rule.deadline_days)).isoformat() if acts else None,
        "outcome": outcome,
        "left_out_because": None if outcome == "planned" else why,
        "hooks": said,
        "hook_sentences": sentences(said, language),
    }


def hooks(kept: StoredPlan, row: Reply, language: str) -> Reply:
    """What a personal approach can take up; None where the history says nothing."""
    local, today = kept.timeline.local, kept.timeline.local(kept.as_of).date()

    def day(moment: Any) -> str | None:
        return None if moment is None else moment.astimezone(local(kept.as_of).tzinfo).date().isoformat()

    def coming(days: int | None) -> str | None:
        return None if days is None else (today + timedelta(days=days)).isoformat()

    inquiry = None
    if row["inquiry"] != NO_INQUIRY:
        inquiry = {
            "topic": row["last_inquiry_topic"],
            "on": day(row["last_inquiry_at"]),
            "answered": row["inquiry"] == ANSWERED,
        }
    survey = None
    if row["last_survey"] is not None:
        survey = {
            "kind": row["last_survey"],
            "score": row["last_survey_score"],
            "about": row["last_survey_about"],
            "on": day(row["last_survey_at"]),
        }
    anniversary = None
    if row["anniversary_in_days"] is not None:
        anniversary = {"on": coming(row["anniversary_in_days"]), "years": row["anniversary_years"]}
    return {
        "favourite_category": row["favourite_category"],
        "stopped_category": row["stopped_category"],
        "next_category": row["next_category"],
        "unused_feature": row["unused_feature"],
        "preferred_channel": row["preferred_channel"],
        "preferred_hour": row["preferred_hour"],
        "anniversary": anniversary,
        "birthday": coming(row["birthday_in_days"]),
        "last_inquiry": inquiry,
        "last_survey": survey,
        "loyalty": _loyalty(kept, row, language, day(row["loyalty_lasts_until"])),
        "today": today.isoformat(),
    }


def _loyalty(kept: StoredPlan, row: Reply, language: str, until: str | None) -> Reply | None:
    programme = kept.programme_of(row["loyalty_programme"])
    if programme is None:
        return None
    place = row["loyalty_level"]
    level = None if place < 0 else programme.levels[place]
    following = programme.levels[place + 1] if place + 1 < len(programme.levels) else None
    return {
        "programme": programme.name,
        "level": level.name if level else None,
        "level_words": level.say(language) if level else None,
        "purchases": row["loyalty_purchases"],
        "amount": row["loyalty_amount"],
        "next_level": following.name if following else None,
        "next_level_words": following.say(language) if following else None,
        "purchases_to_next": row["loyalty_purchases_to_next"],
        "amount_to_next": row["loyalty_amount_to_next"],
        "lasts_until": until,
        "in_two_programmes": row["loyalty_in_two"],
    }


def sentences(said: Reply, language: str, most: int = 3) -> list[str]:
    """The hooks that matter most, each in one sentence."""
    japanese = is_japanese(language)
    found: list[str] = []

    def add(english: str, ja: str) -> None:
        found.append(ja if japanese else english)

    inquiry, survey = said["last_inquiry"], said["last_survey"]
    if inquiry and not inquiry["answered"]:
        about = inquiry["topic"] or ("内容不明" if japanese else "unknown topic")
        add(
            f"Inquiry of {inquiry['on']} ({about}) has no answer yet",
            f"{inquiry['on']}の問い合わせ（{about}）が未回答",
        )
    if said["birthday"] and _within(said, said["birthday"]):
        add(f"Birthday on {said['birthday']}", f"誕生日が近い（{said['birthday']}）")
    if said["anniversary"] and _within(said, said["anniversary"]["on"]):
        on, years = said["anniversary"]["on"], said["anniversary"]["years"]
        add(f"{years} year{'s' * (years > 1)} a customer on {on}", f"{on}に利用開始{years}周年")
    if said["stopped_category"]:
        add(
            f"Has not bought {said['stopped_category']} for 90 days",
            f"以前購入していた「{said['stopped_category']}」を直近90日は購入していない",
        )
    if said["unused_feature"]:
        add(
            f"Does not use {said['unused_feature']}, which similar customers do",
            f"似た顧客が使う「{said['unused_feature']}」を未利用",
        )
    if survey and survey["score"] is not None:
        words = kind_words(survey["kind"])
        about = f" ({survey['about']})" if survey["about"] else ""
        about_ja = f"（{survey['about']}）" if survey["about"] else ""
        add(
            f"Last {words.one}{about}: {survey['score']:g} on {survey['on']}",
            f"直近の{words.ja}{about_ja}：{survey['score']:g}点（{survey['on']}）",
        )
    if said["next_category"]:
        add(f"Next to suggest: {said['next_category']}", f"次の提案候補：「{said['next_category']}」")
    if said["favourite_category"]:
        add(
            f"Buys {said['favourite_category']} most",
            f"よく購入するカテゴリ：「{said['favourite_category']}」",
        )
    return found[:most]


def channel_words(channel: str | None, language: str) -> str:
    """A channel as people call it; names of one's own stay as they are."""
    return in_language(language, channel or "", CHANNEL_WORDS.get(channel or "", channel or ""))


def _within(said: Reply, day: str) -> bool:
    return (date.fromisoformat(day) - date.fromisoformat(said["today"])).days <= SOON


def _pick(words: tuple[str, str], language: str) -> str:
    return in_language(language, *words)
