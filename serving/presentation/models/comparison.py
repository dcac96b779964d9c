"""Paired differences of two models, as lines that people read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from features.catalog.display_names import in_language
from serving.presentation.training import COLUMNS, NAMES, padded

if TYPE_CHECKING:
    from serving.project.changed_settings import ChangedSetting
    from training.comparison import PairedComparison, PairedDifference
    from training.configuration_comparison import AddedFeature, ConfigurationComparison

SHOWN = ("auc", "log_loss")
"""The metrics of dates and segments."""
COUNTS, WIDE = 10, 29
"""Cells of a count and of a difference with its interval."""
MOST_NAMES = 8
"""Features that are named; of more the others are counted."""

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
VERDICTS = {
    "better": (
        "{second} is better than {first}: {metrics}.",
        "{second}の方が{first}より優れています：{metrics}。",
    ),
    "worse": (
        "{second} is worse than {first}: {metrics}.",
        "{second}の方が{first}より劣っています：{metrics}。",
    ),
    "mixed": (
        "{second} is better than {first} by one measure and worse by the other: {metrics}.",
        "{second}は{first}より、一方の指標では優れ、もう一方では劣っています：{metrics}。",
    ),
    "no_difference": (
        "No difference between {first} and {second} can be seen. Of {second}: {metrics}.",
        "{first}と{second}に差は見られません。{second}は{metrics}。",
    ),
    "unknown": (
        "Nothing can be said of {first} and {second}: too few of these customers left, or too few stayed.",
        "{first}と{second}の差は判定できません：離反した顧客か継続した顧客が少なすぎます。",
    ),
}
"""What the second is worth beside the first."""


def verdict_line(found: PairedComparison, first: str, second: str, language: str) -> str:
    """The verdict in one sentence, with how much better or worse the second is by AUC and log loss."""
    if found.identical:
        return in_language(
            language,
            f"{first} and {second} give every customer the same probability: what differs between them does "
            "not reach the churn model.",
            f"{first}と{second}の離反確率は全員同じです：設定の違いは離反モデルに影響していません。",
        )
    phrases = [
        _phrase(one, language)
        for one in found.all_rows.differences
        if one.metric in SHOWN and one.verdict != "unknown"
    ]
    metrics = in_language(
        language, ", ".join(phrases) + " (95% intervals)", "、".join(phrases) + "（95%信頼区間）"
    )
    return in_language(language, *VERDICTS[found.verdict]).format(first=first, second=second, metrics=metrics)


def _phrase(one: PairedDifference, language: str) -> str:
    """How far the second lies from the first by one metric, as an interval in words."""
    title = in_language(language, *TITLES[one.metric])
    low, high = one.low or 0.0, one.high or 0.0
    if one.verdict == "no_difference":
        return in_language(
            language,
            f"{title} between {-low:.4f} lower and {high:.4f} higher",
            f"{title}の差が−{-low:.4f}〜+{high:.4f}",
        )
    near, far = sorted((abs(low), abs(high)))
    word, word_ja = ("higher", "高い") if low > 0 else ("lower", "低い")
    return in_language(
        language, f"{title} {word} by {near:.4f} to {far:.4f}", f"{title}が{near:.4f}〜{far:.4f}{word_ja}"
    )


def files_lines(
    found: ConfigurationComparison,
    changed: Sequence[ChangedSetting],
    first: str,
    second: str,
    language: str,
) -> Iterator[str]:
    """The verdict on two configuration files, what differs between them, and the differences."""
    yield verdict_line(found.differences, first, second, language)
    if found.evidence == "low":
        yield in_language(
            language,
            "evidence: low (the history is short, or few customers left or stayed; see docs/glossary.md)",
            "根拠の強さ：限定的（履歴が短いか、離反または継続した顧客が少ないため）",
        )
    for one in changed:
        absent = "–" if one.name.startswith("features.add.") else in_language(language, "default", "既定値")
        yield f"  {one.name}: {one.first or absent} → {one.second or absent}"
    yield from _features(first, found.only_first, language)
    added = [_added(one, language) for one in found.only_second]
    yield from _features(second, added, language)
    yield ""
    yield from comparison_lines(found.differences, first, second, language)


def _added(one: AddedFeature, language: str) -> str:
    """An added feature and how much it moves the risk, or that it says nothing."""
    if one.constant:
        return in_language(
            language,
            f"{one.name} (the same for every customer: does its stream select any event?)",
            f"{one.name}（全員同じ値：streamに当てはまるイベントがあるか確認してください）",
        )
    return in_language(
        language,
        f"{one.name} (effect on the risk: {one.rank} of {one.of})",
        f"{one.name}（リスクへの影響の大きさ：{one.of}個中{one.rank}位）",
    )


def _features(name: str, features: Sequence[str], language: str) -> Iterator[str]:
    """The features that one of the two alone has."""
    if not features:
        return
    count, more = len(features), len(features) - MOST_NAMES
    names = ", ".join(features[:MOST_NAMES])
    rest, rest_ja = (f" and {more:,} more", f" 他{more:,}個") if more > 0 else ("", "")
    yield in_language(
        language,
        f"  only in {name}, {count:,} feature{'s' if count > 1 else ''}: {names}{rest}",
        f"  {name}だけの特徴量{count:,}個：{names}{rest_ja}",
    )


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
    whole = found.all_rows
    yield in_language(
        language,
        f"{whole.rows:,} rows of customers and dates, {whole.churners:,} left",
        f"顧客×基準日{whole.rows:,}行、うち離反{whole.churners:,}行",
    )
    for one in whole.differences:
        yield f"  {in_language(language, *TITLES[one.metric])}: {_difference(one)}"
    for heading, parts in (
        (("by as-of date", "基準日ごと"), found.dates),
        (("by segment", "セグメントごと"), found.segments),
    ):
        if parts:
            yield _row(
                in_language(language, *heading),
                in_language(language, "rows", "行"),
                in_language(language, "left", "離反"),
                *(in_language(language, *TITLES[one]) for one in SHOWN),
            )
        for part in parts:
            yield _row(
                part.name.removeprefix("segment_"),
                f"{part.rows:,}",
                f"{part.churners:,}",
                *(_with_interval(one) for one in part.differences if one.metric in SHOWN),
            )


def _row(name: str, rows: str, left: str, *figures: str) -> str:
    cells = (padded(rows, COUNTS, right=True), padded(left, COUNTS, right=True))
    return "  " + padded(name, NAMES) + "".join((*cells, *(padded(one, WIDE, right=True) for one in figures)))


def _difference(one: PairedDifference) -> str:
    if one.first is None or one.second is None:
        return "–"
    return f"{one.first:.4f} → {one.second:.4f}  {_with_interval(one)}"


def _with_interval(one: PairedDifference) -> str:
    if one.difference is None:
        return "–"
    interval = "" if one.low is None or one.high is None else f" [{one.low:+.4f}, {one.high:+.4f}]"
    return f"{one.difference:+.4f}{interval}"
