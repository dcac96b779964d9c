"""Erasing a customer: from events, scores, plans, campaigns and the identity, then searching every file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from features.errors import DataError, ModelError, UnknownCustomer
from features.event_store import EventStore
from features.events.attributes import attribute_text
from features.events.history import History, customer_of_event
from features.events.schema import ATTRIBUTE
from features.execution.local import map_partitions
from features.privacy.erasure import ErasureReceipt
from serving.actions.plan_file import FOLDER as PLANS
from serving.actions.plan_file import delete_customer
from serving.application.erasure_lists import update_lists
from serving.application.permissions import Actor, use_case
from serving.application.workspace import Workspace
from serving.experiments.campaign_file import FOLDER as CAMPAIGNS
from serving.experiments.campaign_file import erase_customers
from serving.project.places import places_elsewhere, written_folders
from serving.project.settings import Project
from serving.reports import stored_report
from serving.reports.stored_report import FOLDER as REPORTS
from serving.state.audit_log import record_action
from serving.state.backups import BackupRecord, known_backups
from serving.state.examination_file import FILE as EXAMINATION
from serving.state.ingest_log import FOLDER as INGESTS
from serving.state.remote.state_files import delete, open_state_files, share_everything
from serving.state.scores.score_file import Scores, load, without_customer
from serving.state.trace_search import TraceSearch, files_below

SQLITE_LOGS = ("-wal", "-shm")
"""Ends of names of the files that SQLite keeps beside a database."""


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
    """Every file of the project's state, experiments and own folder that was searched without a trace."""
    left_in: tuple[str, ...]
    """Files that still hold their id, or an attribute value that nobody else has, and cannot be rewritten."""
    not_read: tuple[str, ...]
    """Files, folders of the project, and places outside it, that were not searched."""
    backups: tuple[BackupRecord, ...]
    """Archives that were written before, which still hold the customer."""
    other_ids: tuple[str, ...] = ()
    """The customer's other ids, by `[[aliases]]`: erased too."""
    campaigns: tuple[str, ...] = ()
    """Campaigns that they were in: only the count of their arm is left there."""


@use_case("erase")
def erase(workspace: Workspace, actor: Actor, customer_id: str) -> ErasedCustomer:
    """Remove every trace of a customer and say what was searched afterwards.

    Scores and plans go first, while the key is still known, and again after the events: a process that held
    the customer may have saved some meanwhile. A score file that cannot be read, and one that a broken run
    left unfinished, is deleted. For a customer who was erased before, what a killed erasure left undone is
    done. Raises `UnknownCustomer` when not even a refused row names them, `DataError` when something wrote
    them again at the same time.
    """
    store, project, database = workspace.store, workspace.project, workspace.database
    open_state_files(project, everything=True)
    ids, keys = store.customers.all_ids(customer_id), list(store.customers.all_keys(customer_id))
    key = keys[0] if keys else -1
    values = _values_only_of(store, key) if key >= 0 else ()
    removed = _Removed()
    removed.remove(project, keys)
    receipt = _erase_events(store, customer_id)
    emptied = store.reopened()
    if emptied.customers.keys(pa.array([customer_id], pa.string()))[0] >= 0:
        raise _written_meanwhile(customer_id, ["the events"])
    # Where a killed erasure took the key with it, every key that stands for nobody any more may be theirs.
    removed.remove(project, keys or _keys_of_nobody(emptied))
    files = sorted(project.scores.glob("*.arrow"))
    again = [file.name for file in files if _holds(load(file), keys, values)]
    if again:
        raise _written_meanwhile(customer_id, again)
    with database.writing() as connection:
        record_action(connection, actor.name, "erase", workspace.clock(), customer=key if key >= 0 else None)
    update_lists(workspace)
    search = TraceSearch(customer_id, values, ids)
    _remove_computed(project, search)
    share_everything(project)
    checked, left_in, not_read = _search(project, search)
    checked += () if project.state_url is None else receipt.checked
    remaining = store.delete_old_versions()
    not_read += () if remaining is None else (remaining,)
    return ErasedCustomer(
        customer_id,
        receipt.events,
        receipt.quarantined,
        len(removed.rewritten),
        tuple(removed.deleted),
        checked,
        left_in,
        (*not_read, *places_elsewhere(project)),
        tuple(known_backups(database)),
        tuple(one for one in ids if one != customer_id),
        tuple(sorted(removed.campaigns)),
    )


