"""Numbers as people write them in sentences: rounded, capped, with the unit that one would use."""

from __future__ import annotations

import math
from typing import Literal

from features.catalog.display_names import in_language

MOST_TIMES = 100.0
"""A multiple beyond this says nothing more: a usual gap of seconds makes any silence a huge one."""
MOST_SHARE = 10.0
"""As `MOST_TIMES`, of a ratio that is shown in percent."""


def number(value: float) -> str:
    """A number as people write it: 1,234 · 12 · 3.5."""
    if abs(value) >= 10 or abs(value - round(value)) < 0.05:
        return f"{value:,.0f}".replace("-0", "0") if round(value) == 0 else f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 1 else f"{value:.2g}"


def multiple(value: float) -> tuple[str, str]:
    """A multiple in English and in Japanese; beyond `MOST_TIMES` only that it is."""
    if value > MOST_TIMES:
        return f"more than {MOST_TIMES:.0f} times", f"{MOST_TIMES:.0f}倍超"
    return f"{number(value)} times", f"{number(value)}倍"


def percentage(value: float, *, chance: bool, share: bool) -> tuple[str, str]:
    """A share or a ratio in whole percent, in English and in Japanese; beyond `MOST_SHARE` only that it is.

    What is neither none nor all is not rounded to 0% or 100%; a chance is never either.
    """
    if value > MOST_SHARE:
        return f"over {MOST_SHARE:,.0%}", f"{MOST_SHARE:,.0%}超"
    if value < 0.005 and (chance or value > 0.0):
        return "under 1%", "1%未満"
    if value >= 0.995 and (chance or (value < 1.0 and share)):
        return "over 99%", "99%超"
    return (f"{value:.0%}",) * 2


def length_of_time(minutes: float) -> tuple[float, str, str]:
    """A length of time in the unit that people would use, with its English and its Japanese name."""
    if abs(minutes) < 90:
        return minutes, "minute", "分"
    if abs(minutes) < 48 * 60:
        return minutes / 60, "hour", "時間"
    return minutes / (24 * 60), "day", "日"


Quantity = Literal["number", "days", "minutes", "multiple", "percentage"]


def written_alike(value: float, quantity: Quantity) -> tuple[float, float]:
    """The numbers between which all are written as this one is, rounding and caps included."""
    if quantity == "multiple" and value > MOST_TIMES:
        return MOST_TIMES, math.inf
    if quantity == "percentage":
        return (MOST_SHARE, math.inf) if value > MOST_SHARE else _around(round(value, 2), 0.005)
    if quantity == "days":  # between none and one is written as less than one
        if 0 <= value < 1:
            return (0.0, 1.0) if value else (-1.0, 0.01)
        low, high = _around(float(round(value)), 0.5)
        return (max(low, math.nextafter(1.0, 0.0)) if value >= 1 else low), high
    length = length_of_time(value)[0] if quantity == "minutes" else value
    scale = value / length if length else 1.0
    size = abs(length)
    if size >= 10:
        low, high = _around(float(round(length)), 0.5)
    elif abs(length - round(length)) < 0.05:
        low, high = _around(float(round(length)), 0.05)
    elif size >= 1:
        low, high = _around(round(length, 1), 0.05)
    else:
        place = math.floor(math.log10(size)) - 1
        low, high = _around(round(length, -place), 0.5 * 10.0**place)
    return low * scale, high * scale


def _around(value: float, half: float) -> tuple[float, float]:
    return value - half, value + half


CURRENCIES = {
    "JPY": ("¥{}", "{}円"),
    "USD": ("${}", "{}ドル"),
    "EUR": ("€{}", "{}ユーロ"),
    "GBP": ("£{}", "{}ポンド"),
}
"""How amounts of a currency are written in English and in Japanese; others with their code."""
WHOLE = frozenset({"JPY", "KRW", "VND", "CLP"})
"""Currencies without a smaller unit."""


def with_currency(shown: str, currency: str, language: str) -> str:
    """A number that is an amount, with its currency: ¥1,234 · 1,234円 · -$5 · CHF 5; as it is without one."""
    if not currency:
        return shown
    english, japanese = CURRENCIES.get(currency, (f"{currency} {{}}", f"{{}} {currency}"))
    sign, digits = ("-", shown[1:]) if shown.startswith("-") else ("", shown)
    return sign + in_language(language, english, japanese).format(digits)


def plural(value: float, one: str, many: str) -> str:
    """A number with its unit in English: 1 day · 3 days; days are whole."""
    shown = number(round(value)) if one == "day" else number(value)
    return f"{shown} {one if shown == '1' else many}"
