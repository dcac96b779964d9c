"""The open project that every use case works on: settings, event store, database, clock and stored scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
from deltalake.exceptions import DeltaError
from numpy.typing import NDArray

from features.errors import ModelError, UsageError
from features.event_store import EventStore
from features.execution.base import Engine
from features.execution.local import HERE
from serving.lists.customers.known_customer import KnownCustomer, known_customer
from serving.lists.score_reader import ScoreReader
from serving.project.settings import Project
from serving.state.active_model import ActiveModel, in_use
from serving.state.database import DATABASE_ERRORS, Database
from serving.state.remote.open_store import open_store
from serving.state.remote.state_files import fetch, open_state_files
from serving.state.scores.score_index import score_file
from training.data.coverage import DataCoverage, data_coverage

Clock = Callable[[], int]
"""Now, in microseconds UTC."""
Progress = Callable[[str, float], None]
"""Called with the name of a step and the share of it that is done, 0 to 1."""


AccessLog = Callable[[str, str, NDArray[np.int64]], None]
"""Called with who asked, what they asked for and the keys of the customers, -1 for one who is not known."""

UNAVAILABLE: tuple[type[Exception], ...] = (OSError, DeltaError, *DATABASE_ERRORS)
"""What a full disk, an absent database or a store that cannot be read raises: answered as 503."""
NOBODY: NDArray[np.int64] = np.empty(0, dtype=np.int64)
"""The keys of a call that names no customer."""


@dataclass(frozen=True)
class ProjectFolder:
    """A folder in which a project is to be made: there is no store and no database yet."""

    folder: Path
    clock: Clock


class ScoreSource(Protocol):
    """Where a use case finds the stored scores and the model in use."""

    def current(self) -> ScoreReader:
        """The scores in use; raises `ModelError` before anything was scored."""

    def of_file(self, file: str) -> ScoreReader:
        """The scores of one file, in use now or earlier; raises `UsageError` where they are gone."""

    def active_model(self) -> ActiveModel:
        """The model in use; raises `ModelError` before one was promoted."""


def _not_recorded(who: str, action: str, keys: NDArray[np.int64]) -> None:
    """Who can run the command can read the files: their reading is not recorded."""


@dataclass(frozen=True, eq=False)
class Workspace:
    """An open project. Adapters make one; use cases take it and open nothing by themselves."""

    project: Project
    store: EventStore
    database: Database
    clock: Clock
    scores: ScoreSource
    record_access: AccessLog = _not_recorded
    """Writes down who asked for whom; a service keeps it for `kizuna audit`."""
    real_clock: Clock | None = None
    """This machine's clock, where a simulated project has one of its own."""
    engine: Engine = HERE
    """Where partitions of the store are processed."""

    @property
    def machine_now(self) -> int:
        """The instant that sessions and attempts to sign in go by: a simulated time may stand still."""
        return (self.real_clock or self.clock)()

    def language(self, requested: str | None) -> str:
        """The language that was asked for, or the project's."""
        return requested or self.project.settings.language

    def pinned(self) -> Workspace:
        """The same project with its store held at the version of this moment, and its scores read once.

        Whatever belongs to one answer reads one version: a use case pins before its first read.
        """
        return replace(self.with_scores_read_once(), store=self.store.pinned())

    def with_scores_read_once(self) -> Workspace:
        """The same project whose scores in use are those of the first look at them."""
        return (
            self
            if isinstance(self.scores, ScoresReadOnce)
            else replace(self, scores=ScoresReadOnce(self.scores))
        )

    def coverage(self, now: int) -> DataCoverage | None:
        """Until when the data say what customers did; None without events."""
        project = self.project
        return data_coverage(
            self.store,
            project.churn,
            project.indicators,
            project.timeline,
            closed=project.closed_sources,
            now=now,
            engine=self.engine,
        )

    def scores_or_none(self) -> ScoreReader | None:
        """The scores in use; None before anything was scored."""
        try:
            return self.scores.current()
        except ModelError:
            return None

    def customer(self, customer_id: str) -> KnownCustomer:
        """One customer with everything that is known of them now; raises `UnknownCustomer`."""
        reader = self.scores_or_none()
        return known_customer(self.store, customer_id, None if reader is None else reader.customers)

    def instant(self, date: str) -> int:
        """The instant of a date as a person writes it; one that has not come yet is refused."""
        instant = self.project.timeline.instant(date)
        if instant > self.clock():
            raise UsageError(
                f"cannot use the date {date}: it has not come yet. Give a date in the past, or none at all."
            )
        return instant


@dataclass(frozen=True, eq=False)
class ScoresOnDisk:
    """Reads the stored scores anew at every call: for the command line, jobs and notebooks."""

    project: Project
    store: EventStore
    database: Database
    clock: Clock

    def current(self) -> ScoreReader:
        return ScoreReader.current(self.database, self.project, self.store, self.clock())

    def of_file(self, file: str) -> ScoreReader:
        scores = score_file(self.database, file)
        if scores is None or not fetch(self.project.scores / file).is_file():
            raise UsageError(
                "cannot go on from this cursor: its scores are not kept any more. "
                "Leave the cursor out to start again.",
                field="cursor",
            )
        return ScoreReader.of_file(self.database, self.project, self.store, scores, self.clock())

    def active_model(self) -> ActiveModel:
        return in_use(self.database, self.project.state)


@dataclass(frozen=True, eq=False)
class ScoresReadOnce:
    """The scores of another source, the ones in use as they were at the first look."""

    source: ScoreSource

    @cached_property
    def _reader(self) -> ScoreReader:
        return self.source.current()

    def current(self) -> ScoreReader:
        return self._reader

    def of_file(self, file: str) -> ScoreReader:
        return self.source.of_file(file)

    def active_model(self) -> ActiveModel:
        return self.source.active_model()


def open_workspace(project: Project, clock: Clock, real_clock: Clock | None = None) -> Workspace:
    """Open a project for one process; close its database when done."""
    open_state_files(project)
    database = Database(project.records, lazily=True)
    store = open_store(project, database)
    scores = ScoresOnDisk(project, store, database, clock)
    return Workspace(project, store, database, clock, scores, real_clock=real_clock)
