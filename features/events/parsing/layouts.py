"""Layouts of moments: where the year, the month, the hour and the zone stand in texts of one shape."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from features.events.parsing.shapes import Span, spans
from features.events.parsing.zones import SEVERAL, is_place, offset_of

_NAMES = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
    "november", "december",
)  # fmt: skip
_MONTHS = {
    **{name[:3]: at for at, name in enumerate(_NAMES, 1)},
    **{name: at for at, name in enumerate(_NAMES, 1)},
    "sept": 9,
}
_WEEKDAYS = {
    **{name: at for at, name in enumerate(("mon", "tue", "wed", "thu", "fri", "sat", "sun"))},
    **{name: at for at, name in enumerate("月火水木金土日")},
}
_ERAS = {"令和": 2018, "R": 2018, "平成": 1988, "H": 1988, "昭和": 1925, "S": 1925}
"""The year before the first of an era."""

_MONTH = "(?P<month>" + "|".join(sorted(_MONTHS, key=len, reverse=True)) + r")\.?"
_WEEKDAY = r"(?P<weekday>mon|tue|wed|thu|fri|sat|sun)(?:s?day|nesday|rsday|urday)?\.?,?\s+"
_NTH = r"(?:st|nd|rd|th)?"
_DATES = (
    r"(?P<y>9999)(?P<sep>[-/.])(?P<m>99?)(?P=sep)(?P<d>99?)",
    r"(?P<y>9999)年\s?(?P<m>99?)月\s?(?P<d>99?)日",
    r"(?P<era>令和|平成|昭和)\s?(?P<eray>99?|元)年\s?(?P<m>99?)月\s?(?P<d>99?)日",
    r"(?P<era>令和|平成|昭和|[RHS])(?P<eray>99?|元)(?P<sep>[-/.])(?P<m>99?)(?P=sep)(?P<d>99?)",
    r"(?P<a>99?)(?P<sep>[-/.])(?P<b>99?)(?P=sep)(?P<y>9999)",
    r"(?P<a>99?)(?P<sep>[-/.])(?P<b>99?)(?P=sep)(?P<c>99)",
    rf"(?:{_WEEKDAY})?(?P<d>99?){_NTH}[\s-]{_MONTH},?[\s-](?P<y>9999)",
    rf"(?:{_WEEKDAY})?{_MONTH}\s+(?P<d>99?){_NTH},?\s+(?P<y>9999)",
    rf"(?P<a>99)-{_MONTH}-(?P<c>99)",
    r"(?P<y>9999)(?P<m>99)(?P<d>99)(?=[T\s])",
)
_TIMES = (
    r"(?:(?P<half>午前|午後|[ap]\.?m\.?)\s?)?(?P<H>99?):(?P<M>99)(?::(?P<S>99)(?:[.,](?P<f>9{1,9}))?)?"
    r"(?:\s?(?P<half2>[ap]\.?m\.?)(?![a-z]))?",
    r"(?:(?P<half>午前|午後)\s?)?(?P<H>99?)時(?:\s?(?P<M>99?)分(?:\s?(?P<S>99?)秒)?)?",
    r"(?P<H>99?)\s?(?P<half>[ap]\.?m\.?)(?![a-z])",
    r"(?P<H>99)(?P<M>99)(?:(?P<S>99)(?:[.,](?P<f>9{1,9}))?)?(?=\D|$)",
)
_ZONE = (
    r"\s*(?:(?:utc|gmt)?(?P<sign>[+-])(?P<oh>99|(?<=c[+-])9|(?<=t[+-])9)(?::?(?P<om>99))?|(?P<name>z|[a-z]{2,5}(?![a-z/_])))?"
    r"(?:\s?\((?P<comment>[a-z][a-z ]*)\))?"
    r"(?:\s?\[?(?P<place>[a-z]+(?:/[a-z_+-]+)+)\]?)?"
)
_ZONE_OF_DATE = _ZONE.replace("(?::?(?P<om>99))?", "(?::(?P<om>99))")
"""A date alone with an offset has its minutes (as in XML), or 2024-03-01-05 would be one."""
_DAY_OF_WEEK = r"(?:\s?\((?P<youbi>[月火水木金土日])(?:曜日?)?\))?"
_BETWEEN = r"(?:T|,?\s+|(?<=日)|(?<=\)))\s*(?:at\s)?"
_PATTERNS = tuple(
    re.compile(rf"\s*{pattern}\s*", re.IGNORECASE)
    for pattern in (
        *(
            whole
            for date in _DATES
            for whole in (
                f"{date}{_DAY_OF_WEEK}{_ZONE_OF_DATE}",
                *(f"{date}{_DAY_OF_WEEK}{_BETWEEN}{time}{_ZONE}" for time in _TIMES),
            )
        ),
        rf"{_WEEKDAY}{_MONTH}\s+(?P<d>99?)\s+{_TIMES[0]}{_ZONE}\s+(?P<y>9999)",
    )
)

Part = Span | int
"""A range of bytes with digits, or what it is in all texts of the shape."""


@dataclass(frozen=True)
class MomentLayout:
    """Where the parts of a moment stand in the texts of one shape."""

    year: Part
    month: Part
    day: Part
    numbers: tuple[Part, Part, Part] | None = None
    """Three numbers whose order only the column can tell; year, month and day are then of no use."""
    orders: tuple[str, ...] = ()
    """The orders in which those may be read."""
    era: int = 0
    """Added to the year."""
    hour: Part = 0
    minute: Part = 0
    second: Part = 0
    fraction: Part = 0
    digits: int = 0
    """Of the fraction."""
    half: str = ""
    """"am" or "pm", where the hour counts to twelve."""
    zoned: bool = False
    minutes: int = 0
    """Sign of the offset (1 or -1), or the offset itself of a zone by name."""
    offset: tuple[Part, Part] | None = None
    place: str = ""
    """A zone of the IANA database."""
    weekday: int = -1
    """0 for Monday; a text that names the wrong one is no moment."""
    zone_in_doubt: str = ""
    """A name that means several zones, or none that is known."""


@lru_cache(maxsize=65_536)
def layout_of(shape: str) -> MomentLayout | None:
    """The layout of a shape, None where no form of a moment has it."""
    if not 6 <= len(shape) <= 80 or "9" not in shape:
        return None
    for pattern in _PATTERNS:
        if match := pattern.fullmatch(shape):
            return _read(match, spans(shape))
    return None


def _read(match: re.Match[str], edges: list[int]) -> MomentLayout | None:
    groups = match.groupdict()

    def part(name: str, absent: int = 0) -> Part:
        if groups.get(name) is None:
            return absent
        start, end = match.span(name)
        return edges[start], edges[end]

    month: Part = _MONTHS[groups["month"].lower()] if groups.get("month") else part("m", 1)
    numbers: tuple[Part, Part, Part] | None = None
    orders: tuple[str, ...] = ()
    if groups.get("a"):
        if groups.get("month"):
            numbers, orders = (part("a"), month, part("c")), ("dmy", "ymd")
        elif groups.get("y"):
            numbers, orders = (part("a"), part("b"), part("y")), ("dmy", "mdy")
        else:
            width = len(groups["a"])
            numbers = (part("a"), part("b"), part("c"))
            orders = ("dmy", "mdy", "ymd") if width == 2 else ("dmy", "mdy")
    era, year = 0, part("y", 1970)
    if groups.get("era"):
        era = _ERAS[groups["era"].upper()]
        year = 1 if groups["eray"] == "元" else part("eray")
    half = (groups.get("half") or groups.get("half2") or "").lower().replace(".", "")
    if groups.get("half") and groups.get("half2"):
        return None
    weekday = (groups.get("weekday") or groups.get("youbi") or "").lower()
    name, place = groups.get("name") or "", groups.get("place") or ""
    doubt, minutes, offset = "", 0, None
    if groups.get("sign"):
        minutes = -1 if groups["sign"] == "-" else 1
        offset = (part("oh"), part("om"))
    elif name:
        known = None if name.upper() in SEVERAL else offset_of(name)
        doubt, minutes = ("", known) if known is not None else (name, 0)
    if place and not is_place(place):
        doubt = place
    if groups.get("comment") and not (groups.get("sign") or name):
        doubt = groups["comment"]
    fraction = groups.get("f") or ""
    return MomentLayout(
        year, month, part("d", 1), numbers, orders, era,
        part("H"), part("M"), part("S"), part("f"), len(fraction),
        {"午前": "am", "午後": "pm"}.get(half, half),
        bool(groups.get("sign") or name or place), minutes, offset,
        "" if doubt or groups.get("sign") or name else place,
        _WEEKDAYS[weekday] if weekday else -1,
        doubt,
    )  # fmt: skip
