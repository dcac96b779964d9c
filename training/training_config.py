"""The settings of a project that a training depends on."""

from __future__ import annotations

from dataclasses import dataclass, field

from features.catalog.definitions import Indicator
from features.catalog.settings import FeatureSettings
from features.timeline import Timeline
from training.bundle.lifetime.settings import ValueSettings
from training.bundle.tiers import TierSettings
from training.data.contact_weights import ContactAssignments
from training.fitting.lightgbm import TreeParameters
from training.labels.settings import ChurnSettings


@dataclass(frozen=True)
class TrainingConfig:
    """The settings of a project that a training depends on."""

    timeline: Timeline
    indicators: tuple[Indicator, ...]
    features: FeatureSettings
    churn: ChurnSettings
    tiers: TierSettings
    contacts: int
    closed: tuple[str, ...] = ()
    """Sources that have ended for good."""
    seed: int = 0
    models: TreeParameters = field(default_factory=TreeParameters)
    consent: frozenset[str] = frozenset()
    """Attributes that the project names as consent: nothing is learned from them."""
    value: ValueSettings = field(default_factory=lambda: ValueSettings.model_validate({}))
    assignments: ContactAssignments | None = None
    """Who was in which arm of the campaigns, for `without_contact`."""
