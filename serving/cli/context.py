"""One call of the command: the project, its store and records, the clock, and the way to answer."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from features.errors import UsageError
from serving.cli.progress import progress

if TYPE_CHECKING:
    from features.event_store import EventStore
    from serving.project.settings import Project
    from serving.state.database import Database
    from training.registry.mlflow_tracking import Tracking
    from training.train import TrainingConfig

LANGUAGES = click.Choice(["en", "ja"])
FORMATS = click.Choice(["table", "csv", "json"])
OUTPUT = click.Path(dir_okay=False, path_type=Path)


def list_format(asked: str | None, output: Path | None, *, as_json: bool) -> str:
    """The format of a list: table, csv or json. Options that contradict each other are refused."""
    if output is None:
        if as_json and asked not in (None, "json"):
            raise UsageError(
                f"cannot print a {asked} with --json, which prints one JSON object. "
                "Leave one of the two out, or write the list to a file with --output."
            )
        return asked or ("json" if as_json else "table")
    if asked == "table":
        raise UsageError(
            f"cannot write a table to {output}: a table is for reading on the screen. "
            "Give --format csv or --format json."
        )
    ending = output.suffix.removeprefix(".").lower()
    if asked is None and ending not in ("csv", "json"):
        raise UsageError(
            f"cannot tell in which format to write {output}: its name ends neither in .csv nor in .json. "
            "Give --format csv or --format json."
        )
    return asked or ending


def parquet(output: Path) -> Path:
    """The Parquet file to write; a name that promises another format is refused."""
    if output.suffix.lower() not in ("", ".parquet"):
        raise UsageError(
            f"cannot write {output}: the table is written as Parquet, which that name does not say. "
            "Give a name that ends in .parquet."
        )
    return output


@dataclass
class CliContext:
    """One call of the command: where the project is, and how to answer."""

    folder: Path = field(default_factory=Path.cwd)
    json: bool = False

    @cached_property
    def project(self) -> Project:
        from serving.project.settings import read

        return read(self.folder)

    @cached_property
    def store(self) -> EventStore:
        from features.event_store import EventStore

        return EventStore(self.project.state)

    def records(self) -> Database:
        from serving.state.database import Database

        return Database(self.project.records)

    def plan(self) -> TrainingConfig:
        """What the recipe of training is made of."""
        from training.train import TrainingConfig

        settings = self.project.settings
        return TrainingConfig(
            timeline=self.project.timeline,
            indicators=self.project.indicators,
            features=settings.features,
            churn=settings.churn,
            tiers=settings.tiers,
            contacts=settings.capacity.contacts,
        )

    def tracking(self) -> Tracking:
        from training.registry.mlflow_tracking import Tracking

        return Tracking(self.project.settings.tracking_uri, self.project.folder)

    @property
    def now(self) -> int:
        return time.time_ns() // 1_000

    def instant(self, date: str) -> int:
        """The instant of a date as typed; one that has not come yet is refused."""
        instant = self.project.timeline.instant(date)
        if instant > self.now:
            raise UsageError(
                f"cannot use the date {date}: it has not come yet. Give a date in the past, or none at all."
            )
        return instant

    def say(self, answer: dict[str, Any], *lines: str) -> None:
        """Print the answer: one JSON object with --json, else these lines."""
        click.echo(json.dumps(answer, ensure_ascii=False) if self.json else "\n".join(lines))

    def progress(self) -> AbstractContextManager[Callable[[str, float], None]]:
        return progress()
