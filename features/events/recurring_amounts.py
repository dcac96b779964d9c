"""Recurring amounts of contracts: yearly, monthly and other amounts brought to one unit.

The value of a contract's row is what it costs in each period. A source says in which (`per`), or each of its
rows does (a column `per`); the indicator says to which all are brought.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Period = Literal["day", "week", "month", "quarter", "half-year", "year"]
PER = "per"
"""The column that says the period of a row's amount."""
IN_A_YEAR: dict[str, float] = {
    "day": 365.0,
    "week": 52.0,
    "month": 12.0,
    "quarter": 4.0,
    "half-year": 2.0,
    "year": 1.0,
}
"""How often each period comes in a year."""
PERIODS = "day, week, month, quarter, half-year or year"
_WORDS = {
    "day": ("day", "days", "daily", "per day", "日", "日額", "毎日", "日払い"),
    "week": ("week", "weeks", "weekly", "per week", "週", "週額", "毎週", "週払い"),
    "month": (
        "month", "months", "monthly", "per month", "mo", "月", "月額", "毎月", "月次", "月払い", "月払"
    ),
    "quarter": ("quarter", "quarters", "quarterly", "per quarter", "四半期", "四半期払い"),
    "half-year": (
        "half-year", "half year", "half_year", "half-yearly", "semiannual", "semi-annual", "半年", "半年払い"
    ),
    "year": (
        "year", "years", "yearly", "per year", "annual", "annually", "per annum", "p.a.", "yr",
        "年", "年額", "年間", "毎年", "年次", "年払い", "年払",
    ),
}  # fmt: skip
_PERIOD_OF = {word: period for period, words in _WORDS.items() for word in words}
MOST_WORDS = 20
"""So many unknown words are told apart; others are told without the word."""


@dataclass(frozen=True)
class RecurringAmounts:
    """How the recurring amounts of one source are brought to the units of the project."""

    units: Mapping[str, str] = field(default_factory=dict)
    """The period to which the amounts of a kind are brought; other kinds are left as they are."""
    per: str | None = None
    """The period of the source's amounts, where its rows do not say."""

    def concerns(self, kinds: pa.Array) -> bool:
        """Whether any row of a column of kinds has a recurring amount."""
        return not self.units.keys().isdisjoint(kinds.unique().to_pylist())

    def convert(
        self, values: pa.Array, kinds: pa.Array, per: pa.Array | None
    ) -> tuple[pa.Array, dict[str, NDArray[np.bool_]], int]:
        """The values in the project's units, the rows whose `per` is no period by its word, rows converted.

        `values` is float64, `kinds` text; `per` is the column of that name where the source has one.
        """
        if not self.units or (per is None and self.per is None):
            return values, {}, 0
        target, _ = _coded(kinds, lambda kind: IN_A_YEAR.get(self.units.get(kind, ""), np.nan), np.nan)
        own = np.nan if self.per is None else IN_A_YEAR[self.per]
        given, words = np.full(len(values), own), np.full(len(values), "", dtype=object)
        if per is not None:
            given, words = _coded(per, lambda word: _in_a_year(word, own), own)
        concerned = ~np.isnan(target) & values.is_valid().to_numpy(zero_copy_only=False)
        # Equal periods are left out: a product and a quotient by one number may differ in the last bit.
        moved = concerned & (given > 0) & (given != target)
        unknown = concerned & (given == 0)
        numbers = values.to_numpy(zero_copy_only=False)
        converted = pa.array(
            np.where(moved, numbers * given / target, numbers), mask=values.is_null().to_numpy(False)
        )
        doubts: dict[str, NDArray[np.bool_]] = {}
        if unknown.any():
            named = list(dict.fromkeys(words[unknown].tolist()))
            for word in named[:MOST_WORDS]:
                doubts[word] = unknown & (words == word)
            if len(named) > MOST_WORDS:
                doubts["…"] = unknown & ~np.isin(words, named[:MOST_WORDS])
        return converted, doubts, int(moved.sum())


def _in_a_year(word: str, absent: float) -> float:
    """How often a period comes in a year; `absent` for an empty word, 0 for one that is no period."""
    plain = " ".join(unicodedata.normalize("NFKC", word).casefold().split())
    if not plain:
        return absent
    return IN_A_YEAR[_PERIOD_OF[plain]] if plain in _PERIOD_OF else 0.0


def _coded(
    column: pa.Array, number: Callable[[str], float], absent: float
) -> tuple[NDArray[np.float64], NDArray[np.object_]]:
    """A number for each text of a column, and the texts; each distinct text is looked at once."""
    encoded = column.cast(pa.string()).dictionary_encode()
    texts = encoded.dictionary.to_pylist()
    codes = encoded.indices.fill_null(len(texts)).to_numpy()
    numbers = np.array([*(number(text) for text in texts), absent], dtype=np.float64)
    return numbers[codes], np.array([*texts, ""], dtype=object)[codes]
