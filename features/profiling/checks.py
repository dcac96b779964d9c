"""Data-quality checks before training, with findings in both languages.

Each check reads the data profile only and yields findings with the figures behind them, or none where the
data are as they should be. No check stops anything.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from features.catalog.defaults import ITEMS
from features.catalog.display_names import INDICATOR_WORDS, kind_words
from features.events.answer_scales import UNDECLARED, SurveyScales
from features.events.schema import ATTRIBUTE
from features.events.validation import NO_CUSTOMER
from features.profiling.bucket_events import MINUTES, is_opening
from features.profiling.consent import consent_findings
from features.profiling.contract_amounts import amount_findings
from features.profiling.event_ids import event_id_findings, refund_findings
from features.profiling.finding import CheckFinding
from features.profiling.gaps import gaps
from features.profiling.id_checks import id_checks
from features.profiling.profile import DataProfile, IndicatorProfile
from features.profiling.rows.row_checks import row_checks
from features.profiling.shared_customer import shared_customer
from features.profiling.survey_scales import scale_findings
from features.timeline import Timeline

FEW = 100
"""Fewer events than this show no pattern worth a word."""
FEW_LINES = 10
"""Fewer rows beside another at one instant are taken for chance."""
SHOWN = 5
"""Gaps named one by one; the rest is counted."""


def run_checks(
    inventory: DataProfile, timeline: Timeline, scales: SurveyScales = UNDECLARED
) -> tuple[CheckFinding, ...]:
    """All findings, the most harmful first; `scales` are the declared ones of survey answers."""
    found: list[CheckFinding] = []
    for rule in (_stray_dates, _gaps, _day_only, _wrong_zone, _one_instant, _lines):
        found += rule(inventory, timeline)
    found += id_checks(inventory, timeline)
    found += row_checks(inventory, timeline)
    found += scale_findings(inventory.by_row.answers, timeline, inventory.first_day, scales)
    found += amount_findings(inventory.by_row.contract_amounts)
    shorts = (_refused, event_id_findings, refund_findings, _unnamed, _shared, _no_amounts, _no_answer_times)
    for short in shorts:
        found += short(inventory)
    if inventory.consent is not None:
        found += consent_findings(inventory.consent)
    return tuple(found)


def indicator_words(name: str) -> tuple[str, str]:
    """An indicator's events in English and in Japanese."""
    words = INDICATOR_WORDS.get(name) or kind_words(name)
    return words.many, words.ja


def _date(place: int, inventory: DataProfile, timeline: Timeline) -> str:
    midnights = timeline.midnights
    return timeline.local(int(midnights[inventory.first_day + place])).date().isoformat()


def _stray_dates(inventory: DataProfile, timeline: Timeline) -> Iterator[CheckFinding]:
    """Outlying dates: a few events far from all others, which make every customer look lapsed."""
    days, total = inventory.days, inventory.events
    if total < FEW or len(days) < 20:
        return
    so_far = np.cumsum(days)
    late = int(np.searchsorted(so_far, 0.99 * total))
    if len(days) - 1 - late > 0.1 * len(days):
        strays, since = int(total - so_far[late]), _date(late, inventory, timeline)
        last = _date(len(days) - 1, inventory, timeline)
        yield CheckFinding(
            "sparse_end",
            f"99% of the events lie before {since}, but {strays:,} follow until {last}: nearly everyone "
            f"looks gone there. Leave them out of the query if they are wrong, or use `--until {since}`.",
            f"イベントの99%は{since}までにあり、その後{last}までは{strays:,}件しかありません。この期間では"
            f"ほぼ全員が離反に見えます。誤りなら取込クエリで除くか、`--until {since}` を使ってください。",
            {"until": since, "events_after": strays, "newest": last},
        )
    early = int(np.searchsorted(so_far, 0.01 * total))
    if early > 0.1 * len(days):
        strays, since = int(so_far[early - 1]), _date(early, inventory, timeline)
        start = _date(0, inventory, timeline)
        yield CheckFinding(
            "sparse_start",
            f"99% of the events lie after {since}, but {strays:,} come before, from {start} on: "
            "are these dates right? As-of dates there know nearly nothing.",
            f"イベントの99%は{since}以降にあり、それ以前（{start}から）は{strays:,}件しかありません。"
            "日付は正しいでしょうか。この期間を基準日にしても手掛かりはほとんどありません。",
            {"since": since, "events_before": strays, "first": start},
        )


