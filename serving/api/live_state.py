"""The state of the running service: the project, its database, and the scores, model and keys in use.

A watcher thread checks every second for what is new. New scores and a new champion are loaded and tried
beside the old ones, then put in their place at once; a request keeps what it began with, so no answer mixes
two models. What cannot be used is refused, the old goes on, and `trouble` says why.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from features.errors import KizunaError, ModelError, UsageError
from serving.actions.plan_file import FOLDER
from serving.actions.plan_lookup import PlanLookup
from serving.api.key_ring import KeyRing
from serving.api.process.metrics import ServiceMetrics
from serving.application.workspace import Clock, Workspace
from serving.experiments.held_back import held_back
from serving.lists.score_reader import ScoreReader
from serving.lists.score_summary import score_summary
from serving.project.settings import Project
from serving.scoring.batch import smoke_test
from serving.state import audit_log
from serving.state.accounts.people import any_account
from serving.state.active_model import ActiveModel, load
from serving.state.api_keys import list_keys, record_key_use
from serving.state.audit_log import AccessRecord
from serving.state.campaigns.campaign_index import holding_back
from serving.state.database import DATABASE_ERRORS, Database
from serving.state.remote.open_store import open_store
from serving.state.remote.state_files import fetch, open_state_files
from serving.state.scores.score_file import Scores
from serving.state.scores.score_index import ScoreFile, rows_in_use, score_file
from serving.state.scores.score_table import Ints

if TYPE_CHECKING:
    from serving.application.lists.report import ReportCache

log = logging.getLogger("kizuna.state")

CHECK_EVERY = 1.0
"""Seconds between two checks of what is in use."""

PULL_EVERY = 15
"""Checks between two looks at a state in an object store, unless other scores came into use."""

StoreFiles = tuple[tuple[str, ...], ...]
"""The files of each bucket of the store."""
PlanState = tuple[str, int, StoreFiles, tuple[str, ...]]
"""The scores in use, when their plan was written, the files of the store, the campaigns that hold back."""

MOST_WAITING = 1_000_000
"""Customers that wait for the audit log; beyond it, as when the database is away for long, notes are lost."""

BROKEN: tuple[type[Exception], ...] = (
    *(KizunaError, OSError, ValueError, KeyError, TypeError, RuntimeError),
    *DATABASE_ERRORS,
)
"""What a file, a bundle or a database can raise at whoever reads it."""


class ServiceState:
    """The open project of a service; the `ScoreSource` of its workspace."""

    def __init__(
        self, project: Project, clock: Clock, *, open_without_keys: bool, real_clock: Clock | None = None
    ) -> None:
        self.project = project
        self.clock = clock
        self._real_clock = real_clock
        self.database = Database(self.project.records)
        self.keys = KeyRing(open_without_keys=open_without_keys)
        self.trouble: str | None = None
        """Why newer scores or a newer champion are not in use."""
        self._metrics = ServiceMetrics.of_process()
        self._scores: ScoreReader | None = None
        self._earlier: dict[tuple[str, int, PlanState | None], ScoreReader] = {}
        self._score_file: tuple[str, int, int] | None = None
        self._plans = PlanLookup(project)
        self._files = open_state_files(project)
        self._store = open_store(project, self.database)
        """Read by the watcher alone."""
        self._checks = 0
        self._rows: tuple[tuple[str, str] | None, ScoreFile | None] | None = None
        """The champion and the scores in use when the state was looked at."""
        self._store_troubles: list[str] = []
        self._checked: PlanState | None = None
        """What the plan in use was checked against."""
        self._model: ActiveModel | None = None
        self._model_pointer: tuple[str, str] | None = None
        self._accesses: list[AccessRecord] = []
        self._waiting = 0
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._closed = threading.Event()
        self.refresh()
        threading.Thread(target=self._watch, name="watch", daemon=True).start()

    def close(self) -> None:
        """Stop watching, and write down who asked for whom since the last check."""
        if self._closed.is_set():
            return
        self._closed.set()
        try:
            self._write_accesses()
        except DATABASE_ERRORS as error:
            log.error("the last calls are not in the audit log: %s", type(error).__name__)
        self.database.close()

    @cached_property
    def workspace(self) -> Workspace:
        """The project for use cases that do not read the store: opening one takes longer than a score."""
        store = open_store(self.project, self.database)
        return Workspace(
            self.project, store, self.database, self.clock, self, self.record_access, self._real_clock
        )

    @cached_property
    def response_headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """Headers of every response: in a simulated project each says that its time is simulated."""
        return ((b"kizuna-simulated-time", b"true"),) if self.project.simulated else ()

    def workspace_for_one_call(self) -> Workspace:
        """The project with a store of its own: a store is not to be shared by threads."""
        return replace(self.workspace, store=open_store(self.project, self.database))

    @cached_property
    def report_cache(self) -> ReportCache:
        """The last reports of this process."""
        # Only who asks for a report waits for its code.
        from serving.application.lists.report import ReportCache

        return ReportCache()

    def current(self) -> ScoreReader:
        """The scores in use."""
        if self._scores is None:
            raise ModelError(
                self.trouble
                or "cannot answer: nothing has been scored yet. Run `kizuna train` and `kizuna score` first."
            )
        return self._scores

    @property
    def scores_in_use(self) -> Scores | None:
        """The scores in use, None before anything was scored."""
        return None if self._scores is None else self._scores.scores

    def of_file(self, file: str) -> ScoreReader:
        """The scores of the file that a cursor names: those in use, or earlier ones."""
        current = self._scores
        if current is not None and current.file == file:
            return current
        scores = score_file(self.database, file)
        # Consent may have changed whenever the store moved, and control groups with campaigns: the reader
        # is then made anew.
        version = file, 0 if scores is None else _modified(fetch(self.project.scores / file)), self._checked
        reader = self._earlier.get(version)
        if reader is None:
            if scores is None or version[1] == 0:
                raise UsageError(
                    "cannot go on from this cursor: its scores are not kept any more. "
                    "Leave the cursor out to start again.",
                    field="cursor",
                )
            reader = ScoreReader.of_file(
                self.database, self.project, open_store(self.project, self.database), scores, self.clock()
            )
            with self._lock:
                self._earlier = dict([*self._earlier.items(), (version, reader)][-2:])
        return reader

    def active_model(self) -> ActiveModel:
        """The model in use."""
        if self._model is None:
            raise ModelError(
                self.trouble
                or "cannot predict: there is no champion yet. Run `kizuna train` and `kizuna score` first."
            )
        return self._model

    def record_access(self, who: str, action: str, keys: Ints) -> None:
        """Keep for the audit log who asked for whom; written with the next check."""
        with self._lock:
            if self._waiting < MOST_WAITING:
                self._waiting += len(keys) + 1
                self._accesses.append(AccessRecord(self.clock(), who, action, keys))

    def refresh(self) -> None:
        """Use what is new, and write down what waits; what fails now is tried again with the next check."""
        troubles = self._tried(self._write_accesses, self._read_keys)
        if self._is_due():
            self._store_troubles = self._tried(self._pull, self._load_model_and_scores, self._load_plan)
        troubles += self._store_troubles
        trouble = troubles[0] if troubles else None
        if trouble is not None and trouble != self.trouble:
            self._metrics.count_refusal()
            log.error("what was in use stays in use: %s", trouble)
        if trouble is None and self.trouble is not None:
            log.warning("the trouble is over: %s", self.trouble)
        self.trouble = trouble

    @staticmethod
    def _tried(*steps: Callable[[], None]) -> list[str]:
        """What could not be done of these steps, each of which is taken."""
        troubles = []
        for step in steps:
            try:
                step()
            except BROKEN as error:
                troubles.append(_description(error))
        return troubles

    def _is_due(self) -> bool:
        """Whether to look at the state now: one in an object store is asked less often, as it is paid for."""
        if self._files is None:
            return True
        self._checks += 1
        with suppress(*DATABASE_ERRORS):
            rows = rows_in_use(self.database)
            if rows != self._rows:
                self._rows = rows
                return True
        return self._checks % PULL_EVERY == 1

    def _watch(self) -> None:
        while not self._closed.wait(CHECK_EVERY):
            self.refresh()

    def _pull(self) -> None:
        """Fetch what others wrote into a state in an object store; what is here stays in use meanwhile."""
        if self._files is not None:
            self._files.pull()

    def _read_keys(self) -> None:
        self.keys.replace(list_keys(self.database), self.clock(), any_account=any_account(self.database))

    def _load_model_and_scores(self) -> None:
        """Use a newer model and newer scores together: live answers never run ahead of the stored list."""
        pointer, current = rows_in_use(self.database)
        model, reader = None, None
        if current is not None:
            fetch(self.project.scores / current.file)
        if pointer is not None and pointer != self._model_pointer:
            model = load(self.project.state, *pointer)
            smoke_test(model.bundle)
            if self._model is None:  # nothing is in use yet: live answers need not wait for scores
                self._use_model(model)
        # Erasing a customer rewrites a file under its name, and aliases say whom it names: the times differ.
        aliases = self._store.aliases_version
        file = (
            None
            if current is None
            else (current.file, _modified(self.project.scores / current.file), aliases)
        )
        if current is not None and file != self._score_file:
            checked = self._state_of_plan(current.file)
            reader = ScoreReader.of_file(
                self.database, self.project, self._store, current, self.clock(), self._plans
            )
            reader.rehearse()
            score_summary(reader, self.project.settings.capacity.contacts)  # for the console's first page
            self._checked = checked
        if model is not None and model is not self._model:
            self._use_model(model)
        if reader is not None:
            self._scores, self._score_file = reader, file
            self._swapped("scores", reader.file)

    def _use_model(self, model: ActiveModel) -> None:
        self._model, self._model_pointer = model, model.pointer
        self._swapped("champion", model.version)

    def _load_plan(self) -> None:
        """Use a newer plan; check it again whenever the store moves, because consent may have changed."""
        reader = self._scores
        if reader is None:
            return
        state = self._state_of_plan(reader.file)
        if state == self._checked:
            return
        now = self.clock()
        try:
            held = held_back(self.database, self.project, reader.customers.aliases, now)
        except DATABASE_ERRORS:  # consent is followed all the same; who was held stays so
            held, state = reader.held, (*state[:3], () if self._checked is None else self._checked[3])
        found = self._plans.checked(reader.file, self._store, now, held.held)
        was = self._checked
        self._scores, self._checked = reader.with_plan(found, held), state
        if was is None or was[:2] != state[:2]:
            self._swapped("plan", reader.file)

    def _state_of_plan(self, scores: str) -> PlanState:
        store = self._store.pinned()
        files = tuple(store.files_of(bucket) for bucket in store.buckets)
        running = () if self._checked is None else self._checked[3]
        with suppress(*DATABASE_ERRORS):
            running = tuple(one.name for one in holding_back(self.database, self.clock()))
        return scores, _modified(self.project.state / FOLDER / scores), files, running

    def _swapped(self, what: str, name: str) -> None:
        self._metrics.count_swap()
        pa.default_memory_pool().release_unused()  # what loading took, and the old held
        log.info("new %s in use: %s", what, name)

    def _write_accesses(self) -> None:
        # One at a time: whoever closes waits for what the watcher has taken and not yet written.
        with self._writing:
            with self._lock:
                accesses, self._accesses, self._waiting = self._accesses, [], 0
                used = self.keys.take_uses()
            try:
                if accesses:
                    audit_log.record_accesses(self.database, accesses)
                for key, at in used.items():
                    record_key_use(self.database, key, at)
            except DATABASE_ERRORS:
                with self._lock:
                    self._accesses = accesses + self._accesses
                    self._waiting += sum(len(access.keys) + 1 for access in accesses)
                    self.keys.put_back_uses(used)
                raise


def _modified(file: Path) -> int:
    """When a file or a folder was written, in nanoseconds; 0 where there is none."""
    return file.stat().st_mtime_ns if file.exists() else 0


def _description(error: Exception) -> str:
    if isinstance(error, KizunaError):
        return error.message
    if isinstance(error, DATABASE_ERRORS):
        return "cannot read the records: the database does not answer. Stored scores go on meanwhile."
    return f"cannot use what is new: {type(error).__name__}. See `kizuna score` and `kizuna train`."
