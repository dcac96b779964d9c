"""What the running service holds: the project, its records, and the scores, champion and keys in use.

A watch looks every second. New scores and a new champion are loaded and tried beside the old ones, then put
in their place at once; a request keeps what it began with, so no answer mixes two models. What cannot be used
is refused, the old goes on, and `trouble` says why.
"""

from __future__ import annotations

import hmac
import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from sqlalchemy.exc import SQLAlchemyError

from features.errors import KizunaError, ModelError, UsageError
from features.event_store import EventStore
from serving.actions.plan_file import FOLDER
from serving.actions.plan_lookup import plan_of
from serving.lists.customer_view import Reply
from serving.lists.score_reader import ScoreReader
from serving.project.settings import read
from serving.scoring.batch import smoke_test
from serving.state import audit_log
from serving.state.active_model import ActiveModel, in_use
from serving.state.api_keys import ApiKey, digest, list_keys, record_key_use
from serving.state.audit_log import AccessRecord
from serving.state.database import Database
from serving.state.score_file import Ints, Scores
from serving.state.score_index import current_champion, current_scores, score_file

if TYPE_CHECKING:
    from serving.reports.compute import ReportData

log = logging.getLogger("kizuna.desk")

NOTICE = 1.0
"""Seconds between two looks at what is in use."""

USED = 60_000_000
"""Microseconds between two notes of a key's last use."""

MOST_WAITING = 1_000_000
"""Customers that wait for the audit log; beyond it, as when the database is away for long, notes are lost."""

NOBODY: Ints = np.empty(0, dtype=np.int64)

BROKEN = (KizunaError, OSError, SQLAlchemyError, ValueError, KeyError, TypeError, RuntimeError)
"""What a file, a bundle or a database can throw at whoever reads it."""


