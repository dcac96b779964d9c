"""The fitted models of a bundle, and the names that LightGBM's texts give to feature columns."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from training.bundle.score_regression import ScoreRegression


@dataclass(frozen=True)
class LightGBMModels:
    """LightGBM model texts; no value model where events carry no amounts."""

    churn: str
    tier: str
    value: str | None
    regression: ScoreRegression | None = None
    """What is blended with the churn trees, by log-odds; None where they stand alone."""


def column_slots(columns: Sequence[str]) -> tuple[str, ...]:
    """What the model texts call these columns: the place of each, and a digest of its name.

    LightGBM rewrites a space and refuses a colon, and kinds of event may have either. The digest tells a
    text whose columns stand in another order.
    """
    return tuple(f"f{at}_{hashlib.sha256(name.encode()).hexdigest()[:8]}" for at, name in enumerate(columns))
