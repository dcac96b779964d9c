"""Checks of rows: copies, lines of one receipt, several currencies and units."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from features.errors import shell_word
from features.profiling.bucket_events import Ints
from features.profiling.customer_patterns import BusyCustomer
from features.profiling.finding import CheckFinding
from features.profiling.profile import DataProfile
from features.profiling.rows.response_checks import response_checks
from features.profiling.rows.row_patterns import LOWEST, PER_DECADE, AmountCounts
from features.profiling.scale_remedies import REPLACED, quoted
from features.profiling.shared_customer import shared_customer
from features.timeline import Timeline

FEW_ROWS = 20
DISTINCT = "select distinct * from ( … )"
WRAPPED = "select * from ( … )"
"""What to write around a query."""
JUMP = 1.4
"""A step of amounts by a factor of 25 in the logarithm; prices never rise so at once."""
APART = 0.1
"""So many amounts of one unit at most lie on the other's side of the middle."""
PLACEHOLDERS = frozenset(
    [
        "guest",
        "guests",
        "null",
        "none",
        "nan",
        "na",
        "n/a",
        "unknown",
        "anonymous",
        "anon",
        "test",
        "0",
        "00",
        "000",
        "0000",
        "-1",
        "9999",
        "99999",
        "999999",
        "ゲスト",
        "非会員",
        "会員外",
        "一般",
        "不明",
        "なし",
        "テスト",
    ]
)
"""Ids that stand for nobody."""


def row_checks(profile: DataProfile, timeline: Timeline) -> Iterator[CheckFinding]:
    """All findings about rows, the most harmful first."""
    yield from _copies(profile, timeline)
    yield from _guests(profile)
    yield from _units_by_date(profile, timeline)
    yield from _units_by_group(profile)
    yield from _currencies(profile)
    yield from response_checks(profile)


def _date(profile: DataProfile, timeline: Timeline, place: int) -> str:
    return timeline.local(int(timeline.midnights[profile.first_day + place])).date().isoformat()


def _copies(profile: DataProfile, timeline: Timeline) -> Iterator[CheckFinding]:
    """Days on which nearly every row came twice, or a source of which another has a third of the rows too."""
    rows = profile.by_row
    days = np.flatnonzero((rows.copied >= 0.8 * rows.rows) & (rows.copied > 0))
    extra = int(rows.extra[days].sum())
    pair = max(rows.copied_between, key=lambda one: rows.copied_between[one], default=("", ""))
    shared = rows.copied_between[pair]
    if pair[0] != pair[1] and shared >= max(FEW_ROWS, min(rows.by_source[one] for one in pair) / 3):
        days, extra = np.flatnonzero(rows.copied), shared
    elif int(rows.copied[days].sum()) < FEW_ROWS:
        return
    first, last = (_date(profile, timeline, int(place)) for place in (days[0], days[-1]))
    share = extra / profile.events
    same = pair[0] == pair[1]
    where = f"in '{pair[0]}'" if same else f"in '{pair[0]}' and '{pair[1]}'"
    again = f"kizuna ingest --replace {shell_word(pair[0 if same else 1])}"
    hint = (
        f"Two of its files seem to overlap: write `{DISTINCT}` around the query, or give an "
        f"`event_id`; then run `{again}`."
        if same
        else f"Leave them out of one of the two queries, then run `{again}`."
    )
    ja_where = f"「{pair[0]}」の中" if same else f"「{pair[0]}」と「{pair[1]}」の両方"
    ja_hint = (
        f"ファイルの期間が重なっているようです。クエリを `{DISTINCT}` で囲むか `event_id` を"
        f"指定し、`{again}` を実行してください。"
        if same
        else f"どちらかのクエリから除き、`{again}` を実行してください。"
    )
    yield CheckFinding(
        "same_rows_twice",
        f"From {first} to {last} the same rows came twice {where}: {extra:,} rows ({share:.1%}) are counted "
        f"again. {hint}",
        f"{first}〜{last}に同じ行が{ja_where}に2回あり、{extra:,}行（{share:.1%}）が二重に数えられています。"
        f"{ja_hint}",
        {
            "rows": extra,
            "share": share,
            "from": first,
            "until": last,
            "days": len(days),
            "sources": list(pair),
        },
    )


