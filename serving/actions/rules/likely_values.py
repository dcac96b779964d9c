"""The value that a wrong one of a playbook was probably meant to be: 5 for `５日`, top 10% for `上位10%`."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence

from features.spelling import nearest_word
from serving.actions.rules.conditions import NumberCondition

LONGEST = 100
"""Characters of a wrong word that are compared with the right ones."""
YES = ("true", "yes", "on", "1", "はい", "する", "あり")
NO = ("false", "no", "off", "0", "いいえ", "しない", "なし")
_SHARE = r"(\d+(?:\.\d+)?)%"
_NUMBER = r"(-?\d[\d,]*(?:\.\d+)?)"
_CONDITIONS: tuple[tuple[str, str], ...] = (
    (rf"(?:上位|top){_SHARE}", "top {0}%"),
    (rf"(?:下位|bottom){_SHARE}", "bottom {0}%"),
    (rf"{_SHARE}以上", ">= {0}%"),
    (rf"{_SHARE}未満", "< {0}%"),
    (rf"{_SHARE}以下", "<= {0}%"),
    (rf"{_NUMBER}円?以上", ">= {0}"),
    (rf"{_NUMBER}円?未満", "< {0}"),
    (rf"{_NUMBER}円?以下", "<= {0}"),
    (rf"{_NUMBER}円?[~〜-]{_NUMBER}円?", "{0} to {1}"),
    (rf"{_NUMBER}円?以上{_NUMBER}円?未満", "{0} to {1}"),
    (rf"(>=|>|<=|<){_SHARE}", "{0} {1}%"),
    (_NUMBER, ">= {0}"),
)
"""Conditions as people write them in other ways, without blanks, and how a playbook has them."""


def likely_integer(value: object, least: float, most: float) -> int | None:
    """The whole number within the limits that is in a text, whatever its digits; None where there is none."""
    found = re.search(r"[-−]?\d+", unicodedata.normalize("NFKC", str(value)[:LONGEST]))
    number = None if found is None else int(found[0].replace("−", "-"))
    is_whole = not (isinstance(value, float) and value % 1)
    return number if number is not None and is_whole and least <= number <= most else None


def likely_switch(value: object) -> bool | None:
    """True or false for a word that says yes or no."""
    word = unicodedata.normalize("NFKC", str(value)[:LONGEST]).strip().casefold()
    return True if word in YES else False if word in NO else None


def likely_condition(value: object, *, of_share: bool = False) -> str | None:
    """The condition on a number that a text in other words states; None for what states none.

    Of a share, which lies between 0 and 1, numbers above 1 are read as percent; above 100, or beside smaller
    ones, they state none.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = re.sub(r"\s", "", unicodedata.normalize("NFKC", str(value)[:LONGEST]))
    for pattern, template in _CONDITIONS:
        if found := re.fullmatch(pattern, text, re.IGNORECASE):
            words = template.format(*(one.replace(",", "") for one in found.groups()))
            if not words.startswith(("top", "bottom")):
                numbers = [float(number) for number in re.findall(r"\d[\d.]*", words)]
                in_percent = of_share and "%" not in words and max(numbers) > 1
                if in_percent and (max(numbers) > 100 or any(0 < number < 2 for number in numbers)):
                    return None
                written = r"(\d[\d.]*)" if in_percent else r"([\d.]+)%"
                words = re.sub(written, lambda share: f"{round(float(share[1]) / 100, 9):g}", words)
            return words if _is_condition(words) else None
    return None


def likely_word(
    wrong: str, known: Collection[str], japanese: Mapping[str, Sequence[str]] | None = None
) -> str | None:
    """The known word that is nearest to a wrong one; `japanese` gives what people read instead of each."""
    word = unicodedata.normalize("NFKC", wrong[:LONGEST]).strip()
    for name, words in (japanese or {}).items():
        if name in known and word in words:
            return name
    spelt = {name.casefold(): name for name in known}
    near = nearest_word(word.casefold(), spelt)
    return spelt.get(near)


def _is_condition(words: str) -> bool:
    try:
        NumberCondition.of(words)
    except ValueError:
        return False
    return True
