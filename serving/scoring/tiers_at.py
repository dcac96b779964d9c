"""Engagement tiers of many customers at several dates, from the few features that the tiers are read off."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from features.catalog.definitions import Catalog, Derived, Feature
from features.engine.snapshot import snapshot
from features.events.history import History
from features.timeline import Timeline
from training.bundle.model_bundle import Bundle


def tiers_at(
    bundle: Bundle, history: History, keys: NDArray[np.int64], dates: Sequence[int]
) -> list[NDArray[np.int8]]:
    """int8[keys] for each date: the tier of each customer by the bundle's scale, 0 the lowest."""
    scale, timeline = bundle.tiers, Timeline(bundle.timezone)
    catalog = catalog_of(bundle.catalog, {column for part in scale.parts for column in part.columns})
    tiers = []
    for date in dates:
        instants = np.full(len(keys), date)
        rows = snapshot(history, catalog, timeline, keys, instants, bundle.priors)
        tiers.append(scale.tier(scale.index(rows)))
    return tiers


def catalog_of(catalog: Catalog, columns: Collection[str]) -> Catalog:
    """The part of a catalogue that these columns need."""
    needed, features = set(columns), []
    for feature in reversed(catalog.features):
        if feature.name in needed:
            features.append(feature)
            if isinstance(feature, Derived):
                needed |= {feature.first, feature.second}
    streams = {feature.stream for feature in features if isinstance(feature, Feature)}
    used = tuple(stream for stream in catalog.streams if stream.name in streams)
    return Catalog(catalog.indicators, used, tuple(reversed(features)))
