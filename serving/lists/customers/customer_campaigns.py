"""The campaigns of one customer: their arm, since when, and how often they were contacted."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

import numpy as np

from features.events.history import Flags, History, events_of_kinds
from serving.experiments.assignment import CONTROL
from serving.experiments.campaign_file import load
from serving.experiments.held_back import assignment_file
from serving.project.settings import Project
from serving.schemas.customer_responses import CustomerCampaign
from serving.state.campaigns.campaign_index import CampaignRecord


def customer_campaigns(
    project: Project,
    records: Iterable[CampaignRecord],
    keys: Sequence[int],
    history: History,
    contact_kinds: Collection[str],
    now: int,
) -> Iterator[CustomerCampaign]:
    """The started campaigns that a customer is assigned to, in the order of the records.

    `keys` are theirs, the earliest of which that has an arm counts. Raises `DataError` for a damaged file.
    """
    contacts = events_of_kinds(history, contact_kinds)
    for record in records:
        if record.started_at is None or not record.file:
            continue
        arms = load(assignment_file(project, record)).arms_of(np.sort(np.array(keys, np.int64)))
        if not (arms >= 0).any():
            continue
        yield CustomerCampaign(
            record.name,
            bool(arms[arms >= 0][0] == CONTROL),
            record.started_at,
            record.hold_until if record.holds_back(now) else None,
            _contacts(history, contacts, record.name),
        )


def _contacts(history: History, contacts: Flags, name: str) -> int:
    if name not in history.detail_names or not len(history.details):
        return 0
    return int((contacts & (history.details == history.detail_names.index(name))).sum())
