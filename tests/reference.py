"""The judge of the kernel: what each feature means, written slowly and plainly in pure Python.

It shares no code with the product but the records it judges (catalogue, history). Every definition is
one line that a reader can check against the words in the catalogue.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from features.catalog.definitions import Catalog, Derived, Feature, Stream

DAY = 86_400_000_000
NOTHING = math.nan


@dataclass(frozen=True)
class Event:
    """One event as a person would note it down; instants in microseconds UTC."""

    customer: int
    at: int
    kind: str
    value: float | None = None
    channel: str | None = None
    place: str | None = None
    detail: str | None = None
    recorded: int | None = None
    event_id: str = ""


def row(
    events: list[Event],
    catalog: Catalog,
    customer: int,
    as_of: int,
    timezone: str,
    numbers: Mapping[str, float] | None = None,
) -> dict[str, float | str | None]:
    """What every feature says about the customer at the as-of date; a detail as text or None."""
    known = sorted(
        (e for e in events if e.customer == customer and in_history(e, as_of)),
        key=lambda e: (e.at, e.event_id, e.kind),
    )
    said: dict[str, float | str | None] = {}
    for record in catalog.features:
        if isinstance(record, Derived):
            said[record.name] = derived(record, said[record.first], said[record.second], catalog)
        else:
            stream = catalog.stream_of[record.stream]
            days = None if record.aggregate == "silence" else record.days  # that looks ahead
            in_window = [e for e in known if days is None or e.at >= as_of - days * DAY]
            taken = [e for e in in_window if takes(stream, e)]
            said[record.name] = plain(record, taken, stream, as_of, timezone, numbers or {})
    return said


def in_history(event: Event, as_of: int) -> bool:
    return event.at < as_of and (event.recorded is None or event.recorded < as_of)


def takes(stream: Stream, event: Event) -> bool:
    return (
        event.kind in stream.kinds
        and (not stream.channels or event.channel in stream.channels)
        and (not stream.places or event.place in stream.places)
        and (not stream.details or event.detail in stream.details)
    )


def is_refund(stream: Stream, event: Event) -> bool:
    return stream.amounts and (event.kind == "refund" or (event.value is not None and event.value < 0))


def plain(
    record: Feature,
    taken: list[Event],
    stream: Stream,
    as_of: int,
    timezone: str,
    numbers: Mapping[str, float],
) -> float | str | None:
    events = [e for e in taken if not is_refund(stream, e)]
    values = [e.value for e in events if e.value is not None]
    gaps = [(b.at - a.at) / DAY for a, b in itertools.pairwise(events)]
    match record.aggregate:
        case "count":
            return float(len(events))
        case "sum":
            return math.fsum(e.value for e in taken if e.value is not None)
        case "mean":
            return math.fsum(values) / len(values) if values else NOTHING
        case "min":
            return min(values, default=NOTHING)
        case "max":
            return max(values, default=NOTHING)
        case "std":
            return statistics.stdev(values) if len(values) > 1 else NOTHING
        case "last":
            return values[-1] if values else NOTHING
        case "active_days":
            return float(len({local_day(e.at, timezone) for e in events}))
        case "distinct_detail":
            return float(len({e.detail for e in events} - {None}))
        case "distinct_channel":
            return float(len({e.channel for e in events} - {None}))
        case "distinct_place":
            return float(len({e.place for e in events} - {None}))
        case "days_since_last":
            return (as_of - events[-1].at) / DAY if events else NOTHING
        case "days_since_first":
            return (as_of - events[0].at) / DAY if events else NOTHING
        case "gap_mean":
            return math.fsum(gaps) / len(gaps) if gaps else NOTHING
        case "gap_std":
            return statistics.stdev(gaps) if len(gaps) > 1 else NOTHING
        case "gap_max":
            return max(gaps, default=NOTHING)
        case "overdue":
            mean = math.fsum(gaps) / len(gaps) if gaps else 0.0
            return (as_of - events[-1].at) / DAY / mean if mean > 0 else NOTHING
        case "overdue_smoothed":
            typical, weight = (numbers.get(f"{name}.{stream.name}") for name in ("gap_mean", "gap_weight"))
            spent, count = math.fsum(gaps), float(len(gaps))
            if typical is not None and weight is not None:
                spent, count = spent + typical * weight, count + weight
            if not events or spent == 0:
                return NOTHING
            return (as_of - events[-1].at) / DAY / (spent / count)
        case "silence":
            names = ("mbg_r", "mbg_alpha", "mbg_a", "mbg_b")
            four = [numbers.get(f"{name}.{stream.name}", NOTHING) for name in names]
            assert record.days
            return silence(events, as_of, timezone, record.days, *four) if events else NOTHING
        case "share_night" | "share_morning" | "share_afternoon" | "share_evening" as when:
            part = ("share_night", "share_morning", "share_afternoon", "share_evening").index(when)
            return share([clock(e.at, timezone).hour // 6 == part for e in events])
        case "share_weekend":
            return share([clock(e.at, timezone).isoweekday() > 5 for e in events])
        case day if day.startswith("share_"):
            return share([clock(e.at, timezone).strftime("share_%A").lower() == day for e in events])
        case "month":
            return float(clock(as_of, timezone).month)
        case "day":
            return float(clock(as_of, timezone).day)
        case "weekday":
            return float(clock(as_of, timezone).isoweekday())
        case "day_of_year":
            return float(clock(as_of, timezone).strftime("%j"))
        case "last_detail":
            return events[-1].detail if events else None
        case "top_detail":
            details = [e.detail for e in reversed(events) if e.detail is not None]  # newest first wins ties
            return Counter(details).most_common(1)[0][0] if details else None
        case "top_detail_share":
            details = [e.detail for e in events if e.detail is not None]
            return max(Counter(details).values()) / len(details) if details else NOTHING
    raise AssertionError(f"no definition of {record.aggregate}")


def silence(
    events: list[Event], as_of: int, timezone: str, days: int, r: float, alpha: float, a: float, b: float
) -> float:
    """MBG/NBD: who is alive comes at a Gamma(r, alpha) rate and stops after a day with chance Beta(a, b)."""
    again = len({local_day(e.at, timezone) for e in events}) - 1
    since_first, between = (as_of - events[0].at) / DAY, (events[-1].at - events[0].at) / DAY
    alive = 1 / (1 + a / (b + again) * ((alpha + since_first) / (alpha + between)) ** (r + again))
    return 1 - alive * (1 - ((alpha + since_first) / (alpha + since_first + days)) ** (r + again))


def share(those: list[bool]) -> float:
    return sum(those) / len(those) if those else NOTHING


def derived(record: Derived, first: object, second: object, catalog: Catalog) -> float:
    assert isinstance(first, float)
    assert isinstance(second, float)
    if record.operation == "difference":
        return first - second
    if second == 0:
        return NOTHING
    quotient = first / second
    if record.operation == "trend":
        short, long = catalog.feature_of[record.first], catalog.feature_of[record.second]
        assert isinstance(short, Feature)
        assert isinstance(long, Feature)
        assert short.days
        assert long.days
        quotient *= long.days / short.days
    return quotient if math.isfinite(quotient) else NOTHING


def clock(at: int, timezone: str) -> datetime:
    return datetime.fromtimestamp(at // 1_000_000, UTC).astimezone(ZoneInfo(timezone))


def local_day(at: int, timezone: str) -> int:
    return clock(at, timezone).date().toordinal()


# Plain versions of the other compiled passes, each named in the docstring of its compiled file.


def positions(known: list[int], keys: list[int]) -> list[int]:
    """Of `features.storage.key_lookup.key_positions`."""
    return [known.index(key) if key in known else -1 for key in keys]


def checked(
    rows: list[tuple[int, int, float, int]], refund: int, earliest: int, latest: int, largest: float
) -> str:
    """Of `features.ingestion.fast_path_kernels.check_rows`: rows of customer, instant, value and kind."""
    for _, at, value, kind in rows:
        if not earliest <= at <= latest or abs(value) > largest or (kind == refund and value > 0):
            return "invalid"
    pairs = [row[:2] for row in rows]
    return "in order" if pairs == sorted(set(pairs)) else "out of order"


def status(events: list[tuple[int, int, int]], as_of: int, floor: int) -> int:
    """Of `training.labels.kernels.standings`: events as instant, recorded, role (1 active, 2 or 4 an end)."""
    known = [role_at for role_at in events if role_at[0] < as_of and role_at[1] < as_of]
    for at, _, role in reversed(known):
        if role & 1:
            return 0 if at >= floor else 1
        if role & 6:
            return 1
    return 2 if known else -1


def outcome(events: list[tuple[int, int, float]], start: int, end: int, contract: bool) -> tuple[bool, float]:
    """Of `training.labels.kernels.outcomes`: events as instant, role and value; churned, and the amount."""
    inside = [(role, value) for at, role, value in events if start <= at < end]
    amount = sum((value for role, value in inside if role & 8 and not math.isnan(value)), 0.0)
    if contract:
        ends = [role for role, _ in inside if role & 6]
        return bool(ends and ends[0] & 2), amount
    return not any(role & 1 for role, _ in inside), amount


def engagement_index(
    values: list[list[float]], parts: list[tuple[bool, float, list[float], list[float]]]
) -> float:
    """Of `training.bundle.tier_kernels.indices`: parts as recent, weight, and curve (values, ranks)."""
    total = 0.0
    for columns, (recent, weight, at, rank) in zip(values, parts, strict=True):
        raw = columns[0] if len(columns) == 1 else float(sum(value > 0 for value in columns))
        if math.isnan(raw) or not (recent or raw > 0):
            continue
        if raw <= at[0] or raw >= at[-1]:
            share = rank[0] if raw <= at[0] else rank[-1]
        else:
            k = max(n for n in range(len(at)) if at[n] <= raw)
            share = rank[k] + (rank[k + 1] - rank[k]) * ((raw - at[k]) / (at[k + 1] - at[k]))
        total += weight * (1 - share if recent else share)
    return min(100.0, max(0.0, 100 * total))


def chosen_reasons(
    contributions: list[float], weights: list[float], groups: list[list[int]], top: int, material: float
) -> list[tuple[int, float]] | None:
    """Of `training.explanation.kernels.reasons`, raising first: columns and sums of the `top` groups.

    None where fewer than `top` groups have a material share.
    """
    sums = [sum(contributions[column] for column in group) for group in groups]
    least = material * sum(map(abs, sums))
    is_material = [abs(one) >= least and one != 0 for one in sums]
    if sum(is_material) < top:
        return None
    order = sorted(range(len(groups)), key=lambda g: (not is_material[g], -abs(sums[g]), g))[:top]
    order.sort(key=lambda g: (sums[g] <= 0, -abs(sums[g])))

    def points(column: int, group: int) -> float:
        score = (-1 if sums[group] < 0 else 1) * round(contributions[column], 4)
        return score * weights[column] if score > 0 else score

    return [(max(groups[g], key=lambda column: points(column, g)), sums[g]) for g in order]


def window_sums(events: list[tuple[int, float]], edges: list[int], length: int) -> list[float]:
    """Of `serving.reports.kernels.window_sums`, for one customer: events as instant and value."""
    return [
        sum((value for at, value in events if edge - length <= at < edge and not math.isnan(value)), 0.0)
        for edge in edges
    ]


def first_contacts(
    sent: list[tuple[int, int, int]], back: list[tuple[int, int, int]]
) -> list[tuple[int, float]]:
    """Of `serving.reports.kernels.first_contact_and_response`: events as cell, campaign and place."""
    first: dict[tuple[int, int], int] = {}
    for at, (cell, campaign, _) in enumerate(sent):
        first.setdefault((cell, campaign), at)
    return [(at, float(any(b[:2] == key and b[2] > sent[at][2] for b in back))) for key, at in first.items()]


def loyalty_level(
    purchases: list[tuple[int, float, bool]], levels: list[tuple[int, float]], window: int
) -> tuple[int, int, float, int, float, int]:
    """Of `serving.actions.loyalty._levels`, for one customer: purchases as instant, value and whether it
    counts; level, purchases, amount, purchases and amount to the next, and the end of the level.
    """

    def reached(some: list[tuple[int, float, bool]], level: int) -> bool:
        need, worth = levels[level]
        return sum(counts for *_, counts in some) >= need and sum(value for _, value, _ in some) >= worth

    bought, amount = sum(counts for *_, counts in purchases), sum(value for _, value, _ in purchases)
    level = max((k for k in range(len(levels)) if reached(purchases, k)), default=-1)
    more, spend = -1, 0.0
    if level + 1 < len(levels):
        need, worth = levels[level + 1]
        more, spend = max(need - bought, 0), max(worth - amount, 0.0)
    end = 0
    if level >= 0 and purchases:
        newest = (purchases[k:] for k in range(len(purchases) - 1, -1, -1))
        end = next((some[0][0] for some in newest if reached(some, level)), purchases[0][0]) + window
    return level, bought, amount, more, spend, end
