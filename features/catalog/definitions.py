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

import difflib
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from features.catalog.aggregates import AGGREGATES, CALENDAR, Aggregate
from features.catalog.display_names import (
    INDICATOR_WORDS,
    DisplayName,
    in_language,
    is_japanese,
    kind_words,
    narrowed,
)
from features.catalog.settings import FeatureEntry, FeatureSettings, Operation
from features.errors import ConfigurationError
from features.events.attributes import is_reserved
from features.events.schema import ATTRIBUTE, REFUND

__all__ = [
    "AGGREGATES", "INDICATORS", "Aggregate", "Catalog", "Derived", "Feature", "FeatureSettings", "Indicator",
    "IndicatorSettings", "Stream", "amount_kinds", "catalog", "family", "indicators", "trend",
]  # fmt: skip

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
    words: DisplayName = field(default_factory=DisplayName)


@dataclass(frozen=True)
class Feature:
    """One number from a customer's history: an aggregate of a stream over `days` (`Aggregate.span`)."""

    name: str
    stream: str
    aggregate: str
    days: int | None = None
    english: str = ""
    japanese: str = ""
    """What it is, where the records' own words are not wanted."""


@dataclass(frozen=True)
class Derived:
    """One number from two features. Missing where an input is missing or a divisor is zero.

    `ratio` first ÷ second, `share` the same where the first is a part of the second, `difference`
    first − second, `trend` (first ÷ its days) ÷ (second ÷ its days): above 1 the short window runs faster
    than the long one.
    """

    name: str
    operation: Operation
    first: str
    second: str
    english: str = ""
    japanese: str = ""


_OPERATION_WORDS = {
    "ratio": ("{first}, as a share of the {second}", "「{second}」に対する「{first}」の比率"),
    "difference": ("{first}, less the {second}", "「{first}」と「{second}」の差"),
    "trend": ("pace of the {first} against the {second}", "「{first}」の増減（{second}に対する倍率）"),
    "share": ("share of the {first} in the {second}", "「{second}」に占める「{first}」の割合"),
}


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
    def kinds(self) -> frozenset[str]:
        """The kinds of event that some stream takes."""
        return frozenset(kind for stream in self.streams for kind in stream.kinds)

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
            if feature.operation == "difference":
                return self.unit(feature.first)
            return "share" if feature.operation == "share" else "ratio"
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
        own = in_language(language, feature.english, feature.japanese)
        if own:
            return own
        if isinstance(feature, Feature):
            return self._meaning(feature, language)
        first, second = self.meaning(feature.first, language), self.meaning(feature.second, language)
        english, japanese = _OPERATION_WORDS[feature.operation]
        return in_language(language, english, japanese).format(first=first, second=second)

    def _meaning(self, feature: Feature, language: str) -> str:
        aggregate, words = AGGREGATES[feature.aggregate], self.stream_of[feature.stream].words
        if self.stream_of[feature.stream].indicator == "profile":
            return words.one
        template, window = aggregate.english, f" in the last {feature.days} days"
        if is_japanese(language):
            template, window = aggregate.japanese, f"直近{feature.days}日の"
        return template.format(
            window="" if feature.days is None else window, days=feature.days, **asdict(words)
        )

    @cached_property
    def learned(self) -> tuple[str, ...]:
        """The numbers of the population that some feature reads: `gap_mean.purchase`."""
        read = (
            f"{number}.{feature.stream}"
            for feature in self.features
            if isinstance(feature, Feature)
            for number in AGGREGATES[feature.aggregate].learned
        )
        return tuple(dict.fromkeys(read))

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
                Stream(**{**frozen(record), "words": DisplayName(**record["words"])})
                for record in data["streams"]
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


def amount_kinds(declared: Sequence[Indicator]) -> frozenset[str]:
    """The kinds whose values are amounts of money, by the indicators that name them."""
    return frozenset(kind for indicator in declared if indicator.amounts for kind in indicator.kinds)


