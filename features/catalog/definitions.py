"""Records of the feature catalogue: indicators, streams, features, and their names and meanings.

A feature is a record, not code: a stream (a named selection of events), an aggregate and a window; a
derived feature is an operation on two others. `features/catalog/defaults.py` expands indicators × aggregates
× windows into the default families, `features/catalog/custom.py` reads what a project adds. Training, batch,
online, reasons and documentation follow from these records.

    streams ──┐
    aggregates├─▶ Feature ──┬─▶ Catalog ──▶ kernel (CompiledCatalog) · docs/features.md · bundle · reasons
    windows ──┘   Derived ──┘
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from features.catalog.aggregates import AGGREGATES, CALENDAR, LEVEL
from features.catalog.display_names import (
    INDICATOR_WORDS,
    DisplayName,
    in_language,
    is_japanese,
    kind_words,
    recurring,
)
from features.catalog.settings import Operation
from features.errors import ConfigurationError
from features.events.recurring_amounts import Period
from features.events.schema import REFUND

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
    per: Period | None = None
    """The period of recurring amounts, where it is said."""


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

    @property
    def taken_back(self) -> bool:
        """Whether these are refunds alone, whose amounts are negative."""
        return self.kinds == (REFUND,)

    @property
    def display_words(self) -> DisplayName:
        """The words that people read: the amount of refunds is not called that of purchases."""
        return replace(self.words, ja_value=f"{self.words.ja}の金額") if self.taken_back else self.words


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
    dropped: tuple[str, ...] = field(default=(), compare=False)
    """Features that settings left out: for those who look at a training, no part of what is written down."""

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

    @cached_property
    def level_columns(self) -> tuple[str, ...]:
        """The columns whose numbers are what a population taught about a detail: `level_key` names them."""
        return tuple(f.name for f in self.features if isinstance(f, Feature) and f.aggregate == LEVEL)

    def detail_of_level(self, column: str) -> str:
        """The column with the detail itself beside a level column; empty where there is none."""
        return self._details_of_levels.get(column, "")

    @cached_property
    def _details_of_levels(self) -> Mapping[str, str]:
        plain = [feature for feature in self.features if isinstance(feature, Feature)]
        details = {(f.stream, f.days): f.name for f in plain if f.aggregate == "last_detail"}
        found = {f.name: details.get((f.stream, f.days), "") for f in plain if f.aggregate == LEVEL}
        return {level: detail for level, detail in found.items() if detail}

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
        aggregate, words = AGGREGATES[feature.aggregate], self.stream_of[feature.stream].display_words
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
            "indicators": [_record(indicator) for indicator in self.indicators],
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


def _record(indicator: Indicator) -> dict[str, Any]:
    """An indicator as plain data; a period that is not said is left out, as in earlier bundles."""
    record = asdict(indicator)
    if indicator.per is None:
        del record["per"]
    return record


def level_key(column: str, detail: str) -> str:
    """The name among `Priors.numbers` of what is known of a detail in one of the `level_columns`."""
    return f"{LEVEL}.{column}={detail}"


def codes_of_levels(columns: Sequence[str]) -> tuple[int, ...]:
    """The places of columns with the code of a detail whose level column is there too: the level is learned
    from, the code is there to be read."""
    place = {name: at for at, name in enumerate(columns)}
    details = (name.replace(LEVEL, "last_detail") for name in columns if LEVEL in name)
    return tuple(place[detail] for detail in details if detail in place)


def amount_kinds(declared: Sequence[Indicator]) -> frozenset[str]:
    """The kinds whose values are amounts of money, by the indicators that name them."""
    return frozenset(kind for indicator in declared if indicator.amounts for kind in indicator.kinds)


def company_kinds(declared: Sequence[Indicator]) -> frozenset[str]:
    """The kinds of event that the company causes and no customer does."""
    by_customers = {kind for one in declared if one.origin == "customer" for kind in one.kinds}
    return frozenset(kind for one in declared for kind in one.kinds) - by_customers


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


CALENDAR_STREAM = Stream(CALENDAR, CALENDAR, ())


def indicator_words(indicator: Indicator) -> DisplayName:
    """The built-in words of an indicator, or words made from its name."""
    words = INDICATOR_WORDS.get(indicator.name) or kind_words(indicator.name)
    return words if indicator.per is None else recurring(words, indicator.per)
