"""Layouts of numbers: sign, currency, groups and decimals in texts of one shape."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from features.events.parsing.absent import is_absent
from features.events.parsing.shapes import spans

POINT, COMMA = ".", ","
CURRENCIES = {
    "¥": "JPY", "円": "JPY", "jpy": "JPY", "yen": "JPY", "$": "USD", "us$": "USD", "usd": "USD", "€": "EUR",
    "eur": "EUR", "£": "GBP", "gbp": "GBP", "chf": "CHF", "fr.": "CHF", "krw": "KRW", "₩": "KRW",
    "won": "KRW", "cny": "CNY", "rmb": "CNY", "元": "CNY", "hk$": "HKD", "hkd": "HKD", "nt$": "TWD",
    "twd": "TWD", "sgd": "SGD", "s$": "SGD", "a$": "AUD", "aud": "AUD", "c$": "CAD", "cad": "CAD",
    "nzd": "NZD", "inr": "INR", "₹": "INR", "thb": "THB", "฿": "THB", "vnd": "VND", "₫": "VND",
    "brl": "BRL", "r$": "BRL", "mxn": "MXN", "sek": "SEK", "nok": "NOK", "dkk": "DKK", "kr": "SEK",
    "pln": "PLN", "zł": "PLN", "czk": "CZK", "kč": "CZK", "huf": "HUF", "ft": "HUF", "try": "TRY",
    "₺": "TRY", "rub": "RUB", "₽": "RUB", "zar": "ZAR", "aed": "AED", "ils": "ILS",
}  # fmt: skip
WITHOUT_DECIMALS = frozenset({"JPY", "KRW", "VND", "TWD"})
"""Currencies whose amounts have no decimals: a separator in them parts thousands."""
_UNIT = "|".join(re.escape(unit) for unit in sorted(CURRENCIES, key=len, reverse=True))
_NEGATIVE = "[-−▲△]"
_BODY = r"(?:9(?:[9.,' ’_]*9)?[.,]?|[.,]9+)(?:e[+-]?9+)?"
_AMOUNT = re.compile(
    rf"(?P<open>\()?(?P<sign>{_NEGATIVE}|\+)?\s?(?P<before>{_UNIT})?\s?(?P<sign2>{_NEGATIVE})?\s?"
    rf"(?P<body>{_BODY})\s?(?P<percent>%)?\s?(?P<after>{_UNIT})?\s?(?P<points>点)?(?P<sign3>[-−])?(?P<close>\))?",
    re.IGNORECASE,
)
_LABELLED = re.compile(r"(?P<body>99?)\s*(?:[-–—:.、=]\s*|\(\s*)(?P<label>[^\W\d_][^9]*)")
_PLAIN = re.compile(r"-?9+(?:\.9+)?")
_GROUPED = {
    separator: re.compile(rf"9{{1,3}}(?:{re.escape(separator)}999)+")
    for separator in (POINT, COMMA, " ", "'", "’", "_")
}
_INDIAN = re.compile(r"99?(?:,99)+,999")


@dataclass(frozen=True)
class Digits:
    """Which bytes of a text are digits before and after the decimal separator."""

    whole: tuple[int, ...]
    fraction: tuple[int, ...]


@dataclass(frozen=True)
class AmountLayout:
    """How the texts of one shape are read as numbers."""

    absent: bool = False
    plain: bool = False
    """Digits, a point, a minus: the same for every programming language."""
    by_decimal: tuple[tuple[str, Digits], ...] = ()
    """The readings that the shape allows, by decimal separator."""
    in_doubt: bool = False
    """Whether both are possible and differ: 1,200 or 1.200."""
    first: int = 0
    """The byte of the first digit: a leading zero (0.500) is no thousand."""
    exponent: tuple[int, int] | None = None
    """Bytes of a number with an exponent."""
    negative: bool = False
    percent: bool = False
    currency: str = ""
    label: str = ""
    """What stands beside the number of a survey answer: `10 - Extremely likely`."""

    def digits(self, decimal: str) -> Digits | None:
        """Where the digits are, by a decimal separator; None where the shape does not allow it."""
        return dict(self.by_decimal).get(decimal)


@lru_cache(maxsize=65_536)
def layout_of_amount(shape: str) -> AmountLayout | None:
    """The layout of a shape, None where it is no number in any way."""
    text = shape.strip()
    if is_absent(text):
        return AmountLayout(absent=True)
    if len(text) > 80 or "9" not in text:
        return None
    start = len(shape) - len(shape.lstrip())
    edges = spans(shape)
    if match := _AMOUNT.fullmatch(text):
        return _amount(match, start, edges, plain=bool(_PLAIN.fullmatch(shape)))
    if match := _LABELLED.fullmatch(text):
        places = tuple(edges[start + at] for at in range(*match.span("body")))
        both = Digits(places, ())
        return AmountLayout(
            by_decimal=((POINT, both), (COMMA, both)), label=match["label"].rstrip(") ").casefold()
        )
    return None


def _amount(match: re.Match[str], start: int, edges: list[int], *, plain: bool) -> AmountLayout | None:
    groups = match.groupdict()
    if bool(groups["open"]) != bool(groups["close"]):
        return None
    signs = [sign for name in ("sign", "sign2", "sign3") if (sign := groups[name])]
    if groups["open"]:
        signs.append("(")
    if groups["sign3"] and groups["body"][-1] in ".,":  # 12.- and 12,- are whole amounts; 12- is negative
        signs.remove(groups["sign3"])
    if len(signs) > 1 or (groups["before"] and groups["after"]):
        return None
    unit = (groups["before"] or groups["after"] or "").lower()
    if groups["percent"] and unit:
        return None
    body, offset = groups["body"], start + match.start("body")
    negative = bool(signs) and signs[0] != "+"
    mantissa, letter, _ = body.lower().partition("e")
    if letter:
        if unit or groups["percent"] or not re.fullmatch(r"9+(?:\.9*)?|\.9+", mantissa):
            return None
        span = edges[offset], edges[offset + len(body)]
        return AmountLayout(exponent=span, negative=negative)
    readings = {
        decimal: digits
        for decimal in (POINT, COMMA)
        if (digits := _digits(mantissa, decimal, offset, edges)) is not None
    }
    if not readings:
        return None
    currency = CURRENCIES.get(unit, "")
    doubt = len(readings) == 2 and readings[POINT] != readings[COMMA]
    if doubt and currency in WITHOUT_DECIMALS:
        separator = POINT if POINT in mantissa else COMMA
        readings = {other: one for other, one in readings.items() if other != separator}
        doubt = False
    return AmountLayout(
        plain=plain and POINT in readings,
        by_decimal=tuple(readings.items()),
        in_doubt=doubt,
        first=edges[offset],
        negative=negative,
        percent=bool(groups["percent"]),
        currency=currency,
    )


def _digits(body: str, decimal: str, offset: int, edges: list[int]) -> Digits | None:
    """The digits of a number with this decimal separator; None where its separators cannot be so."""
    whole, mark, fraction = body.partition(decimal)
    if not re.fullmatch("9*", fraction) or (not whole and not fraction):
        return None
    used = {character for character in whole if character != "9"}
    if len(used) > 1:
        return None
    for separator in used:
        if separator == decimal or not (
            _GROUPED[separator].fullmatch(whole) or (separator == COMMA and _INDIAN.fullmatch(whole))
        ):
            return None
    places = [edges[offset + at] for at, character in enumerate(whole) if character == "9"]
    after = offset + len(whole) + len(mark)
    return Digits(tuple(places), tuple(edges[after + at] for at in range(len(fraction))))
