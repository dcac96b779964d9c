"""A customer's place in the plan, in words: stage, action and what to take up when talking to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, timedelta

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.catalog.display_names import in_language, is_japanese, kind_words
from serving.actions.plan_file import StoredPlan
from serving.schemas.plan_responses import Anniversary, Hooks, Inquiry, Loyalty, PlannedAction, SurveyAnswer
from serving.schemas.terms import (
    ANSWERED,
    ATTITUDE_WORDS,
    ATTITUDES,
    NO_INQUIRY,
    OPEN,
    OUTCOME_WORDS,
    OUTCOMES,
    PLANNED,
    SOON,
    STAGE_WORDS,
    STAGES,
    channel_words,
)
from training.explanation.project_words import NO_WORDS, ProjectWords


@dataclass
class PlanRow:
    """One customer's row of the stored plan; the fields are columns of its file."""

    stage: int
    attitude: int
    rule: int
    outcome: int
    favourite_category: str | None
    stopped_category: str | None
    next_category: str | None
    unused_feature: str | None
    preferred_channel: str | None
    preferred_hour: int | None
    anniversary_in_days: int | None
    anniversary_years: int
    birthday_in_days: int | None
    inquiry: int
    last_inquiry_topic: str | None
    last_inquiry_at: datetime | None
    last_survey: str | None
    last_survey_score: float | None
    last_survey_about: str | None
    last_survey_at: datetime | None
    loyalty_programme: int | None
    loyalty_level: int
    loyalty_purchases: int | None
    loyalty_amount: float | None
    loyalty_purchases_to_next: int | None
    loyalty_amount_to_next: float | None
    loyalty_lasts_until: datetime | None
    loyalty_in_two: bool


_CSAT = ("satisfaction (CSAT) answer", "満足度（CSAT）の回答")
"""What an answer is called where it stands beside the NPS of the same customer."""
COLUMNS = tuple(field.name for field in fields(PlanRow))


def planned_actions(
    plan: StoredPlan, rows: Sequence[int] | NDArray[np.int64], language: str
) -> Iterator[PlannedAction]:
    """What the plan has in mind for the customers of these rows, in their order."""
    columns = [plan.table.column(name).take(pa.array(rows)).to_pylist() for name in COLUMNS]
    return (planned_action(plan, PlanRow(*row), language) for row in zip(*columns, strict=True))


def planned_action(plan: StoredPlan, row: PlanRow, language: str) -> PlannedAction:
    """What the plan has in mind for one customer, with the hooks: the one way in which a plan is answered.

    Only the outcome `planned` has a touch, an action, a channel, an owner, a deadline and sentences to take
    up; any other says why the customer is left out.
    """
    rule, playbook = plan.rule_of(row.rule), plan.playbook
    stage, attitude, outcome = STAGES[row.stage], ATTITUDES[row.attitude], OUTCOMES[row.outcome]
    touch = action = channel = owner = deadline = None
    found = hooks(plan, row, language)
    takes_up = sentences(found, language, plan.words)
    why: str | None = in_language(language, *OUTCOME_WORDS[outcome])
    if outcome == "held_back" and rule is not None and rule.hold_back is not None:
        why = playbook.hold_back[rule.hold_back].say(language)
    if row.outcome != PLANNED or rule is None:
        # Whoever reads an answer acts on what is in it: a restriction travels by leaving the action out.
        found, takes_up = replace(found, preferred_channel=None, preferred_hour=None), []
    else:
        why = None
        touch, action, owner = rule.touch, rule.action, rule.owner
        channel = playbook.channel_of(rule, row.preferred_channel)
        if rule.deadline_days is not None:
            deadline = deadline_day(plan.timeline.local(plan.as_of).date(), rule.deadline_days)
    return PlannedAction(
        stage=stage,
        stage_words=in_language(language, *STAGE_WORDS[stage]),
        attitude=attitude,
        attitude_words=in_language(language, *ATTITUDE_WORDS[attitude]),
        rule=None if rule is None else rule.name,
        rule_words=None if rule is None else rule.say(language),
        touch=touch,
        touch_words=None if touch is None else playbook.touch[touch].say(language),
        action=action,
        action_words=None if action is None else playbook.actions[action].say(language),
        action_channel=channel,
        action_channel_words=channel_words(channel, language) or None,
        owner=None if owner is None else playbook.owners[owner].say(language),
        deadline=deadline,
        outcome=outcome,
        left_out_because=why,
        hooks=found,
        hook_sentences=takes_up,
    )


