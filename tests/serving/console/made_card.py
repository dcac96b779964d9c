"""A model card with both of its curves, made up for the pages of models."""

from __future__ import annotations

from training.bundle.model_card_file import CardSection, ReliabilityPoint, StoredModelCard

CARD = StoredModelCard(
    "2",
    "made-up",
    {
        language: (
            CardSection("What <b>it</b> says", ("One line.",), (("", "this model"), ("AUC", "0.820"))),
        )
        for language in ("en", "ja")
    },
    2_000,
    240,
    (ReliabilityPoint(0.05, 0.04, 0.02, 0.07), ReliabilityPoint(0.3, 0.33, 0.25, 0.4)),
    {"model": (0.0, 0.5, 1.0), "recency": (0.0, 0.4, 1.0)},
)
