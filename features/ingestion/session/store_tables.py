"""The tables of a store that an ingest writes."""

from __future__ import annotations

from dataclasses import dataclass

from features.storage.delta_table import Lake
from features.storage.id_filters import IdFilters


@dataclass(frozen=True)
class StoreTables:
    """The tables of a store, which an ingest writes."""

    events: Lake
    customers: Lake
    aliases: Lake
    quarantine: Lake
    id_filters: IdFilters
    """Which event ids the files of `events` may hold."""
