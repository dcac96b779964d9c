"""`[names]`: what people read in the place of names in the data, and all words that sentences take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field

from features.catalog.settings import GivenName
from features.ingestion.sources import Attribute
from training.explanation.project_words import NameTable, ProjectWords


class NamesSettings(BaseModel):
    """`[names]`: the display names of places and details; those of attributes stand beside their queries."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    places: dict[str, GivenName] = Field(
        default_factory=dict, description="by store, agent or site the name that people read in its place"
    )
    details: dict[str, GivenName] = Field(
        default_factory=dict,
        description="by category, topic, feature or other detail of an event the name that people read",
    )


def project_words(currency: str, attributes: Sequence[Attribute], names: NamesSettings) -> ProjectWords:
    """The currency and every display name of a project."""
    return ProjectWords(
        currency,
        tuple(
            (one.name, (one.english or one.name.replace("_", " "), one.japanese or one.name))
            for one in attributes
            if one.english or one.japanese
        ),
        tuple((one.name, _table(one.values)) for one in attributes if one.values),
        _table(names.places),
        _table(names.details),
    )


def _table(names: Mapping[str, GivenName]) -> NameTable:
    return tuple((name, given.over(name)) for name, given in names.items())