class ServiceState:
    """The open project of a service."""

    def __init__(self, folder: Path, clock: Callable[[], int], *, keys_needed: bool) -> None:
        self.keys_needed = keys_needed
        self.clock = clock
        self.project = read(folder)
        self.records = Database(self.project.records)
        self.trouble: str | None = None
        """Why newer scores or a newer champion are not in use."""
        self.swaps, self.refusals = 0, 0
        self._replies: ScoreReader | None = None
        self._pages: dict[tuple[str, int], ScoreReader] = {}
        self._file: tuple[str, int] | None = None
        self._plan: tuple[str, int] | None = None
        self._surveys: dict[int, tuple[object, ReportData]] = {}
        self._counting = threading.Lock()
        self._champion: ActiveModel | None = None
        self._pointer: tuple[str, str] | None = None
        self._keys: dict[str, ApiKey] = {}
        self._used: dict[int, int] = {}
        self._asked: list[AccessRecord] = []
        self._waiting = 0
        self._lock = threading.Lock()
        self._over = threading.Event()
        self.refresh()
        threading.Thread(target=self._watch, name="watch", daemon=True).start()

    def close(self) -> None:
        """Stop watching, and write down what was not yet."""
        if self._over.is_set():
            return
        self._over.set()
        self.refresh()
        self.records.close()

    def replies(self) -> ScoreReader:
        """The scores in use."""
        if self._replies is None:
            raise ModelError(
                self.trouble
                or "cannot answer: nothing has been scored yet. Run `kizuna train` and `kizuna score` first."
            )
        return self._replies

    @property
    def scores_in_use(self) -> Scores | None:
        """The scores in use, None before anything was scored."""
        return None if self._replies is None else self._replies.scores

    def replies_from(self, file: str) -> ScoreReader:
        """The scores of the file that a cursor names: those in use, or earlier ones."""
        replies = self._replies
        if replies is not None and replies.file == file:
            return replies
        kept = score_file(self.records, file)
        version = file, 0 if kept is None else _written(self.project.scores / file)
        found = self._pages.get(version)
        if found is None:
            if kept is None or version[1] == 0:
                raise UsageError(
                    "cannot go on from this cursor: its scores are not kept any more. "
                    "Leave the cursor out to start again.",
                    field="cursor",
                )
            found = ScoreReader.of_file(self.records, self.project, self.store(), kept)
            with self._lock:
                self._pages = dict([*self._pages.items(), (version, found)][-2:])
        return found

    def champion(self) -> ActiveModel:
        """The model in use."""
        if self._champion is None:
            raise ModelError(
                self.trouble
                or "cannot predict: there is no champion yet. Run `kizuna train` and `kizuna score` first."
            )
        return self._champion

    def store(self) -> EventStore:
        return EventStore(self.project.state)

    def report(self, months: int, language: str) -> Reply:
        """How customers are engaged; counted again when the data or the champion is another."""
        # Only who asks for a report waits for its code.
        from serving.reports.asking import report_inputs
        from serving.reports.compute import compute_report
        from serving.reports.report import reply

        with self._counting:
            store = self.store().pinned()
            seen = store.version, self._pointer
            known = self._surveys.get(months)
            if known is None or known[0] != seen:
                survey = compute_report(
                    store, report_inputs(self.project, store, self.records, months, self.clock())
                )
                known = self._surveys[months] = seen, survey
        return reply(known[1], language)

    def language(self, asked: str | None) -> str:
        """The language asked for, or the project's."""
        return asked or self.project.settings.language

    def key(self, text: str) -> ApiKey | None:
        """The valid key this text is, if any; notes that it was used."""
        given = digest(text)
        key = self._keys.get(given)
        now = self.clock()
        if key is None or not hmac.compare_digest(key.hash, given) or not key.opens(now):
            return None
        if now - max(key.last_used_at or 0, self._used.get(key.id, 0)) > USED:
            self._used[key.id] = now
        return key

    def record_access(self, who: str, action: str, keys: Ints = NOBODY) -> None:
        """Keep for the audit log who asked for whom; written with the next look."""
        with self._lock:
            if self._waiting < MOST_WAITING:
                self._waiting += len(keys) + 1
                self._asked.append(AccessRecord(self.clock(), who, action, keys))

    def refresh(self) -> None:
        """Use what is new, and write down what waits; what fails now is tried again with the next look."""
        troubles = []
        for step in (self._write, self._read_keys, self._load_champion, self._load_scores, self._load_plan):
            try:
                step()
            except BROKEN as error:
                troubles.append(error.message if isinstance(error, KizunaError) else _plain(error))
        trouble = troubles[0] if troubles else None
        if trouble is not None and trouble != self.trouble:
            self.refusals += 1
            log.error("what was in use stays in use: %s", trouble)
        if trouble is None and self.trouble is not None:
            log.warning("the trouble is over: %s", self.trouble)
        self.trouble = trouble

    def _watch(self) -> None:
        while not self._over.wait(NOTICE):
            self.refresh()

    def _read_keys(self) -> None:
        if self.keys_needed:
            held = list_keys(self.records)
            self._keys = {key.hash: key for key in held if key.opens(self.clock())}

    def _load_champion(self) -> None:
        pointer = current_champion(self.records)
        if pointer is not None and pointer != self._pointer:
            champion = in_use(self.records, self.project.state)
            smoke_test(champion.bundle)
            self._champion, self._pointer = champion, pointer
            self._changed("champion", champion.version)

    def _load_scores(self) -> None:
        current = current_scores(self.records)
        if current is None:
            return
        # Erasing a customer rewrites a file under its name: the moment of writing tells.
        file = current.file, _written(self.project.scores / current.file)
        if file != self._file:
            replies = ScoreReader.of_file(self.records, self.project, self.store(), current)
            replies.rehearse()
            self._replies, self._file = replies, file
            self._changed("scores", current.file)

    def _load_plan(self) -> None:
        replies = self._replies
        if replies is None:
            return
        file = replies.file, _written(self.project.state / FOLDER / replies.file)
        if file != self._plan:
            plan = plan_of(self.project, replies.file)
            self._plan = file
            if plan is not replies.plan:
                self._replies = replace(replies, plan=plan)
                self._changed("plan", replies.file)

    def _changed(self, what: str, name: str) -> None:
        self.swaps += 1
        pa.default_memory_pool().release_unused()  # what loading took, and the old held
        log.info("new %s in use: %s", what, name)

    def _write(self) -> None:
        with self._lock:
            asked, self._asked, self._waiting = self._asked, [], 0
            used, self._used = self._used, {}
        try:
            if asked:
                audit_log.record_accesses(self.records, asked)
            for key, at in used.items():
                record_key_use(self.records, key, at)
        except SQLAlchemyError:
            with self._lock:
                self._asked = asked + self._asked
                self._waiting += sum(len(one.keys) + 1 for one in asked)
                self._used = used | self._used
            raise


def _written(file: Path) -> int:
    """When a file was written, in nanoseconds; 0 where there is none."""
    return file.stat().st_mtime_ns if file.is_file() else 0


def _plain(error: Exception) -> str:
    if isinstance(error, SQLAlchemyError):
        return "cannot read the records: the database does not answer. Stored scores go on meanwhile."
    return f"cannot use what is new: {type(error).__name__}. See `kizuna score` and `kizuna train`."
