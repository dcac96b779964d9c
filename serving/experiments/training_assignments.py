"""The assignments of every campaign as training takes them: customer, arm, times, probability of control."""

from __future__ import annotations

import numpy as np

from features.storage.customer_ids import CustomerAliases
from serving.experiments.assignment import TREATMENT
from serving.experiments.held_back import assignment_today
from serving.project.settings import Project
from serving.state.campaigns.campaign_index import CampaignRecord, campaigns
from serving.state.database import Database
from training.data.contact_weights import ContactAssignments


def training_assignments(
    database: Database, project: Project, aliases: CustomerAliases
) -> ContactAssignments:
    """Who was assigned to which arm of the campaigns that were drawn here, in the order of their start.

    Customers are named by the keys in use today. A campaign counts from its start to the end of its hold, or
    until it was stopped. Raises `DataError` where the file of a campaign cannot be read: without it nobody
    knows whose label a contact changed.
    """
    drawn = [one for one in campaigns(database) if one.started_at is not None and one.file]
    drawn.sort(key=lambda one: (one.started_at or 0, one.name))
    return ContactAssignments.of(
        [_of_campaign(number, one, project, aliases) for number, one in enumerate(drawn)]
    )


def _of_campaign(
    number: int, record: CampaignRecord, project: Project, aliases: CustomerAliases
) -> ContactAssignments:
    assignment = assignment_today(project, record, aliases).assignment
    ends = [one for one in (record.hold_until, record.stopped_at) if one is not None]
    size = len(assignment)
    return ContactAssignments(
        campaign=np.full(size, number, np.int64),
        keys=assignment.keys,
        start=np.full(size, record.started_at, np.int64),
        end=np.full(size, min(ends), np.int64),
        treated=assignment.arm == TREATMENT,
        control_probability=np.full(size, record.control_share),
    )