def _gaps(inventory: DataProfile, timeline: Timeline) -> Iterator[CheckFinding]:
    """Days without any event where there should be many: a failed export, or a closed shop."""
    for side in inventory.sides:
        found = gaps(side.days) if side.indicator.origin == "customer" else []
        if not found:
            continue
        listed = [
            {
                "from": _date(start, inventory, timeline),
                "until": _date(start + length - 1, inventory, timeline),
                "days": length,
            }
            for start, length in sorted(found, key=lambda gap: -gap[1])
        ]
        spans = ", ".join(f"{gap['from']} – {gap['until']} ({gap['days']} d)" for gap in listed[:SHOWN])
        spans_ja = "、".join(f"{gap['from']}〜{gap['until']}（{gap['days']}日）" for gap in listed[:SHOWN])
        more = len(listed) - SHOWN
        many, ja = indicator_words(side.indicator.name)
        yield CheckFinding(
            "gap",
            f"No {many} at all on {spans}{f' and {more} more spans' if more > 0 else ''}: "
            "was the shop closed, or is an export missing?",
            f"{ja}が1件もない期間があります：{spans_ja}{f'、ほか{more}件' if more > 0 else ''}。"
            "休業でしょうか、それとも取込漏れでしょうか。",
            {"indicator": side.indicator.name, "gaps": listed},
        )


def _day_only(inventory: DataProfile, _timeline: Timeline) -> Iterator[CheckFinding]:
    """Timestamps without a time of day: most events at one minute of the day."""
    for side in inventory.sides:
        minute, share = _favourite(side)
        if share is None or side.indicator.origin == "company" or side.late > 0.9 * side.events:
            continue
        clock = f"{minute // 60:02}:{minute % 60:02}"
        many, ja = indicator_words(side.indicator.name)
        other = "" if minute == 0 else " (a day of another time zone?)"
        yield CheckFinding(
            "day_only",
            f"{share:.0%} of the {many} are at exactly {clock}{other}: they seem to be days without a time. "
            "Where that is so, let `recorded_at` say the end of the day, when they were known.",
            f"{ja}の{share:.0%}がちょうど{clock}です。時刻のない日付のようです"
            f"{'' if minute == 0 else '（別のタイムゾーンの日付かもしれません）'}。"
            "その場合は、判明した時点（その日の終わり）を `recorded_at` に入れてください。",
            {"indicator": side.indicator.name, "time": clock, "share": share},
        )


def _favourite(side: IndicatorProfile) -> tuple[int, float | None]:
    """The minute of the day with most events, and its share of them if it is a clear peak, else None."""
    minute = int(side.minutes.argmax())
    others = int(np.delete(side.minutes, minute).max())
    share = float(side.minutes[minute] / side.events)
    is_peak = side.events >= FEW and share >= 0.2 and side.minutes[minute] >= 3 * others
    return minute, share if is_peak else None


