"""Whom contact helps in a campaign that was run elsewhere: the uplift models on the columns of its table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.errors import UsageError
from serving.experiments.outside.experiment_table import ExperimentTable
from training.causal.uplift_evidence import UpliftAssessment, assess_uplift


@dataclass(frozen=True, eq=False)
class LoadedUplift:
    """Whether contact helps some more than others, on one outcome of one treatment."""

    outcome: str
    treated: str
    assessment: UpliftAssessment
    notes: tuple[str, ...]


def refuse_unclear_uplift(outcome: str | None, features: Sequence[str], taken: Sequence[str]) -> None:
    """Raise `UsageError` where features are missing, asked for nothing, or not known before the campaign."""
    if outcome is None and features:
        raise UsageError(
            "cannot use --feature without --uplift. "
            "Say with --uplift OUTCOME on which outcome contact may help some more than others."
        )
    if outcome is not None and not features:
        raise UsageError(
            f"cannot ask whom contact helps on '{outcome}' without features. "
            "Name with --feature the columns that were known before the campaign."
        )
    for feature in features:
        if feature in (*taken, outcome):
            raise UsageError(
                f"cannot use the column '{feature}' as a feature: it is the customer, the arm or an outcome. "
                "Name columns that were known before the campaign."
            )


def loaded_uplift(
    table: ExperimentTable,
    outcome: str,
    treatment: str,
    members: NDArray[np.bool_],
    controls: NDArray[np.bool_],
) -> LoadedUplift:
    """Ask whom the treatment helps, of its customers and those of the control arm.

    The probability of treatment is the share of the treated among them: nothing else is known of the
    assignment.
    """
    rows = members | controls
    treated = members[rows]
    assessment = assess_uplift(
        table.features.filter(pa.array(rows)), treated, table.outcomes[outcome][rows], float(treated.mean())
    )
    ignored = assessment.book.ignored if assessment.book else ()
    notes = tuple(
        f"feature '{name}' is left out: it is the same for all, or each of its texts is rare."
        for name in ignored
    )
    return LoadedUplift(outcome, treatment, assessment, notes)
