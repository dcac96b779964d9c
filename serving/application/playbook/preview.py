"""What a playbook would change if it were saved and a plan made; nothing is written."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import TypeAdapter

from features.catalog.display_names import in_language
from features.timeline import Timeline
from serving.actions.plan_changes import FIELDS, CountedChange, FieldChange, PlanChanges, PlanSide
from serving.actions.playbook import FILE, Playbook, PlaybookFile, parse, parse_all
from serving.actions.rules.rule_matching import ActionPlan, match_rules
from serving.application.permissions import Actor, use_case
from serving.application.playbook.project_check import ProjectCheck
from serving.application.playbook.rule_counts import PlanCounts
from serving.application.playbook.stored_file import PlaybookStore, StoredText
from serving.application.playbook.stored_profiles import ProfileSource
from serving.application.workspace import Progress, Workspace
from serving.lists.score_reader import ScoreReader
from serving.project.language import Language
from serving.schemas.terms import NO_RULE, OUTCOME_WORDS, OUTCOMES, PLANNED

MOST_SHOWN = 20
"""Customers of the sample, and moves between rules."""


@dataclass(frozen=True)
class RuleChange:
    """A rule with its customers by the playbook that holds, and by the one that is tried."""

    words: str
    before: int | None
    """None for a rule that is new."""
    after: int | None
    """None for a rule that is gone."""
    planned_before: int
    planned_after: int


@dataclass(frozen=True)
class CountChange:
    """Customers of an outcome before and after."""

    words: str
    before: int
    after: int


@dataclass(frozen=True)
class Move:
    """Customers who go from one rule to another."""

    before: str
    after: str
    customers: int


@dataclass(frozen=True)
class ChangedCustomer:
    """A customer for whom something changes."""

    customer_id: str
    is_planned: bool
    """Whether somebody acts on the customer before or after."""
    fields: tuple[FieldChange, ...]
    """All that is decided for them, changed or not, in the order of `FIELDS`."""


@dataclass(frozen=True)
class PlaybookPreview:
    """What changes for whom. Both sides are computed for this moment, so that only the playbook differs."""

    customers: int
    changed: int
    """Customers with another rule, action, touch model, channel, owner, deadline or outcome."""
    changed_planned: int
    """Those of them who are planned for before or after: for the others nobody does anything either way."""
    planned_before: int
    planned_after: int
    outcomes: tuple[CountChange, ...]
    rules: tuple[RuleChange, ...]
    """In the order of the new playbook, those that are gone last."""
    moves: tuple[Move, ...]
    """The largest moves between rules."""
    changes: tuple[CountedChange, ...]
    """What changes, field by field, the most frequent first."""
    sample: tuple[ChangedCustomer, ...]
    """The first changed customers in the order of the list, those planned for in front."""

    @property
    def counts_change(self) -> bool:
        """Whether a rule or an outcome has other numbers of customers."""
        both: tuple[CountChange | RuleChange, ...] = (*self.outcomes, *self.rules)
        return any(one.before != one.after for one in both)

    @property
    def columns(self) -> tuple[str, ...]:
        """The fields to show of the sample: what somebody acts on, and whatever else changes in it."""
        changed = {one.field for customer in self.sample for one in customer.fields if one.is_changed}
        return tuple(name for name in FIELDS if name in changed or name not in ("rule", "touch"))


PREVIEWS: TypeAdapter[dict[Language, PlaybookPreview] | None] = TypeAdapter(
    dict[Language, PlaybookPreview] | None
)
"""Previews by language as JSON."""


@use_case("edit_playbook")
def preview_is_quick(workspace: Workspace, actor: Actor, text: str) -> bool:
    """Whether `preview_playbook` finds all it needs beside the plan in use, and reads no events."""
    file, _ = parse_all(text, FILE)
    reader = workspace.scores_or_none()
    if reader is None:
        return True
    present = _present(workspace, reader)
    source = ProfileSource(workspace, reader)
    return file is not None and all(source.has(one.playbook) for one in (file, present))


@use_case("edit_playbook")
def preview_playbook(
    workspace: Workspace, actor: Actor, text: str, language: str | None = None
) -> PlaybookPreview | None:
    """Who would be treated otherwise by a playbook, from the stored scores; None before anything was scored.

    Raises `ConfigurationError`, with its line, for a text that cannot be used.
    """
    language = workspace.language(language)
    edit = _edit(workspace, text, None)
    if edit is None:
        return None
    changes, order = edit.changes, edit.after.plan.order
    rows = order[changes.changed[order]]
    shown = rows[np.argsort(~changes.planned[rows], kind="stable")][:MOST_SHOWN]
    keys = edit.reader.scores.answers.key[shown]
    workspace.record_access(actor.name, "playbook preview", keys)
    names = edit.reader.customers.names(keys).to_pylist()
    sample = tuple(
        ChangedCustomer(name, bool(changes.planned[row]), changes.fields(row, language))
        for name, row in zip(names, shown.tolist(), strict=True)
    )
    return replace(_in_words(edit, language), sample=sample)


@use_case("edit_playbook")
def preview_without_names(
    workspace: Workspace, actor: Actor, text: str, progress: Progress | None = None
) -> dict[Language, PlaybookPreview] | None:
    """As `preview_playbook`, by language and without customers: for a job, whose result names nobody."""
    edit = _edit(workspace, text, progress)
    return None if edit is None else {"en": _in_words(edit, "en"), "ja": _in_words(edit, "ja")}


@dataclass(frozen=True, eq=False)
class _Edit:
    """The plans by the playbook that holds and by an edited one."""

    reader: ScoreReader
    before: _Side
    after: _Side
    changes: PlanChanges


def _edit(workspace: Workspace, text: str, progress: Progress | None) -> _Edit | None:
    workspace = workspace.with_scores_read_once()
    file = parse(text, FILE)
    refusals, _ = ProjectCheck(workspace).refusals(file)
    if refusals:
        raise refusals[0]
    reader = workspace.scores_or_none()
    if reader is None:
        return None
    present = _present(workspace, reader)
    before = _Side.of(workspace, reader, present, progress)
    is_same = file.playbook == present.playbook
    after = before if is_same else _Side.of(workspace, reader, file, progress)
    own = pc.dictionary_encode(before.own.combine_chunks().cast(pa.string()))
    today = Timeline(reader.bundle.timezone).local(reader.scores.facts.as_of).date()
    sides = (PlanSide(side.playbook, side.plan, own, today) for side in (before, after))
    return _Edit(reader, before, after, PlanChanges(*sides))


def _in_words(edit: _Edit, language: str) -> PlaybookPreview:
    before, after, changed = edit.before, edit.after, edit.changes.changed
    return PlaybookPreview(
        customers=len(changed),
        changed=int(changed.sum()),
        changed_planned=int((changed & edit.changes.planned).sum()),
        planned_before=before.planned,
        planned_after=after.planned,
        outcomes=_outcomes(before, after, language),
        rules=_rules(before, after, language),
        moves=_moves(before, after, changed, language),
        changes=edit.changes.counted(language)[:MOST_SHOWN],
        sample=(),
    )


@dataclass(frozen=True, eq=False)
class _Side:
    """The plan by one playbook."""

    playbook: Playbook
    plan: ActionPlan
    own: pa.ChunkedArray
    """Each customer's preferred channel."""
    counts: NDArray[np.int64]
    """int64[rules + 1, outcomes]: customers; the last row is of those without a rule."""

    @staticmethod
    def of(workspace: Workspace, reader: ScoreReader, file: PlaybookFile, progress: Progress | None) -> _Side:
        playbook = file.playbook
        profiles = ProfileSource(workspace, reader).profiles(playbook, progress)
        plan = match_rules(
            playbook,
            ProjectCheck(workspace).vocabulary(reader, file),
            profiles,
            reader.scores,
            workspace.clock(),
            reader.held.held,
        )
        own = profiles.table.column("preferred_channel")
        return _Side(playbook, plan, own, PlanCounts.table(plan.rule, plan.outcome, len(playbook.rules)))

    @property
    def planned(self) -> int:
        return int(self.counts[:, PLANNED].sum())

    def rule_words(self, number: int, language: str) -> str:
        if number in (NO_RULE, len(self.playbook.rules)):
            return in_language(language, *OUTCOME_WORDS["no_rule"])
        return self.playbook.rules[number].say(language)