def _wrong_zone(inventory: DataProfile, timeline: Timeline) -> Iterator[CheckFinding]:
    """A wrong time zone: the quiet hours of the day are not at night."""
    hours = np.zeros(24)
    for side in inventory.sides:
        if side.indicator.origin == "customer":
            minutes = side.minutes.copy()
            minute, share = _favourite(side)
            if share is not None:
                minutes[minute] = 0
            hours += minutes.reshape(24, MINUTES // 24).sum(axis=1)
    quiet = _quiet(hours)
    if quiet is None or quiet <= 7.0:
        return
    start, end = (f"{int(hour % 24):02}:00" for hour in (quiet - 3, quiet + 3))
    shift = round((quiet - 3 + 12) % 24 - 12)
    ahead = f"{abs(shift)} hours {'ahead of' if shift > 0 else 'behind'}"
    yield CheckFinding(
        "wrong_zone",
        f"Customers are quietest from {start} to {end} ({timeline.timezone}), as if this clock ran about "
        f"{ahead} theirs: are the stamps of another zone? Set `timezone` of the source (or of the project).",
        f"最も活動が少ないのは{start}〜{end}（{timeline.timezone}）で、時計が約{abs(shift)}時間"
        f"{'進んで' if shift > 0 else '遅れて'}いるように見えます。時刻が別のタイムゾーンではないか確認し、"
        "ソース（またはプロジェクト）の `timezone` を設定してください。",
        {"quiet_from": start, "quiet_until": end, "hours_off": shift},
    )


def _quiet(hours: NDArray[np.float64]) -> float | None:
    """The middle of the six quietest hours of the day, where they are quiet enough to be the night."""
    if hours.sum() < FEW:
        return None
    shares = np.array([np.roll(hours, -start)[:6].sum() for start in range(24)]) / hours.sum()
    if shares.min() > 0.1:
        return None
    lowest = np.flatnonzero(shares <= shares.min() + 0.005)
    turn = np.exp(2j * np.pi * (lowest + 3) / 24).sum()
    return float(np.angle(turn) / (2 * np.pi) * 24 % 24)


def _one_instant(inventory: DataProfile, timeline: Timeline) -> Iterator[CheckFinding]:
    """Many customers at one instant: probably the moment of a migration, not of the events."""
    for side in inventory.sides:
        share = side.crowd / side.events
        if side.indicator.origin == "company" or side.events < FEW or share < 0.03 or side.customers < 10:
            continue
        moment = timeline.local(side.crowded).isoformat(sep=" ", timespec="seconds")
        many, ja = indicator_words(side.indicator.name)
        yield CheckFinding(
            "one_instant",
            f"{share:.0%} of the {many} ({side.crowd:,}) are at the same instant, {moment}: "
            "is that when they were loaded rather than when they happened?",
            f"{ja}の{share:.0%}（{side.crowd:,}件）が同一時刻（{moment}）です。発生時刻ではなく取込時刻では"
            "ありませんか。",
            {"indicator": side.indicator.name, "instant": moment, "events": side.crowd, "share": share},
        )


def _lines(inventory: DataProfile, _timeline: Timeline) -> Iterator[CheckFinding]:
    """Rows that are lines of one receipt rather than events."""
    for side in inventory.sides:
        share = side.together / side.events
        if side.together < FEW_LINES or share < 0.3:
            continue
        if _favourite(side)[1] is not None:
            if side.indicator.name == "purchase":
                yield _lines_of_days(side, share)
            continue
        many, ja = indicator_words(side.indicator.name)
        yield CheckFinding(
            "lines",
            f"{share:.0%} of the {many} share customer and instant with another of their kind: they seem to "
            "be lines of one receipt. Group them in the source's query, so that counts count occasions.",
            f"{ja}の{share:.0%}は同じ顧客・同じ時刻の別の行を伴っています。1件の明細行のようです。"
            "回数が正しく数えられるよう、取込クエリで1件にまとめてください。",
            {"indicator": side.indicator.name, "share": share},
        )


def _lines_of_days(side: IndicatorProfile, share: float) -> CheckFinding:
    """Several rows of a customer on one day, and no time to tell lines of an order from orders."""
    many, ja = indicator_words(side.indicator.name)
    query = "select customer, day, sum(amount) as value, order_no as event_id … group by all"
    return CheckFinding(
        "lines_by_day",
        f"{share:.0%} of the {many} share customer and day with another, and no time tells them apart: lines "
        f"of one order are counted as visits. Add them up by the number of the order: `{query}`.",
        f"{ja}の{share:.0%}は同じ顧客・同じ日の別の行を伴い、時刻がないため区別できません。1回の注文の明細行が"
        f"来店回数に数えられています。注文番号ごとに合計してください：`{query}`。",
        {"indicator": side.indicator.name, "share": share},
    )


def _refused(inventory: DataProfile) -> Iterator[CheckFinding]:
    anonymous = inventory.share(inventory.without_customer)
    if anonymous >= 0.01:
        yield CheckFinding(
            "without_customer",
            f"{anonymous:.1%} of the rows ({inventory.without_customer:,}) name no customer and stay out: "
            "can they be joined to one?",
            f"顧客が分からない行が{anonymous:.1%}（{inventory.without_customer:,}行）あり、使われていません。"
            "顧客に紐付けられませんか。",
            {"rows": inventory.without_customer, "share": anonymous},
        )
    rest = inventory.quarantined - inventory.without_customer
    if inventory.share(rest) >= 0.001:
        others = [one for one in inventory.refused if one.reason != NO_CUSTOMER]
        english = "; ".join(f"{one.rows:,} in '{one.source}': {one.reason}" for one in others[:SHOWN])
        japanese = "、".join(f"「{one.source}」{one.rows:,}行：{one.reason}" for one in others[:SHOWN])
        yield CheckFinding(
            "quarantined",
            f"{inventory.share(rest):.1%} of the rows ({rest:,}) are refused for what they say: {english}.",
            f"内容の問題で隔離された行が{inventory.share(rest):.1%}（{rest:,}行）あります。{japanese}。",
            {
                "rows": rest,
                "share": inventory.share(rest),
                "source": others[0].source,
                "reason": others[0].reason,
            },
        )


def _unnamed(inventory: DataProfile) -> Iterator[CheckFinding]:
    unnamed = [
        kind
        for kind in inventory.kinds  # what a mail program opens by itself belongs to none
        if not kind.indicators
        and not kind.name.startswith(ATTRIBUTE)
        and not is_opening(kind.name)
        and kind.name != ITEMS
    ]
    if unnamed:
        names = ", ".join(f"'{kind.name}' ({kind.events:,})" for kind in unnamed[:SHOWN])
        more = "" if len(unnamed) <= SHOWN else f" … ({len(unnamed) - SHOWN})"
        yield CheckFinding(
            "unnamed_kind",
            f"No indicator names the kinds {names}{more}, so no feature sees their events. "
            "Add them to the `kinds` of an `[indicators.NAME]`.",
            f"どの指標にも属さない種別があります：{names}{more}。特徴量に使われません。"
            "`[indicators.NAME]` の `kinds` に加えてください。",
            {"kinds": {kind.name: kind.events for kind in unnamed}},
        )


def _shared(inventory: DataProfile) -> Iterator[CheckFinding]:
    finding = shared_customer(inventory)
    if finding is not None:
        yield finding


def _no_answer_times(inventory: DataProfile) -> Iterator[CheckFinding]:
    """Inquiries of kinds that never say when they were answered."""
    kinds = [kind for kind in inventory.kinds if "inquiry" in kind.indicators]
    silent = [kind for kind in kinds if not kind.valued]
    if silent:
        names, number = "`, `".join(kind.name for kind in silent), sum(kind.events for kind in silent)
        yield CheckFinding(
            "no_answer_times",
            f"None of the {number:,} inquiries of the kinds `{names}` carries minutes to the answer, so it "
            "is not known which were answered, and none counts as open. Give `value` in the source's query: "
            "the minutes to the answer, empty while there is none.",
            f"`{names}` の問い合わせ{number:,}件には回答までの時間（分）がなく、回答済みか分かりません。"
            "未回答としては扱いません。取込クエリの `value` に回答までの分数を"
            "指定してください（未回答なら空）。",
            {"kinds": [kind.name for kind in silent], "inquiries": number},
        )


def _no_amounts(inventory: DataProfile) -> Iterator[CheckFinding]:
    side = inventory.side("purchase")
    valued = sum(kind.valued for kind in inventory.kinds if "purchase" in kind.indicators)
    if side is not None and valued < 0.5 * side.events:
        yield CheckFinding(
            "no_amounts",
            f"Only {valued / side.events:.0%} of the purchases carry an amount, so the value at risk will be "
            "missing or too small: give `value` in the source's query.",
            f"金額のある購買は{valued / side.events:.0%}だけなので、リスク金額が出ないか過小になります。"
            "取込クエリで `value` を指定してください。",
            {"share": valued / side.events},
        )
