"""Recurring amounts of contracts in two periods: a plan that costs about twelve times as much in some rows.

Where a source, or two of them, carry monthly and yearly amounts, sums and changes of plan are wrong. Nothing
is said of amounts whose sources say their period (`per`): those are in one unit when they are stored.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from features.errors import shell_word
from features.profiling.bucket_events import BucketEvents
from features.profiling.finding import CheckFinding

CONTRACT = "contract"
LEAST, MOST = 9.5, 12.6
"""A year costs as much as this many months: some are often given away."""
EXACT = 0.02
"""Without a plan only an amount of twelve months, within this share, is taken for that of a year."""
CLEAR = 4.0
"""Amounts of two periods lie at least so far apart; the prices of one plan lie closer."""
FEW = 2
MOST_AMOUNTS = 2_000
"""More different amounts of one plan are no prices."""
_PERIOD = re.compile(
    r"(?i)(?<![a-z])(annual(ly)?|yearly|years?|monthly|months?)(?![a-z])|年(額|間|払い?|契約)?|月(額|払い?|契約)?"
)
DIGITS = "translate(cast(value as varchar), '０１２３４５６７８９．', '0123456789.')"
AMOUNT = f"try_cast(regexp_replace({DIGITS}, '[^0-9.]', '', 'g') as double)"
"""The amount in SQL, also with a sign of a currency and separators of thousands."""


@dataclass
class ContractAmounts:
    """How often each recurring amount came, by source and plan."""

    counts: dict[tuple[str, str], Counter[float]] = field(default_factory=dict)

    def add(self, bucket: BucketEvents) -> None:
        """Count the amounts of a bucket's rows about contracts."""
        history = bucket.history
        kinds = {kind for one in bucket.indicators if one.name == CONTRACT for kind in one.kinds}
        rows = np.flatnonzero(
            bucket.of_kinds([name in kinds for name in history.kind_names]) & (bucket.values > 0)
        )
        if not len(rows):
            return
        codes = np.zeros(len(rows), dtype=np.int64)
        sources, details = ["", *history.source_names], ["", *history.detail_names]
        for column, names in ((bucket.codes("sources"), sources), (bucket.codes("details"), details)):
            codes = codes * len(names) + (column[rows] + 1 if len(column) else 0)
        amounts, places = np.unique(bucket.values[rows], return_inverse=True)
        found, counts = np.unique(codes * len(amounts) + places, return_counts=True)
        for code, count in zip(found.tolist(), counts.tolist(), strict=True):
            code, place = divmod(code, len(amounts))
            source, plan = divmod(code, len(details))
            self.counts.setdefault((sources[source], details[plan]), Counter())[float(amounts[place])] += (
                count
            )

    def merge(self, other: ContractAmounts) -> None:
        """Add the counts of later buckets."""
        for key, amounts in other.counts.items():
            self.counts.setdefault(key, Counter()).update(amounts)


@dataclass(frozen=True)
class TwoPeriods:
    """Amounts of one plan that look like those of a month and of a year."""

    plans: tuple[str, ...]
    month: float
    """The middle one of the lower amounts."""
    year: float
    rows: int
    """Rows with the amount of a year."""
    highest: float
    """The highest of a month."""
    lowest: float
    """The lowest of a year."""


def amount_findings(amounts: ContractAmounts) -> Iterator[CheckFinding]:
    """Sources whose amounts look like those of two periods, with the `per` to write."""
    by_plan: dict[str, dict[str, Counter[float]]] = {}
    plans: dict[tuple[str, str], list[str]] = {}
    for (source, plan), counts in sorted(amounts.counts.items()):
        stem = _stem(plan)
        by_plan.setdefault(stem, {}).setdefault(source, Counter()).update(counts)
        plans.setdefault((source, stem), []).append(plan)
    within: dict[str, list[TwoPeriods]] = {}
    between: dict[tuple[str, str], list[TwoPeriods]] = {}
    for stem, sources in by_plan.items():
        mixed = {}
        for source, counts in sources.items():
            found = _two_periods(counts, stem, tuple(plans[source, stem]))
            if found is not None:
                within.setdefault(source, []).append(found)
                mixed[source] = found
        single = {source: counts for source, counts in sources.items() if source not in mixed}
        for low, high in _pairs(single):
            found = _two_periods(single[low] + single[high], stem, tuple(plans[high, stem]))
            if found is not None and max(single[low]) <= found.highest and min(single[high]) >= found.lowest:
                between.setdefault((low, high), []).append(found)
    for source, cases in within.items():
        yield _mixed(source, cases)
    for (low, high), cases in between.items():
        if low not in within and high not in within:
            yield _apart(low, high, cases)


def _pairs(sources: dict[str, Counter[float]]) -> Iterator[tuple[str, str]]:
    """The source of the lowest amounts with each other one."""
    if len(sources) > 1:
        lowest = min(sources, key=lambda source: max(sources[source]))
        yield from ((lowest, source) for source in sources if source != lowest)


