"""The values of the list's filters as people call them, in both languages."""

from __future__ import annotations

from features.catalog.display_names import INDICATOR_WORDS, in_language, kind_words
from serving.actions.playbook import Playbook
from serving.lists.list_address import SEGMENT
from serving.presentation.i18n import tier_or_empty
from serving.schemas.terms import ATTITUDE_WORDS, HOOK_WORDS, OUTCOME_WORDS, STAGE_WORDS, channel_words
from training.explanation.project_words import ProjectWords

GIVEN_WORDS = {
    "tenure": ("time as a customer", "利用期間"),
    "profile": ("attributes", "顧客属性"),
    "calendar": ("season", "季節"),
}
"""Reasons that are about no indicator."""
_TERMS = {"stages": STAGE_WORDS, "outcomes": OUTCOME_WORDS, "hooks": HOOK_WORDS, "attitudes": ATTITUDE_WORDS}


def value_words(
    field: str, value: str, language: str, playbook: Playbook | None, project: ProjectWords
) -> str:
    """A value of a filter, by its name in an address, as people call it; one that nothing has stays."""
    if field.startswith(SEGMENT):
        return project.value(field.removeprefix(SEGMENT), value, language)
    if field in _TERMS and value in _TERMS[field]:
        return in_language(language, *_TERMS[field][value])
    match field:
        case "tiers":
            return tier_or_empty(value, language)
        case "indicators":
            return reason_words(value, language)
        case "channels":
            return channel_words(value, language)
        case "touch_models" if playbook is not None and value in playbook.touch:
            return playbook.touch[value].say(language)
        case "actions" if playbook is not None and value in playbook.actions:
            return playbook.actions[value].say(language)
    return value


def reason_words(name: str, language: str) -> str:
    """What a reason is about, as people call it."""
    if name in GIVEN_WORDS:
        return in_language(language, *GIVEN_WORDS[name])
    words = INDICATOR_WORDS.get(name) or kind_words(name)
    return in_language(language, words.many, words.ja)
