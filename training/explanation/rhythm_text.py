"""What a customer's rhythm is called in reasons: a sentence for each aggregate, in both languages."""

from __future__ import annotations

from features.catalog.display_names import DisplayName, in_language

_SENTENCES = {
    "days_since_last": ("the last {one} was {shown} ago", "{last}から{shown}"),
    "days_since_first": ("the first {one} was {shown} ago", "{first}から{shown}"),
    "overdue": (
        "the time since the last {one} is {shown} this customer's usual gap",
        "{last}からの経過日数は普段の間隔の{shown}",
    ),
    "overdue_smoothed": (
        "the time since the last {one} is {shown} the gap to be expected of this customer",
        "{last}からの経過日数は想定される間隔の{shown}",
    ),
    "silence": (
        "from how often {many} came so far, the chance of none in the next {days} days is {shown}",
        "これまでの頻度から見て、今後{days}日{ja}がない確率は{shown}",
    ),
    "alive": (
        "from how often {many} came so far, the chance of any more is {shown}",
        "これまでの頻度から見て、今後も{ja}がある確率は{shown}",
    ),
    "decayed_count": (
        "{many}, older ones counted less (over {days} days), come to {shown}",
        "最近ほど重く数えた{count}（{days}日で減衰）は{shown}",
    ),
    "active_day_rate": (
        "{many} came on {shown} of the days since the first, 30 days added",
        "初回からの日数（30日を加える）のうち{ja}があった日の割合は{shown}",
    ),
    "share_younger_half": (
        "{shown} of the {many} came in the younger half of the time since the first",
        "初回から現在までの後半に{ja}が占める割合は{shown}",
    ),
    "gap_first": ("the first two {many} were {shown} apart", "最初の2回の{ja}の間隔は{shown}"),
    "gap_last": ("the latest two {many} were {shown} apart", "直近2回の{ja}の間隔は{shown}"),
    "gap_min": ("the shortest time between {many} was {shown}", "{ja}の最短間隔は{shown}"),
    "gap_geometric": ("{many} usually come {shown} apart", "{ja}の標準的な間隔は{shown}"),
    "gap_mean": ("{many} come {shown} apart on average", "{ja}の平均間隔は{shown}"),
    "gap_std": ("the time between {many} varies by {shown}", "{ja}の間隔のばらつきは{shown}"),
    "gap_max": ("the longest break between {many} was {shown}", "{ja}の最長間隔は{shown}"),
}


def rhythm_sentence(
    aggregate: str, words: DisplayName, days: int | None, shown: str, language: str
) -> str | None:
    """The sentence for a value as it is `shown`; None where the aggregate is none of the rhythm."""
    if aggregate not in _SENTENCES:
        return None
    sentence = in_language(language, *_SENTENCES[aggregate])
    return sentence.format(
        one=words.one,
        many=words.many,
        ja=words.ja,
        count=words.count,
        last=_ordinal("最終", "最後", words.ja),
        first=_ordinal("初回", "最初", words.ja),
        days=days,
        shown=shown,
    )


def _ordinal(prefix: str, adjective: str, ja: str) -> str:
    """最終購買, but 最後の施策への反応: a prefix goes with a single word only."""
    return f"{adjective}の{ja}" if any(part in ja for part in ("の", "に", "「")) else f"{prefix}{ja}"
