"""One partition as a task for another process: what is sent there, what is computed, what comes home.

A task is one bucket: read it, add it to an empty accumulator, send that back. It writes nothing, so it can be
done again by another worker, and gives the same bytes there. Nothing of this module knows the library that
carries tasks from process to process.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import logging
import platform
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Generic, Self

from features.cores import limit_cores
from features.errors import ConfigurationError, KizunaError
from features.event_store import EventStore
from features.execution.base import Gathered, Scan
from features.storage.backends.local_folder import LocalFolder

ROOMS = ("features", "training", "serving")
LIBRARIES = ("numpy", "numba", "pyarrow", "lightgbm", "distributed")
"""Libraries by which the bytes of a result, or their way home, can differ."""


@dataclass(frozen=True)
class Runtime:
    """Versions of Kizuna, Python and libraries: two processes of one runtime compute the same bytes."""

    versions: tuple[tuple[str, str], ...]
    """Name and version; that of Kizuna includes a digest of its source files."""

    @classmethod
    def here(cls) -> Self:
        """The runtime of this process."""
        return cls(_versions())

    def difference(self, other: Runtime) -> tuple[str, str] | None:
        """The first version that differs, as here and as there; None where all are equal."""
        for (name, mine), (_, theirs) in zip(self.versions, other.versions, strict=True):
            if mine != theirs:
                return f"{name} {mine}", f"{name} {theirs}"
        return None


@cache
def _versions() -> tuple[tuple[str, str], ...]:
    kizuna = f"{importlib.metadata.version('kizuna')} (source {_source_digest()})"
    libraries = [(name, importlib.metadata.version(name)) for name in LIBRARIES]
    return ("Kizuna", kizuna), ("Python", platform.python_version()), *libraries


def _source_digest() -> str:
    """The first 12 hexadecimal digits of a SHA-256 over the product's source files."""
    digest = hashlib.sha256()
    for room in ROOMS:
        spec = importlib.util.find_spec(room)
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            for file in sorted(Path(folder).rglob("*.py")):
                digest.update(file.relative_to(folder).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]


@dataclass(frozen=True, eq=False)
class PartitionWork(Generic[Gathered]):
    """What to do with each bucket: sent to each worker once. The store travels as its address and version."""

    store: EventStore
    scan: Scan
    new: Callable[[], Gathered]
    """Makes an empty accumulator: its class, or a `partial` of it."""

    @property
    def inputs(self) -> tuple[object, ...]:
        """What every accumulator is made from: both sides have it, so results travel without it."""
        arguments = getattr(self.new, "args", ()), getattr(self.new, "keywords", {})
        return (*arguments[0], *arguments[1].values())


@dataclass(frozen=True)
class _Input:
    """Stands for one of the inputs of an accumulator on the way home."""

    place: int


@dataclass(frozen=True)
class LogRecord:
    """A line that a task wrote to a log."""

    logger: str
    level: int
    message: str


@dataclass(frozen=True, eq=False)
class PartitionResult(Generic[Gathered]):
    """What comes home of one bucket."""

    kind: type[Gathered]
    state: dict[str, object]
    """The attributes of the accumulator, without its inputs."""
    runtime: Runtime
    error: KizunaError | None = None
    """What a user can put right, raised where the command runs."""
    log: tuple[LogRecord, ...] = ()
    processor_seconds: float = 0.0
    peak_bytes: int = 0
    """The most memory that the worker's process has held so far."""

    def accumulator(self, work: PartitionWork[Gathered]) -> Gathered:
        """The accumulator, with the inputs that this side has."""
        inputs, whole = work.inputs, object.__new__(self.kind)
        for name, value in self.state.items():
            object.__setattr__(whole, name, inputs[value.place] if isinstance(value, _Input) else value)
        return whole


def work_on(work: PartitionWork[Gathered], bucket: int) -> PartitionResult[Gathered]:
    """Do one bucket on one core; an error that a user can put right comes home in the result."""
    limit_cores(1)
    runtime, began = Runtime.here(), time.process_time()
    part, error = work.new(), None
    with _logged() as log:
        try:
            refuse_missing_folder(work.store, bucket)
            part.add(work.store.history(bucket, **work.scan.options))
        except KizunaError as wrong:
            part, error = work.new(), wrong
    places = {id(value): place for place, value in enumerate(work.inputs)}
    state = {
        name: _Input(places[id(value)]) if id(value) in places else value
        for name, value in vars(part).items()
    }
    return PartitionResult(
        type(part),
        state,
        runtime,
        error,
        tuple(log),
        time.process_time() - began,
        peak_memory(),
    )


def peak_memory() -> int:
    """The most bytes of memory that this process has held; 0 where the system does not say."""
    status = Path("/proc/self/status")
    found = re.search(r"^VmHWM:\s*(\d+) kB", status.read_text() if status.exists() else "", re.MULTILINE)
    return 1024 * int(found[1]) if found else 0


def refuse_missing_folder(store: EventStore, bucket: int) -> None:
    """Raise `ConfigurationError` where this machine does not see the store's folder."""
    if isinstance(store.place.storage, LocalFolder) and not store.folder.is_dir():
        raise ConfigurationError(
            f"cannot read bucket {bucket} on {platform.node()}: there is no folder {store.folder} there. "
            "Mount the state folder at the same path on every worker, or keep the state in an object store."
        )


@contextmanager
def _logged() -> Iterator[list[LogRecord]]:
    """The lines that the product's own loggers write meanwhile."""
    lines: list[LogRecord] = []
    handler = _Lines(lines)
    loggers = [logging.getLogger(room) for room in ROOMS]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        yield lines
    finally:
        for logger in loggers:
            logger.removeHandler(handler)


@dataclass(eq=False)
class _Lines(logging.Handler):
    """Collects lines of a log."""

    lines: list[LogRecord] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self.thread:  # others work on other buckets
            self.lines.append(LogRecord(record.name, record.levelno, record.getMessage()))
