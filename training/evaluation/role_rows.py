"""The customers, dates and outcomes of every role of a training, on which other settings can be refitted."""

from __future__ import annotations

from dataclasses import dataclass, replace

from training.data.rows.labelled_rows import LabelledRows
from training.data.splits import TemporalSplits


@dataclass(frozen=True, eq=False)
class RoleRows:
    """The labelled rows of a training without their features, and which dates are of which role."""

    rows: LabelledRows
    """Every labelled row; its matrix has no column, but the next period has what tiers are read off."""
    splits: TemporalSplits
    customers: int
    """How many there are in the store, of whom these rows are those of the cohorts."""


def role_rows(rows: LabelledRows, splits: TemporalSplits, customers: int) -> RoleRows:
    """The rows without features, and their roles."""
    after = rows.after if rows.places is None else rows.after[rows.places]
    bare = replace(rows.bare, after=after, after_columns=rows.after_columns)
    return RoleRows(bare, splits, customers)
