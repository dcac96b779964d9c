"""The nurture stage of a customer: where they are on their way with the service."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from serving.actions.playbook import StageRules
from serving.schemas.terms import (
    CONSIDERING,
    ESTABLISHED,
    GROWING,
    LAPSED,
    NOWHERE,
    ONBOARDING,
    RETURNED,
    RISING,
)
from training.labels.cohort import IN_COHORT, STATUSES, Status

Floats = NDArray[np.float64]


def movement(tier: NDArray[np.int8], predicted: NDArray[np.int8]) -> NDArray[np.int8]:
    """int8[n]: where the predicted tier lies against the present one; `NOWHERE` where none is predicted."""
    return np.where(predicted < 0, NOWHERE, np.sign(predicted - tier)).astype(np.int8)


def stages(
    rules: StageRules,
    status: NDArray[np.int8],
    tenure_days: Floats,
    came_back: NDArray[np.bool_],
    moved: NDArray[np.int8],
    probability: Floats,
    rank: Floats,
) -> NDArray[np.int8]:
    """int8[n]: positions in `STAGES`, the first that fits of: lapsed, returned, considering leaving,
    onboarding, growing; established else. Who is known but not active yet is onboarding.
    """
    inside = status == IN_COHORT
    return np.select(
        [
            status == STATUSES.index(Status.LAPSED),
            inside & came_back,
            inside & rules.considering_leaving.hold(probability, rank),
            (status == STATUSES.index(Status.NEW)) | (tenure_days < rules.onboarding_days),
            moved == RISING,
        ],
        [LAPSED, RETURNED, CONSIDERING, ONBOARDING, GROWING],
        ESTABLISHED,
    ).astype(np.int8)
