"""The champion of the registry, compared with a candidate on the candidate's test rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from features.errors import ModelError, ModelFilesMissing
from features.timeline import Timeline
from training.bundle.model_bundle import Bundle
from training.data.dataset import LabelledRows, matrix_of
from training.evaluation.champion_comparison import ChampionComparison, champion_on

if TYPE_CHECKING:
    from features.event_store import EventStore
    from training.evaluation.evaluate import Evaluation
    from training.registry.mlflow_tracking import Tracking

Floats = NDArray[np.float64]


def compare_with_champion(
    store: EventStore, tracking: Tracking, candidate: Bundle, evaluation: Evaluation, until: int | None
) -> ChampionComparison | None:
    """The present champion's metrics on those test rows that it has not learned from; None without one.

    A champion whose files are missing or damaged does not stop the training: a new model replaces it.
    """
    try:
        found = tracking.champion()
    except ModelFilesMissing as missing:
        return ChampionComparison(missing.version, (), {}, not_comparable_reason="is lost")
    if found is None:
        return None
    version, folder = found
    try:
        bundle = Bundle.load(folder)
    except ModelError:
        return ChampionComparison(version, (), {}, not_comparable_reason="cannot be read")
    timeline = Timeline(bundle.timezone)

    def predict(rows: LabelledRows) -> Floats:
        matrix = matrix_of(store, bundle.catalog, timeline, bundle.priors, rows, until)
        return bundle.predict(matrix).churn_probability

    return champion_on(evaluation, candidate, bundle, version, predict)
