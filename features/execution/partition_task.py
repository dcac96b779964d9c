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
from typing import Any, Generic, Protocol, Self, TypeVar

from features.cores import limit_cores
from features.errors import ClusterError, ConfigurationError, KizunaError
from features.event_store import EventStore
from features.execution.base import Gathered, Scan
from features.storage.backends.local_folder import LocalFolder

ROOMS = ("features", "training", "serving")
LIBRARIES = ("numpy", "numba", "pyarrow", "lightgbm", "distributed")
"""Libraries by which the bytes of a result, or their way home, can differ."""


Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)


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


class Work(Protocol[Result_co]):
    """What to do with each bucket: sent to each worker once."""

    def do(self, bucket: int) -> Any:
        """Do a bucket, in a worker; gives what travels home."""

    def result(self, sent: Any) -> Result_co:
        """The result that was sent home."""


@dataclass(frozen=True, eq=False)
class BucketWork(Generic[Result]):
    """A task that takes the number of a bucket, and whose result travels as it is."""

    task: Callable[[int], Result]

    def do(self, bucket: int) -> Result:
        return self.task(bucket)

    def result(self, sent: Result) -> Result:
        return sent


@dataclass(frozen=True, eq=False)
class PartitionWork(Generic[Gathered]):
    """An accumulator to make for each bucket. The store travels as its address and version."""

    store: EventStore
    scan: Scan
    new: Callable[[], Gathered]
    """Makes an empty accumulator: its class, or a `partial` of it."""

    @property
    def inputs(self) -> tuple[object, ...]:
        """What every accumulator is made from: both sides have it, so results travel without it."""
        arguments = getattr(self.new, "args", ()), getattr(self.new, "keywords", {})
        return (*arguments[0], *arguments[1].values())

    def do(self, bucket: int) -> tuple[type[Gathered], dict[str, object]]:
        """The class and the attributes of a bucket's accumulator, without its inputs."""
        part = self.new()
        refuse_missing_folder(self.store, bucket)
        part.add(self.store.history(bucket, **self.scan.options))
        places = {id(value): place for place, value in enumerate(self.inputs)}
        return type(part), {
            name: _Input(places[id(value)]) if id(value) in places else value
            for name, value in vars(part).items()
        }

    def result(self, sent: tuple[type[Gathered], dict[str, object]]) -> Gathered:
        """The accumulator, with the inputs that this side has."""
        kind, state = sent
        inputs, whole = self.inputs, object.__new__(kind)
        for name, value in state.items():
            object.__setattr__(whole, name, inputs[value.place] if isinstance(value, _Input) else value)
        return whole


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
class BucketResult:
    """What comes home of one bucket."""

    sent: Any
    """Of `Work.do`; None where there is an error."""
    runtime: Runtime
    error: KizunaError | None = None
    """What a user can put right, raised where the command runs."""
    log: tuple[LogRecord, ...] = ()
    processor_seconds: float = 0.0
    peak_bytes: int = 0
    """The most memory that the worker's process has held so far."""


def without_kizuna(who: str, error: Exception) -> ClusterError:
    """The error of a scheduler or worker that has no Kizuna."""
    return ClusterError(
        f"cannot work on the cluster: {who} could not load Kizuna ({error}). Install the same version there."
    )


@dataclass
class WorkerUse:
    """What a worker has used so far."""

    processor_seconds: float = 0.0
    peak_bytes: int = 0
    buckets: int = 0

    def note(self, result: BucketResult) -> None:
        """Add what a bucket took."""
        self.processor_seconds += result.processor_seconds
        self.peak_bytes = max(self.peak_bytes, result.peak_bytes)
        self.buckets += 1


def work_on(work: Work[Result], bucket: int) -> BucketResult:
    """Do one bucket on one core; an error that a user can put right comes home in the result."""
    limit_cores(1)
    runtime, began = Runtime.here(), time.process_time()
    sent, error = None, None
    with _logged() as log:
        try:
            sent = work.do(bucket)
        except KizunaError as wrong:
            error = wrong
    return BucketResult(sent, runtime, error, tuple(log), time.process_time() - began, peak_memory())


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
