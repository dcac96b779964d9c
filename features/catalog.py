"""Which features exist: their names, what they say without events, and their words in each language.

A feature is a record, not code: a stream (a named selection of events), an aggregate and a window; a
derived feature is an operation on two others. `catalog` expands indicators × aggregates × windows into
the default families, so that a new feature, indicator or window is one entry here, and training, batch,
online, reasons and documentation follow.

    streams ──┐
    aggregates├─▶ Feature ──┬─▶ Catalog ──▶ kernel (Program) · docs/features.md · bundle · reasons
    windows ──┘   Derived ──┘
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from features.errors import ConfigurationError
from features.words import INDICATOR_WORDS, Words, kind_words

REFUND = "refund"
ATTRIBUTE = "attribute."
"""Profile attributes are events of kind `attribute.NAME`, known since they occurred."""

Origin = Literal["customer", "company"]


@dataclass(frozen=True)
class Indicator:
    """A family of kinds that measures one side of engagement (DESIGN section 4)."""

    name: str
    kinds: tuple[str, ...]
    origin: Origin = "customer"
    attitude: bool = False
    amounts: bool = False
    """Values are money: a negative one takes back, and enters sums only."""


INDICATORS = (
    Indicator("purchase", ("purchase", REFUND), amounts=True),
    Indicator("usage", ("visit", "session", "login", "feature_used")),
    Indicator("content", ("article_read", "faq_viewed", "tutorial_watched", "chatbot_asked")),
    Indicator("inquiry", ("ticket_opened", "chat", "call", "complaint")),
    Indicator("survey", ("nps", "csat"), attitude=True),
    Indicator("social", ("like", "comment", "share", "mention", "ugc_post")),
    Indicator("community", ("community_post", "reply", "event_attended")),
    Indicator("referral", ("referral_made", "review_posted")),
    Indicator("response", ("email_clicked", "coupon_redeemed"), amounts=True),
    Indicator("campaign", ("email_sent", "push_sent", "coupon_sent", "call_made"), origin="company"),
    Indicator(
        "contract",
        ("started", "renewed", "upgraded", "downgraded", "cancelled", "completed"),
        amounts=True,
    ),
)


class IndicatorSettings(BaseModel):
    """`[indicators.NAME]`: which kinds belong to an indicator."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kinds: tuple[str, ...] = Field(min_length=1, description="the kinds of event that belong to it")
    origin: Origin | None = Field(None, description="who acts: the customer or the company")
    attitude: bool | None = Field(None, description="what customers say rather than do")
    amounts: bool | None = Field(None, description="whether values are money")


