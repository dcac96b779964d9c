"""What a training left out: features that were dropped or not read, as-of dates without a role, rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from features.timeline import Timeline
from training.data.dataset import share_of_rows

if TYPE_CHECKING:
    from training.bundle.model_bundle import Bundle
    from training.evaluation.role_rows import RoleRows


@dataclass(frozen=True)
class TrainingLeftOut:
    """What is not in the model, and what it did not learn from."""

    dropped_features: tuple[str, ...]
    """By `[features] drop`."""
    features_not_read: tuple[str, ...]
    """Offered to the churn model, and read by none of its trees nor by its regression."""
    dates_without_role: tuple[str, ...]
    """Labelled dates that neither fit, calibrate nor test: their horizons reach into another role, or they
    have too little history."""
    dates_not_learned: tuple[str, ...]
    """Labelled dates that the delivered model does not learn from, as they have less than `active_days` of
    history."""
    rows_without_role: int
    """Rows of customers on dates without a role."""
    rows_of_treatment_arms: int
    """Left out where the risk without contact is learned."""
    share_of_rows: float
    """The share of the cohort's rows that was learned from; below 1 a large history was thinned evenly."""

    @property
    def figures(self) -> dict[str, float]:
        """The counts, by their names in MLflow."""
        return {
            "left_out/dropped_features": len(self.dropped_features),
            "left_out/features_not_read": len(self.features_not_read),
            "left_out/dates_without_role": len(self.dates_without_role),
            "left_out/dates_not_learned": len(self.dates_not_learned),
            "left_out/rows_without_role": self.rows_without_role,
            "left_out/rows_of_treatment_arms": self.rows_of_treatment_arms,
            "left_out/share_of_rows": self.share_of_rows,
        }


def left_out(bundle: Bundle, roles: RoleRows) -> TrainingLeftOut:
    """What a training left out of the labelled rows `roles` and of the features that there could be."""
    splits, columns = roles.splits, bundle.catalog.columns
    name = Timeline(bundle.timezone).name
    with_role = {*splits.fit, *splits.calibrate, *splits.test}
    idle = [date for date in splits.every if date not in with_role]
    contacts: Mapping[str, int] = bundle.settings.get("without_contact", {})
    customers = int(bundle.settings.get("customers", 0))
    return TrainingLeftOut(
        bundle.catalog.dropped,
        tuple(column for column, read in zip(columns, bundle.used, strict=True) if not read),
        tuple(name(date) for date in idle),
        tuple(name(date) for date in splits.every if date not in set(splits.labelled)),
        int(np.isin(roles.rows.as_of, idle).sum()),
        int(contacts.get("left_out", 0)),
        share_of_rows(len(columns), customers, len(splits.every)),
    )
