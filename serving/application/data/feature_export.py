"""The feature table of a cohort at an as-of date, as one table or as a folder of files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from serving.actions.contact_rules import consent_rules
from serving.application.permissions import Actor, use_case
from serving.application.workspace import Progress, Workspace
from serving.state.output_folder import folder_in_one_step
from serving.state.scores.score_index import current_champion
from training.bundle.model_bundle import Bundle
from training.data.feature_parts import PART_NAME, FeatureParts, write_feature_parts
from training.data.feature_table import FeatureColumns, cohort_feature_table, feature_columns


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """`customer_id` and one column per feature, details as text; one row for each customer of the cohort."""

    table: pa.Table


@use_case("analyse")
def export_features(
    workspace: Workspace, actor: Actor, as_of: str, progress: Progress | None = None
) -> FeatureTable:
    """The features of the cohort on a day; raises `DataError` where nobody could leave then."""
    columns = _columns(workspace, as_of)
    return FeatureTable(cohort_feature_table(workspace.store, columns, progress, engine=workspace.engine))


@use_case("analyse")
def export_feature_parts(
    workspace: Workspace, actor: Actor, as_of: str, folder: Path, progress: Progress | None = None
) -> FeatureParts:
    """The same rows as a folder of Parquet files, one for each bucket, which the workers write themselves.

    The folder appears when all of them are there, in the place of an earlier one; one that holds other files
    is refused with `UsageError`. Raises `DataError` where nobody could leave on that day.
    """
    with folder_in_one_step(folder, PART_NAME) as unfinished:
        columns = _columns(workspace, as_of)
        return write_feature_parts(workspace.store, columns, unfinished, progress, engine=workspace.engine)


def _columns(workspace: Workspace, as_of: str) -> FeatureColumns:
    project = workspace.project
    return feature_columns(
        workspace.store,
        project.indicators,
        project.settings.features,
        project.churn,
        project.timeline,
        workspace.instant(as_of),
        _champion(workspace),
        consent_rules(project).names,
        engine=workspace.engine,
    )


def _champion(workspace: Workspace) -> Bundle | None:
    """The bundle in use; None before one was promoted."""
    in_use = current_champion(workspace.database)
    return None if in_use is None else workspace.scores.active_model().bundle
