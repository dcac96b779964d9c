"""What sentences about customers take from a project's settings: its currency and names of attributes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ProjectWords:
    """What sentences take from a project's settings: the currency of amounts, and names of attributes."""

    currency: str = ""
    """Its ISO code; without one an amount is a bare number."""
    attributes: tuple[tuple[str, str], ...] = ()
    """The Japanese name of each attribute that has one."""

    def japanese_name(self, attribute: str) -> str:
        return dict(self.attributes).get(attribute, attribute)


NO_WORDS = ProjectWords()
