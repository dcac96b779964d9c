"""Names of time zones in texts: those with one meaning, and those that are refused by their name."""

from __future__ import annotations

from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_HOURS = {
    "Z": 0, "UTC": 0, "GMT": 0, "UT": 0, "WET": 0, "WEST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3,
    "MSK": 3, "JST": 9, "KST": 9, "HKT": 8, "SGT": 8, "ICT": 7, "WIB": 7, "PHT": 8,
    "AEST": 10, "AEDT": 11, "AWST": 8, "NZST": 12, "NZDT": 13,
    "EST": -5, "EDT": -4, "MDT": -6, "PDT": -7, "AKST": -9, "AKDT": -8, "HST": -10, "BRT": -3,
}  # fmt: skip
"""Hours from UTC; EST and EDT as in mail headers (RFC 5322)."""
SEVERAL = frozenset(
    {"CST", "CDT", "IST", "BST", "AST", "ADT", "MST", "PST", "SST", "GST", "WST", "ECT", "ACT"}
)
"""Names of several zones: CST is Chicago and Shanghai, IST is India, Israel and Ireland."""


def offset_of(name: str) -> int | None:
    """Minutes from UTC of a zone by its short name; None where it is unknown or has several meanings."""
    hours = _HOURS.get(name.upper())
    return None if hours is None else hours * 60


@lru_cache(maxsize=256)
def is_place(name: str) -> bool:
    """Whether a name such as Asia/Tokyo is one of the IANA database."""
    if "/" not in name:
        return False
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
