"""Makes a project's plan: playbook, portraits, rules, and the file that keeps it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from features.errors import ModelError
from features.event_store import EventStore
from serving.actions.customer_profiles import CustomerProfiles, customer_profiles
from serving.actions.plan_file import FOLDER, PlanOrigin, StoredPlan, save
from serving.actions.plan_file import load as load_plan
from serving.actions.playbook import FILE, PlaybookFile, read
from serving.actions.rule_matching import match_rules
from serving.actions.rule_validation import RuleVocabulary, validate_rules
from serving.project.settings import Project
from serving.schemas.terms import NONE
from serving.state.active_model import load as load_bundle
from serving.state.database import Database
from serving.state.score_file import load as load_scores


def chosen_playbook(project: Project, file: Path | None) -> PlaybookFile:
    """The playbook asked for, the project's own, or the one that comes with Kizuna."""
    own = project.folder / FILE
    return read(file or (own if own.is_file() else None))


def make_plan(
    project: Project,
    store: EventStore,
    records: Database,
    written: PlaybookFile,
    progress: Callable[[str, float], None] | None = None,
) -> StoredPlan:
    """Plan for everyone in the scores in use, and keep it beside them."""
    current = records.scores()
    if current is None:
        raise ModelError(
            "cannot plan: nothing has been scored yet. Run `kizuna score` first "
            "(after `kizuna train`, where no model was trained either)."
        )
    scores = load_scores(project.scores / current.file)
    facts = scores.facts
    bundle = load_bundle(project.state, facts.model_version, facts.fingerprint).bundle
    seen = customer_profiles(store, scores, bundle, written.playbook, project.indicators, progress)
    words = vocabulary(seen, facts.tiers, [one.name for one in project.indicators], written)
    validate_rules(written, words)
    made = match_rules(written.playbook, words, seen, scores)
    file = project.state / FOLDER / current.file
    save(file, seen, made, PlanOrigin(written.text, facts.as_of, facts.tiers, seen.reasons, bundle.timezone))
    return load_plan(file)


def vocabulary(
    seen: CustomerProfiles, tiers: Sequence[str], indicators: Sequence[str], written: PlaybookFile
) -> RuleVocabulary:
    """The words that a playbook may use in a project."""
    channels = {name for name in seen.table.column("preferred_channel").unique().to_pylist() if name}
    asked = {word for rule in written.playbook.rules for word in rule.when.channel or ()}
    return RuleVocabulary(
        tiers=tuple(tiers),
        reasons=tuple(dict.fromkeys((*indicators, *(name for name in seen.reasons if name != NONE)))),
        channels=tuple(sorted(channels & asked)) if asked <= channels | {NONE} else tuple(sorted(channels)),
        programmes=tuple(tuple(level.name for level in one.levels) for one in written.playbook.loyalty),
    )
