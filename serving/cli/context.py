"""One call of the command: its project and clock, the workspace of the use cases, and the way to answer."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click

from features.errors import UsageError
from serving.cli.progress import progress
from serving.schemas.json_text import to_json

if TYPE_CHECKING:
    from features.event_store import EventStore
    from serving.application.permissions import Actor
    from serving.application.workspace import ProjectFolder, Workspace
    from serving.project.settings import Project
    from serving.state.database import Database

LANGUAGES = click.Choice(["en", "ja"])
ORDERS = click.Choice(["value_at_risk", "churn_probability", "lifetime_value", "uplift", "incremental_value"])
"""What the list can be ordered by: `training.bundle.list_policy.ListOrder`, which would load more."""
FORMATS = click.Choice(["table", "csv", "json"])
OUTPUT = click.Path(dir_okay=False, path_type=Path)
CLUSTER = click.option(
    "--cluster",
    metavar="ADDRESS",
    help="Work on a Dask cluster: tcp://HOST:8786, local:2 for two processes here, none [cluster.address].",
)
"""The option of commands whose work on the events can be done by a cluster."""


def list_format(requested: str | None, output: Path | None, *, as_json: bool) -> str:
    """The format of a list: table, csv or json. Options that contradict each other are refused."""
    if output is None:
        if as_json and requested not in (None, "json"):
            raise UsageError(
                f"cannot print a {requested} with --json, which prints one JSON object. "
                "Leave one of the two out, or write the list to a file with --output."
            )
        return requested or ("json" if as_json else "table")
    if requested == "table":
        raise UsageError(
            f"cannot write a table to {output}: a table is for reading on the screen. "
            "Give --format csv or --format json."
        )
    ending = output.suffix.removeprefix(".").lower()
    if requested is None and ending not in ("csv", "json"):
        raise UsageError(
            f"cannot tell in which format to write {output}: its name ends neither in .csv nor in .json. "
            "Give --format csv or --format json."
        )
    return requested or ending


def parquet(output: Path) -> Path:
    """The Parquet file to write; a name that promises another format is refused."""
    if output.suffix.lower() not in ("", ".parquet"):
        raise UsageError(
            f"cannot write {output}: the table is written as Parquet, which that name does not say. "
            "Give a name that ends in .parquet."
        )
    return output


def output_folder(output: str) -> Path | None:
    """The folder that is meant by an output that can be a file or a folder of files; None for a file."""
    path = Path(output)
    return path if output.endswith("/") or path.suffix == "" or path.is_dir() else None


@dataclass
class CliContext:
    """One call of the command: where the project is, and how to answer."""

    folder: Path = field(default_factory=Path.cwd)
    json: bool = False

    @cached_property
    def project(self) -> Project:
        from serving.project.settings import read

        return read(self.folder)

    @property
    def in_project(self) -> bool:
        """Whether the folder holds a project."""
        from serving.project.language import FILE

        return (self.folder / FILE).is_file()

    @cached_property
    def store(self) -> EventStore:
        from serving.state.database import Database
        from serving.state.remote.open_store import open_store

        return open_store(self.project, Database(self.project.records, lazily=True))

    def records(self) -> Database:
        from serving.state.database import Database

        return Database(self.project.records)

    @property
    def actor(self) -> Actor:
        """Whoever sits at this machine."""
        from serving.application.permissions import COMMAND_LINE

        return COMMAND_LINE

    @contextmanager
    def workspace(self) -> Iterator[Workspace]:
        """The open project that a use case works on."""
        from serving.application.workspace import open_workspace
        from serving.project.clock import project_clock, system_clock
        from serving.state.remote.state_files import share_everything

        workspace = open_workspace(self.project, project_clock(self.project), system_clock)
        with workspace.database:
            yield workspace
            share_everything(self.project)

    @contextmanager
    def workspace_on_cluster(self, address: str | None) -> Iterator[Workspace]:
        """The open project, its events worked on by the cluster of this option or of `[cluster]`."""
        from serving.application.cluster import on_cluster

        with self.workspace() as workspace, on_cluster(workspace, address) as clustered:
            yield clustered

    def new_project(self, folder: Path | None = None) -> ProjectFolder:
        """The folder in which a project is to be made."""
        from serving.application.workspace import ProjectFolder
        from serving.project.clock import system_clock

        return ProjectFolder(folder or self.folder, system_clock)

    @property
    def now(self) -> int:
        """The present instant of the project."""
        from serving.project.clock import project_clock

        return project_clock(self.project)()

    def day(self, instant: int) -> str:
        """An instant as a person reads it, in the project's time zone, to the second."""
        return self.project.timeline.local(instant).isoformat(timespec="seconds")

    @cached_property
    def language(self) -> str:
        """The language of messages: the project's, or the user's locale where there is no project yet."""
        from serving.project.language import message_language

        return message_language(self.folder, os.environ)

    def translated(self, message: str) -> str:
        """An error or a result line in the language of messages; English where it has no translation."""
        from serving.presentation.messages.catalog import translated

        return translated(message, self.language)

    def say(self, answer: object, *lines: str) -> None:
        """Print the answer: one JSON object with --json, else these lines."""
        click.echo(to_json(answer) if self.json else "\n".join(map(self.translated, lines)))

    @property
    def marks(self) -> dict[str, bool]:
        """What the JSON of a simulated project says besides: that its time is simulated."""
        return {"simulated_time": True} if self.in_project and self.project.simulated else {}

    def answer(self, answer: object, *lines: str) -> None:
        """Print the answer of a project, as `say`; a simulated project says that its time is simulated."""
        if self.json:
            click.echo(to_json(answer, **self.marks))
        else:
            self.heading(self.project.settings.language)
            click.echo("\n".join(map(self.translated, lines)))

    def heading(self, language: str) -> None:
        """Above a table, say that the project's time is simulated, where it is."""
        if self.project.simulated:
            click.echo(self._simulated_time(language))

    def _simulated_time(self, language: str) -> str:
        from features.catalog.display_names import in_language

        return f"{in_language(language, 'simulated time', '模擬時刻')}: {self.day(self.now)}"

    def progress(self) -> AbstractContextManager[Callable[[str, float], None]]:
        return progress(self.translated)


class HelpContext(click.Context):
    """A command's context whose help is in the language of messages."""

    def make_formatter(self) -> click.HelpFormatter:
        call = self.find_object(CliContext)
        if call is None or call.language == "en":
            return super().make_formatter()
        from serving.cli.japanese_help import JapaneseHelp

        return JapaneseHelp()


def with_translated_help(command: click.Command) -> None:
    """Let the help of a command, and of those below it, be in the language of messages."""
    command.context_class = HelpContext
    for below in command.commands.values() if isinstance(command, click.Group) else ():
        with_translated_help(below)