def catalog(
    declared: Sequence[Indicator],
    settings: FeatureSettings,
    kinds: Collection[str],
    horizon_days: int | None = None,
) -> Catalog:
    """The features of a project for the kinds of event that a history holds.

    By default every indicator has count and active days over all windows and days since last; behaviour has
    its rhythm (gaps, overdue, the chance of silence in the next `horizon_days`), money its sums, surveys
    their answers; each kind of a mixed indicator is a stream of its own; attributes but reserved ones say
    their latest value. The settings then drop, replace and add entries.
    """
    ahead = horizon_days or _three(settings.windows)[1]
    streams, features = _defaults(declared, settings, kinds, ahead)
    if settings.drop:
        every = {kind for indicator in declared for kind in indicator.kinds} | set(kinds)
        _, possible = _defaults(declared, settings, every, ahead)
        features = _kept(features, settings.drop, [feature.name for feature in possible])
    for place, entry in enumerate(settings.add, start=1):
        known = {feature.name: feature for feature in features}
        key = f"features.add[{place}]"
        entered = _derived(entry, key, known) or _entered(entry, key, declared, streams, kinds)
        features = list((known | {feature.name: feature for feature in entered}).values())
    used = {feature.stream for feature in features if isinstance(feature, Feature)}
    return Catalog(
        tuple(declared), tuple(stream for stream in streams if stream.name in used), tuple(features)
    )


def _defaults(
    declared: Sequence[Indicator], settings: FeatureSettings, kinds: Collection[str], ahead: int
) -> tuple[list[Stream], list[Feature | Derived]]:
    streams: list[Stream] = []
    features: list[Feature | Derived] = []
    for indicator in declared:
        present = tuple(kind for kind in indicator.kinds if kind in kinds)
        if not present:
            continue
        words = _words(indicator)
        forward = tuple(kind for kind in present if kind != REFUND)
        taken = present if indicator.amounts else forward or present  # a refund enters sums of amounts alone
        whole = Stream(indicator.name, indicator.name, taken, amounts=indicator.amounts, words=words)
        streams.append(whole)
        features += _indicator_family(indicator, whole, settings.windows, ahead)
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
    for name in sorted(kind.removeprefix(ATTRIBUTE) for kind in kinds if kind.startswith(ATTRIBUTE)):
        if is_reserved(name):  # whether and how to contact somebody: nothing to learn from, no reason to give
            continue
        kind = ATTRIBUTE + name
        words = DisplayName(name, name, name, name, name, name, "value", name, name, "値")
        streams.append(Stream(f"profile_{name}", "profile", (kind,), words=words))
        features += [Feature(f"profile_{name}_{a}", f"profile_{name}", a) for a in ("last", "last_detail")]
    if settings.calendar:
        streams.append(_CALENDAR)
        features += family(_CALENDAR, *(a.name for a in AGGREGATES.values() if a.span == "date"))
    return streams, features


_CALENDAR = Stream(CALENDAR, CALENDAR, ())


def _words(indicator: Indicator) -> DisplayName:
    return INDICATOR_WORDS.get(indicator.name) or kind_words(indicator.name)


def _kept(
    features: list[Feature | Derived], drop: Sequence[str], possible: Sequence[str]
) -> list[Feature | Derived]:
    """The features that no pattern names."""
    for place, pattern in enumerate(drop, start=1):
        if not pattern.startswith("profile_") and not any(fnmatchcase(name, pattern) for name in possible):
            raise ConfigurationError(
                f'`features.drop[{place}]` is "{pattern}", but no default feature has such a name. '
                "docs/features.md lists them.",
                field=f"features.drop[{place}]",
            )
    dropped = {f.name for f in features if any(fnmatchcase(f.name, pattern) for pattern in drop)}
    for feature in features:
        if isinstance(feature, Derived) and feature.name not in dropped:
            for name in (feature.first, feature.second):
                if name in dropped:
                    raise ConfigurationError(
                        f"`features.drop` leaves out '{name}', of which '{feature.name}' is made. "
                        f'Add "{feature.name}" to it, or keep both.',
                        field="features.drop",
                    )
    return [feature for feature in features if feature.name not in dropped]


