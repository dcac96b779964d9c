"""The plan: what to do for whom, by the playbook; made once for the scores in use and stored beside them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features.errors import ModelError
from serving.actions.contact_rules import consent_rules
from serving.actions.contact_state import ContactRegister, ContactState
from serving.actions.control_group import hold_control_group
from serving.actions.customer_profiles import customer_profiles
from serving.actions.plan_file import FOLDER, StoredPlan, save
from serving.actions.plan_lookup import contacts_version
from serving.actions.playbook import PlaybookFile, chosen_playbook, default_kind
from serving.actions.rules.attribute_validation import validate_attributes, validate_channels
from serving.actions.rules.rule_matching import match_rules
from serving.actions.rules.rule_validation import validate_rules
from serving.actions.rules.vocabulary import RuleVocabulary
from serving.application.permissions import Actor, use_case
from serving.application.workspace import Progress, Workspace
from serving.experiments.held_back import held_back
from serving.lists.filters import ListFilter
from serving.lists.ranking import plan_rows
from serving.lists.score_reader import ScoreReader
from serving.state.scores.score_index import current_scores


@dataclass(frozen=True, eq=False)
class MadePlan:
    """A plan, the scores that it is for, and the rows that a filter chose, in the order of the list."""

    plan: StoredPlan
    scores: ScoreReader
    rows: NDArray[np.int64]
    limit: int
    """How many of them to show."""
    contacts: ContactState
    """Who may be contacted now, and which words of consent are unclear."""


@use_case("run")
def make_plan(
    workspace: Workspace,
    actor: Actor,
    *,
    playbook: Path | None = None,
    choice: ListFilter | None = None,
    limit: int | None = None,
    progress: Progress | None = None,
) -> MadePlan:
    """Plan for everyone in the scores in use, and store the plan beside them.

    The playbook is the one given, the project's own, or the one that comes with Kizuna: for shops where churn
    is inactivity and events carry amounts, else for services with a contract. Raises `ModelError`
    before anything was scored, and `ConfigurationError` for a playbook that does not fit.
    """
    workspace = workspace.pinned()
    project = workspace.project
    current = current_scores(workspace.database)
    if current is None:
        raise ModelError(
            "cannot plan: nothing has been scored yet. Run `kizuna score` first "
            "(after `kizuna train`, where no model was trained either)."
        )
    scores = ScoreReader.without_plan(workspace.database, project, workspace.store, current)
    kind = default_kind(scores.bundle.churn.type, amounts=scores.scores.facts.amounts)
    aliases, now = scores.customers.aliases, workspace.clock()
    scores = replace(scores, held=held_back(workspace.database, project, aliases, now))
    plan, contacts = _plan(workspace, scores, chosen_playbook(project.folder, playbook, kind), progress)
    save(project.state / FOLDER / current.file, plan)
    plan = hold_control_group(plan, scores.held.held)
    reader = replace(scores, plan=plan)
    return MadePlan(
        plan,
        reader,
        plan_rows(reader.scores, choice or ListFilter(), reader.subjects, plan),
        limit or project.settings.capacity.contacts,
        contacts,
    )


def _plan(
    workspace: Workspace, reader: ScoreReader, playbook: PlaybookFile, progress: Progress | None
) -> tuple[StoredPlan, ContactState]:
    project, store, scores, bundle = workspace.project, workspace.store, reader.scores, reader.bundle
    facts, rules = scores.facts, consent_rules(project, playbook.playbook)
    register = ContactRegister(rules, playbook.playbook.contact_kinds)
    contacts = register.state(store, workspace.clock(), engine=workspace.engine)
    validate_attributes(playbook, project.settings.consent, contacts.attributes)
    profiles = customer_profiles(
        store,
        scores,
        bundle,
        playbook.playbook,
        project.indicators,
        progress,
        contacts,
        engine=workspace.engine,
    )
    indicators = [one.name for one in project.indicators]
    words = RuleVocabulary.of(playbook, scores, indicators, profiles.reasons, profiles.channels)
    validate_channels(project.settings.consent, (*words.channels, *playbook.playbook.channels))
    validate_rules(playbook, words)
    actions = match_rules(playbook.playbook, words, profiles, scores, contacts.now, reader.held.held)
    plan = StoredPlan.of(
        profiles,
        actions,
        playbook,
        as_of=facts.as_of,
        tiers=facts.tiers,
        timezone=bundle.timezone,
        contacts=contacts_version(store, rules),
        attributes=contacts.attributes,
        refused=contacts.refused_channels(np.asarray(profiles.table.column("key"))),
    )
    return replace(plan, words=project.words), contacts