def _guests(profile: DataProfile) -> Iterator[CheckFinding]:
    """One id with a share of events that no person has: guests, a till without a card, tests."""
    counts = profile.by_customer
    if profile.customers < FEW_ROWS or shared_customer(profile) is not None:
        return
    keys, events = (np.concatenate([np.empty(0, np.int64), *parts]) for parts in (counts.keys, counts.events))
    days = int((profile.by_row.rows > 0).sum())
    found: list[tuple[BusyCustomer, str]] = []
    for one in sorted(counts.busy, key=lambda busy: (-busy.events, busy.key)):
        name = profile.customers_table.names(np.array([one.key])).to_pylist()[0] or ""
        always = one.days >= 0.5 * days and one.events >= 0.01 * profile.events
        nobody = name.strip().casefold() in PLACEHOLDERS and one.events >= FEW_ROWS
        if (always or nobody) and one.events >= 5 * np.quantile(events[keys != one.key], 0.99):
            found.append((one, name))
    if not found:
        return
    total = sum(one.events for one, _ in found)
    busy, name = found[0]
    share, places = total / profile.events, busy.places if busy.places > 1 else 0
    query = f"{WRAPPED} where customer_id <> '{quoted(name)}'"
    also = f" and {len(found) - 1} more" if len(found) > 1 else ""
    ja_also = f"ほか{len(found) - 1}件" if len(found) > 1 else ""
    yield CheckFinding(
        "guests_under_one_id",
        f"The id '{name}'{also} has {total:,} events ({share:.1%}) on {busy.days:,} days"
        f"{f', at {places:,} places' if places else ''}: many persons seem to share it, such as guests. "
        f"Leave it out of the query: `{query}`.",
        f"ID「{name}」{ja_also}に{total:,}件（{share:.1%}、{busy.days:,}日"
        f"{f'、{places:,}か所' if places else ''}）のイベントがあります。ゲストなど複数の人が共有するIDのよう"
        f"です。クエリを `{query}` として除いてください。",
        {
            "customer_id": name,
            "ids": len(found),
            "events": total,
            "share": share,
            "days": busy.days,
            "places": busy.places,
        },
    )


def _median(counts: Ints) -> float:
    """The logarithm of the median amount of a histogram."""
    at = int(np.searchsorted(np.cumsum(counts), counts.sum() / 2))
    return LOWEST + (at + 0.5) / PER_DECADE


def _beyond(counts: Ints, middle: float, *, above: bool) -> float:
    """The share of amounts above, or below, a logarithm."""
    place = int((middle - LOWEST) * PER_DECADE)
    part = counts[place:] if above else counts[:place]
    return float(part.sum() / counts.sum())


def _apart(one: Ints, other: Ints) -> float:
    """The logarithm of the factor between two histograms that hardly overlap; 0 where they do."""
    if min(one.sum(), other.sum()) < FEW_ROWS / 2:
        return 0.0
    low, high = _median(one), _median(other)
    middle, up = (low + high) / 2, high > low
    overlap = max(_beyond(one, middle, above=up), _beyond(other, middle, above=not up))
    return high - low if abs(high - low) >= JUMP and overlap <= APART else 0.0


def _units_by_date(profile: DataProfile, timeline: Timeline) -> Iterator[CheckFinding]:
    """A day from which on all amounts are a hundred or a thousand times larger or smaller."""
    for kind, counts in profile.by_row.amounts.items():
        split = _step(counts)
        if split is None:
            continue
        day, factor = _date(profile, timeline, split[0]), split[1]
        way, ja_way = ("larger", "大きく") if factor > 0 else ("smaller", "小さく")
        times, amount = _rounded(10 ** abs(factor)), "cast(value as double)"
        earlier = f"{amount} * {times}" if factor > 0 else f"{amount} / {times}"
        condition = f"kind = '{quoted(kind)}' and occurred_at < '{day}'"
        query = REPLACED.format(f"case when {condition} then {earlier} else {amount} end as value")
        yield CheckFinding(
            "unit_changes",
            f"The amounts of '{kind}' are about {times:,} times {way} from {day} on: another unit, such as "
            f"cents or thousands? Bring the earlier ones to the later unit around the query: `{query}`.",
            f"「{kind}」の金額が{day}から約{times:,}倍{ja_way}なっています。千円と円、セントとドルのように単位が"
            f"変わっていませんか。クエリを `{query}` で囲んで、それ以前の金額をそろえてください。",
            {"kind": kind, "day": day, "factor": times if factor > 0 else 1 / times},
        )