def _stem(plan: str) -> str:
    """A plan's name without the words for a year and a month."""
    text = unicodedata.normalize("NFKC", plan).casefold()
    return " ".join(re.sub(r"[\s_\-()/・]+", " ", _PERIOD.sub(" ", text)).split()) or text.strip()


def _two_periods(counts: Counter[float], stem: str, plans: tuple[str, ...]) -> TwoPeriods | None:
    """The amounts on both sides of the widest gap, where one side's are about twelve times the other's."""
    if not 1 < len(counts) <= MOST_AMOUNTS:
        return None
    values = np.array(sorted(counts))
    rows = np.array([counts[value] for value in values.tolist()])
    place = int(np.argmax(values[1:] / values[:-1])) + 1
    low, high = (float(np.median(np.repeat(values[part], rows[part]))) for part in _sides(place))
    few = min(int(rows[:place].sum()), int(rows[place:].sum())) < FEW
    clear = values[place] / values[place - 1] >= CLEAR
    year = LEAST <= high / low <= MOST if stem else abs(high / low / 12 - 1) <= EXACT
    if few or not clear or not year:
        return None
    ends = float(values[place - 1]), float(values[place])
    return TwoPeriods(plans, low, high, int(rows[place:].sum()), *ends)


def _sides(place: int) -> tuple[slice, slice]:
    return slice(None, place), slice(place, None)


def _mixed(source: str, cases: list[TwoPeriods]) -> CheckFinding:
    """One source carries amounts of both periods."""
    most = max(cases, key=lambda case: case.rows)
    if max(case.highest for case in cases) < min(case.lowest for case in cases):
        low, high = max(case.highest for case in cases), min(case.lowest for case in cases)
        condition = f"{AMOUNT} > {_between(low, high)}"
    else:
        condition = " or ".join(
            f"(coalesce(detail, '') in ({', '.join(map(_quoted, case.plans))}) "
            f"and {AMOUNT} > {_between(case.highest, case.lowest)})"
            for case in cases
        )
    query = f"select *, case when {condition} then 'year' else 'month' end as per from ( … )"  # noqa: S608
    again, rows = f"kizuna ingest --replace {shell_word(source)}", sum(case.rows for case in cases)
    english, japanese = _plan(most)
    return CheckFinding(
        "contract_amounts",
        f"The amounts of contracts in '{source}' look like those of two periods: {english} costs "
        f"{most.month:,.10g} in some rows and {most.year:,.10g} in others, {most.year / most.month:.3g} "
        f"times as much ({rows:,} rows in all), and they are summed up as if of one. Say the period of each "
        f"row around the query: `{query}`, or better with a column of your own as `per`; then run `{again}`.",
        f"「{source}」の契約金額は月額と年額が混ざっているようです。{japanese}は{most.month:,.10g}の行と"
        f"{most.year:,.10g}の行（{most.year / most.month:.3g}倍）があり（計{rows:,}行）、同じ単位として"
        f"合計されています。クエリを `{query}` で囲んで各行の期間を示し（元の列を `per` にしても可）、"
        f"`{again}` を実行してください。",
        {
            "source": source,
            "plan": most.plans[0],
            "month": most.month,
            "year": most.year,
            "ratio": most.year / most.month,
            "rows": rows,
        },
    )


def _apart(low: str, high: str, cases: list[TwoPeriods]) -> CheckFinding:
    """One source carries amounts of a month, another those of a year."""
    most = max(cases, key=lambda case: case.rows)
    english, japanese = _plan(most)
    again, rows = f"kizuna ingest --replace {shell_word(high)}", sum(case.rows for case in cases)
    return CheckFinding(
        "contract_amounts",
        f"The amounts of contracts in '{high}' look like those of a year and those in '{low}' like those of "
        f"a month: {english} costs {most.year:,.10g} there and {most.month:,.10g} here, "
        f"{most.year / most.month:.3g} times as much ({rows:,} rows), and they are summed up as if of one "
        f"period. Where that is so, add `per = \"year\"` to the source '{high}', then run `{again}`.",
        f"「{high}」の契約金額は年額、「{low}」は月額のようです。{japanese}は前者で{most.year:,.10g}、後者で"
        f"{most.month:,.10g}（{most.year / most.month:.3g}倍、{rows:,}行）で、同じ単位として合計されて"
        f'います。そのとおりであれば「{high}」に `per = "year"` を書き、`{again}` を実行してください。',
        {
            "source": high,
            "other": low,
            "plan": most.plans[0],
            "month": most.month,
            "year": most.year,
            "ratio": most.year / most.month,
            "rows": rows,
        },
    )


def _plan(case: TwoPeriods) -> tuple[str, str]:
    plan = case.plans[0]
    return (f"'{plan}'", f"「{plan}」") if plan else ("a contract", "契約")


def _between(low: float, high: float) -> str:
    """A short number between two, near the middle of their logarithms."""
    return f"{float(f'{np.sqrt(low * high):.3g}'):.10g}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
