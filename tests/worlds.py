"""Small worlds for tests: histories from tables a marketer can read, or out of Hypothesis."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from features.catalog.aggregates import AGGREGATES, CALENDAR
from features.catalog.defaults import catalog, indicators
from features.catalog.definitions import Catalog, Derived, Feature, Stream, family, trend
from features.catalog.settings import FeatureSettings
from features.events.history import History
from features.timeline import ALWAYS, DAY, NEVER, Timeline, to_instant
from tests.reference import Event

ALL_KINDS = (
    "purchase",
    "refund",
    "visit",
    "feature_used",
    "faq_viewed",
    "ticket_opened",
    "nps",
    "csat",
    "like",
    "community_post",
    "referral_made",
    "coupon_redeemed",
    "email_sent",
    "started",
    "cancelled",
    "attribute.plan",
)


def at_least(examples: int) -> settings:
    """So many examples, or as many as the profile asks for (`make prove`: 1,000 for each seed)."""
    return settings(max_examples=max(examples, settings.default.max_examples))


def default_catalog(kinds: Sequence[str] = ALL_KINDS, windows: Sequence[int] = (7, 30, 90, 365)) -> Catalog:
    """The default families for these kinds."""
    return catalog(indicators({}), FeatureSettings(windows=tuple(windows)), kinds)


def whole_vocabulary(windows: Sequence[int] = (1, 7, 30)) -> Catalog:
    """Every aggregate over every window, on a plain stream, a money stream and picky ones."""
    streams = (
        Stream("usage", "usage", ("visit", "feature_used")),
        Stream("purchase", "purchase", ("purchase", "refund"), amounts=True),
        Stream("web_visit", "usage", ("visit",), channels=("web", "app")),
        Stream("tokyo", "purchase", ("purchase", "visit"), places=("tokyo",), amounts=True),
        Stream("search", "usage", ("feature_used", "purchase"), details=("search", "food")),
    )
    rows: list[Feature | Derived] = []
    for stream in streams:
        for aggregate in AGGREGATES.values():
            over = {
                "any": (*windows, None),
                "history": (None,),
                "ahead": windows[-2:],
                "fading": windows,
                "date": (),
            }
            rows += family(stream, aggregate.name, over=over[aggregate.span])
    usage, purchase = streams[0], streams[1]
    rows += [trend(usage, "count", 7, 30), trend(purchase, "sum", 1, 30)]
    rows.append(Derived("web_share", "share", "web_visit_count_7d", "usage_count_7d"))
    calendar = Stream(CALENDAR, CALENDAR, ())
    rows += family(calendar, *(a.name for a in AGGREGATES.values() if a.span == "date"))
    rows.append(Derived("purchase_back_share", "ratio", "purchase_sum", "purchase_max"))
    rows.append(Derived("usage_less_web", "difference", "usage_count", "web_visit_count"))
    return Catalog(indicators({}), (*streams, calendar), tuple(rows))


def history(events: Sequence[Event], *, with_customers: Sequence[int] = ()) -> History:
    """The history of these events, in the total order: customer, instant, event id, kind."""
    ordered = sorted(events, key=lambda e: (e.customer, e.at, e.event_id, e.kind))
    keys = sorted({e.customer for e in ordered} | set(with_customers))
    counts = [sum(e.customer == key for e in ordered) for key in keys]

    def coded(texts: list[str | None]) -> tuple[np.ndarray, tuple[str, ...]]:
        names = tuple(sorted({t for t in texts if t is not None}))
        place = {name: n for n, name in enumerate(names)}
        return np.array([-1 if t is None else place[t] for t in texts], dtype=np.int32), names

    kinds, kind_names = coded([e.kind for e in ordered])
    channels, channel_names = coded([e.channel for e in ordered])
    places, place_names = coded([e.place for e in ordered])
    details, detail_names = coded([e.detail for e in ordered])
    recorded = np.array([ALWAYS if e.recorded is None else e.recorded for e in ordered], dtype=np.int64)
    retracted = np.array([NEVER if e.retracted is None else e.retracted for e in ordered], dtype=np.int64)
    return History(
        np.array(keys, dtype=np.int64),
        np.cumsum([0, *counts], dtype=np.int64),
        np.array([e.at for e in ordered], dtype=np.int64),
        recorded if any(e.recorded is not None for e in ordered) else np.empty(0, dtype=np.int64),
        kinds,
        np.array([np.nan if e.value is None else e.value for e in ordered], dtype=np.float64),
        channels,
        places,
        details,
        kind_names,
        channel_names,
        place_names,
        detail_names,
        retracted=retracted if (retracted != NEVER).any() else retracted[:0],
    )


def world(table: str, timezone: str = "UTC") -> list[Event]:
    """The events of a table with the columns customer, when and kind, and any others; `-` is absent.

    Customers are named by single words; `customer_key` says which key a name has.
    """
    lines = [line.split() for line in table.strip().splitlines()]
    header, timeline = lines[0], Timeline(timezone)
    events = []
    for number, words in enumerate(lines[1:]):
        if len(words) == len(header) + 1:  # a date and a time
            at = header.index("when")
            words = [*words[:at], f"{words[at]} {words[at + 1]}", *words[at + 2 :]]
        row = {name: None if word == "-" else word for name, word in zip(header, words, strict=True)}
        assert row["customer"] is not None
        assert row["when"] is not None
        assert row["kind"] is not None
        recorded, retracted = row.get("recorded"), row.get("retracted")
        value = row.get("value")
        events.append(
            Event(
                customer_key(row["customer"]),
                timeline.instant(row["when"]),
                row["kind"],
                None if value is None else float(value),
                row.get("channel"),
                row.get("place"),
                row.get("detail"),
                None if recorded is None else timeline.instant(recorded),
                row.get("event_id") or f"{number:06}",
                None if retracted is None else timeline.instant(retracted),
            )
        )
    return events


def customer_key(name: str) -> int:
    """The key of a customer in `world`: its place in the alphabet of small names."""
    return int.from_bytes(name.encode()[:6], "big")


START = to_instant(datetime(2024, 2, 20, tzinfo=UTC))
_instants = st.one_of(
    st.integers(0, 60 * 86_400).map(lambda seconds: START + seconds * 1_000_000),
    st.integers(0, 60).map(lambda days: START + days * DAY),  # boundary instants and ties
    st.integers(0, 600).map(lambda days: START - days * DAY),
)
_values = st.one_of(
    st.none(),
    st.integers(-50, 200).map(float),
    st.floats(-1e6, 1e6, allow_nan=False),
    st.sampled_from([0.0, -0.0, 1e15, -1e15, 0.1]),
)


@st.composite
def events(draw: st.DrawFn, *, most: int = 40) -> list[Event]:
    """Some customers' events with ties, duplicates, late records, retractions, nulls and refunds."""
    row = st.builds(
        Event,
        customer=st.integers(0, 2),
        at=_instants,
        kind=st.sampled_from(["purchase", "refund", "visit", "feature_used", "unknown_kind"]),
        value=_values,
        channel=st.sampled_from([None, "web", "app", "store"]),
        place=st.sampled_from([None, "tokyo", "osaka"]),
        detail=st.sampled_from([None, "search", "food", "toys"]),
        recorded=st.one_of(st.none(), _instants),
        retracted=st.one_of(st.none(), st.none(), _instants),
    )
    drawn = draw(st.lists(row, max_size=most))
    doubled = draw(st.lists(st.sampled_from(drawn), max_size=3)) if drawn else []
    return [
        Event(**{**vars(e), "event_id": f"{number:04}"})
        for number, e in enumerate(draw(st.permutations(drawn + doubled)))
    ]


as_of_dates = st.one_of(
    st.integers(0, 70).map(lambda days: START + days * DAY),
    st.integers(0, 70 * 86_400).map(lambda seconds: START + seconds * 1_000_000),
    st.integers(-30, 0).map(lambda days: START + days * DAY),
)