class FeatureSettings(BaseModel):
    """`[features]`: the windows over which events are counted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    windows: tuple[int, ...] = Field(
        (7, 14, 30, 60, 90, 180, 365), min_length=1, description="window lengths in days"
    )

    @field_validator("windows")
    @classmethod
    def _ascending(cls, windows: tuple[int, ...]) -> tuple[int, ...]:
        if any(days < 1 or days > 36_500 for days in windows):
            raise ValueError("a window is between 1 and 36500 days")
        return tuple(sorted(set(windows)))


@dataclass(frozen=True)
class Stream:
    """A named selection of events: those of these kinds and, where given, channels, places and details."""

    name: str
    indicator: str
    kinds: tuple[str, ...]
    channels: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    details: tuple[str, ...] = ()
    amounts: bool = False
    words: Words = field(default_factory=Words)


@dataclass(frozen=True)
class Aggregate:
    """One way to make a number of a stream's events in a window.

    `empty` is what it says without events. In the texts, `{many}` and the like are the stream's words
    and `{window}` is the window in words. Refunds enter `sum` and nothing else.
    """

    name: str
    unit: str
    empty: float
    english: str
    japanese: str
    windowed: bool | None = None
    """True: only over a window; False: only over whole history; None: both."""


_NONE = math.nan
AGGREGATES: Mapping[str, Aggregate] = {
    a.name: a
    for a in (
        Aggregate("count", "count", 0.0, "number of {many}{window}", "{window}{count}"),
        Aggregate("sum", "value", 0.0, "total {value} of {many}{window}", "{window}{ja_value}の合計"),
        Aggregate("mean", "value", _NONE, "average {value} of {many}{window}", "{window}{ja_value}の平均"),
        Aggregate("min", "value", _NONE, "lowest {value} of {many}{window}", "{window}{ja_value}の最小"),
        Aggregate("max", "value", _NONE, "highest {value} of {many}{window}", "{window}{ja_value}の最大"),
        Aggregate(
            "std", "value", _NONE, "spread of the {value} of {many}{window}", "{window}{ja_value}のばらつき"
        ),
        Aggregate("last", "value", _NONE, "latest {value} of {many}{window}", "{window}最新の{ja_value}"),
        Aggregate("active_days", "days", 0.0, "days with {many}{window}", "{window}{ja}があった日数"),
        Aggregate(
            "distinct_detail",
            "count",
            0.0,
            "different {details} of {many}{window}",
            "{window}{ja}の{ja_details}の種類数",
        ),
        Aggregate(
            "distinct_channel",
            "count",
            0.0,
            "different channels of {many}{window}",
            "{window}{ja}のチャネル数",
        ),
        Aggregate(
            "distinct_place", "count", 0.0, "different places of {many}{window}", "{window}{ja}の場所の数"
        ),
        Aggregate("days_since_last", "days", _NONE, "days since the last {one}", "最終{ja}からの日数", False),
        Aggregate(
            "days_since_first",
            "days",
            _NONE,
            "days since the first {one}",
            "初回{ja}からの日数",
            False,
        ),
        Aggregate("gap_mean", "days", _NONE, "average days between {many}", "{ja}の平均間隔（日）", False),
        Aggregate(
            "gap_std",
            "days",
            _NONE,
            "spread of the days between {many}",
            "{ja}の間隔のばらつき（日）",
            False,
        ),
        Aggregate(
            "gap_max", "days", _NONE, "longest break between {many}, in days", "{ja}の最長間隔（日）", False
        ),
        Aggregate(
            "overdue",
            "ratio",
            _NONE,
            "time since the last {one}, in multiples of the customer's usual gap",
            "普段の間隔に対する最終{ja}からの経過（倍）",
            False,
        ),
        Aggregate(
            "last_detail",
            "detail",
            _NONE,
            "latest {detail} of {many}{window}",
            "{window}直近の{ja}の{ja_details}",
        ),
        Aggregate(
            "top_detail",
            "detail",
            _NONE,
            "most frequent {detail} of {many}{window}",
            "{window}最も多い{ja}の{ja_details}",
        ),
    )
}


@dataclass(frozen=True)
class Feature:
    """One number from a customer's history: an aggregate of a stream over a window (None: all history)."""

    name: str
    stream: str
    aggregate: str
    days: int | None = None


@dataclass(frozen=True)
class Derived:
    """One number from two features. Missing where an input is missing or a divisor is zero.

    `ratio` first ÷ second, `difference` first − second, `trend` (first ÷ its days) ÷ (second ÷ its days):
    above 1 the short window runs faster than the long one.
    """

    name: str
    operation: Literal["ratio", "difference", "trend"]
    first: str
    second: str


