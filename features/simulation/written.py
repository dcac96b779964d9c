"""How people and other systems write moments, numbers, birthdays and flags."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from features.simulation.world import OFFSET_HOURS

YES_WORDS = ("1", "1.0", "yes", "TRUE", "Y", "on", "はい", "○", "ｙｅｓ", " yes", "配信停止", "unsubscribed")
NO_WORDS = ("0", "0.0", "no", "FALSE", "N", "off", "いいえ", "×", "")

_FULL_WIDTH = str.maketrans("0123456789.,-", "０１２３４５６７８９．，－")


def _utc(at: datetime) -> datetime:
    return at - timedelta(hours=OFFSET_HOURS)


MOMENTS: dict[str, Callable[[datetime], str]] = {
    "iso": lambda at: f"{at:%Y-%m-%d %H:%M:%S}",
    "slashes": lambda at: f"{at.year}/{at.month}/{at.day} {at:%H:%M:%S}",
    "kanji": lambda at: f"{at.year}年{at.month}月{at.day}日 {at.hour}時{at:%M}分{at:%S}秒",
    "zone name": lambda at: f"{_utc(at):%Y-%m-%d %H:%M:%S} UTC",
    "offset": lambda at: f"{at:%Y-%m-%dT%H:%M:%S}+0900",
    "z": lambda at: f"{_utc(at):%Y-%m-%dT%H:%M:%SZ}",
    "digits": lambda at: f"{at:%Y%m%d%H%M%S}",
    "day first": lambda at: f"{at:%d/%m/%Y %H:%M:%S}",
    "epoch": lambda at: str(int((_utc(at) - datetime(1970, 1, 1)).total_seconds())),  # noqa: DTZ001
    "full width": lambda at: f"{at:%Y/%m/%d %H:%M:%S}".translate(
        str.maketrans("0123456789", "０１２３４５６７８９")
    ),
}
"""Styles of a local moment; every one keeps the second."""

NUMBERS: dict[str, Callable[[float], str]] = {
    "plain": lambda number: f"{number:.10g}",
    "thousands": lambda number: f"{number:,.10g}" if number % 1 == 0 else f"{number:,.2f}",
    "yen": lambda number: f"{number:,.0f}円",
    "sign": lambda number: f"¥{number:,.10g}" if number % 1 == 0 else f"¥{number:,.2f}",
    "full width": lambda number: f"{number:.10g}".translate(_FULL_WIDTH),
}
"""Styles of a number that is not negative."""

NEGATIVE: dict[str, Callable[[str], str]] = {
    "minus": lambda text: f"-{text}",
    "triangle": lambda text: f"▲{text}",
    "parentheses": lambda text: f"({text})",
    "mathematical minus": lambda text: f"−{text}",
}

BIRTHDAYS: dict[str, Callable[[int, int, int], str]] = {
    "month and day": lambda _, month, day: f"{month:02}-{day:02}",
    "digits": lambda year, month, day: f"{year}{month:02}{day:02}",
    "slashes": lambda year, month, day: f"{year}/{month}/{day}",
    "no year": lambda _, month, day: f"{month}/{day}",
    "kanji": lambda year, month, day: f"{year}年{month}月{day}日",
    "moment": lambda year, month, day: f"{year}-{month:02}-{day:02} 00:00:00",
}

MOST_LIKELY = {"10": "10 - Extremely likely", "0": "0 - Not at all likely"}
