"""The feature table of a cohort at an as-of date."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from serving.actions.contact_rules import consent_rules
from serving.application.permissions import Actor, use_case
from serving.application.workspace import Progress, Workspace
from serving.state.scores.score_index import current_champion
from training.bundle.model_bundle import Bundle
from training.data.feature_table import cohort_feature_table


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """`customer_id` and one column per feature, details as text; one row for each customer of the cohort."""

    table: pa.Table


@use_case("analyse")
def export_features(
    workspace: Workspace, actor: Actor, as_of: str, progress: Progress | None = None
) -> FeatureTable:
    """The features of the cohort on a day; raises `DataError` where nobody could leave then."""
    project = workspace.project
    table = cohort_feature_table(
        workspace.store,
        project.indicators,
        project.settings.features,
        project.churn,
        project.timeline,
        workspace.instant(as_of),
        _champion(workspace),
        progress,
        consent_rules(project).names,
        engine=workspace.engine,
    )
    return FeatureTable(table)


def _champion(workspace: Workspace) -> Bundle | None:
    """The bundle in use; None before one was promoted."""
    in_use = current_champion(workspace.database)
    return None if in_use is None else workspace.scores.active_model().bundle