@dataclass(frozen=True, eq=False)
class Catalog:
    """The features of one project or one bundle, in the order of the matrix columns."""

    indicators: tuple[Indicator, ...]
    streams: tuple[Stream, ...]
    features: tuple[Feature | Derived, ...]

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for feature in self.features:
            if feature.name in seen:
                raise ConfigurationError(f"the feature '{feature.name}' is declared twice: rename one")
            if isinstance(feature, Derived):
                for name in (feature.first, feature.second):
                    if name not in seen:
                        raise ConfigurationError(
                            f"the feature '{feature.name}' needs '{name}', which is not declared before it"
                        )
            elif feature.stream not in self.stream_of:
                raise ConfigurationError(
                    f"the feature '{feature.name}' reads the stream '{feature.stream}', which does not exist"
                )
            elif feature.aggregate not in AGGREGATES:
                raise ConfigurationError(
                    f"the feature '{feature.name}' uses the aggregate '{feature.aggregate}'; "
                    f"there are: {', '.join(AGGREGATES)}"
                )
            seen.add(feature.name)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The features' names, in the order of the matrix columns."""
        return tuple(feature.name for feature in self.features)

    @cached_property
    def stream_of(self) -> Mapping[str, Stream]:
        """Streams by name."""
        return {stream.name: stream for stream in self.streams}

    @cached_property
    def feature_of(self) -> Mapping[str, Feature | Derived]:
        """Features by name."""
        return {feature.name: feature for feature in self.features}

    @cached_property
    def detail_columns(self) -> tuple[str, ...]:
        """The columns whose numbers stand for a detail in the code book."""
        return tuple(name for name in self.columns if self.unit(name) == "detail")

    def indicator_of(self, column: str) -> str:
        """The indicator a feature belongs to; `profile` for attributes."""
        return self.stream_of[self._root(column).stream].indicator

    def unit(self, column: str) -> str:
        """What the number counts: `count`, `days`, `ratio`, `detail`, or the unit of the stream's values."""
        feature = self.feature_of[column]
        if isinstance(feature, Derived):
            return self.unit(feature.first) if feature.operation == "difference" else "ratio"
        unit = AGGREGATES[feature.aggregate].unit
        return self.stream_of[feature.stream].words.unit if unit == "value" else unit

    def empty(self, column: str) -> float:
        """What the feature says about a customer without events."""
        feature = self.feature_of[column]
        if not isinstance(feature, Derived):
            return AGGREGATES[feature.aggregate].empty
        first, second = self.empty(feature.first), self.empty(feature.second)
        return first - second if feature.operation == "difference" else math.nan

    def meaning(self, column: str, language: str) -> str:
        """The feature in words, `en` or `ja`: "number of purchases in the last 30 days"."""
        feature = self.feature_of[column]
        if isinstance(feature, Feature):
            return self._meaning(feature, language)
        first, second = self.meaning(feature.first, language), self.meaning(feature.second, language)
        if feature.operation == "trend":
            return (
                f"「{first}」の増減（{second}に対する倍率）"
                if language == "ja"
                else f"pace of the {first} against the {second}"
            )
        if feature.operation == "ratio":
            return (
                f"「{second}」に対する「{first}」の比率"
                if language == "ja"
                else f"{first}, as a share of the {second}"
            )
        return f"「{first}」と「{second}」の差" if language == "ja" else f"{first}, less the {second}"

    def _meaning(self, feature: Feature, language: str) -> str:
        aggregate, words = AGGREGATES[feature.aggregate], self.stream_of[feature.stream].words
        if self.stream_of[feature.stream].indicator == "profile":
            return words.one
        template, window = (
            aggregate.english,
            "" if feature.days is None else f" in the last {feature.days} days",
        )
        if language == "ja":
            template, window = aggregate.japanese, "" if feature.days is None else f"直近{feature.days}日の"
        return template.format(window=window, **asdict(words))

    def _root(self, column: str) -> Feature:
        feature = self.feature_of[column]
        return feature if isinstance(feature, Feature) else self._root(feature.first)

    def to_json(self) -> dict[str, Any]:
        """Plain data that `from_json` turns back into this catalogue."""
        return {
            "indicators": [asdict(indicator) for indicator in self.indicators],
            "streams": [asdict(stream) for stream in self.streams],
            "features": [asdict(feature) for feature in self.features],
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Catalog:
        """The catalogue that `to_json` wrote down."""

        def frozen(record: Mapping[str, Any]) -> dict[str, Any]:
            return {k: tuple(v) if isinstance(v, list) else v for k, v in record.items()}

        return Catalog(
            tuple(Indicator(**frozen(record)) for record in data["indicators"]),
            tuple(
                Stream(**{**frozen(record), "words": Words(**record["words"])}) for record in data["streams"]
            ),
            tuple(Derived(**r) if "operation" in r else Feature(**r) for r in data["features"]),
        )


def indicators(settings: Mapping[str, IndicatorSettings]) -> tuple[Indicator, ...]:
    """The indicators of a project: the built-in ones, changed and joined by its configuration."""
    known = {indicator.name: indicator for indicator in INDICATORS}
    for name, setting in settings.items():
        changed = {k: v for k, v in setting.model_dump().items() if v is not None}
        known[name] = replace(known.get(name, Indicator(name, ())), **changed)
    return tuple(known.values())


def catalog(declared: Sequence[Indicator], settings: FeatureSettings, kinds: Collection[str]) -> Catalog:
    """The default features for the kinds of event that a history holds.

    Every indicator has count and active days over all windows and days since last; behaviour has its
    rhythm (gaps, overdue), money its sums, surveys their answers; each kind of a mixed indicator is a
    stream of its own; attributes say their latest value.
    """
    streams: list[Stream] = []
    features: list[Feature | Derived] = []
    for indicator in declared:
        present = tuple(kind for kind in indicator.kinds if kind in kinds)
        if not present:
            continue
        words = INDICATOR_WORDS.get(indicator.name) or kind_words(indicator.name)
        whole = Stream(indicator.name, indicator.name, present, amounts=indicator.amounts, words=words)
        streams.append(whole)
        features += _indicator_family(indicator, whole, settings.windows)
        forward = tuple(kind for kind in present if kind != REFUND)
        for kind in (*(forward if len(forward) > 1 else ()), *(k for k in present if k == REFUND)):
            part = Stream(
                f"{indicator.name}_{kind}",
                indicator.name,
                (kind,),
                amounts=indicator.amounts and kind != REFUND,
                words=kind_words(kind, words),
            )
            streams.append(part)
            features += _kind_family(indicator, part, settings.windows)
    for kind in sorted(kind for kind in kinds if kind.startswith(ATTRIBUTE)):
        name = kind.removeprefix(ATTRIBUTE)
        words = Words(
            one=name,
            many=name,
            ja=name,
            count=name,
            value=name,
            ja_value=name,
            unit="value",
            detail=name,
            details=name,
            ja_details="値",
        )
        streams.append(Stream(f"profile_{name}", "profile", (kind,), words=words))
        features += [Feature(f"profile_{name}_{a}", f"profile_{name}", a) for a in ("last", "last_detail")]
    return Catalog(tuple(declared), tuple(streams), tuple(features))


def family(stream: Stream, *aggregates: str, over: Sequence[int | None] = (None,)) -> list[Feature | Derived]:
    """One feature for each aggregate and window of a stream."""
    return [
        Feature(
            f"{stream.name}_{aggregate}" + ("" if days is None else f"_{days}d"), stream.name, aggregate, days
        )
        for aggregate in aggregates
        for days in over
    ]


def trend(stream: Stream, aggregate: str, short: int, long: int) -> Derived:
    """How much faster the short window runs than the long one."""
    base = f"{stream.name}_{aggregate}"
    return Derived(f"{base}_trend_{short}d_{long}d", "trend", f"{base}_{short}d", f"{base}_{long}d")


def _indicator_family(
    indicator: Indicator, stream: Stream, windows: Sequence[int]
) -> list[Feature | Derived]:
    short, middle, long = _three(windows)
    rows = family(stream, "count", "active_days", over=windows)
    rows += family(stream, "days_since_last", "days_since_first")
    if indicator.amounts:
        rows += family(stream, "sum", over=windows) + family(stream, "mean", "max", over=(middle, long))
    if indicator.attitude or not indicator.amounts:
        rows += family(stream, "mean", over=(middle, long)) + family(stream, "last")
    if not indicator.attitude:
        rows += family(stream, "distinct_detail", over=(short, middle, long))
        rows += family(stream, "distinct_channel", "distinct_place", over=(middle, long))
        rows += family(stream, "last_detail") + family(stream, "top_detail", over=(long,))
    if indicator.origin == "customer" and not indicator.attitude:
        rows += family(stream, "gap_mean", "gap_std", "gap_max", "overdue")
        pairs = [(s, m) for s, m in ((short, middle), (middle, long)) if s < m]
        rows += [trend(stream, "count", s, m) for s, m in pairs]
        if indicator.amounts:
            rows += [trend(stream, "sum", s, m) for s, m in pairs]
    return list({row.name: row for row in rows}.values())


def _kind_family(indicator: Indicator, stream: Stream, windows: Sequence[int]) -> list[Feature | Derived]:
    three = tuple(dict.fromkeys(_three(windows)))
    rows = family(stream, "count", over=three) + family(stream, "days_since_last")
    if indicator.amounts:
        rows += family(stream, "sum", over=three)
    if indicator.attitude:
        rows += family(stream, "mean", over=three[-1:]) + family(stream, "last")
    return rows


def _three(windows: Sequence[int]) -> tuple[int, int, int]:
    """A short, a middle and a long window out of those declared: those nearest to 30, 90 and 365 days."""
    short, middle, long = (
        min(windows, key=lambda days: abs(math.log(days / goal))) for goal in (30, 90, 365)
    )
    return short, middle, long
