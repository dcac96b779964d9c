"""Labels of features on pictures, in letters that every machine's font has."""

from __future__ import annotations

import re
import textwrap

from features.catalog.definitions import Catalog

_NOT_DRAWN = re.compile(r"[\u2e80-\ufaff\ufe30-\uffef\U00020000-\U0003ffff]+")
"""Chinese, Japanese and Korean characters: matplotlib's own font has none of them, and warns of each."""


def feature_label(catalog: Catalog, place: int, width: int) -> str:
    """The meaning of a column in English, in lines of this width; a Japanese name is its number instead."""
    meaning = catalog.meaning(catalog.columns[place], "en").replace("_", " ")
    return textwrap.fill(_NOT_DRAWN.sub(f"feature {place + 1}", meaning), width)