def _step(counts: AmountCounts) -> tuple[int, float] | None:
    """The first day of another unit, and the logarithm of the factor."""
    days = np.cumsum(counts.days, axis=0)
    whole = days[-1]
    best: tuple[float, int, float] | None = None
    for day in np.flatnonzero(counts.days.any(axis=1))[1:].tolist():
        before, after = days[day - 1], whole - days[day - 1]
        factor = _apart(before, after)
        if not factor:
            continue
        middle = (_median(before) + _median(after)) / 2
        up = factor > 0
        wrong = _beyond(before, middle, above=up) + _beyond(after, middle, above=not up)
        if best is None or wrong < best[0]:
            best = wrong, day, factor
    return None if best is None else (best[1], best[2])


def _units_by_group(profile: DataProfile) -> Iterator[CheckFinding]:
    """A source or a channel whose amounts are a hundred or a thousand times those of the others."""
    for kind, counts in profile.by_row.amounts.items():
        whole = counts.days.sum(axis=0)
        for (column, text), mine in sorted(counts.groups.items(), key=lambda group: int(group[1].sum())):
            factor = _apart(whole - mine, mine)
            if not any(abs(abs(factor) - decades) <= 0.35 for decades in (2, 3)):
                continue
            times, amount = _rounded(10 ** abs(factor)), "cast(value as double)"
            way, ja_way = ("larger", "大きい") if factor > 0 else ("smaller", "小さい")
            same = f"{amount} / {times}" if factor > 0 else f"{amount} * {times}"
            if column == "channel":
                same = f"case when channel = '{quoted(text)}' then {same} else {amount} end"
            query, ja = (
                REPLACED.format(f"{same} as value"),
                {"source": "ソース", "channel": "チャネル"}[column],
            )
            yield CheckFinding(
                "unit_differs",
                f"The amounts of '{kind}' of the {column} '{text}' are about {times:,} times {way} than the "
                f"others: another unit, such as cents or thousands? Bring them to one unit: `{query}`.",
                f"「{kind}」の金額が、{ja}「{text}」では他の約{times:,}倍{ja_way}です。千円と円、セントとドルの"
                f"ように単位が違っていませんか。クエリを `{query}` で囲んでそろえてください。",
                {"kind": kind, column: text, "factor": times if factor > 0 else 1 / times},
            )
            break


def _rounded(factor: float) -> int:
    """A factor that is near a power of ten as that power."""
    power = round(float(np.log10(factor)))
    near = abs(np.log10(factor) - power) <= 0.35
    return int(10**power) if near else round(factor)


def _currencies(profile: DataProfile) -> Iterator[CheckFinding]:
    """Amounts in several currencies, which sums add up as if they were one."""
    rows = profile.by_row
    named = {name: count for name, count in rows.currencies.items() if name}
    sums = {name: rows.sums[name] for name in named}
    if len(named) < 2 and len(rows.customers_by_currency) > 1:
        named, sums = dict(rows.customers_by_currency), {}
    total = sum(named.values())
    if len(named) < 2 or total - max(named.values()) < max(1, 0.001 * total):
        return
    order = sorted(named, key=lambda name: (-named[name], name))
    shown, ja_shown = [], []
    for one in order[:5]:
        total_of = f"{sums[one]:,.0f}" if sums else ""
        shown.append(f"{one} {named[one]:,}" + (f", sum {total_of}" if sums else " customers"))
        ja_shown.append(f"{one} {named[one]:,}" + (f"件、合計{total_of}" if sums else "名"))
    rates = " ".join(f"when '{quoted(one)}' then RATE" for one in order[1:5])
    query = REPLACED.format(
        f"cast(value as double) * case currency {rates} else 1 end as value, '{quoted(order[0])}' as currency"
    )
    english, japanese = (
        f"Convert them around the query: `{query}`.",
        f"クエリを `{query}` で囲んで換算してください。",
    )
    if not sums:
        english = f"Join the customer's currency and a rate in the query, and give the amount in {order[0]}."
        japanese = f"クエリで顧客の通貨とレートを結合し、{order[0]}に換算した金額を `value` にしてください。"
    yield CheckFinding(
        "several_currencies",
        f"Amounts are in {len(named)} currencies ({'; '.join(shown)}), and sums add them up as they are. "
        f"{english}",
        f"金額が{len(named)}種類の通貨で入っており（{'、'.join(ja_shown)}）、そのまま合算されています。{japanese}",
        {
            "currencies": order,
            "counts": [str(named[one]) for one in order],
            "sums": [f"{sums[one]:.2f}" for one in order] if sums else [],
            "share": (total - named[order[0]]) / total,
        },
    )
