"""The playbook as people read it: its rules in words, and how many customers each takes today."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from features.catalog.display_names import in_language, kind_words
from serving.actions.playbook import (
    DEFAULTS,
    FILE,
    PREFERRED,
    Playbook,
    PlaybookFile,
    PlaybookRule,
    default_text,
    parse_all,
)
from serving.actions.rules.toml_positions import line_of, places
from serving.application.permissions import Actor, use_case
from serving.application.playbook.check import PlaybookProblem
from serving.application.playbook.rule_counts import PlanCounts, RuleCounts
from serving.application.playbook.stored_file import PlaybookStore
from serving.application.workspace import Workspace
from serving.presentation.messages.catalog import translated
from serving.presentation.rule_words import ConditionWords, RuleWords, capacity_line
from serving.schemas.plan_responses import TouchUse
from serving.schemas.terms import channel_words
from serving.state.database import DATABASE_ERRORS
from serving.state.playbook_versions import fingerprint, newest_with


@dataclass(frozen=True)
class RuleInWords:
    """One rule: whom it is for, and what is done, or why nothing is."""

    name: str
    words: str
    line: int
    """Where it begins in the text."""
    conditions: tuple[ConditionWords, ...]
    """Empty for a rule that takes everybody who is left."""
    is_service: bool
    held_back: str | None
    """Why its customers are left alone; None for a rule that acts, which has all that follows."""
    touch: str | None
    action: str | None
    """The name of the action, by which the list is filtered."""
    action_words: str | None
    channel: str | None
    """`preferred` for the channel that each customer uses most."""
    channel_words: str | None
    owner: str | None
    deadline_days: int | None
    counts: RuleCounts | None
    """By the plan in use; None where it has no rule of this name."""


@dataclass(frozen=True)
class TouchInWords:
    """A touch model, and how full it is."""

    words: str
    capacity: int | None
    cool_down_days: int
    kinds: tuple[str, ...]
    """What starts the cool-down, in words."""
    use: TouchUse | None
    """By the plan in use; None where it does not have this touch model."""
    explanation: str | None
    """Where the places went, in words, once they are all given or some are free again."""


@dataclass(frozen=True)
class PlanInUse:
    """The plan that the counts are of."""

    as_of: int
    counts: PlanCounts
    is_of_this_text: bool
    """False where the playbook was changed since: the rules hold from the next plan on."""
    version: int | None
    """The version of the playbook that made it; None for the default and for a text that was never kept."""
    is_of_default: bool
    """Whether the playbook that comes with Kizuna made it."""


@dataclass(frozen=True)
class ShownPlaybook:
    """The playbook that the next plan is made with."""

    text: str
    fingerprint: str
    """That of the file, which `save_playbook` asks for; empty where there is none."""
    is_default: bool
    """Whether the project has no file, so that the playbook that comes with Kizuna holds."""
    problem: PlaybookProblem | None
    """Why the text cannot be used; then there are no rules."""
    rules: tuple[RuleInWords, ...]
    touches: tuple[TouchInWords, ...]
    plan: PlanInUse | None
    """None before the first plan."""
    next_version: int | None
    """The version that makes the next plan; None while the default holds."""
    versions_known: bool
    """False while the records are away: then no version is known, neither of the plan nor of the next."""


@use_case("read_report")
def show_playbook(workspace: Workspace, actor: Actor, language: str | None = None) -> ShownPlaybook:
    """The rules in words with how many customers each takes by the plan in use, and the text itself.

    A text that somebody wrote into the file by hand becomes a version at this look.
    """
    workspace, language = workspace.with_scores_read_once(), workspace.language(language)
    store = PlaybookStore(workspace)
    stored, made, next_version, versions_known = store.read(), None, None, False
    reader = workspace.scores_or_none()
    text = store.text_that_holds(stored)
    file, refusals = parse_all(text, FILE)
    problem = PlaybookProblem(refusals[0].line, translated(refusals[0].wrong, language)) if refusals else None
    plan = None if reader is None or reader.plan is None else reader.plan
    with suppress(*DATABASE_ERRORS):  # while it is away the playbook can still be read
        store.remember_outside_change()
        if stored.content is not None:
            next_version = newest_with(workspace.database, [stored.fingerprint])
        made = None if plan is None else _version_of(workspace, plan.origin.playbook)
        versions_known = True
    counts = None if plan is None else PlanCounts.of(plan)
    usable = None if refusals else file
    return ShownPlaybook(
        text,
        stored.fingerprint,
        stored.content is None,
        problem,
        () if usable is None else _rules(workspace, usable, counts, language),
        () if usable is None else _touches(usable.playbook, counts, language),
        None
        if plan is None or counts is None
        else PlanInUse(
            plan.as_of,
            counts,
            usable is not None and plan.playbook == usable.playbook,
            made,
            plan.origin.playbook in (default_text(kind) for kind in DEFAULTS),
        ),
        next_version,
        versions_known,
    )


def _version_of(workspace: Workspace, text: str) -> int | None:
    """The newest version with a text; a plan keeps it with line ends of its own."""
    texts = (text, text.replace("\n", "\r\n"))
    return newest_with(workspace.database, [fingerprint(one.encode()) for one in texts])


def _rules(
    workspace: Workspace, file: PlaybookFile, counts: PlanCounts | None, language: str
) -> tuple[RuleInWords, ...]:
    project = workspace.project
    by_name = {indicator.name: indicator for indicator in project.indicators}
    words = RuleWords(language, project.words.currency or None, by_name)
    lines = places(file.text)
    return tuple(
        _rule(
            rule,
            file.playbook,
            line_of(lines, ("rules", number)),
            words,
            None if counts is None else counts.rules.get(rule.name),
        )
        for number, rule in enumerate(file.playbook.rules)
    )


def _rule(
    rule: PlaybookRule, playbook: Playbook, line: int, words: RuleWords, counts: RuleCounts | None
) -> RuleInWords:
    language = words.language
    return RuleInWords(
        name=rule.name,
        words=rule.say(language),
        line=line,
        conditions=words.conditions(rule, playbook),
        is_service=rule.service,
        held_back=None if rule.hold_back is None else playbook.hold_back[rule.hold_back].say(language),
        touch=None if rule.touch is None else playbook.touch[rule.touch].say(language),
        action=rule.action,
        action_words=None if rule.action is None else playbook.actions[rule.action].say(language),
        channel=rule.channel,
        channel_words=_channel(rule.channel, playbook, language),
        owner=None if rule.owner is None else playbook.owners[rule.owner].say(language),
        deadline_days=rule.deadline_days,
        counts=counts,
    )


def _channel(channel: str | None, playbook: Playbook, language: str) -> str | None:
    if channel != PREFERRED:
        return channel_words(channel, language) or None
    if playbook.fallback_channel is None:
        return in_language(language, "the customer's own", "顧客がよく使うチャネル")
    other = channel_words(playbook.fallback_channel, language)
    return in_language(
        language, f"the customer's own, else {other}", f"顧客がよく使うチャネル（不明なら{other}）"
    )


def _touches(playbook: Playbook, counts: PlanCounts | None, language: str) -> tuple[TouchInWords, ...]:
    found = []
    for name, touch in playbook.touch.items():
        places = None if counts is None else counts.touches.get(name)
        use = None if places is None else places.in_words(touch.say(language))
        explanation = None if use is None else capacity_line(use, language)
        kinds = tuple(in_language(language, kind_words(k).one, kind_words(k).ja) for k in touch.kinds)
        found.append(
            TouchInWords(touch.say(language), touch.capacity, touch.cool_down_days, kinds, use, explanation)
        )
    return tuple(found)
