"""The use case behind `kizuna plan`: profiles, rules, and the file that keeps the plan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from features.errors import ModelError
from features.event_store import EventStore
from serving.actions.customer_profiles import CustomerProfiles, customer_profiles
from serving.actions.plan_file import FOLDER, StoredPlan, save
from serving.actions.playbook import FILE, PlaybookFile, read
from serving.actions.rule_matching import match_rules
from serving.actions.rule_validation import RuleVocabulary, validate_rules
from serving.project.settings import Project
from serving.schemas.terms import CHANNEL_WORDS, NONE
from serving.state.active_model import load as load_bundle
from serving.state.database import Database
from serving.state.score_file import load as load_scores


def chosen_playbook(project: Project, file: Path | None) -> PlaybookFile:
    """The playbook that was named, the project's own, or the one that comes with Kizuna."""
    own = project.folder / FILE
    return read(file or (own if own.is_file() else None))


def make_plan(
    project: Project,
    store: EventStore,
    records: Database,
    playbook: PlaybookFile,
    progress: Callable[[str, float], None] | None = None,
) -> StoredPlan:
    """Plan for everyone in the scores in use, from one version of the store, and write it beside them."""
    current = records.scores()
    if current is None:
        raise ModelError(
            "cannot plan: nothing has been scored yet. Run `kizuna score` first "
            "(after `kizuna train`, where no model was trained either)."
        )
    scores = load_scores(project.scores / current.file)
    facts = scores.facts
    bundle = load_bundle(project.state, facts.model_version, facts.fingerprint).bundle
    profiles = customer_profiles(
        store.pinned(), scores, bundle, playbook.playbook, project.indicators, progress
    )
    words = vocabulary(profiles, facts.tiers, [one.name for one in project.indicators], playbook)
    validate_rules(playbook, words)
    actions = match_rules(playbook.playbook, words, profiles, scores)
    plan = StoredPlan.of(
        profiles, actions, playbook, as_of=facts.as_of, tiers=facts.tiers, timezone=bundle.timezone
    )
    save(project.state / FOLDER / current.file, plan)
    return plan


def vocabulary(
    profiles: CustomerProfiles, tiers: Sequence[str], indicators: Sequence[str], playbook: PlaybookFile
) -> RuleVocabulary:
    """The words that a playbook may use in a project."""
    return RuleVocabulary(
        tiers=tuple(tiers),
        reasons=tuple(dict.fromkeys((*indicators, *(name for name in profiles.reasons if name != NONE)))),
        channels=tuple(sorted({*CHANNEL_WORDS, *profiles.channels})),
        programmes=tuple(tuple(level.name for level in one.levels) for one in playbook.playbook.loyalty),
    )
