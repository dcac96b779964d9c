"""The known word that somebody probably meant: spelling suggestions for error messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

CUTOFF = 0.6
"""How like each other two words must be, from 0 to 1."""


def nearest_word(word: str, known: Iterable[str], *, cutoff: float = CUTOFF) -> str:
    """The known word that is most like this one; empty where none is near."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=cutoff)), "")
