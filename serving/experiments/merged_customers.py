"""Customers of a campaign who turned out to be one person after the assignment."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.storage.customer_ids import CustomerAliases
from serving.experiments.campaign_file import Assignment


@dataclass(frozen=True, eq=False)
class CurrentAssignment:
    """An assignment under the keys that are in use today, one row a person."""

    assignment: Assignment
    merged: int
    """Rows that were left out because the person has another."""
    contaminated: NDArray[np.int64]
    """int64[c], ascending: the keys of persons who were in both arms; each keeps one."""


def current_assignment(assignment: Assignment, aliases: CustomerAliases) -> CurrentAssignment:
    """The assignment with each key replaced by the one that the person has today.

    Of several rows of one person the one of the key that was given first counts: it is the earlier customer.
    """
    nobody = np.empty(0, np.int64)
    gone = np.isin(assignment.keys, aliases.keys_out_of_use)
    if not gone.any():
        return CurrentAssignment(assignment, 0, nobody)
    keys = assignment.keys.copy()
    keys[gone] = [aliases.superseded[key] for key in keys[gone].tolist()]
    order = np.argsort(keys, kind="stable")  # rows of one person stay in the order of their first keys
    now, arm = keys[order], assignment.arm[order]
    first = np.append(True, now[1:] != now[:-1])
    person = np.cumsum(first) - 1
    contaminated = np.zeros(int(first.sum()), np.bool_)
    contaminated[person[arm != arm[first][person]]] = True
    table = assignment.table.take(pa.array(order[first]))
    table = table.set_column(0, "key", pa.array(now[first]))
    return CurrentAssignment(
        replace(assignment, table=table), int((~first).sum()), now[first][contaminated].astype(np.int64)
    )
