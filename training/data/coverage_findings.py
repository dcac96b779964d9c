"""What ended before the rest of the data, in words: which source or indicator, on which day, what to do."""

from __future__ import annotations

from collections.abc import Sequence

from features.catalog.display_names import INDICATOR_WORDS, kind_words
from features.profiling.finding import CheckFinding
from training.data.coverage import CoverageEnd, DataCoverage


def coverage_findings(coverage: DataCoverage) -> tuple[CheckFinding, ...]:
    """A finding for each source or indicator that ended before the rest; those that labels hang on first."""
    return tuple(_finding(end, coverage.rest) for end in coverage.ends)


def silence_sentence(coverage: DataCoverage) -> str:
    """The day until which silence is measured, and why not longer; empty where nothing ended before."""
    if not coverage.deciding:
        return ""
    end = coverage.deciding[0]
    sources = ", ".join(f"'{name}'" for name in end.sources)
    return (
        f"silence is measured until {end.last}, the last day of the indicator '{end.indicator}' ({sources}), "
        f"while what customers did otherwise goes on until {coverage.rest}"
    )


def _finding(end: CoverageEnd, rest: str) -> CheckFinding:
    english, japanese = _what(end)
    first = f"{english[:1].upper()}{english[1:]} end on {end.last}, {end.gap_days} days before the rest"
    first += f" of what customers did, which goes on until {rest}"
    start = f"{japanese}は{end.last}で終わり、ほかの行動（{rest}まで）より{end.gap_days}日早く途切れています"
    sources = ", ".join(f"'{name}'" for name in end.sources)
    sources_ja = "、".join(f"「{name}」" for name in end.sources)
    closing, closing_ja = _remedy(end, sources, sources_ja)
    if end.decides:
        second = (
            f"No as-of date is labelled whose horizon reaches beyond {end.last}, where everybody would seem"
        )
        second += " to have left" if end.indicator != "contract" else " to stay"
        after = f"{end.last}より先の期間ではラベルを作りません"
    else:
        second = "Churn does not hang on them, but engagement tiers and features do"
        after = "離反の判定には使いませんが、エンゲージメント階層と特徴量に影響します"
    return CheckFinding(
        "coverage" if end.decides else "ended",
        f"{first}. {second}. {closing}",
        f"{start}。{after}。{closing_ja}",
        {
            "indicator": end.indicator,
            "sources": list(end.sources),
            "kinds": list(end.kinds),
            "last": end.last,
            "rest": rest,
            "days": end.gap_days,
            "decides": end.decides,
        },
    )


def _what(end: CoverageEnd) -> tuple[str, str]:
    """What ended: the indicator or its kinds, and the sources that bring them."""
    words = INDICATOR_WORDS.get(end.indicator) or kind_words(end.indicator)
    sources, sources_ja = _named(end.sources)
    if end.indicator == "contract":
        kinds = ", ".join(end.kinds)
        return f"the contract events ({kinds}) of {sources}", f"{sources_ja}の契約イベント（{kinds}）"
    if end.part:
        kinds = ", ".join(end.kinds)
        return f"the {words.many} ({kinds}) of {sources}", f"{sources_ja}の{words.ja}（{kinds}）"
    return f"the {words.many} (indicator '{end.indicator}', {sources})", (
        f"{words.ja}（指標 {end.indicator}、{sources_ja}）"
    )


def _named(sources: Sequence[str]) -> tuple[str, str]:
    names = ", ".join(f"'{name}'" for name in sources)
    return (
        f"source {names}" if len(sources) == 1 else f"sources {names}",
        f"ソース{'、'.join(f'「{name}」' for name in sources)}",
    )


def _remedy(end: CoverageEnd, sources: str, sources_ja: str) -> tuple[str, str]:
    """What to do about it."""
    if end.decides and not end.part:
        return (
            f"Ingest what {sources} has since; where nothing more will come, let [churn] hang on something "
            "that goes on.",
            f"{sources_ja}のその後のデータを取り込んでください。今後も増えないなら、[churn] を続いている"
            "データに基づく定義に変えてください。",
        )
    return (
        f"Ingest what {sources} has since; where it has ended for good, write `closed = true` in its "
        "`[[sources]]`.",
        f"{sources_ja}のその後のデータを取り込んでください。終了したソースなら `[[sources]]` に "
        "`closed = true` と書いてください。",
    )
