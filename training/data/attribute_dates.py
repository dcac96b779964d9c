"""Since when attributes are known: at one instant, at sign-up and yet of the present, or anew at each ingest.

A value that is dated earlier than it was known lets a model learn from the future: `status = churned`, dated
at sign-up, is known of everybody who will leave.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from features.errors import shell_word
from features.event_store import EventStore
from features.events.attributes import attribute_rows, attributes_of, is_reserved, last_values
from features.events.history import History, customer_of_event
from features.events.schema import ATTRIBUTE
from features.execution.base import Engine
from features.execution.local import HERE, map_partitions
from features.profiling.finding import CheckFinding
from features.timeline import ALWAYS, DAY, Timeline
from training.data.attribute_totals import AttributeTotals, TotalFollowed, totals_since
from training.labels.cohort import IN_COHORT, UNKNOWN, Status, statuses
from training.labels.settings import Churn

OF_TOTALS = "attribute_of_later_totals"
"""The finding of an attribute that is made of what customers did after its date."""
TELLS = 0.55
"""An attribute that tells less of who is gone (AUC) does no harm, such as how many boxes a plan has."""
NEARLY_ALL = 0.95
FEWEST = 20
"""Customers with the attribute, who left and who stayed, below which nothing is said."""
OFTEN = 3
"""So many rows a customer at least repeat the value of the row before: fewer come from a table of changes."""
AFTER_THE_FACT = 0.75
"""How well the last value tells who is gone by now (AUC) when it was written down afterwards."""


@dataclass
class _AttributeCounts:
    """Of one attribute: when it is dated, and what its last value says of who is gone."""

    customers: int = 0
    at_signup: int = 0
    rows: int = 0
    repeated: int = 0
    """Rows that say what the customer's row before says."""
    newest: int = ALWAYS
    """The instant of the last row."""
    instants: Counter[int] = field(default_factory=Counter)
    totals: AttributeTotals = field(default_factory=AttributeTotals)
    by_value: dict[str, list[int]] = field(default_factory=dict)
    """By value how many customers are still there, and how many are gone."""

    def merge(self, other: _AttributeCounts) -> None:
        self.customers += other.customers
        self.at_signup += other.at_signup
        self.rows += other.rows
        self.repeated += other.repeated
        self.newest = max(self.newest, other.newest)
        self.instants.update(other.instants)
        self.totals.merge(other.totals)
        for value, (stay, gone) in other.by_value.items():
            before = self.by_value.setdefault(value, [0, 0])
            before[0] += stay
            before[1] += gone

    def separation(self) -> float | None:
        """The AUC of the value's rate among all customers; None with too few who are gone or still there."""
        table = np.array(list(self.by_value.values()), dtype=np.float64).reshape(-1, 2)
        stay, gone = table.sum(axis=0)
        if stay < FEWEST or gone < FEWEST or len(table) > self.customers / FEWEST + 2:
            return None
        order = np.argsort(table[:, 1] / table.sum(axis=1), kind="stable")
        stays, gones = table[order].T
        below = np.cumsum(stays) - stays / 2
        return float((gones @ below) / (stay * gone))


def attribute_findings(
    store: EventStore,
    churn: Churn,
    timeline: Timeline,
    as_of: int,
    until: int | None = None,
    consent: Collection[str] = (),
    company: Collection[str] = (),
    *,
    engine: Engine = HERE,
) -> tuple[CheckFinding, ...]:
    """The attributes whose dates cannot be right, judged by who is gone at `as_of`.

    Left out are reserved ones and those that the project names as `consent`: no feature reads them.
    `company` are the kinds of event that the company causes: they follow a plan, not a customer.
    """
    new = partial(_DateAccumulator, churn, as_of, frozenset(consent), frozenset(company))
    found = map_partitions(store, new, until=until, engine=engine).attributes
    findings = []
    for name in sorted(found):
        counts = found[name]
        if counts.customers < FEWEST:
            continue
        instant, times = max(counts.instants.items(), key=lambda pair: (pair[1], -pair[0]))
        at_once, at_signup = (n >= NEARLY_ALL * counts.customers for n in (times, counts.at_signup))
        separation = counts.separation()
        tells = separation is None or separation >= TELLS
        followed = counts.totals.followed() if (at_once or at_signup) and tells else None
        if followed is not None:
            findings.append(_of_totals(name, counts.customers, followed, at_signup))
        elif (at_once or at_signup) and separation is not None and separation >= AFTER_THE_FACT:
            findings.append(_after_the_fact(name, counts.customers, separation, at_signup))
        elif at_once:
            findings.append(_at_one_instant(name, counts.customers, timeline.name(instant)))
        if counts.repeated >= max(counts.rows / 2, OFTEN * counts.customers):
            findings.append(_repeated(name, counts, timeline.local(counts.newest).date().isoformat()))
    return tuple(findings)


def _after_the_fact(name: str, customers: int, separation: float, at_signup: bool) -> CheckFinding:
    dated = "at sign-up" if at_signup else "at one instant"
    dated_ja = "登録時" if at_signup else "同一時刻"
    return CheckFinding(
        "attribute_after_the_fact",
        f"The attribute '{name}' is dated {dated} for all of its {customers:,} customers, but its value "
        f"tells who is gone by now (AUC {separation:.2f}): it describes the present. Give `known_at` the "
        "moment at which each value became known, or leave the attribute out: a model that reads it "
        "knows the future.",
        f"属性「{name}」は{customers:,}名全員が{dated_ja}の日付ですが、値から現在の離反が分かります"
        f"（AUC {separation:.2f}）。現在の状態を表す値です。`known_at` に各値が判明した時点を入れるか、"
        "属性から外してください。このままではモデルが未来を知ってしまいます。",
        {"attribute": name, "customers": customers, "auc": separation},
    )