def _derived(
    entry: FeatureEntry, key: str, known: Mapping[str, Feature | Derived]
) -> list[Feature | Derived]:
    """The feature that an entry makes of two others; none where it is made of events."""
    if entry.operation is None:
        return []
    for place in ("first", "second"):
        name = getattr(entry, place)
        feature = known.get(name)
        if feature is None:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f'Write "{near[0]}"' if near else "docs/features.md lists the default ones"
            raise ConfigurationError(
                f'`{key}.{place}` is "{name}", but there is no such feature before it. {hint}.',
                field=f"{key}.{place}",
            )
        if entry.operation == "trend" and (isinstance(feature, Derived) or not feature.days):
            raise ConfigurationError(
                f'`{key}.{place}` is "{name}", but a trend compares two windows. '
                "Write a feature with a window.",
                field=f"{key}.{place}",
            )
    words = (entry.english, entry.japanese)
    return [Derived(entry.name, entry.operation, entry.first, entry.second, *words)]


def _entered(
    entry: FeatureEntry,
    key: str,
    declared: Sequence[Indicator],
    streams: list[Stream],
    kinds: Collection[str],
) -> list[Feature | Derived]:
    """The features that an entry adds; a stream that is not there yet joins the others."""
    told = (entry.english, entry.japanese)
    if entry.aggregate in AGGREGATES and AGGREGATES[entry.aggregate].span == "date":
        return [Feature(entry.name, _stream(_CALENDAR, streams).name, entry.aggregate, None, *told)]
    indicator = next((one for one in declared if one.name == entry.stream.indicator), None)
    if indicator is None:
        raise ConfigurationError(
            f'`{key}.stream.indicator` is "{entry.stream.indicator}", which is no indicator. '
            f"There are {', '.join(one.name for one in declared)}.",
            field=f"{key}.stream.indicator",
        )
    strange = [kind for kind in entry.stream.kinds if kind not in indicator.kinds]
    if strange:
        raise ConfigurationError(
            f'`{key}.stream.kinds` has "{strange[0]}", which is no kind of {indicator.name}. '
            f"There are {', '.join(indicator.kinds)}.",
            field=f"{key}.stream.kinds",
        )
    chosen = _stream(_chosen(entry, indicator, kinds), streams)
    if entry.aggregate != "share":
        return [Feature(entry.name, chosen.name, entry.aggregate, entry.days, *told)]
    whole = _stream(_chosen(entry, indicator, kinds, whole=True), streams)
    (part,), (all_,) = (family(stream, "count", over=(entry.days,)) for stream in (chosen, whole))
    return [part, all_, Derived(entry.name, "share", part.name, all_.name, *told)]


def _chosen(
    entry: FeatureEntry, indicator: Indicator, kinds: Collection[str], *, whole: bool = False
) -> Stream:
    """The stream of an entry, or all of its indicator's events."""
    told, words = entry.stream, _words(indicator)
    if whole or not (told.kinds or told.channels or told.places or told.details):
        present = tuple(kind for kind in indicator.kinds if kind in kinds) or indicator.kinds
        if not indicator.amounts:
            present = tuple(kind for kind in present if kind != REFUND) or present
        return Stream(indicator.name, indicator.name, present, amounts=indicator.amounts, words=words)
    if len(told.kinds) == 1:
        words = narrowed(kind_words(told.kinds[0], words), (*told.channels, *told.places, *told.details))
    else:
        words = narrowed(words, (*told.kinds, *told.channels, *told.places, *told.details))
    return Stream(
        "_".join((indicator.name, *told.kinds, *told.channels, *told.places, *told.details)),
        indicator.name,
        told.kinds or indicator.kinds,
        told.channels,
        told.places,
        told.details,
        indicator.amounts and told.kinds != (REFUND,),
        words,
    )


def _stream(wanted: Stream, streams: list[Stream]) -> Stream:
    """The stream that takes the same events, or the wanted one, which joins them under a name of its own."""
    taken = {stream.name for stream in streams}
    for stream in streams:
        if replace(stream, name=wanted.name, words=wanted.words) == wanted:
            return stream
    name, number = wanted.name, 2
    while name in taken:
        name, number = f"{wanted.name}_{number}", number + 1
    streams.append(replace(wanted, name=name))
    return streams[-1]


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
    indicator: Indicator, stream: Stream, windows: Sequence[int], ahead: int
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
        rows += family(stream, "gap_mean", "gap_std", "gap_max", "overdue", "overdue_smoothed")
        rows += family(stream, "silence", over=(ahead,))
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
