"""Counts of rows that tell how a file was made: copies, amounts by day and source, currencies, responses."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from features.events.schema import ATTRIBUTE
from features.profiling.bucket_events import BucketEvents, Ints, is_opening
from features.profiling.contract_amounts import ContractAmounts
from features.profiling.survey_scales import AnswerCounts, count_answers
from features.timeline import SECOND

CURRENCY = ATTRIBUTE + "currency"
HOUR = 3_600 * SECOND
QUICK = 10 * SECOND
"""Nobody answers an e-mail so soon after it was sent."""
SEEN_AT_ONCE = ("push", "sms", "line", "call", "app", "chat")
"""Parts of names of kinds that reach people at once: they may answer within seconds."""
BINS, LOWEST, PER_DECADE = 260, -3.0, 20
"""Amounts by their logarithm: from 0.001 to 10^10, twenty bins for each factor of ten."""
MOST_NAMES = 100
"""A column of more texts than this, such as one of store numbers, says nothing of units."""
_MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass
class AmountCounts:
    """How many amounts of one kind lie in each bin, by day, and by source and channel."""

    days: Ints
    """int64[days, BINS]."""
    groups: dict[tuple[str, str], Ints] = field(default_factory=dict)
    """(column, text) → int64[BINS]."""

    def merge(self, other: AmountCounts) -> None:
        self.days += other.days
        for name, counts in other.groups.items():
            self.groups[name] = self.groups.get(name, 0) + counts


@dataclass
class RowPatterns:
    """Running counts over the buckets."""

    days: int
    rows: Ints = field(init=False)
    """int64[days]: events by customers."""
    copied: Ints = field(init=False)
    """int64[days]: those whose customer, instant and everything else came twice, with all that came then."""
    extra: Ints = field(init=False)
    """int64[days]: the copies among them that are too many."""
    copied_between: Counter[tuple[str, str]] = field(default_factory=Counter)
    by_source: Counter[str] = field(default_factory=Counter)
    """Events by customers of each source."""
    amounts: dict[str, AmountCounts] = field(default_factory=dict)
    answers: dict[str, AnswerCounts] = field(default_factory=dict)
    """Of each kind of survey."""
    contract_amounts: ContractAmounts = field(default_factory=ContractAmounts)
    currencies: Counter[str] = field(default_factory=Counter)
    """Events with an amount by currency, "" where it is not said."""
    sums: dict[str, float] = field(default_factory=dict)
    customers_by_currency: Counter[str] = field(default_factory=Counter)
    """By the attribute `currency`."""
    responses: Counter[str] = field(default_factory=Counter)
    """Responses by kind, of customers who were sent something before."""
    quick: Counter[str] = field(default_factory=Counter)
    """Those within `QUICK` of the last message."""

    def __post_init__(self) -> None:
        self.rows, self.copied, self.extra = (np.zeros(self.days, dtype=np.int64) for _ in range(3))

    def add(self, bucket: BucketEvents) -> None:
        self._count_currency_of_customers(bucket)
        if not len(bucket.rows):
            return
        self.rows += np.bincount(bucket.day[bucket.by_customers], minlength=self.days)
        sources, names = bucket.codes("sources"), bucket.history.source_names
        if len(sources):
            counts = np.bincount(sources[bucket.by_customers], minlength=len(names)).tolist()
            self.by_source.update(dict(zip(names, counts, strict=True)))
        self._count_copies(bucket)
        self._count_amounts(bucket)
        self._count_responses(bucket)
        count_answers(bucket, self.answers)
        self.contract_amounts.add(bucket)

    def _count_copies(self, bucket: BucketEvents) -> None:
        """Groups of one customer and instant in which every row came at least twice."""
        who, instants = bucket.who, bucket.instants
        fresh = np.r_[True, (who[1:] != who[:-1]) | (instants[1:] != instants[:-1])]
        starts = np.flatnonzero(fresh)
        sizes = np.diff(np.r_[starts, len(who)])
        # Two visits of a day or an hour, without a time or an amount, are equal and yet two.
        vague = np.isnan(bucket.values) & (instants % HOUR == 0)
        rows = np.flatnonzero(np.repeat(sizes > 1, sizes) & bucket.by_customers & ~vague)
        if not len(rows):
            return
        group = (np.cumsum(fresh) - 1)[rows]
        prints = bucket.kinds[rows].astype(np.uint64)
        columns = [
            bucket.codes(name) for name in ("channels", "places", "details", "currencies", "contracts")
        ]
        words = [bucket.values[rows].view(np.uint64)]
        words += [one[rows].astype(np.uint64) for one in columns if len(one)]
        for word in words:
            prints = (prints ^ word) * _MIX
            prints ^= prints >> np.uint64(29)
        order = np.lexsort((prints, group))
        group, prints, rows = group[order], prints[order], rows[order]
        new = np.r_[True, (group[1:] != group[:-1]) | (prints[1:] != prints[:-1])]
        place = np.flatnonzero(new)
        counts = np.diff(np.r_[place, len(rows)])
        single = np.unique(group[place[counts == 1]])
        whole = ~np.isin(group, single)
        day = bucket.day[rows]
        self.copied += np.bincount(day[whole], minlength=self.days)
        self.extra += np.bincount(day[whole & ~new], minlength=self.days)
        sources, names = bucket.codes("sources"), bucket.history.source_names
        if len(sources):
            pairs = np.flatnonzero(whole[1:] & ~new[1:]) + 1
            one, other = sources[rows[pairs - 1]], sources[rows[pairs]]
            found, times = np.unique(np.sort([one, other], axis=0), axis=1, return_counts=True)
            for (low, high), count in zip(found.T.tolist(), times.tolist(), strict=True):
                first, second = sorted((names[low], names[high]))
                self.copied_between[first, second] += count

    def _count_amounts(self, bucket: BucketEvents) -> None:
        names = bucket.history.kind_names
        money = {kind for one in bucket.indicators if one.amounts for kind in one.kinds}
        valued = bucket.of_kinds([name in money for name in names]) & (bucket.values > 0)
        if not valued.any():
            return
        values, kinds, day = bucket.values[valued], bucket.kinds[valued], bucket.day[valued]
        bins = np.clip((np.log10(values) - LOWEST) * PER_DECADE, 0, BINS - 1).astype(np.int64)
        texts = {
            "source": (bucket.codes("sources"), bucket.history.source_names),
            "channel": (bucket.codes("channels"), bucket.history.channel_names),
        }
        for code in np.unique(kinds).tolist():
            mine = kinds == code
            where = day[mine] * BINS + bins[mine]
            counts = AmountCounts(np.bincount(where, minlength=self.days * BINS).reshape(-1, BINS))
            for column, (codes, known) in texts.items():
                if len(codes) and len(known) <= MOST_NAMES:
                    of = codes[valued][mine].astype(np.int64) + 1  # 0: it is not said
                    table = np.bincount(of * BINS + bins[mine], minlength=(len(known) + 1) * BINS)
                    for text, row in zip(known, table.reshape(-1, BINS)[1:], strict=True):
                        if row.any():
                            counts.groups[column, text] = row
            held = self.amounts.setdefault(names[code], AmountCounts(np.zeros_like(counts.days)))
            held.merge(counts)
        currencies = bucket.codes("currencies")
        of = currencies[valued] if len(currencies) else np.full(len(values), -1, np.int32)
        for code in np.unique(of).tolist():
            name = bucket.history.currency_names[code] if code >= 0 else ""
            self.currencies[name] += int((of == code).sum())
            self.sums[name] = self.sums.get(name, 0.0) + float(values[of == code].sum())

    def _count_currency_of_customers(self, bucket: BucketEvents) -> None:
        history = bucket.history
        if CURRENCY not in history.kind_names or not len(history.details):
            return
        rows = np.flatnonzero(history.kinds == history.kind_names.index(CURRENCY))
        who = np.searchsorted(history.offsets, rows, side="right") - 1
        last = rows[np.r_[who[1:] != who[:-1], True][: len(rows)]]
        for code, count in zip(*np.unique(history.details[last], return_counts=True), strict=True):
            if code >= 0:
                self.customers_by_currency[history.detail_names[code]] += int(count)

    def _count_responses(self, bucket: BucketEvents) -> None:
        names = bucket.history.kind_names
        company = {kind for one in bucket.indicators if one.origin == "company" for kind in one.kinds}
        answers = {kind for one in bucket.indicators if one.name == "response" for kind in one.kinds}
        sent = bucket.of_kinds([name in company and not _is_seen_at_once(name) for name in names])
        answered = bucket.of_kinds([name in answers or is_opening(name) for name in names])
        if not sent.any() or not answered.any():
            return
        last = np.maximum.accumulate(np.where(sent, np.arange(len(sent)), -1))
        rows = np.flatnonzero(answered & (last >= 0))
        rows = rows[bucket.who[last[rows]] == bucket.who[rows]]
        after = bucket.instants[rows] - bucket.instants[last[rows]]
        # Two days without a time say nothing of seconds.
        quick = (after <= QUICK) & ((after > 0) | (bucket.minute[rows] > 0))
        for code, count in enumerate(np.bincount(bucket.kinds[rows], minlength=len(names)).tolist()):
            if count:
                self.responses[names[code]] += count
                self.quick[names[code]] += int((quick & (bucket.kinds[rows] == code)).sum())

    def merge(self, other: RowPatterns) -> None:
        """Add the counts of later buckets."""
        for name in ("rows", "copied", "extra"):
            getattr(self, name).__iadd__(getattr(other, name))
        for name in (
            "copied_between",
            "by_source",
            "currencies",
            "customers_by_currency",
            "responses",
            "quick",
        ):
            getattr(self, name).update(getattr(other, name))
        for name, amount in other.sums.items():
            self.sums[name] = self.sums.get(name, 0.0) + amount
        for kind, answers in other.answers.items():
            self.answers.setdefault(kind, AnswerCounts()).merge(answers)
        self.contract_amounts.merge(other.contract_amounts)
        for kind, counts in other.amounts.items():
            self.amounts.setdefault(kind, AmountCounts(np.zeros_like(counts.days))).merge(counts)


def _is_seen_at_once(kind: str) -> bool:
    return any(part in SEEN_AT_ONCE for part in kind.casefold().replace("-", "_").split("_"))