def _of_totals(name: str, customers: int, followed: TotalFollowed, at_signup: bool) -> CheckFinding:
    dated, dated_ja = ("at sign-up", "登録時") if at_signup else ("at one instant", "同一時刻")
    kinds = ", ".join(followed.kinds)
    what = f"sum of the amounts of '{kinds}'" if followed.amount else f"number of '{kinds}'"
    what_ja = f"「{kinds}」の金額合計" if followed.amount else f"「{kinds}」の件数"
    return CheckFinding(
        OF_TOTALS,
        f"The attribute '{name}' is dated {dated} for all of its {customers:,} customers, but its value "
        f"follows from the {what} since then ({followed.share:.0%}): it is made of what customers did later. "
        "Give `known_at` the moment at which each value became known, or leave the attribute out: a model "
        "that reads it knows the future.",
        f"属性「{name}」は{customers:,}名全員が{dated_ja}の日付ですが、値はその後の{what_ja}から決まっています"
        f"（{followed.share:.0%}）。あとの行動から作られた値です。`known_at` に各値が判明した時点を入れるか、"
        "属性から外してください。このままではモデルが未来を知ってしまいます。",
        {
            "attribute": name,
            "customers": customers,
            "kinds": list(followed.kinds),
            "amount": followed.amount,
            "share": followed.share,
        },
    )


def _at_one_instant(name: str, customers: int, instant: str) -> CheckFinding:
    return CheckFinding(
        "attribute_instant",
        f"The attribute '{name}' is dated {instant} for all of its {customers:,} customers: as-of dates "
        "before know nothing of it, and later ones only that value. Where the source tells since when "
        "each value holds, let `known_at` say so.",
        f"属性「{name}」は{customers:,}名全員が同じ時点（{instant}）の日付です。それより前の基準日では値が無い"
        "ものとして扱います。値がいつから有効か分かる場合は `known_at` に入れてください。",
        {"attribute": name, "customers": customers, "instant": instant},
    )


def _repeated(name: str, counts: _AttributeCounts, day: str) -> CheckFinding:
    remedy, again = f"date '{day}' as known_at", f"kizuna ingest --keep {shell_word(name)}"
    return CheckFinding(
        "attribute_repeats",
        f"{counts.repeated:,} of the {counts.rows:,} rows of the attribute '{name}' repeat the value of the "
        "customer's row before, as where every ingest dates all values anew (`current_date as known_at`). "
        f"Write since when each value holds or, where the table does not tell, `{remedy}`, and run `{again}` "
        "once: a value that changes counts from the ingest that brings it.",
        f"属性「{name}」の{counts.rows:,}行のうち{counts.repeated:,}行は、同じ顧客の直前の行と同じ値です。"
        "取り込みのたびに全員の日付が新しくなっているようです（`current_date as known_at` など）。"
        f"`known_at` に値が有効になった日を書くか、分からない場合は `{remedy}` と書き、"
        f"一度 `{again}` を実行してください。値が変われば、取り込んだ時点から新しい値が使われます。",
        {"attribute": name, "rows": counts.rows, "repeated": counts.repeated, "day": day},
    )


@dataclass
class _DateAccumulator:
    """The counts of every attribute of a bucket."""

    churn: Churn
    as_of: int
    consent: Collection[str] = ()
    company: Collection[str] = ()
    attributes: dict[str, _AttributeCounts] = field(default_factory=dict)

    def add(self, history: History) -> None:
        names = [name for name in attributes_of(history) if not is_reserved(name, self.consent)]
        if not names or not history.events:
            return
        owner = customer_of_event(history)
        happened = ~np.array([kind.startswith(ATTRIBUTE) for kind in history.kind_names])[history.kinds]
        first = np.full(history.customers, np.iinfo(np.int64).max)
        np.minimum.at(first, owner[happened], history.instants[happened])
        status = statuses(history, self.churn, self.as_of)
        for name in names:
            rows = np.flatnonzero(history.kinds == history.kind_names.index(ATTRIBUTE + name))
            if len(rows):
                who, newest = np.unique(owner[rows][::-1], return_index=True)
                known = history.instants[rows[::-1][newest]]
                counts = self.attributes.setdefault(name, _AttributeCounts())
                mine = _of_customers(history, name, who, known, first, status)
                values = last_values(history, name).by_customer
                mine.totals.add(
                    [values[customer] or "" for customer in who.tolist()],
                    totals_since(history, self.churn, who, known, self.company),
                )
                counts.merge(mine)

    def merge(self, other: _DateAccumulator) -> None:
        """Add the counts of later buckets."""
        for name, counts in other.attributes.items():
            self.attributes.setdefault(name, _AttributeCounts()).merge(counts)


def _of_customers(
    history: History,
    name: str,
    who: NDArray[np.int64],
    known: NDArray[np.int64],
    first: NDArray[np.int64],
    status: NDArray[np.int8],
) -> _AttributeCounts:
    """The counts of one attribute; those without it are a value of their own."""
    counts = _AttributeCounts(len(who), int((known <= first[who] + DAY).sum()))
    counts.instants.update(known.tolist())
    rows = attribute_rows(history, name)
    again = (rows.owners[1:] == rows.owners[:-1]) & (rows.codes[1:] == rows.codes[:-1])
    counts.rows, counts.repeated = len(rows.codes), int(again.sum())
    counts.newest = int(rows.instants.max(initial=ALWAYS))
    values = last_values(history, name).by_customer
    gone = status == list(Status).index(Status.LAPSED)
    for customer in np.flatnonzero((status != UNKNOWN) & (gone | (status == IN_COHORT))).tolist():
        counts.by_value.setdefault(values[customer] or "", [0, 0])[int(gone[customer])] += 1
    return counts
