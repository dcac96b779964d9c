"""A version's card and curves, as they are kept beside the project's other state."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np

from training.bundle.model_card_file import CardSection, ReliabilityPoint, StoredModelCard
from training.data.contact_weights import representative_rows
from training.registry.curves import reached_share, reliability_bins
from training.registry.model_card.card import facts

if TYPE_CHECKING:
    from training.bundle.model_bundle import Bundle
    from training.evaluation.evaluate import Evaluation
    from training.registry.gates import GateDecision

MODEL = "model"
"""What the curve of the model is called among those of its rivals."""
DEPTHS = 51
DIGITS = 5


def stored_card(
    version: str,
    run: str,
    bundle: Bundle,
    decision: GateDecision | None,
    evaluation: Evaluation,
    *,
    experiment: str,
) -> StoredModelCard:
    """The card of a version with its reliability and gains on the test rows.

    `run` and `experiment` are MLflow's identifiers, empty where they are not known.
    """
    at = representative_rows(evaluation.rows)
    rows, probability = evaluation.rows.where(at), evaluation.probability[at]
    bins = reliability_bins(probability, rows.churned, rows.keys)
    columns = (bins.predicted, bins.happened, bins.low, bins.high)
    points = (map(float, point) for point in np.round(np.column_stack(columns), DIGITS))
    depth = np.linspace(0, 1, DEPTHS)
    curves = {MODEL: probability} | {
        name: found[at] for name, found in evaluation.rivals.items() if np.ptp(found[at]) > 0
    }
    languages: tuple[Literal["en", "ja"], ...] = ("en", "ja")
    return StoredModelCard(
        version,
        run,
        {
            language: tuple(
                CardSection(one.title, one.lines, one.table)
                for one in facts(bundle, decision, language, evaluation.list_figures)[1]
            )
            for language in languages
        },
        len(rows),
        int(rows.churned.sum()),
        tuple(ReliabilityPoint(*point) for point in points),
        {
            name: tuple(np.round(reached_share(found, rows.churned, depth), DIGITS).tolist())
            for name, found in curves.items()
        },
        experiment,
        {name: figure for name, figure in evaluation.list_figures.items() if math.isfinite(figure)},
    )
