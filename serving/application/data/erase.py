"""Erasing a customer: from events, scores, plans and the identity, and then reading every file again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from features.errors import DataError, ModelError
from features.event_store import EventStore
from features.events.attributes import attribute_text
from features.events.history import History, customer_of_event
from features.events.schema import ATTRIBUTE
from features.execution.local import map_partitions
from serving.actions.plan_file import FOLDER as PLANS
from serving.actions.plan_file import delete_customer
from serving.application.permissions import Actor, use_case
from serving.application.workspace import Workspace
from serving.project.places import places_elsewhere, written_folders
from serving.project.settings import Project
from serving.state.archive import update_lists_beside
from serving.state.audit_log import record_action
from serving.state.backups import BackupRecord, known_backups
from serving.state.score_file import Scores, load, without_customer
from serving.state.trace_search import contains, files_below, identifying


@dataclass(frozen=True)
class ErasedCustomer:
    """The receipt of an erasure."""

    customer_id: str
    events: int
    refused_rows: int
    score_files: int
    """Score files that were rewritten."""
    score_files_deleted: tuple[str, ...]
    """Score files that could not be read, and were deleted."""
    checked: tuple[str, ...]
    """Every file of the project's state and experiments that was read afterwards without a trace."""
    left_in: tuple[str, ...]
    """Files that still hold their id, or an attribute value that nobody else has, and cannot be rewritten."""
    not_read: tuple[str, ...]
    """Places outside the project that could not be searched."""
    backups: tuple[BackupRecord, ...]
    """Archives that were written before, which still hold the customer."""


@use_case("erase")
def erase(workspace: Workspace, actor: Actor, customer_id: str) -> ErasedCustomer:
    """Remove every trace of a customer and say what was read afterwards.

    Scores and plans go first, while the key is still known. A score file that cannot be read, and one that a
    broken run left unfinished, is deleted. Raises `UnknownCustomer` when not even a refused row names them,
    `DataError` when something wrote them again at the same time.
    """
    store, project, database = workspace.store, workspace.project, workspace.database
    key = int(store.customers.keys(pa.array([customer_id], pa.string()))[0])
    values = _values_only_of(store, key) if key >= 0 else ()
    deleted = _delete(project.scores.glob(".*.arrow"))
    files, rewritten = sorted(project.scores.glob("*.arrow")), 0
    for file in files if key >= 0 else ():
        try:
            rewritten += without_customer(file, key)
        except ModelError:
            deleted += _delete([file])
    if key >= 0:
        delete_customer(project.state / PLANS, key)
    receipt = store.erase(customer_id)
    if EventStore(store.folder).customers.keys(pa.array([customer_id], pa.string()))[0] >= 0:
        raise _written_meanwhile(customer_id, ["the events"])
    again = [file.name for file in files if file.exists() and _holds(load(file), key, values)]
    if again:
        raise _written_meanwhile(customer_id, again)
    with database.writing() as connection:
        record_action(connection, actor.name, "erase", workspace.clock(), customer=key if key >= 0 else None)
    update_lists_beside(project.state, known_backups(database))
    checked, left_in = _search(project, identifying([customer_id, *values]))
    return ErasedCustomer(
        customer_id,
        receipt.events,
        receipt.quarantined,
        rewritten,
        tuple(deleted),
        checked,
        left_in,
        places_elsewhere(project),
        tuple(known_backups(database)),
    )


def _values_only_of(store: EventStore, key: int) -> tuple[str, ...]:
    """The attribute values of a customer that no event of anybody else says."""
    texts = map_partitions(store, partial(_TextsOf, key))
    return tuple(sorted(texts.own - texts.others))


@dataclass
class _TextsOf:
    """The attribute values of one customer, and every text of the others' events."""

    key: int
    own: set[str] = field(default_factory=set)
    others: set[str] = field(default_factory=set)

    def add(self, history: History) -> None:
        theirs = history.keys[customer_of_event(history)] == self.key
        for codes, names in (
            (history.details, history.detail_names),
            (history.places, history.place_names),
            (history.channels, history.channel_names),
        ):
            self.others |= {names[code] for code in np.unique(codes[~theirs]).tolist() if code >= 0}
        if theirs.any():
            attribute = np.array([name.startswith(ATTRIBUTE) for name in history.kind_names])
            for row in np.flatnonzero(theirs & attribute[history.kinds]).tolist():
                code = history.details[row]
                detail = history.detail_names[code] if code >= 0 else None
                self.own |= {attribute_text(detail, history.values[row])} - {""}

    def merge(self, other: _TextsOf) -> None:
        self.own |= other.own
        self.others |= other.others


def _holds(scores: Scores, key: int, values: Sequence[str]) -> bool:
    """Whether scores have a row of the customer, or one of their values among those of an attribute."""
    named = {value for known in scores.facts.attributes.values() for value in known}
    return (key >= 0 and scores.row(key) is not None) or not named.isdisjoint(values)


def _search(project: Project, texts: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Every file of the state and of the experiments, read: those without a trace, and those with one."""
    checked: list[str] = []
    left: list[str] = []
    for folder in written_folders(project):
        for file in files_below(folder):
            inside = file.is_relative_to(project.folder)
            name = file.relative_to(project.folder).as_posix() if inside else str(file)
            (left if contains(file, texts) else checked).append(name)
    return tuple(checked), tuple(left)


def _written_meanwhile(customer_id: str, where: Sequence[str]) -> DataError:
    return DataError(
        f"cannot vouch that '{customer_id}' is erased: traces were found afterwards in "
        f"{', '.join(where)}. Something wrote at the same time: run `kizuna erase` again."
    )


def _delete(files: Iterable[Path]) -> list[str]:
    names = []
    for file in files:
        file.unlink(missing_ok=True)
        names.append(file.name)
    return names
