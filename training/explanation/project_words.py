"""What sentences about customers take from a project: its currency and the names that people read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from features.catalog.display_names import in_language

BilingualName = tuple[str, str]
"""A name in English and in Japanese."""
NameTable = tuple[tuple[str, BilingualName], ...]
"""By the name in the data, what people read."""


@dataclass(frozen=True)
class ProjectWords:
    """The currency of amounts, and display names of attributes, their values, places and details.

    A name that the project does not give is shown as it is in the data.
    """

    currency: str = ""
    """Its ISO code; without one an amount is a bare number."""
    attributes: NameTable = ()
    values: tuple[tuple[str, NameTable], ...] = ()
    """By attribute the names of its values."""
    places: NameTable = ()
    details: NameTable = ()

    def attribute(self, name: str, language: str) -> str:
        """An attribute as people call it: "age group", 年代."""
        return in_language(language, *self._attributes.get(name, (name.replace("_", " "), name)))

    def value(self, attribute: str, value: str, language: str) -> str:
        """A value of an attribute as people call it: "60 and over", 60代以上."""
        return in_language(language, *self._values.get((attribute, value), (value, value)))

    def place(self, place: str, language: str) -> str:
        """A store, agent or site as people call it."""
        return in_language(language, *self._places.get(place, (place, place)))

    def detail(self, detail: str, language: str) -> str:
        """A category, topic, feature or other detail of an event as people call it."""
        return in_language(language, *self._details.get(detail, (detail, detail)))

    @cached_property
    def _attributes(self) -> dict[str, BilingualName]:
        return dict(self.attributes)

    @cached_property
    def _values(self) -> dict[tuple[str, str], BilingualName]:
        return {(name, value): words for name, table in self.values for value, words in table}

    @cached_property
    def _places(self) -> dict[str, BilingualName]:
        return dict(self.places)

    @cached_property
    def _details(self) -> dict[str, BilingualName]:
        return dict(self.details)

    @cached_property
    def _hash(self) -> int:
        return hash((self.currency, self.attributes, self.values, self.places, self.details))

    def __hash__(self) -> int:
        return self._hash  # kept: every answer looks its reasons up by it, and there may be many names


NO_WORDS = ProjectWords()
