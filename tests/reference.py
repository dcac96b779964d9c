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
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
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
    retracted: int | None = None


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
            # The one looks ahead, with the other events fade.
            days = None if record.aggregate in {"silence", "decayed_count"} else record.days
            in_window = [e for e in known if days is None or e.at >= as_of - days * DAY]
            taken = [e for e in in_window if takes(stream, e)]
            said[record.name] = plain(record, taken, stream, as_of, timezone, numbers or {})
    return said


def in_history(event: Event, as_of: int) -> bool:
    return (
        event.at < as_of
        and (event.recorded is None or event.recorded < as_of)
        and (event.retracted is None or event.retracted >= as_of)
    )


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
        case "alive":
            names = ("mbg_r", "mbg_alpha", "mbg_a", "mbg_b")
            four = [numbers.get(f"{name}.{stream.name}", NOTHING) for name in names]
            return alive(events, as_of, timezone, *four) if events else NOTHING
        case "decayed_count":
            assert record.days
            return math.fsum(math.exp(-((as_of - e.at) / DAY) / record.days) for e in events)
        case "gap_first":
            return gaps[0] if gaps else NOTHING
        case "gap_last":
            return gaps[-1] if gaps else NOTHING
        case "gap_min":
            return min(gaps, default=NOTHING)
        case "gap_geometric":
            return math.prod(1 + gap for gap in gaps) ** (1 / len(gaps)) - 1 if gaps else NOTHING
        case "active_day_rate":
            days_active = len({local_day(e.at, timezone) for e in events})
            return days_active / ((as_of - events[0].at) / DAY + 30) if events else NOTHING
        case "share_younger_half":
            return share([as_of - e.at <= e.at - events[0].at for e in events])
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
        case "detail_log_odds":
            last = events[-1].detail if events else None
            return NOTHING if last is None else numbers.get(f"detail_log_odds.{record.name}={last}", 0.0)
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


def alive(
    events: list[Event], as_of: int, timezone: str, r: float, alpha: float, a: float, b: float
) -> float:
    """MBG/NBD: the chance not to have stopped on the last day."""
    again = len({local_day(e.at, timezone) for e in events}) - 1
    since_first, between = (as_of - events[0].at) / DAY, (events[-1].at - events[0].at) / DAY
    return 1 / (1 + a / (b + again) * ((alpha + since_first) / (alpha + between)) ** (r + again))


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


def status(events: list[tuple[int, int, int, int]], as_of: int, floor: int) -> int:
    """Of `training.labels.kernels.standings`: events as instant, recorded, role (1 active), retracted."""
    known = [event for event in events if event[0] < as_of and event[1] < as_of <= event[3]]
    active = [at for at, _, role, _ in known if role & 1]
    if not known:
        return -1
    return 2 if not active else 0 if active[-1] >= floor else 1


def outcome(events: list[tuple[int, int, float]], start: int, end: int) -> tuple[bool, float]:
    """Of `training.labels.kernels.outcomes`: events as instant, role and value; silent, and the amount."""
    inside = [(role, value) for at, role, value in events if start <= at < end]
    amount = sum((value for role, value in inside if role & 8 and not math.isnan(value)), 0.0)
    return not any(role & 1 for role, _ in inside), amount


@dataclass(eq=False)
class Contract:
    """A contract of one customer, as it stands while its rows are read from the oldest to the newest."""

    id: int
    """-1 where it has none; so with the plan."""
    plan: int
    began: int
    trial: bool = False
    ended: int | None = None
    churn: bool = False
    """Whether it ended by what is churn."""
    term_end: float = math.inf
    paused: int | None = None
    started_again: int | None = None
    """When it was started although it ran."""
    started_beside: int | None = None
    """When it was started while another one ran."""
    earlier_plans: dict[int, int] = field(default_factory=dict)
    """The plans that it was moved away from, and when."""


@dataclass(frozen=True)
class ContractRow:
    """A row about contracts: what it means, and which contract and plan it names (-1 for none)."""

    at: int
    role: int
    """Bits: 1 started (17 renewed), 2 ended, 4 completed, 16 changed, 32 paused, 64 resumed, 128 trial."""
    id: int = -1
    plan: int = -1
    recorded: int = -1
    retracted: int = 1_000


