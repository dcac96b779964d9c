"""Default features: the indicators and the families of features that every project has.

`catalog` expands indicators × aggregates × windows. A new default feature, indicator or window is one entry
here; a project drops and adds features in its file (`features/catalog/custom.py`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict, Field

from features.catalog.aggregates import AGGREGATES, LEVEL
from features.catalog.custom import added_features, derived_feature
from features.catalog.definitions import (
    CALENDAR_STREAM,
    Catalog,
    Derived,
    Feature,
    Indicator,
    Origin,
    Stream,
    family,
    indicator_words,
    trend,
)
from features.catalog.display_names import ITEM_WORDS, DisplayName, kind_words, narrowed
from features.catalog.dropped import ANY, dropped_names, without_dropped
from features.catalog.settings import FeatureSettings
from features.errors import ConfigurationError
from features.events.attributes import is_reserved
from features.events.recurring_amounts import Period
from features.events.schema import ATTRIBUTE, REFUND

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

    kinds: tuple[str, ...] | None = Field(
        None,
        min_length=1,
        description="the kinds of event that belong to it; those of a built-in one when absent",
    )
    origin: Origin | None = Field(None, description="who acts: the customer or the company")
    attitude: bool | None = Field(None, description="what customers say rather than do")
    amounts: bool | None = Field(None, description="whether values are money")
    per: Period | None = Field(
        None,
        description="the period to which its recurring amounts are brought, those of `contract`: what "
        "sources say in another `per` is converted; a month where sources say one and this is absent",
    )


def indicators(settings: Mapping[str, IndicatorSettings]) -> tuple[Indicator, ...]:
    """The indicators of a project: the built-in ones, changed and joined by its configuration."""
    known = {indicator.name: indicator for indicator in INDICATORS}
    for name, setting in settings.items():
        if setting.kinds is None and name not in known:
            raise ConfigurationError(
                f"the key `indicators.{name}.kinds` is missing. Add a line `kinds = …`.",
                field=f"indicators.{name}.kinds",
            )
        changed = {k: v for k, v in setting.model_dump().items() if v is not None}
        known[name] = replace(known.get(name, Indicator(name, ())), **changed)
    return tuple(known.values())


ITEMS = "items"
"""The kind that says of a purchase how many items it had: an event of the same moment, with their number."""


def counts_items(declared: Sequence[Indicator], kinds: Collection[str]) -> bool:
    """Whether events say how many items purchases had; a project may use the kind for something else."""
    return ITEMS in kinds and not any(ITEMS in one.kinds for one in declared)


APART = 1.5
"""How many times as long a window must be as another to say something else."""


@dataclass(frozen=True)
class Deciding:
    """The indicators that decide churn, and the days by which they do."""

    indicators: tuple[str, ...]
    active_days: int
    horizon_days: int


def catalog(
    declared: Sequence[Indicator],
    settings: FeatureSettings,
    kinds: Collection[str],
    horizon_days: int | None = None,
    consent: Collection[str] = (),
    deciding: Deciding | None = None,
    details: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> Catalog:
    """The features of a project for the kinds of event that a history holds.

    By default every indicator has count and active days over all windows and days since last; behaviour has
    its rhythm (gaps, overdue, the chance of silence in the next `horizon_days`), money its sums, surveys
    their answers; each kind of a mixed indicator is a stream of its own; attributes but reserved ones and
    those that the project names as `consent` say their latest value. What decides churn (`deciding`) has more
    of its rhythm, and windows of churn's own days, and each attribute then says how many more of those with
    the same value left; each of the `details` of an indicator is a stream of its own. Where events of the
    kind `ITEMS` say how many items purchases had, these are added up. The settings then drop, replace and
    add entries.
    """
    ahead = horizon_days or _three(settings.windows)[1]
    kinds = [
        kind for kind in kinds if not (kind.startswith(ATTRIBUTE) and kind.removeprefix(ATTRIBUTE) in consent)
    ]
    streams, features = _defaults(declared, settings, kinds, ahead, deciding, details)
    if settings.drop:
        every = {kind for indicator in declared for kind in indicator.kinds} | {*kinds, ITEMS}
        _, possible = _defaults(declared, settings, every, ahead, deciding, details)
        any_detail = {indicator.name: (ANY,) for indicator in declared}
        _, later = _defaults(declared, settings, every, ahead, deciding, any_detail)
        features = without_dropped(features, settings.drop, [feature.name for feature in (*possible, *later)])
    for place, entry in enumerate(settings.add, start=1):
        known = {feature.name: feature for feature in features}
        key = f"features.add[{place}]"
        added = derived_feature(entry, key, known) or added_features(entry, key, declared, streams, kinds)
        features = list((known | {feature.name: feature for feature in added}).values())
    used = {feature.stream for feature in features if isinstance(feature, Feature)}
    return Catalog(
        tuple(declared),
        tuple(stream for stream in streams if stream.name in used),
        tuple(features),
        dropped_names(possible, settings.drop, streams) if settings.drop else (),
    )


def _defaults(
    declared: Sequence[Indicator],
    settings: FeatureSettings,
    kinds: Collection[str],
    ahead: int,
    deciding: Deciding | None,
    details: Mapping[str, Sequence[str]],
) -> tuple[list[Stream], list[Feature | Derived]]:
    """The streams and features of the default families, for the kinds of event given."""
    streams: list[Stream] = []
    features: list[Feature | Derived] = []
    for indicator in declared:
        present = tuple(kind for kind in indicator.kinds if kind in kinds)
        if not present:
            continue
        words = indicator_words(indicator)
        forward = tuple(kind for kind in present if kind != REFUND)
        taken = present if indicator.amounts else forward or present  # a refund enters sums of amounts alone
        whole = Stream(indicator.name, indicator.name, taken, amounts=indicator.amounts, words=words)
        streams.append(whole)
        features += _indicator_family(indicator, whole, settings.windows, ahead)
        if deciding is not None and indicator.name in deciding.indicators:
            features += _deciding_family(indicator, whole, settings.windows, deciding)
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
        if indicator.name == "purchase" and counts_items(declared, kinds):
            part = Stream("purchase_items", indicator.name, (ITEMS,), words=ITEM_WORDS)
            streams.append(part)
            features += family(part, "sum", over=tuple(dict.fromkeys(_three(settings.windows))))
        for part in _detail_streams(whole, forward, details.get(indicator.name, ()), streams):
            streams.append(part)
            longer = tuple(dict.fromkeys(_three(settings.windows)[1:]))
            features += family(part, "count", over=longer) + family(part, "days_since_last")
    for name in sorted(kind.removeprefix(ATTRIBUTE) for kind in kinds if kind.startswith(ATTRIBUTE)):
        if is_reserved(name):  # whether and how to contact somebody: nothing to learn from, no reason to give
            continue
        kind = ATTRIBUTE + name
        words = DisplayName(name, name, name, name, name, name, "value", name, name, "値")
        streams.append(Stream(f"profile_{name}", "profile", (kind,), words=words))
        features += [Feature(f"profile_{name}_{a}", f"profile_{name}", a) for a in ("last", "last_detail")]
        if deciding is not None:
            features.append(_level_of_attribute(name))
    if settings.calendar:
        streams.append(CALENDAR_STREAM)
        features += family(CALENDAR_STREAM, *(a.name for a in AGGREGATES.values() if a.span == "date"))
    return streams, features


def _indicator_family(
    indicator: Indicator, stream: Stream, windows: Sequence[int], ahead: int
) -> list[Feature | Derived]:
    """The features of an indicator's stream."""
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


