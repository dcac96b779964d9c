"""What the console needs of the service that runs it: the open project, threads for work, who opens it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

from starlette.responses import Response
from starlette.types import Scope

from serving.application.workspace import Clock, Workspace
from serving.project.settings import Project

T = TypeVar("T")


class OpenProject(Protocol):
    """The project as the running service holds it."""

    project: Project
    clock: Clock
    trouble: str | None
    """Why newer scores or a newer champion are not in use."""

    @property
    def workspace(self) -> Workspace:
        """The project for use cases that do not read the store."""

    def workspace_for_one_call(self) -> Workspace:
        """The project with a store of its own: a store is not to be shared by threads."""


class Threads(Protocol):
    """A pool of threads in which answers are made."""

    async def run(self, work: Callable[[], T]) -> T:
        """The result of a function that runs in a thread."""


@dataclass(frozen=True)
class ConsoleHost:
    """The service around the console."""

    service: OpenProject
    short: Threads
    """For pages."""
    long: Threads
    """For work of many seconds."""
    is_open: Callable[[Scope], bool]
    """Whether a request comes from this machine to a service that asks for no key (`kizuna serve --open`)."""
    csv: Callable[[Iterator[str], str], Awaitable[Response]]
    """Streams the lines of a CSV file under a file name."""