@dataclass
class _Removed:
    """The score files that were rewritten or deleted, and the campaigns that had the customer."""

    rewritten: set[str] = field(default_factory=set)
    deleted: list[str] = field(default_factory=list)
    campaigns: set[str] = field(default_factory=set)

    def remove(self, project: Project, keys: Sequence[int]) -> None:
        """Rewrite every score file and plan without customers; delete the files that cannot be read."""
        self.deleted += _delete(project.scores.glob(".*.arrow"))
        if not keys:
            return
        for file in sorted(project.scores.glob("*.arrow")):
            try:
                rows = load(file).rows(np.array(keys, dtype=np.int64))
                # One without a row may have left the values of their attributes.
                present = [key for key, row in zip(keys, rows.tolist(), strict=True) if row >= 0] or keys[:1]
                for key in present:
                    if without_customer(file, key):
                        self.rewritten.add(file.name)
            except ModelError:
                self.deleted += _delete([file])
        for key in keys:
            delete_customer(project.state / PLANS, key)
        assignments = erase_customers(project.state / CAMPAIGNS, keys)
        self.campaigns.update(assignments.campaigns)
        self.deleted += assignments.deleted


def _erase_events(store: EventStore, customer_id: str) -> ErasureReceipt:
    """Erase in the event store; one who is on its suppression list already has nothing left there."""
    try:
        return store.erase(customer_id)
    except UnknownCustomer:
        if customer_id not in store.erased:
            raise
        return ErasureReceipt(customer_id, None, 0, 0, 0, ())


def _keys_of_nobody(store: EventStore) -> list[int]:
    """The keys that were given to customers who are erased; one that went out of use stands for somebody."""
    names = store.customers.names(np.arange(len(store.customers))).to_pylist()
    superseded = store.customers.aliases.superseded
    return [key for key in range(len(names)) if names[superseded.get(key, key)] is None]


def _values_only_of(store: EventStore, key: int) -> tuple[str, ...]:
    """The attribute values of a customer that no event of anybody else says."""
    texts = map_partitions(store, partial(_TextsOf, key), retractions=True)
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
            (history.contracts, history.contract_names),
            (history.currencies, history.currency_names),
        ):
            if not len(codes):
                continue
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


def _holds(scores: Scores, keys: Sequence[int], values: Sequence[str]) -> bool:
    """Whether scores have a row of the customer, or one of their values among those of an attribute."""
    named = {value for known in scores.facts.attributes.values() for value in known}
    return any(scores.row(key) is not None for key in keys) or not named.isdisjoint(values)


def _remove_computed(project: Project, search: TraceSearch) -> None:
    """Remove each stored report, examination and record of an ingest that holds a trace.

    They name groups and quote what is wrong with rows, and one customer alone may be a group. Reports and
    examinations are computed again when asked for.
    """
    for file in sorted((project.state / REPORTS).glob("*")):
        if search.search(file):
            stored_report.remove(file.with_name(f"{file.name.partition('.')[0]}.json"))
    for file in (project.state / EXAMINATION, *sorted((project.state / INGESTS).glob("*.json"))):
        if file.is_file() and search.search(file):
            delete(file)


def _search(
    project: Project, search: TraceSearch
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Every file that Kizuna writes, searched: those without a trace, those with one, and those not searched.

    So are the files beside `kizuna.toml`, where lists are often written to. The project's other folders are
    named as not searched.
    """
    results: dict[bool | None, list[str]] = {False: [], True: [], None: []}
    folders = written_folders(project)
    files = [file for folder in folders for file in files_below(folder)]
    for path in sorted(project.folder.iterdir()):
        if path.is_dir():
            if not any(folder.is_relative_to(path.resolve()) for folder in folders):
                results[None].append(f"{path.name}/")
        elif not path.is_symlink():
            files.append(path)
    for file in files:
        inside = file.is_relative_to(project.folder)
        name = file.relative_to(project.folder).as_posix() if inside else str(file)
        # SQLite reads these logs together with the database, which is searched itself.
        result = search.search(file)
        if result or not name.endswith(SQLITE_LOGS):
            results[result].append(name)
    return tuple(results[False]), tuple(results[True]), tuple(results[None])


def _written_meanwhile(customer_id: str, where: Sequence[str]) -> DataError:
    return DataError(
        f"cannot vouch that '{customer_id}' is erased: traces were found afterwards in "
        f"{', '.join(where)}. Something wrote at the same time: run `kizuna erase` again."
    )


def _delete(files: Iterable[Path]) -> list[str]:
    names = []
    for file in files:
        delete(file)
        names.append(file.name)
    return names