def hooks(plan: StoredPlan, row: PlanRow, language: str) -> Hooks:
    """What a personal approach can take up; None where the history says nothing."""
    now = plan.timeline.local(plan.as_of)
    today = now.date()

    def day(moment: datetime | None) -> str | None:
        return None if moment is None else moment.astimezone(now.tzinfo).date().isoformat()

    def coming(days: int | None) -> str | None:
        return None if days is None else (today + timedelta(days=days)).isoformat()

    return Hooks(
        favourite_category=row.favourite_category,
        stopped_category=row.stopped_category,
        next_category=row.next_category,
        unused_feature=row.unused_feature,
        preferred_channel=row.preferred_channel,
        preferred_hour=row.preferred_hour,
        anniversary=None
        if row.anniversary_in_days is None
        else Anniversary(coming(row.anniversary_in_days), row.anniversary_years),
        birthday=coming(row.birthday_in_days),
        last_inquiry=None
        if row.inquiry == NO_INQUIRY
        else Inquiry(
            row.last_inquiry_topic, day(row.last_inquiry_at), {ANSWERED: True, OPEN: False}.get(row.inquiry)
        ),
        last_survey=None
        if row.last_survey is None
        else SurveyAnswer(
            row.last_survey, row.last_survey_score, row.last_survey_about, day(row.last_survey_at)
        ),
        loyalty=_loyalty(plan, row, language, day(row.loyalty_lasts_until)),
        today=today.isoformat(),
    )


def _loyalty(plan: StoredPlan, row: PlanRow, language: str, lasts_until: str | None) -> Loyalty | None:
    programme = plan.programme_of(row.loyalty_programme)
    if programme is None:
        return None
    place = row.loyalty_level
    level = None if place < 0 else programme.levels[place]
    following = programme.levels[place + 1] if place + 1 < len(programme.levels) else None
    return Loyalty(
        programme=programme.name,
        level=level.name if level else None,
        level_words=level.say(language) if level else None,
        purchases=row.loyalty_purchases,
        amount=row.loyalty_amount,
        next_level=following.name if following else None,
        next_level_words=following.say(language) if following else None,
        purchases_to_next=row.loyalty_purchases_to_next,
        amount_to_next=row.loyalty_amount_to_next,
        lasts_until=lasts_until,
        in_two_programmes=row.loyalty_in_two,
    )


def sentences(hooks: Hooks, language: str, project: ProjectWords = NO_WORDS, most: int = 3) -> list[str]:
    """The hooks that matter most, each in one sentence with the names that people read."""
    japanese = is_japanese(language)

    def said(name: str | None) -> str:
        return project.detail(name, language) if name else ""

    lines: list[str] = []

    def add(english: str, ja: str) -> None:
        lines.append(ja if japanese else english)

    inquiry, survey = hooks.last_inquiry, hooks.last_survey
    if inquiry and inquiry.answered is False:
        about = said(inquiry.topic) or ("内容不明" if japanese else "unknown topic")
        add(
            f"Inquiry of {inquiry.on} ({about}) has no answer yet",
            f"{inquiry.on}の問い合わせ（{about}）が未回答",
        )
    if _soon(hooks.birthday, hooks.today):
        add(f"Birthday on {hooks.birthday}", f"誕生日が近い（{hooks.birthday}）")
    if hooks.anniversary and _soon(hooks.anniversary.on, hooks.today):
        on, years = hooks.anniversary.on, hooks.anniversary.years
        add(f"{years} year{'s' * (years > 1)} a customer on {on}", f"{on}に利用開始{years}周年")
    if hooks.stopped_category:
        add(
            f"Has not bought {said(hooks.stopped_category)} for 90 days",
            f"以前購入していた「{said(hooks.stopped_category)}」を直近90日は購入していない",
        )
    if hooks.unused_feature:
        add(
            f"Does not use {said(hooks.unused_feature)}, which similar customers do",
            f"似た顧客が使う「{said(hooks.unused_feature)}」を未利用",
        )
    if survey and survey.score is not None:
        words = kind_words(survey.kind)
        one, ja = _CSAT if survey.kind == "csat" else (words.one, words.ja)
        about = f" ({said(survey.about)})" if survey.about else ""
        about_ja = f"（{said(survey.about)}）" if survey.about else ""
        add(
            f"Last {one}{about}: {survey.score:g} on {survey.on}",
            f"直近の{ja}{about_ja}：{survey.score:g}点（{survey.on}）",
        )
    if hooks.next_category:
        suggested = said(hooks.next_category)
        add(f"Next to suggest: {suggested}", f"次の提案候補：「{suggested}」")
    if hooks.favourite_category:
        add(
            f"Buys {said(hooks.favourite_category)} most",
            f"よく購入するカテゴリ：「{said(hooks.favourite_category)}」",
        )
    return lines[:most]


def deadline_day(today: date, days: int) -> str:
    """The day by which an action is due, as answers write it."""
    return (today + timedelta(days=days)).isoformat()


def _soon(day: str | None, today: str) -> bool:
    return day is not None and (date.fromisoformat(day) - date.fromisoformat(today)).days <= SOON