def _deciding_family(
    indicator: Indicator, stream: Stream, windows: Sequence[int], churn: Deciding
) -> list[Feature | Derived]:
    """What else there is of an indicator that decides churn: windows of churn's own days where none is near,
    counts that fade over parts and multiples of the horizon, and more of the rhythm."""
    own: list[int] = []
    for days in (churn.active_days, *_of_horizon(churn, 1, 1 / 2, 2, 1 / 4, 3)):
        if all(max(days, near) >= APART * min(days, near) for near in (*windows, *own)):
            own.append(days)
    rows = family(stream, "count", "active_days", over=sorted(own))
    if indicator.amounts:
        rows += family(stream, "sum", over=sorted(own))
    rows += family(stream, "decayed_count", over=sorted(_of_horizon(churn, 1 / 8, 1 / 3, 1, 3)))
    rows += family(stream, "active_day_rate", "share_younger_half")
    if indicator.origin == "customer" and not indicator.attitude:
        rows += family(stream, "gap_first", "gap_last", "gap_min", "gap_geometric", "alive")
    last, first = (f"{stream.name}_days_since_{which}" for which in ("last", "first"))
    return [*rows, Derived(f"{stream.name}_recency_share", "ratio", last, first)]


def _of_horizon(churn: Deciding, *shares: float) -> list[int]:
    """Parts and multiples of the horizon in whole days, each once."""
    return list(dict.fromkeys(max(1, round(churn.horizon_days * share)) for share in shares))


def _detail_streams(
    whole: Stream, kinds: tuple[str, ...], details: Sequence[str], known: Sequence[Stream]
) -> list[Stream]:
    """A stream for each of these details of an indicator, named after it."""
    taken, parts = {stream.name for stream in known}, []
    for detail in details:
        base = name = f"{whole.name}_of_{re.sub(r'[^0-9a-z]+', '_', detail.lower()).strip('_') or 'detail'}"
        number = 2
        while name in taken:
            name, number = f"{base}_{number}", number + 1
        taken.add(name)
        words = narrowed(whole.words, (detail,))
        parts.append(replace(whole, name=name, kinds=kinds, details=(detail,), words=words))
    return parts


def _level_of_attribute(name: str) -> Feature:
    """How many more of those with the same value of an attribute left."""
    return Feature(
        f"profile_{name}_{LEVEL}",
        f"profile_{name}",
        LEVEL,
        english=f"log-odds by which more customers of the same {name} left than others",
        japanese=f"{name}が同じ顧客の離反の多さ（対数オッズ）",
    )


def _kind_family(indicator: Indicator, stream: Stream, windows: Sequence[int]) -> list[Feature | Derived]:
    """The features of one kind of a mixed indicator: fewer than those of the indicator."""
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
