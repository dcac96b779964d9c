"""Counts of one source's rows while they are checked, to tell a bad row from a bad source."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.errors import DataError
from features.events.answer_scales import DeclaredScale
from features.events.consent import ConsentRules
from features.events.hints import LAST, Trouble, advice, first_of
from features.events.parsing.source_text import SourceText
from features.events.recurring_amounts import RecurringAmounts

UNREADABLE = "occurred_at is not a moment that can be read"
TOO_EARLY = "occurred_at is before 1970"
TOO_LATE = "occurred_at is in the future"
RECORDED_TOO_LATE = "recorded_at is in the future"
HEALED_BY_TIME = (TOO_LATE, RECORDED_TOO_LATE)
"""What keeps a row out only until its moment has come; nothing else is wrong with it."""
NOT_A_NUMBER = "value is not a number"
ZONE_IN_DOUBT = "occurred_at names the zone"
MOST_SAMPLES = 1_000
"""Values of a column that a hint is tried on."""


FEW_ROWS = 20
"""So many rows of a reading that follows an earlier one may all be wrong by themselves."""


@dataclass
class QuarantinedAmount:
    """What share of a source's amounts its refused rows carry.

    Rows without a customer and rows whose moment has not come are left aside: nobody loses by the ones, and
    the others are tried again. A refused row whose amount cannot be read counts as much as others on average.
    """

    total: float = 0.0
    """Of the amounts that can be read, whatever their sign."""
    refused: float = 0.0
    known: int = 0
    """Rows with an amount that can be read."""
    unknown: int = 0
    """Refused rows whose amount cannot be read."""

    def add(self, values: NDArray[np.float64], refused: NDArray[np.bool_], unread: NDArray[np.bool_]) -> None:
        """Count rows: their amounts (NaN where there is none), the refused, those with amounts unread."""
        there = np.isfinite(values) & ~unread
        amounts = np.abs(np.where(there, values, 0.0))
        self.total += float(amounts.sum())
        self.known += int(there.sum())
        if refused.any():
            self.refused += float(amounts[refused].sum())
            self.unknown += int((refused & unread).sum())

    @property
    def share(self) -> float:
        """The share of the amounts that is refused; 0 where there are none."""
        mean = self.total / self.known if self.known else 0.0
        whole = self.total + self.unknown * mean
        return (self.refused + self.unknown * mean) / whole if whole else 0.0


@dataclass
class ValidationCounts:
    """What became of the rows of one source so far, to tell a bad row from a bad source."""

    source: str
    rows: int = 0
    values: int = 0
    """Rows that say something in `value`."""
    erased: int = 0
    """Rows that were left out before, as their customers were erased."""
    in_1970: int = 0
    """Rows whose occurred_at lies in 1970."""
    types: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    samples: dict[str, pa.Array] = field(default_factory=dict)
    """The first values of each column that could not be read."""
    expressions: dict[str, str] = field(default_factory=dict)
    """What the query writes before `as`, for each column."""
    amounts: QuarantinedAmount = field(default_factory=QuarantinedAmount)
    is_attribute: bool = False
    consent: ConsentRules | None = None
    """By which its rows that forbid contact are known: these count without a date, and before it has come."""
    recurring: RecurringAmounts = field(default_factory=RecurringAmounts)
    """How its recurring amounts are brought to the project's unit."""
    converted: int = 0
    """Rows whose recurring amount was converted."""
    undated: int = 0
    """Rows that forbid contact without a date that counts."""
    undated_unread: int = 0
    """Of these, the ones whose date is there and cannot be read."""
    now: int = LAST
    """The instant after which nothing can have happened."""
    texts: SourceText = field(default_factory=lambda: SourceText(""))
    """How its text columns are written."""
    scales: tuple[DeclaredScale, ...] = ()
    """On which its survey answers are given."""

    accepted: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, np.bool_))
    """Which rows of the newest batch are events."""
    notes: tuple[str, ...] = ()
    """What a receipt says about the source."""

    def __post_init__(self) -> None:
        self.texts.source = self.texts.source or self.source

    def verdict(self, *, follows: bool = False) -> None:
        """Refuse a source that is wrong as a whole: no rows, a column of the wrong type, impossible dates.

        A reading that `follows` an earlier one may be a few bad rows, or rows that all wait for their moment.
        """
        if follows and (self.rows <= FEW_ROWS or self.reasons.get(TOO_LATE, 0) == self.rows):
            return
        if self.rows == 0:
            if self.is_attribute:  # as an opt-out that nobody has asked for yet: to remove it would be wrong
                raise DataError(
                    f"cannot ingest attribute '{self.source}': its query gave no rows. Check its file names "
                    "and conditions; where it holds for nobody yet, let the query give 'no' for the others."
                )
            raise DataError(
                f"cannot ingest source '{self.source}': its query gave no rows. "
                "Check its file names and conditions, or remove the source."
            )
        for column, reason, rows in (
            ("occurred_at", UNREADABLE, self.rows),
            ("value", NOT_A_NUMBER, self.values),
        ):
            unread = self.undated_unread if reason == UNREADABLE else 0
            if rows and self.reasons.get(reason, 0) + unread == rows:
                raise self.wrong_type(column, self.types[column])
        in_doubt = sum(count for reason, count in self.reasons.items() if reason.startswith(ZONE_IN_DOUBT))
        for count, what, trouble in (
            (in_doubt, "names a zone that has no one meaning", Trouble.ZONE),
            (self.reasons.get(TOO_LATE, 0), "lies in the future", Trouble.TOO_LATE),
            (self.reasons.get(TOO_EARLY, 0), "lies before 1970", Trouble.TOO_EARLY),
            (self.in_1970, "lies in 1970", Trouble.IN_1970),
        ):
            if count == self.rows:
                raise self._all_wrong("occurred_at", what, trouble)

    def all_notes(self, timezone: str) -> tuple[str, ...]:
        """What a receipt says about the source."""
        notes = self.texts.notes(timezone)
        if self.converted:
            units = " or ".join(dict.fromkeys(self.recurring.units.values()))
            notes += (f"{self.converted:,} recurring amounts of other periods are counted per {units}",)
        if not self.undated:
            return notes
        named = self.texts.names.get("occurred_at", "occurred_at")
        return (
            *notes,
            f"{self.undated:,} rows forbid contact and say no date in {named}: they count from now on",
        )

    def wrong_type(self, column: str, found: str, values: pa.Array | None = None) -> DataError:
        """A column holds something that cannot be what it is named; the error says what to write instead."""
        named = self.texts.names.get(column, column)
        sample = self.samples.get(column) if values is None else values.slice(0, MOST_SAMPLES).drop_null()
        example = f" (as in '{first_of(sample)}')" if sample is not None and len(sample) else ""
        return DataError(
            f"cannot ingest source '{self.source}': its column {named} is {found} and cannot be read"
            f"{example}. "
            + advice(column, named, self.expressions.get(column), sample, Trouble.UNREADABLE, self.now),
            field=named,
        )

    def keep_samples(self, name: str, values: pa.Array, where: NDArray[np.bool_]) -> None:
        """Keep the first values of a column that are wrong, to try a hint on them."""
        before = self.samples.get(name)
        if not where.any() or (before is not None and len(before) >= MOST_SAMPLES):
            return
        chosen = values.take(pa.array(np.flatnonzero(where)[:MOST_SAMPLES])).drop_null()
        if before is None or before.type == chosen.type:
            self.samples[name] = chosen if before is None else pa.concat_arrays([before, chosen])

    def _all_wrong(self, column: str, what: str, trouble: Trouble) -> DataError:
        """Every value of a column is impossible in the same way."""
        named, values = self.texts.names.get(column, column), self.samples.get(column)
        example = f", as '{first_of(values)}'" if values is not None and len(values) else ""
        return DataError(
            f"cannot ingest source '{self.source}': every {named} {what}{example}. "
            + advice(column, named, self.expressions.get(column), values, trouble, self.now),
            field=named,
        )