class ContractBook:
    """The contracts of one customer; `read` takes the rows, in any order."""

    def __init__(
        self, change: int, term: float = math.inf, plans: frozenset[int] = frozenset(), trials: bool = False
    ) -> None:
        self.change, self.term, self.plans, self.trials = change, term, plans, trials
        self.contracts: list[Contract] = []
        self.seen_ids: set[int] = set()
        self.seen_plans: set[int] = set()
        self.replaceable: int | None = None
        """When a contract ended in whose place none has come yet."""
        self.first: int | None = None
        """The first row by which the customer is or was a customer."""
        self.stays: list[tuple[int, int | None, bool]] = []
        """From when to when any contract ran, and whether the end was churn."""

    def read(self, rows: list[ContractRow]) -> ContractBook:
        for at in sorted({row.at for row in rows}):
            self.lapse(at)
            before = self.counting()
            now = [row for row in rows if row.at == at]
            # Of rows at one instant ends come first: a start at the instant of an end goes on.
            for row in now:
                if row.role & 4:
                    self.end(row, churn=False)
            for row in now:
                if row.role & 2:
                    self.end(row, churn=True)
            for bit, does in (
                (128, self.start_trial), (1, self.start), (16, self.change_plan),
                (32, self.pause), (64, self.resume),
            ):  # fmt: skip
                for row in now:
                    if row.role & bit and not (bit == 16 and row.role & 1):
                        does(row)
            self.note(at, before)
        self.lapse(math.inf)
        return self

    def running(self) -> list[Contract]:
        return [c for c in self.contracts if c.ended is None]

    def real(self) -> list[Contract]:
        return [c for c in self.running() if not c.trial]

    def counting(self) -> list[Contract]:
        return [c for c in self.running() if self.trials or not c.trial]

    def note(self, at: int, before: list[Contract]) -> None:
        """Open or close a stay after what happened at one instant."""
        if before and not self.counting():
            self.stays[-1] = (self.stays[-1][0], at, any(c.churn for c in self.contracts if c.ended == at))
        if not before and self.counting():
            self.stays.append((at, None, False))

    def lapse(self, until: float) -> None:
        """End the contracts whose term is over before that instant."""
        while due := [c for c in self.running() if c.paused is None and c.term_end < until]:
            at = int(min(c.term_end for c in due))
            before = self.counting()
            for c in due:
                if c.term_end == at:
                    c.ended, c.churn = at, not c.trial
            self.note(at, before)

    def targets(self, row: ContractRow) -> tuple[list[Contract], bool]:
        """The running contracts that an end or a pause is about, and whether it names none of them."""
        running = self.running()
        if row.id >= 0:
            if mine := [c for c in running if c.id == row.id]:
                return mine, False
            if row.id in self.seen_ids:
                return [], False  # it has ended already
            running = [c for c in running if c.id < 0]
        if row.plan >= 0:
            if same := [c for c in running if c.plan == row.plan]:
                return same[:1], False
            if moved := [c for c in running if row.plan in c.earlier_plans]:
                newest = max(moved, key=lambda c: c.earlier_plans[row.plan])
                # Soon after the move it is the old plan's own end.
                return ([newest] if row.at - newest.earlier_plans[row.plan] > self.change else []), False
            if nameless := [c for c in running if c.plan < 0]:
                return nameless, True
            if row.plan in self.seen_plans or row.plan in self.plans:
                return [], False  # it has ended already, or it began before the record
        return running, True

    def end(self, row: ContractRow, churn: bool) -> None:
        targets, all_of_them = self.targets(row)
        if not any(c.trial for c in targets) or self.trials:
            self.first = row.at if self.first is None else self.first
        going = []
        for c in targets:
            # A contract that was started again, and soon after ended: the one before has ended.
            again = row.id < 0 and c.started_again is not None and row.at - c.started_again <= self.change
            if again:
                c.started_again = None
            else:
                going.append(c)
        if all_of_them:
            # The same where the new one is another contract: of two that run, the older one has ended.
            young = [c for c in going if c.started_beside is not None]
            young = [c for c in young if row.at - (c.started_beside or 0) <= self.change]
            if len(young) < len(going):
                going = [c for c in going if c not in young]
                for c in young:
                    c.started_beside = None
        for c in going:
            c.ended, c.churn = row.at, churn and not c.trial
            if not c.trial:
                self.replaceable = row.at

    def begin(self, row: ContractRow, trial: bool = False) -> Contract:
        beside = any(c.began < row.at for c in self.real()) and not trial
        contract = Contract(row.id, row.plan, row.at, trial, term_end=row.at + self.term)
        contract.started_beside = row.at if beside and not row.role & 16 else None
        self.contracts.append(contract)
        self.seen_ids.add(row.id)
        self.seen_plans.add(row.plan)
        if not trial:
            self.replaceable = None
        return contract

    def move(self, c: Contract, row: ContractRow) -> None:
        """The contract is on the row's plan from now on."""
        if 0 <= row.plan != c.plan:
            if c.plan >= 0:
                c.earlier_plans[c.plan] = row.at
            c.plan = row.plan
            self.seen_plans.add(row.plan)

    def start_trial(self, row: ContractRow) -> None:
        if self.trials and self.first is None:
            self.first = row.at
        self.begin(row, trial=True)

    def customer_from(self, row: ContractRow) -> None:
        """A start or a change: they are a customer, and no longer on trial."""
        self.first = row.at if self.first is None else self.first
        for c in self.running():
            if c.trial:
                c.ended = row.at

    def start(self, row: ContractRow) -> None:
        self.customer_from(row)
        running = self.real()
        if row.id >= 0:
            kept = [c for c in running if c.id == row.id]
            if not kept:
                kept = [c for c in running if c.id < 0 and c.plan == row.plan >= 0][:1]
        elif row.plan >= 0:
            kept = [c for c in running if c.plan == row.plan][:1]
            kept = kept or [c for c in running if c.plan < 0 and c.id < 0][:1]
        else:
            kept = running
        for c in kept:
            if row.id >= 0:
                c.id = row.id
                self.seen_ids.add(row.id)
            elif not row.role & 16 and c.began < row.at:
                c.started_again = row.at
            self.move(c, row)
            c.term_end = row.at + self.term
            if c.paused is not None:
                c.paused = row.at
        if not kept:
            self.begin(row)

    def change_plan(self, row: ContractRow) -> None:
        self.customer_from(row)
        running = self.real()
        replaced = self.replaceable is not None and row.at - self.replaceable <= self.change
        if row.id >= 0:
            kept = [c for c in running if c.id == row.id]
            nameless = [c for c in running if c.id < 0]
            kept = kept or (nameless if len(nameless) == 1 else [])
        elif row.plan >= 0:
            kept = [c for c in running if c.plan == row.plan][:1]
            if not kept and not replaced:
                kept = [c for c in running if c.plan < 0][:1] or running[:1]
        else:
            kept = running
        for c in kept:
            if row.id >= 0:
                c.id = row.id
                self.seen_ids.add(row.id)
            self.move(c, row)
        if not kept:
            self.begin(row)

    def pause(self, row: ContractRow) -> None:
        if not self.contracts and self.first is None:
            self.first = row.at
            self.begin(row)
        for c in self.targets(row)[0]:
            if c.paused is None:
                c.paused = row.at

    def resume(self, row: ContractRow) -> None:
        if not self.real():
            self.customer_from(row)
            self.begin(row)
        for c in self.targets(row)[0]:
            if c.paused is not None:
                c.term_end += row.at - c.paused
                c.paused = None


