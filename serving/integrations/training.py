"""What training needs of a project: the recipe's configuration, and its experiments in MLflow.

Importing this loads MLflow, which takes seconds: nothing that answers requests does.
"""

from __future__ import annotations

from features.storage.customer_ids import CustomerAliases
from serving.actions.contact_rules import consent_rules
from serving.experiments.training_assignments import training_assignments
from serving.project.settings import Project
from serving.state.database import Database
from training.registry.mlflow_tracking import Tracking
from training.training_config import TrainingConfig


def training_config(
    project: Project, database: Database | None = None, aliases: CustomerAliases | None = None
) -> TrainingConfig:
    """The settings of the recipe, as kizuna.toml has them.

    The assignments of campaigns are read where the risk without contact is to be learned; without `database`
    there are none.
    """
    settings = project.settings
    return TrainingConfig(
        timeline=project.timeline,
        indicators=project.indicators,
        features=settings.features,
        churn=settings.churn,
        tiers=settings.tiers,
        contacts=settings.capacity.contacts,
        closed=project.closed_sources,
        value=settings.value,
        consent=consent_rules(project).names,
        assignments=None
        if database is None or settings.churn.contacts == "as_they_were"
        else training_assignments(database, project, aliases or CustomerAliases()),
    )


def tracking(project: Project) -> Tracking:
    """The project's experiments and registered models."""
    return Tracking(project.settings.tracking_uri, project.folder)
