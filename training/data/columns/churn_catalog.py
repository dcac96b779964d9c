"""The default features of a project for its own meaning of churn."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from features.catalog.defaults import Deciding, catalog
from features.catalog.definitions import Catalog, Indicator
from features.catalog.settings import FeatureSettings
from training.labels.settings import Churn

RHYTHM_OF_CONTRACTS = "usage"
"""The indicator whose rhythm says most where contracts decide churn: use fades before a contract ends."""


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
    used = [one.name for one in indicators if any(kind in kinds for kind in one.kinds)]
    rhythm = churn.indicators or tuple(name for name in used if name == RHYTHM_OF_CONTRACTS)
    return catalog(
        indicators,
        settings,
        kinds,
        horizon_days=churn.horizon.reach,
        consent=consent,
        deciding=Deciding(rhythm, churn.active_days, churn.horizon.days),
        details=details or {},
    )
