"""What moments, times of day and numbers look like in a column of texts."""

from __future__ import annotations

import re
import unicodedata

MOSTLY = 0.9
"""A column is what it seems where this share of what it says looks so."""
_YEAR_FIRST = r"\d{4}[-/.年]\s?\d{1,2}([-/.月]\s?\d{1,2}日?)"
_YEAR_LAST = r"\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}"
_ERA = r"(令和|平成|昭和|[RHS])\s?(\d{1,2}|元)[-/.年]\d{1,2}[-/.月]\d{1,2}日?"
MOMENT = re.compile(
    rf"^({_YEAR_FIRST}|{_YEAR_LAST}|{_ERA})([T ]?\s*.*\d.*)?$"
    r"|^(19|20)\d{6}(\d{6})?$|^1\d{9}(\d{3}){0,2}$"
)
CLOCK = re.compile(r"^\d{1,2}[:時]\d{2}([:分]\d{2}秒?)?$|^\d{6}$")
NUMBER = re.compile(r"^[-+▲△(]?\s*[¥$€£]?\s*[-+]?\d[\d,.' ]*\s*(円|[A-Z]{3}|€)?\)?$")


def mostly(pattern: re.Pattern[str], values: list[str]) -> bool:
    """Whether a pattern fits nearly all values, in whatever width they are written."""
    fit = sum(bool(pattern.match(unicodedata.normalize("NFKC", value))) for value in values)
    return bool(values) and fit >= MOSTLY * len(values)
