"""The customers, dates and outcomes of every role of a training, on which other settings can be refitted."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from training.data.dataset import LabelledRows
from training.data.splits import TemporalSplits


@dataclass(frozen=True, eq=False)
class RoleRows:
    """The labelled rows of a training without their features, and which dates are of which role."""

    rows: LabelledRows
    """Every labelled row; its matrix has no column."""
    splits: TemporalSplits


def role_rows(rows: LabelledRows, splits: TemporalSplits) -> RoleRows:
    """The rows without features: a small part of their memory."""
    nothing = np.zeros((len(rows), 0))
    return RoleRows(replace(rows, matrix=nothing, after=nothing, columns=(), after_columns=()), splits)
