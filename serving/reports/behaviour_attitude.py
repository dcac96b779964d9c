"""The table of behaviour (engagement tier) by attitude (last NPS answer); the two are never blended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from features.catalog.display_names import in_language
from serving.schemas.report_responses import Cell
from serving.schemas.terms import ATTITUDE_WORDS, ATTITUDES
from training.explanation.text import tier_words
from training.statistics import ratio, wilson

if TYPE_CHECKING:
    from serving.reports.compute import ReportData

LOW, MIDDLE, HIGH = range(3)
DARKEST = 4
"""The last step of the shades of a page."""
FEWEST = 30
"""A rate of fewer customers is shown without a shade: it may be chance."""
CELLS = {
    (HIGH, "promoter"): ("active and recommending", "利用も評価も高いファン"),
    (HIGH, "passive"): ("active, not yet won over", "よく使うが評価は中立"),
    (HIGH, "detractor"): ("active but unhappy", "よく使うが不満あり"),
    (HIGH, "unknown"): ("active, never asked or answered", "よく使うが声は未確認"),
    (MIDDLE, "promoter"): ("recommending, room to grow", "評価が高く利用拡大の余地あり"),
    (MIDDLE, "passive"): ("in the middle of both", "利用・評価とも中位"),
    (MIDDLE, "detractor"): ("unhappy and undecided", "不満があり様子見"),
    (MIDDLE, "unknown"): ("moderate, never asked or answered", "利用は中位、声は未確認"),
    (LOW, "promoter"): ("content but fading", "満足しているが利用が減少"),
    (LOW, "passive"): ("fading without a word", "評価は中立で利用が減少"),
    (LOW, "detractor"): ("unhappy and leaving", "不満があり離れつつある"),
    (LOW, "unknown"): ("silent and fading", "声がないまま利用が減少"),
}
"""A name for each third of the tiers and each attitude."""


def band(tier: int, tiers: int) -> int:
    """The third of the tiers that a tier lies in; the middle takes what does not divide."""
    side = max(tiers // 3, 1) if tiers % 3 != 2 else (tiers + 1) // 3
    return LOW if tier < side else HIGH if tier >= tiers - side else MIDDLE


def cell_name(tier: int, tiers: int, attitude: str, language: str) -> str:
    """What people call a cell."""
    english, japanese = CELLS[band(tier, tiers), attitude]
    return in_language(language, english, japanese)


def telling_rate(cell: Cell) -> float | None:
    """The churn rate of a cell by which it is shaded; None where it is a rate of fewer than `FEWEST`."""
    return cell.churn_rate if cell.customers_at_start >= FEWEST else None


def shades_of(rates: Sequence[float]) -> Callable[[float], int] | None:
    """The step from 0 to `DARKEST` in which a rate is shaded; None where all of them are the same."""
    least, most = min(rates, default=0.0), max(rates, default=0.0)
    if least == most:
        return None
    return lambda rate: round(DARKEST * (rate - least) / (most - least))


def cells(data: ReportData, language: str) -> list[Cell]:
    """Every cell: how many are in it now, and what became of those who were in it when the period began."""
    names, movements = data.tiers, data.movements
    table = []
    for tier, name in enumerate(names):
        for number, attitude in enumerate(ATTITUDES):
            size, lost, spent, squares = movements.then.get((tier, number), (0.0, 0.0, 0.0, 0.0))
            low, high = wilson(lost / size, size) if size else (None, None)
            limits = ratio(size, spent, size, squares, spent, size) if size else None
            table.append(
                Cell(
                    tier=name,
                    tier_words=tier_words(name, language),
                    attitude=attitude,
                    attitude_words=in_language(language, *ATTITUDE_WORDS[attitude]),
                    words=cell_name(tier, len(names), attitude, language),
                    customers=movements.now.get((tier, number), 0),
                    customers_at_start=int(size),
                    churn_rate=lost / size if size else None,
                    churn_rate_low=low,
                    churn_rate_high=high,
                    value_per_customer=spent / size if size else None,
                    value_low=limits[0] if limits else None,
                    value_high=limits[1] if limits else None,
                )
            )
    return table
