"""Accumulators and a store for tests of engines: importable, because workers import them."""

from __future__ import annotations

import logging
import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

from features.errors import UnknownCustomer
from features.event_store import EventStore
from features.events.history import History


@dataclass
class Seen:
    """Keys in the order in which they were merged, and a float sum that depends on that order."""

    keys: list[int] = field(default_factory=list)
    total: float = 0.0

    def add(self, history: History) -> None:
        self.keys += history.keys.tolist()
        self.total += float(history.values.sum())

    def merge(self, other: Seen) -> None:
        self.keys += other.keys
        self.total += other.total


@dataclass
class Patient(Seen):
    """As `Seen`; says in a file which process is at work, and takes its time."""

    folder: Path = Path()
    seconds: float = 0.3

    def add(self, history: History) -> None:
        (self.folder / f"{os.getpid()}").touch()
        time.sleep(self.seconds)
        super().add(history)


@dataclass
class Deadly(Seen):
    """Ends the process that works on the bucket of key 3."""

    def add(self, history: History) -> None:
        if 3 in history.keys:
            os.kill(os.getpid(), signal.SIGKILL)
        super().add(history)


@dataclass
class Named(Seen):
    """Holds the store, as some accumulators do, and the names of customers."""

    store: EventStore | None = None
    names: list[str] = field(default_factory=list)

    def add(self, history: History) -> None:
        assert self.store is not None
        self.names += self.store.customers.names(history.keys).to_pylist()

    def merge(self, other: Named) -> None:
        self.names += other.names


@dataclass
class Refusing(Seen):
    """Finds what a user can put right in the bucket of key 3."""

    def add(self, history: History) -> None:
        if 3 in history.keys:
            raise UnknownCustomer("c3", similar=["c4"])


@dataclass
class Broken(Seen):
    """Has a fault in the bucket of key 3."""

    def add(self, history: History) -> None:
        if 3 in history.keys:
            raise ValueError("the third is bad")


@dataclass
class Talking(Seen):
    """Writes a line to a log of the product."""

    def add(self, history: History) -> None:
        logging.getLogger("training.bundle").warning("%d customers", history.customers)


@dataclass
class Greedy(Seen):
    """Takes more memory than there is."""

    def add(self, history: History) -> None:
        if history.customers:
            raise MemoryError
