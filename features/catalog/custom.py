"""Features that a project adds: the entries `[[features.add]]` of its file, as records of the catalogue."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from features.catalog.aggregates import AGGREGATES, LEVEL
from features.catalog.definitions import (
    CALENDAR_STREAM,
    Derived,
    Feature,
    Indicator,
    Stream,
    family,
    indicator_words,
)
from features.catalog.display_names import kind_words, narrowed
from features.catalog.settings import FeatureEntry
from features.errors import ConfigurationError
from features.events.schema import REFUND
from features.spelling import nearest_word


def derived_feature(
    entry: FeatureEntry, key: str, known: Mapping[str, Feature | Derived]
) -> list[Feature | Derived]:
    """The feature that an entry makes of two others; none where it is made of events."""
    if entry.operation is None:
        return []
    for place in ("first", "second"):
        name = getattr(entry, place)
        feature = known.get(name)
        if feature is None:
            near = nearest_word(name, known)
            hint = f'Write "{near}"' if near else "docs/features.md lists the default ones"
            raise ConfigurationError(
                f'`{key}.{place}` is "{name}", but there is no such feature before it. {hint}.',
                field=f"{key}.{place}",
            )
        if isinstance(feature, Feature) and feature.aggregate == LEVEL:
            raise ConfigurationError(
                f'`{key}.{place}` is "{name}", whose numbers are learned in training. '
                "Write a feature that is made of events alone.",
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


def added_features(
    entry: FeatureEntry,
    key: str,
    declared: Sequence[Indicator],
    streams: list[Stream],
    kinds: Collection[str],
) -> list[Feature | Derived]:
    """The features that an entry adds; a stream that is not there yet joins the others."""
    words = (entry.english, entry.japanese)
    if entry.aggregate in AGGREGATES and AGGREGATES[entry.aggregate].span == "date":
        return [Feature(entry.name, _stream(CALENDAR_STREAM, streams).name, entry.aggregate, None, *words)]
    indicator = next((one for one in declared if one.name == entry.stream.indicator), None)
    if indicator is None:
        names = [one.name for one in declared]
        near = nearest_word(entry.stream.indicator, names)
        hint = f' Write "{near}".' if near else ""
        raise ConfigurationError(
            f'`{key}.stream.indicator` is "{entry.stream.indicator}", which is no indicator. '
            f"There are {', '.join(names)}.{hint}",
            field=f"{key}.stream.indicator",
        )
    unknown = [kind for kind in entry.stream.kinds if kind not in indicator.kinds]
    if unknown:
        near = nearest_word(unknown[0], indicator.kinds)
        instead = f' Write "{near}".' if near else ""
        raise ConfigurationError(
            f'`{key}.stream.kinds` has "{unknown[0]}", which is no kind of {indicator.name}. '
            f"There are {', '.join(indicator.kinds)}.{instead}",
            field=f"{key}.stream.kinds",
        )
    chosen = _stream(_chosen(entry, indicator, kinds), streams)
    if entry.aggregate != "share":
        return [Feature(entry.name, chosen.name, entry.aggregate, entry.days, *words)]
    whole = _stream(_chosen(entry, indicator, kinds, whole=True), streams)
    (part,), (all_,) = (family(stream, "count", over=(entry.days,)) for stream in (chosen, whole))
    return [part, all_, Derived(entry.name, "share", part.name, all_.name, *words)]


def _chosen(
    entry: FeatureEntry, indicator: Indicator, kinds: Collection[str], *, whole: bool = False
) -> Stream:
    """The stream of an entry, or all of its indicator's events."""
    chosen, words = entry.stream, indicator_words(indicator)
    if whole or not (chosen.kinds or chosen.channels or chosen.places or chosen.details):
        present = tuple(kind for kind in indicator.kinds if kind in kinds) or indicator.kinds
        if not indicator.amounts:
            present = tuple(kind for kind in present if kind != REFUND) or present
        return Stream(indicator.name, indicator.name, present, amounts=indicator.amounts, words=words)
    if len(chosen.kinds) == 1:
        words = narrowed(
            kind_words(chosen.kinds[0], words), (*chosen.channels, *chosen.places, *chosen.details)
        )
    else:
        words = narrowed(words, (*chosen.kinds, *chosen.channels, *chosen.places, *chosen.details))
    return Stream(
        "_".join((indicator.name, *chosen.kinds, *chosen.channels, *chosen.places, *chosen.details)),
        indicator.name,
        chosen.kinds or indicator.kinds,
        chosen.channels,
        chosen.places,
        chosen.details,
        indicator.amounts and chosen.kinds != (REFUND,),
        words,
    )


def _stream(new: Stream, streams: list[Stream]) -> Stream:
    """The stream that takes the same events as `new`; else `new` itself, added under a name of its own."""
    names = {stream.name for stream in streams}
    for stream in streams:
        if replace(stream, name=new.name, words=new.words) == new:
            return stream
    name, number = new.name, 2
    while name in names:
        name, number = f"{new.name}_{number}", number + 1
    streams.append(replace(new, name=name))
    return streams[-1]
