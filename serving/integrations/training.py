"""What training needs of a project: the recipe's configuration, and its experiments in MLflow.

Importing this loads MLflow, which takes seconds: nothing that answers requests does.
"""

from __future__ import annotations

from serving.actions.contact_rules import consent_rules
from serving.project.settings import Project
from training.registry.mlflow_tracking import Tracking
from training.train import TrainingConfig


def training_config(project: Project) -> TrainingConfig:
    """The settings of the recipe, as kizuna.toml has them."""
    settings = project.settings
    return TrainingConfig(
        timeline=project.timeline,
        indicators=project.indicators,
        features=settings.features,
        churn=settings.churn,
        tiers=settings.tiers,
        contacts=settings.capacity.contacts,
        closed=project.closed_sources,
        consent=consent_rules(project).names,
    )


def tracking(project: Project) -> Tracking:
    """The project's experiments and registered models."""
    return Tracking(project.settings.tracking_uri, project.folder)
