"""How contracts begin, end, overlap and return, in figures and words for `kizuna doctor`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from features.event_store import EventStore
from features.events.history import History
from features.execution.local import map_partitions
from features.profiling.finding import CheckFinding
from features.timeline import DAY
from training.labels.cohort import COMPLETED, ENDED, contract_history
from training.labels.contract_kernels import FOREVER
from training.labels.contracts import CONTRACT_COLUMNS
from training.labels.settings import Churn

SOON = 7 * DAY
"""A return so soon after leaving may be a change of plan."""


@dataclass
class ContractCounts:
    """Counts over the contracts of customers; those of trials are left out."""

    churn: Churn
    newest: int
    """The end of the record: a term that ends later has not lapsed."""
    customers: int = 0
    """Customers who have or had a contract."""
    contracts: int = 0
    several: int = 0
    """Customers of whom two contracts ran at once."""
    changes: int = 0
    """Contracts that ended within the hours of a change of plan from the start of the next."""
    ends_without_start: int = 0
    """Ends before any contract of the customer began on record."""
    lapses: int = 0
    """Contracts that ended with their term, without a row."""
    returns: int = 0
    """How often somebody who had left came back."""
    soon: int = 0
    """Those of them within `SOON`."""

    def add(self, history: History) -> None:
        """Count the contracts of one bucket."""
        if not history.customers:
            return
        found = contract_history(history, self.churn)
        stays, rows, change = found.stays, found.rows, found.terms.change
        real = ~stays.contract_trial
        whose, begins, ends = (
            column[real] for column in (stays.contract_customer, stays.contract_begins, stays.contract_ends)
        )
        self.customers += int((stays.first < FOREVER).sum())
        self.contracts += len(whose)
        self.lapses += int((stays.contract_lapsed & real & (stays.contract_ends <= self.newest)).sum())
        same = whose[1:] == whose[:-1]
        self.changes += int((same & (np.abs(begins[1:] - ends[:-1]) <= change)).sum())
        beside = (
            same & (begins[1:] < ends[:-1] - change) & (np.minimum(ends[1:], ends[:-1]) > begins[1:] + change)
        )
        self.several += len(np.unique(whose[1:][beside]))
        first = np.full(history.customers, FOREVER)
        np.minimum.at(first, whose, begins)
        is_end = (rows.roles & (ENDED | COMPLETED)) > 0
        customer = np.repeat(np.arange(history.customers), np.diff(rows.offsets))
        loose = is_end & (stays.contract_of_row < 0) & (rows.instants < first[customer])
        self.ends_without_start += int(loose.sum())
        gaps = stays.begins[1:] - stays.ends[:-1]
        of = np.repeat(np.arange(history.customers), np.diff(stays.offsets))
        back = (of[1:] == of[:-1]) & (gaps > change)
        self.returns += int(back.sum())
        self.soon += int((back & (gaps <= SOON)).sum())

    def merge(self, other: ContractCounts) -> None:
        """Add the counts of later buckets."""
        for name in (
            "customers", "contracts", "several", "changes", "ends_without_start", "lapses", "returns", "soon"
        ):  # fmt: skip
            setattr(self, name, getattr(self, name) + getattr(other, name))


def contract_findings(
    store: EventStore,
    churn: Churn,
    newest: int,
    *,
    until: int | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> tuple[CheckFinding, ...]:
    """A finding with all figures, where contracts overlap, change, lapse or end without a start."""
    if churn.type != "contract":
        return ()
    counts = map_partitions(
        store,
        partial(ContractCounts, churn, newest),
        "looking at contracts",
        until=until,
        columns=CONTRACT_COLUMNS,
        progress=progress,
    )
    if not (counts.several or counts.changes or counts.ends_without_start or counts.lapses or counts.soon):
        return ()
    return (_finding(counts, churn.contracts.same_change_hours),)


def _finding(counts: ContractCounts, hours: float) -> CheckFinding:
    english = [f"{counts.customers:,} customers have or had {counts.contracts:,} contracts on record"]
    japanese = [f"契約のある（あった）顧客は{counts.customers:,}名、記録上の契約は{counts.contracts:,}件です"]
    if counts.several:
        english.append(f"{counts.several:,} had several at once and stay while any of them runs")
        japanese.append(f"{counts.several:,}名は複数の契約が重なり、どれかが続くかぎり契約中とみなします")
    if counts.changes:
        english.append(
            f"{counts.changes:,} ends lie within {hours:g} hours of the start of the next contract and count "
            "as a change of plan, not as leaving"
        )
        japanese.append(
            f"終了と次の開始が{hours:g}時間以内の{counts.changes:,}件はプラン変更とみなし、離反に数えません"
        )
    if counts.soon:
        english.append(
            f"{counts.soon:,} times somebody left and started again within 7 days: where that is a change of "
            "plan, raise same_change_hours in [churn]"
        )
        japanese.append(
            f"7日以内の再開始が{counts.soon:,}件あります。プラン変更であれば [churn] の same_change_hours を"
            "大きくしてください"
        )
    if counts.ends_without_start:
        english.append(
            f"{counts.ends_without_start:,} ends have no start on record: those contracts began before it, "
            "or the source leaves starts out"
        )
        japanese.append(
            f"開始の記録がない終了が{counts.ends_without_start:,}件あります。記録の前に始まった契約か、"
            "開始の行が抜けています"
        )
    if counts.lapses:
        english.append(f"{counts.lapses:,} ended with their term (term_days), without a row that says so")
        japanese.append(f"{counts.lapses:,}件は終了の行がなく、契約期間（term_days）の満了で終わりました")
    english.append(f"{counts.returns:,} times somebody came back after leaving")
    japanese.append(f"離反後の復帰は{counts.returns:,}件です")
    figures = {
        "customers": counts.customers,
        "contracts": counts.contracts,
        "several_at_once": counts.several,
        "changes_of_plan": counts.changes,
        "same_change_hours": hours,
        "returns_within_7_days": counts.soon,
        "ends_without_start": counts.ends_without_start,
        "lapses": counts.lapses,
        "returns": counts.returns,
    }
    return CheckFinding("contracts", "; ".join(english) + ".", "。".join(japanese) + "。", figures)
