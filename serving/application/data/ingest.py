"""Running a project's sources into its event store."""

from __future__ import annotations

from dataclasses import dataclass

from features.errors import ConfigurationError, UsageError
from features.ingestion.receipt import Receipt
from features.ingestion.session.guards import NO_OPTIONS, IngestOptions
from serving.actions.contact_rules import consent_rules
from serving.application.permissions import Actor, use_case
from serving.application.workspace import Progress, Workspace
from serving.state.audit_log import record_action
from serving.state.ingest_log import record_ingest


@dataclass(frozen=True)
class IngestResult:
    """What became of each source's rows, and the data version afterwards."""

    sources: tuple[Receipt, ...]
    data_version: str


@use_case("run")
def ingest(
    workspace: Workspace,
    actor: Actor,
    options: IngestOptions = NO_OPTIONS,
    progress: Progress | None = None,
    *,
    drop_earlier_versions: bool = False,
) -> IngestResult:
    """Read every source into the store, or none where one cannot be read; twice changes nothing.

    A source that would double or lose its events is not stored; its receipt says why. What the options
    decide is written to the audit log. With `drop_earlier_versions` the files of earlier versions of the
    store are then deleted, which otherwise stay for a day. Raises `ConfigurationError` where kizuna.toml
    names no source, `UsageError` where the options name one that is not there.
    """
    project, settings = workspace.project, workspace.project.settings
    if not settings.sources:
        raise ConfigurationError(
            f"cannot ingest: {project.folder / 'kizuna.toml'} names no source. Add one, as in "
            '`[[sources]]`, `name = "orders"`, `query = "select …"`.',
            field="sources",
        )
    names = [source.name for source in (*settings.sources, *settings.attributes)]
    for option, chosen in vars(options).items():
        known = {*names, *workspace.store.read_sources} if option == "replace" else set(names)
        for name in sorted(chosen - known):
            raise UsageError(
                f"cannot ingest with --{option.replace('_', '-')} {name}: kizuna.toml has no source or "
                f"attribute of that name. It has {', '.join(names)}.",
                field=option,
            )
    receipts = workspace.store.ingest(
        settings.sources,
        settings.attributes,
        settings.aliases,
        folder=project.folder,
        timeline=project.timeline,
        now=workspace.clock(),
        options=options,
        consent=consent_rules(project),
        scales=project.survey_scales,
        units=project.recurring_units,
        progress=progress,
        runner=workspace.engine.bucket_runner,
    )
    if drop_earlier_versions:
        workspace.store.drop_earlier_versions()
    decided = {option: chosen for option, chosen in vars(options).items() if chosen}
    if decided:
        with workspace.database.writing() as connection:
            for option, chosen in decided.items():
                details = ", ".join(sorted(chosen))
                record_action(connection, actor.name, f"ingest {option}", workspace.clock(), details=details)
    result = IngestResult(tuple(receipts), workspace.store.version)
    record_ingest(project.state, workspace.clock(), actor.name, result.data_version, receipts)
    return result
