"""Whether one configuration is better than another: both trained on the same past, without registering."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from features.errors import UsageError
from serving.application.permissions import Actor, use_case
from serving.application.workspace import Progress, Workspace, open_workspace
from serving.integrations.comparison_log import log_comparison
from serving.integrations.training import tracking, training_config
from serving.project.changed_settings import ChangedSetting, changed_settings
from serving.project.language import FILE
from serving.project.settings import Project, read
from training.configuration_comparison import (
    Configuration,
    ConfigurationComparison,
    compare_configurations,
)


@dataclass(frozen=True)
class ComparedFiles:
    """What the settings of two files make of the same past."""

    names: tuple[str, str]
    """How the two files are called: the shortest ends of their paths that tell them apart."""
    found: ConfigurationComparison
    changed: tuple[ChangedSetting, ...]
    run_id: str
    """MLflow's run that keeps the differences."""


@use_case("analyse")
def compare_files(
    workspace: Workspace,
    actor: Actor,
    first: Path,
    second: Path,
    *,
    until: str | None = None,
    progress: Progress | None = None,
) -> ComparedFiles:
    """The second file's settings against the first's; logged in MLflow, and no model is registered.

    A file beside a kizuna.toml belongs to the project of that folder, another one to the open project.
    Raises `UsageError` where the two differ in nothing that a training depends on.
    """
    workspace, files = workspace.pinned(), (first, second)
    projects = [_project(workspace, file) for file in files]
    changed = changed_settings(*projects)
    names = _names(files)
    if not changed and projects[0].state == projects[1].state:
        raise UsageError(
            f"cannot compare {names[0]} with {names[1]}: they differ in nothing that a training reads from "
            "them. Sources and attributes are read by `kizuna ingest`: to try others, copy the project "
            "folder, ingest there, and compare the two kizuna.toml."
        )
    with ExitStack() as opened:
        tried = [
            _configuration(workspace, project, name, opened)
            for project, name in zip(projects, names, strict=True)
        ]
        found = compare_configurations(
            *tried,
            until=None if until is None else workspace.instant(until),
            now=workspace.clock(),
            progress=progress,
        )
    run = log_comparison(tracking(workspace.project), names, found.differences, found, changed)
    return ComparedFiles(names, found, changed, run)


def _project(workspace: Workspace, file: Path) -> Project:
    folder = file.parent if (file.parent / FILE).is_file() else workspace.project.folder
    return read(folder, str(file.resolve()))


def _names(files: tuple[Path, Path]) -> tuple[str, str]:
    """The shortest ends of the paths that tell the two apart."""
    first, second = (file.resolve().parts for file in files)
    length = next(
        (n for n in range(1, max(len(first), len(second))) if first[-n:] != second[-n:]),
        max(len(first), len(second)),
    )
    return str(Path(*first[-length:])), str(Path(*second[-length:]))


def _configuration(workspace: Workspace, project: Project, name: str, opened: ExitStack) -> Configuration:
    """The file's settings with the events of its project."""
    own = project.state != workspace.project.state
    place = open_workspace(project, workspace.clock) if own else workspace
    if own:
        opened.enter_context(place.database)
    store = place.store.pinned()
    return Configuration(name, store, training_config(project, place.database, store.customers.aliases))
