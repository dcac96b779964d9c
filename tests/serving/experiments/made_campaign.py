"""A campaign of a few customers on a small store: its assignment without a draw, and its outcomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from features.event_store import EventStore
from serving.experiments.assignment import CONTROL, TREATMENT
from serving.experiments.campaign_file import Assignment, AssignmentFacts
from serving.experiments.outcomes import OutcomeRules
from tests.serving.reports.small import INDICATORS, UTC, churn

START = UTC.instant("2025-01-01")


def assignment(
    store: EventStore,
    arms: Mapping[str, str],
    *,
    values: Mapping[str, float] | None = None,
    tiers: Sequence[str] = ("low", "high"),
) -> Assignment:
    """Customers by arm, `t` or `c`; everybody is worth 100 unless `values` says otherwise."""
    keys = store.customers.keys(pa.array(list(arms)))
    assert (keys >= 0).all()
    n = len(arms)
    columns: dict[str, np.ndarray] = {
        "key": keys,
        "arm": np.array([TREATMENT if arm == "t" else CONTROL for arm in arms.values()], np.int8),
        "stratum": np.zeros(n, np.int32),
        "risk_decile": np.arange(n).astype(np.int8) % 10,
        "churn_probability": np.full(n, 0.2),
        "expected_value": np.array([(values or {}).get(name, 100.0) for name in arms]),
        "value_at_risk": np.full(n, 20.0),
        "tier": np.arange(n).astype(np.int8) % len(tiers),
        "tenure_days": np.full(n, 400.0),
        "past_spend": np.full(n, 50.0),
    }
    return Assignment.of(columns, AssignmentFacts("spring", tuple(tiers)), [None] * n, {})


def rules(**settings: object) -> OutcomeRules:
    """What decides over outcomes, with these settings of `[churn]`."""
    return OutcomeRules("spring", START, churn(**settings), INDICATORS, UTC)
