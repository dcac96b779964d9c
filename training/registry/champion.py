"""The champion of the registry, its settings compared with a candidate's on the candidate's test rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from features.errors import ModelError, ModelFilesMissing
from features.timeline import Timeline
from training.bundle.model_bundle import Bundle
from training.evaluation.champion_comparison import ChampionComparison, NotComparable, champion_on
from training.evaluation.refitted import ModelSettings, refitted_probability

if TYPE_CHECKING:
    from features.event_store import EventStore
    from training.evaluation.evaluate import Evaluation
    from training.registry.mlflow_tracking import Tracking

Floats = NDArray[np.float64]


def compare_with_champion(
    store: EventStore, tracking: Tracking, candidate: Bundle, evaluation: Evaluation, until: int | None
) -> ChampionComparison | None:
    """The metrics of the present champion's settings, refitted as the candidate's were; None without one.

    A champion whose files are missing or damaged does not stop the training: a new model replaces it.
    """
    try:
        found = tracking.champion()
    except ModelFilesMissing as missing:
        return ChampionComparison(missing.version, (), {}, not_comparable=NotComparable.LOST)
    if found is None:
        return None
    version, folder = found
    try:
        bundle = Bundle.load(folder)
    except ModelError:
        return ChampionComparison(version, (), {}, not_comparable=NotComparable.UNREADABLE)

    def refit() -> Floats:
        if evaluation.roles is None:
            raise RuntimeError("an evaluation without the rows of its roles")
        settings, timeline = ModelSettings.of(bundle), Timeline(candidate.timezone)
        return refitted_probability(settings, store, evaluation.roles, timeline, until)

    return champion_on(evaluation, candidate, bundle, version, refit)
