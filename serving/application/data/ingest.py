"""Running a project's sources into its event store."""

from __future__ import annotations

from dataclasses import dataclass

from features.errors import ConfigurationError
from features.ingestion.receipt import Receipt
from serving.application.permissions import Actor, use_case
from serving.application.workspace import Progress, Workspace


@dataclass(frozen=True)
class IngestResult:
    """What became of each source's rows, and the data version afterwards."""

    sources: tuple[Receipt, ...]
    data_version: str


@use_case("run")
def ingest(workspace: Workspace, actor: Actor, progress: Progress | None = None) -> IngestResult:
    """Read every source into the store, or none where one cannot be read; twice changes nothing.

    Raises `ConfigurationError` where kizuna.toml names no source.
    """
    project, settings = workspace.project, workspace.project.settings
    if not settings.sources:
        raise ConfigurationError(
            f"cannot ingest: {project.folder / 'kizuna.toml'} names no source. Add one, as in "
            '`[[sources]]`, `name = "orders"`, `query = "select …"`.',
            field="sources",
        )
    receipts = workspace.store.ingest(
        settings.sources,
        settings.attributes,
        settings.aliases,
        folder=project.folder,
        timeline=project.timeline,
        now=workspace.clock(),
        progress=progress,
    )
    return IngestResult(tuple(receipts), workspace.store.version)