def _present(workspace: Workspace, reader: ScoreReader) -> PlaybookFile:
    """The playbook that holds: the project's own, the plan's while that cannot be used, or the default."""
    store = PlaybookStore(workspace)
    stored = store.read()
    if reader.plan is not None and stored.content == reader.plan.origin.playbook.encode():
        return parse(stored.text, FILE)
    if stored.content is not None:
        file, refusals = parse_all(stored.text, FILE)
        if file is not None and not refusals and not ProjectCheck(workspace).refusals(file)[0]:
            return file
        if reader.plan is not None:
            return parse(reader.plan.origin.playbook, FILE)
    return parse(store.text_that_holds(StoredText(stored.file, None)), FILE)


def _outcomes(before: _Side, after: _Side, language: str) -> tuple[CountChange, ...]:
    totals = zip(OUTCOMES, before.counts.sum(axis=0).tolist(), after.counts.sum(axis=0).tolist(), strict=True)
    return tuple(
        CountChange(in_language(language, *OUTCOME_WORDS[name]), was, becomes)
        for name, was, becomes in totals
        if was or becomes
    )


def _rules(before: _Side, after: _Side, language: str) -> tuple[RuleChange, ...]:
    def of(side: _Side) -> dict[str, tuple[int, int, str]]:
        return {
            rule.name: (int(row.sum()), int(row[PLANNED]), rule.say(language))
            for rule, row in zip(side.playbook.rules, side.counts, strict=False)
        }

    was, becomes = of(before), of(after)
    found = []
    for name in (*becomes, *(name for name in was if name not in becomes)):
        old, new = was.get(name), becomes.get(name)
        words = (new or old or (0, 0, name))[2]
        found.append(
            RuleChange(
                words,
                None if old is None else old[0],
                None if new is None else new[0],
                0 if old is None else old[1],
                0 if new is None else new[1],
            )
        )
    return tuple(found)


def _moves(before: _Side, after: _Side, changed: NDArray[np.bool_], language: str) -> tuple[Move, ...]:
    width = len(after.playbook.rules) + 1
    was, becomes = (
        np.where(side.plan.rule < 0, len(side.playbook.rules), side.plan.rule).astype(np.int64)[changed]
        for side in (before, after)
    )
    pairs, customers = np.unique(was * width + becomes, return_counts=True)
    named = [
        Move(
            before.rule_words(int(pair // width), language), after.rule_words(int(pair % width), language), n
        )
        for pair, n in zip(pairs.tolist(), customers.tolist(), strict=True)
    ]
    moved = [move for move in named if move.before != move.after]
    return tuple(sorted(moved, key=lambda move: -move.customers)[:MOST_SHOWN])
