"""Paired differences of two models, as lines that people read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from features.catalog.display_names import in_language
from serving.presentation.training import COLUMNS

if TYPE_CHECKING:
    from training.comparison import ComparedRows, PairedComparison, PairedDifference

BASES = {
    "refitted": (
        "The settings of both were fitted on the same dates, and judged on the same later ones.",
        "両方の設定を同じ日付で学習し直し、その後の同じ日付で検証しました。",
    ),
    "as_delivered": (
        "Both are judged as they were delivered, on dates after everything they learned from.",
        "両方を登録されたまま、どちらの学習データよりも後の日付で検証しました。",
    ),
}
TITLES = {name: title for title, name in COLUMNS}


def comparison_lines(found: PairedComparison, first: str, second: str, language: str) -> Iterator[str]:
    """How they were compared, then the differences on all rows, by as-of date and by segment."""
    yield in_language(language, *BASES[found.basis])
    yield in_language(
        language,
        f"Differences are {second} − {first}, with 95% intervals (customers resampled): a higher AUC is "
        "better, a lower log loss and calibration error too.",
        f"差は{second}−{first}で、[ ]内は95%信頼区間です（顧客単位のブートストラップ）。"
        "AUCは大きいほど、対数損失と確率のずれは小さいほど良い値です。",
    )
    every = in_language(language, "all", "全体")
    yield from _rows(found.all_rows, every, language)
    for part in (*found.dates, *found.segments):
        yield from _rows(part, part.name.removeprefix("segment_"), language)


def _rows(part: ComparedRows, name: str, language: str) -> Iterator[str]:
    yield in_language(
        language,
        f"{name}: {part.rows:,} rows, {part.churners:,} left",
        f"{name}：{part.rows:,}行、うち離反{part.churners:,}行",
    )
    for one in part.differences:
        yield f"  {in_language(language, *TITLES[one.metric])}: {_difference(one)}"


def _difference(one: PairedDifference) -> str:
    if one.difference is None or one.first is None or one.second is None:
        return "–"
    interval = "" if one.low is None or one.high is None else f" [{one.low:+.4f}, {one.high:+.4f}]"
    return f"{one.first:.4f} → {one.second:.4f}  {one.difference:+.4f}{interval}"
