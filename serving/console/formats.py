"""Numbers, money and dates of the console as each language writes them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from features.catalog.display_names import in_language, is_japanese
from features.timeline import Timeline
from serving.application.permissions import COMMAND_LINE
from serving.presentation.i18n import STATUS_WORDS, amount_range, lifetime_text, money, percent, tier_or_empty
from serving.schemas.lifetime_responses import LifetimeValue
from serving.schemas.lifetime_words import range_words, shows_value
from serving.schemas.report_responses import MonthRange
from serving.schemas.terms import months_words
from training.explanation.quantities import with_currency

NONE = "–"
"""What stands where a value is not known."""
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True)
class Formats:
    """The formats of one language, one currency and one calendar."""

    language: str
    currency: str | None
    timeline: Timeline

    def money(self, value: float | None) -> str:
        """An amount with its currency: ¥1,235 · 1,235円."""
        return money(value, self.currency, self.language)

    def money_range(self, low: float | None, high: float | None) -> str:
        """From one amount to another: ¥1,235–¥2,000 · 1,235円〜2,000円."""
        return amount_range(low, high, self.currency, self.language)

    def lifetime(self, one: LifetimeValue) -> str:
        """A lifetime value; a range alone where the evidence is low."""
        return lifetime_text(one, self.currency, self.language)

    def is_range(self, one: LifetimeValue) -> bool:
        """Whether `lifetime` writes a range alone."""
        return not shows_value(one.evidence)

    def range_words(self, status: str) -> str:
        """What the range of the lifetime value of a customer of this status is called."""
        words = range_words(status, self.language)
        return words[:1].upper() + words[1:]

    def month_count(self, months: int) -> str:
        """So many months: 1 month · 12 months · 12か月."""
        return months_words(months, self.language)

    def short_money(self, value: float | None) -> str:
        """A large amount in few characters: ¥1.23M · 123万円; three digits at least count in each language.

        From 100 on without decimals, so that a column has one kind of number; smaller ones as `money`.
        """
        if value is None or abs(value) < 100:
            return self.money(value)
        # In Japanese 21,900 is no longer than 2.19万.
        first, units = (
            (100_000, ((1e8, "億"), (1e4, "万")))
            if is_japanese(self.language)
            else (10_000, ((1e9, "B"), (1e6, "M"), (1e3, "k")))
        )
        written = f"{value:,.0f}"
        if abs(value) >= first:
            size, unit = next(one for one in units if abs(value) >= one[0])
            scaled = value / size
            written = f"{scaled:,.{2 if abs(scaled) < 10 else 1 if abs(scaled) < 100 else 0}f}{unit}"
        return with_currency(written, self.currency or "", self.language)

    def percent(self, share: float | None) -> str:
        """A share of 1 in percent: 12.3%."""
        return percent(share)

    def points(self, share: float | None) -> str:
        """A difference of shares in percentage points, with its sign: +1.2 pt · +1.2ポイント."""
        if share is None:
            return NONE
        return f"{share * 100:+.1f}{in_language(self.language, ' pt', 'ポイント')}"

    def hundredths(self, share: float | None) -> str:
        """A share of 1 in hundredths, where the words around say what of: 12.3."""
        return NONE if share is None else self.number(share * 100)

    def width(self, share: float) -> str:
        """A share of 1 as the width of a bar that is 100 wide."""
        return f"{share * 100:.1f}"

    def count(self, number: int | None) -> str:
        """A whole number: 12,345."""
        return NONE if number is None else f"{number:,}"

    def people(self, number: int | None) -> str:
        """How many customers: 1 customer · 1,234 customers · 1,234名."""
        if number is None:
            return NONE
        return in_language(self.language, f"{number:,} customer{'' if number == 1 else 's'}", f"{number:,}名")

    def number(self, value: float | None, digits: int = 1) -> str:
        """A number with so many decimals."""
        return NONE if value is None else f"{value:,.{digits}f}"

    def day(self, moment: int | str | None) -> str:
        """A day: 30 Nov 2026 · 2026年11月30日; from microseconds UTC or a date as answers write it."""
        local = self._local(moment)
        if local is None:
            return NONE
        return in_language(
            self.language,
            f"{local.day} {_MONTHS[local.month - 1]} {local.year}",
            f"{local.year}年{local.month}月{local.day}日",
        )

    def minute(self, moment: int | str | None) -> str:
        """A day with the time: 30 Nov 2026, 09:05 · 2026年11月30日 9:05."""
        local = self._local(moment)
        if local is None:
            return NONE
        time = in_language(self.language, f", {local:%H:%M}", f" {local.hour}:{local:%M}")
        return f"{self.day(moment)}{time}"

    def time(self, moment: int) -> str:
        """The time of day: 09:05 · 9:05."""
        local = self.timeline.local(moment)
        return in_language(self.language, f"{local:%H:%M}", f"{local.hour}:{local:%M}")

    def month(self, moment: int | str | None) -> str:
        """A month: Nov 2026 · 2026年11月."""
        local = self._local(moment)
        if local is None:
            return NONE
        return in_language(
            self.language, f"{_MONTHS[local.month - 1]} {local.year}", f"{local.year}年{local.month}月"
        )

    def months(self, period: MonthRange) -> str:
        """A span of months of a report: Feb 2024 – Jan 2025 · 2024年2月〜2025年1月."""
        written = dict.fromkeys(self.month(f"{month}-01") for month in (period.first, period.last))
        return in_language(self.language, " – ", "〜").join(written)

    def tier(self, name: str | None) -> str:
        """An engagement tier as people call it."""
        return tier_or_empty(name, self.language) or NONE

    def status(self, name: str) -> str:
        """Whether a customer is active, gone or new."""
        return in_language(self.language, *STATUS_WORDS[name])

    def who(self, name: str | None) -> str:
        """The name of an account, or that it was done on the command line."""
        if name == COMMAND_LINE.name:
            return in_language(self.language, name, "コマンドライン")
        return name or NONE

    def _local(self, moment: int | str | None) -> datetime | None:
        if moment is None or moment == "":
            return None
        instant = self.timeline.instant(moment) if isinstance(moment, str) else moment
        return self.timeline.local(instant)
