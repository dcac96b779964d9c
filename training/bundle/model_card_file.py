"""The model card with its curves as a file of the state, for pages that do without MLflow.

Written whole when a version is registered. A card that is gone, or was kept before the figures of the list
were, is written anew when the same model is trained again; else the file of a version does not change.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pydantic import TypeAdapter

FOLDER = "model_cards"
"""In the state."""


@dataclass(frozen=True)
class CardSection:
    """A heading with sentences and a table, whose first row holds the column heads."""

    title: str
    lines: tuple[str, ...]
    table: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class ReliabilityPoint:
    """A tenth of the test rows: what was predicted, and the share that left with its 95 % interval."""

    predicted: float
    happened: float
    low: float
    high: float


@dataclass(frozen=True)
class StoredModelCard:
    """What is to be known of one trained version."""

    version: str
    run: str
    """MLflow's identifier of the run."""
    sections: dict[str, tuple[CardSection, ...]]
    """By language."""
    rows: int
    """Test rows: a customer on an as-of date each."""
    left: int
    """Of those, the ones who left."""
    reliability: tuple[ReliabilityPoint, ...]
    gains: dict[str, tuple[float, ...]]
    """For the model and its rivals the share of leavers reached, at depths evenly from 0 to 1."""
    experiment: str = ""
    """MLflow's identifier of the experiment that the run is in; empty in cards of earlier versions."""
    list_figures: dict[str, float] | None = None
    """The metrics of the list in each order by the names of `list_metric`, those that are defined; None in
    cards that were kept before these figures were."""


def save_model_card(state: Path, card: StoredModelCard) -> None:
    """Write the card of a version in one step."""
    folder = state / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".", suffix=".json", dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(TypeAdapter(StoredModelCard).dump_json(card))
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(folder / f"{card.version}.json")
    finally:
        Path(name).unlink(missing_ok=True)  # still there only when it did not become the card


def load_model_card(state: Path, version: str) -> StoredModelCard | None:
    """The card of a version; None for one that was registered before cards were kept."""
    file = state / FOLDER / f"{version}.json"
    try:
        return _card(file.read_bytes())
    except FileNotFoundError:
        return None


@lru_cache(maxsize=8)
def _card(content: bytes) -> StoredModelCard:
    return TypeAdapter(StoredModelCard).validate_json(content)