def contract_status(
    rows: list[ContractRow], others: list[tuple[int, int, int]], as_of: int, **rules: Any
) -> int:
    """Of `training.labels.contract_kernels.standings`; others are events: instant, recorded, retracted."""
    known = [row for row in rows if row.at < as_of and row.recorded < as_of <= row.retracted]
    if not known and not any(max(at, recorded) < as_of <= retracted for at, recorded, retracted in others):
        return -1
    book = ContractBook(**rules).read(known)
    if any(begin < as_of and (end is None or end >= as_of) for begin, end, _ in book.stays):
        return 0
    return 2 if book.first is None else 1


def contract_outcome(rows: list[ContractRow], start: int, end: int, **rules: Any) -> bool:
    """Of `training.labels.contract_kernels.outcomes`: whether the customer left within `[start, end)`."""
    book = ContractBook(**rules).read(rows)
    for place, (_, left, churn) in enumerate(book.stays):
        if left is None or left < start:
            continue
        later = book.stays[place + 1 :]
        if left >= end:
            return False
        if not later or later[0][0] - left > book.change:
            return churn
    return False


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


def window_sums(events: list[tuple[int, float]], begins: list[int], edges: list[int]) -> list[float]:
    """Of `serving.reports.kernels.window_sums`, for one customer: events as instant and value."""
    return [
        sum((value for at, value in events if begin <= at < edge and not math.isnan(value)), 0.0)
        for begin, edge in zip(begins, edges, strict=True)
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
