"""Who is a control customer now: the one function that every way out of the house asks.

A control customer of a running campaign, and one of the standing control group, is held back from
marketing until the hold ends. As with consent, that is decided for the moment of acting, not for the date of
the scores.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features.storage.customer_ids import CustomerAliases
from serving.experiments.assignment import in_share
from serving.experiments.campaign_file import FOLDER, load
from serving.experiments.merged_customers import CurrentAssignment, current_assignment
from serving.project.settings import Project
from serving.state.campaigns.campaign_index import CampaignRecord, global_control_seed, holding_back
from serving.state.database import Database


@dataclass(frozen=True, eq=False)
class HeldBackCustomers:
    """The control customers at one moment."""

    campaigns: tuple[str, ...] = ()
    """The campaigns that hold back."""
    keys: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    """int64[c], ascending: the control customers of these campaigns."""
    global_control: float = 0.0
    seed: int = 0

    def held(self, keys: NDArray[np.int64]) -> NDArray[np.bool_]:
        """bool[n]: whether each customer is held back."""
        held: NDArray[np.bool_] = np.isin(keys, self.keys) | self.globally(keys)
        return held

    def globally(self, keys: NDArray[np.int64]) -> NDArray[np.bool_]:
        """bool[n]: whether each customer is of the standing control group."""
        return in_share(self.seed, keys, self.global_control)

    @property
    def anybody(self) -> bool:
        """Whether anybody can be held back."""
        return len(self.keys) > 0 or self.global_control > 0

    @property
    def fingerprint(self) -> tuple[tuple[str, ...], int, float, int]:
        """What tells this answer from that of another moment."""
        return self.campaigns, len(self.keys), self.global_control, self.seed


NOBODY_HELD_BACK = HeldBackCustomers()


def held_back(database: Database, project: Project, aliases: CustomerAliases, now: int) -> HeldBackCustomers:
    """The control customers at an instant, read from the records and the campaign files.

    They are named by the keys that are in use today.

    Raises `DataError` where the file of a running campaign cannot be read: without it nobody could vouch
    that a customer may be contacted.
    """
    running = holding_back(database, now)
    parts = [assignment_today(project, one, aliases).assignment.control for one in running]
    return replace(
        global_control_group(database, project),
        campaigns=tuple(one.name for one in running),
        keys=np.unique(np.concatenate([np.empty(0, np.int64), *parts])),
    )


def global_control_group(database: Database, project: Project) -> HeldBackCustomers:
    """The standing control group alone."""
    share = project.settings.campaigns.global_control
    seed = global_control_seed(database) if share > 0 else 0
    return HeldBackCustomers(global_control=share, seed=seed)


def assignment_today(project: Project, record: CampaignRecord, aliases: CustomerAliases) -> CurrentAssignment:
    """The assignment of a started campaign under the keys that are in use today, read from its file."""
    return current_assignment(load(assignment_file(project, record)), aliases)


def assignment_file(project: Project, record: CampaignRecord) -> Path:
    """Where the assignment of a started campaign lies."""
    return project.state / FOLDER / record.file
