"""The default features of a project for its own meaning of churn."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from features.catalog.defaults import Deciding, catalog
from features.catalog.definitions import Catalog, Indicator
from features.catalog.settings import FeatureSettings
from training.labels.settings import Churn


def churn_catalog(
    indicators: Sequence[Indicator],
    settings: FeatureSettings,
    kinds: Collection[str],
    churn: Churn,
    consent: Collection[str] = (),
    details: Mapping[str, Sequence[str]] | None = None,
) -> Catalog:
    """The catalogue of the features that a training computes, for the kinds of event that there are.

    `details` are those of `indicator_details`, by indicator.
    """
    return catalog(
        indicators,
        settings,
        kinds,
        horizon_days=churn.horizon.reach,
        consent=consent,
        deciding=Deciding(churn.indicators, churn.active_days, churn.horizon.days),
        details=details or {},
    )
