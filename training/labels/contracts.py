"""Contracts: when each customer of a history had one that ran, and when they left.

A customer may have several contracts, told apart by `contract_id`, else by the plan in `detail`. They stay
while any of them runs. An end and a start at most `same_change_hours` apart are a change of plan, in whatever
order their rows come. Statuses know what was known at the as-of date; labels and reports know everything.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from features.events.history import Codes, History, no_codes
from features.timeline import DAY, Instants, Timeline, days_after, known_from, whole_years
from training.labels.contract_kernels import (
    FOREVER,
    ContractRows,
    ContractTerms,
    Stays,
    current_standings,
    outcomes,
    standings,
    stays,
    used_codes,
)
from training.labels.kernels import Futures
from training.labels.plain_contract_kernels import (
    UNDECIDED,
    contract_places,
    plain_outcomes,
    plain_standings,
)
from training.labels.settings import Churn, ContractRules

HOUR = DAY // 24
CONTRACT_COLUMNS = frozenset({"contract_id", "detail"})
"""The columns of events that contracts are told apart by."""
FEW = 64
"""So few names are read all; of more, those that are used."""


@dataclass(frozen=True, eq=False)
class ContractHistory:
    """The contracts of every customer of a history."""

    customers: int
    offsets: NDArray[np.int64]
    instants: Instants
    recorded: Instants
    retracted: Instants
    values: NDArray[np.float64]
    """The columns of the history; of a `History` itself it would keep the memory."""
    places: NDArray[np.int64]
    """int64[n]: the place in the history of each row about contracts."""
    rows: ContractRows
    terms: ContractTerms
    stays: Stays

    def statuses(self, as_of: int) -> NDArray[np.int8]:
        """int8[customers]: by what was known then −1 unknown, 2 never a customer, 0 one now, 1 no more."""
        recorded, rows = known_from(self.recorded, self.retracted, as_of), self.rows
        if len(self.retracted):
            rows = rows._replace(recorded=recorded[self.places])
        return standings(self.offsets, self.instants, recorded, rows, self.terms, self.stays, as_of)

    def left(self, customers: NDArray[np.int64], starts: Instants, ends: Instants) -> NDArray[np.bool_]:
        """bool[p]: whether each customer (a place, −1 for none) left within `[starts, ends)`."""
        churned: NDArray[np.bool_] = outcomes(self.stays, customers, starts, ends, self.terms.change)
        return churned

    def running(self, at: int) -> NDArray[np.bool_]:
        """bool[customers]: who has a contract at an instant or is between two plans, as known today."""
        found = self.stays
        here = (found.begins < at) & (at <= found.ends)
        return (np.bincount(self._customers[here], minlength=self.customers) > 0) | self.between_plans(at)

    def between_plans(self, at: int) -> NDArray[np.bool_]:
        """bool[customers]: whose contract had ended at an instant for one that was about to begin."""
        gaps = self._follows & (self.stays.begins - self._previous_ends <= self.terms.change)
        here = gaps & (self._previous_ends < at) & (at <= self.stays.begins)
        return np.bincount(self._customers[here], minlength=self.customers) > 0

    def returned(self, since: int) -> NDArray[np.bool_]:
        """bool[customers]: who had left, and had a contract again at or after an instant."""
        found = self.stays
        left = np.where(self._follows, self._previous_ends, found.first[self._customers])
        back = (found.begins >= since) & (found.begins - left > self.terms.change)
        return np.bincount(self._customers[back], minlength=self.customers) > 0

    def value_at(self, at: int) -> NDArray[np.float64]:
        """float64[customers]: the sum of the newest amounts of the contracts that run at an instant."""
        found, values = self.stays, self.values[self.places]
        rows = (found.contract_of_row >= 0) & (self.rows.instants < at) & ~np.isnan(values)
        value = np.zeros(len(found.contract_begins))
        value[found.contract_of_row[rows]] = values[rows]
        ends, change = found.contract_ends, self.terms.change
        between = self.between_plans(at)[found.contract_customer] & (ends < FOREVER - change)
        until = np.where(between, ends + change, ends)
        running = (found.contract_begins < at) & (at <= until)
        return np.bincount(
            found.contract_customer[running], weights=value[running], minlength=self.customers
        ).astype(np.float64)

    def stay_between(
        self, customers: NDArray[np.int64], starts: Instants, ends: Instants
    ) -> NDArray[np.bool_]:
        """bool[p]: who had a contract at some instant of `[starts, ends)`."""
        found = self.stays
        inside = [
            bool(((found.begins[low:high] < end) & (found.ends[low:high] >= start)).any())
            for low, high, start, end in zip(
                found.offsets[customers], found.offsets[customers + 1], starts, ends, strict=True
            )
        ]
        return np.array(inside, dtype=np.bool_)

    @cached_property
    def _customers(self) -> NDArray[np.int64]:
        """int64[s]: the customer of each stay."""
        return np.repeat(np.arange(self.customers), np.diff(self.stays.offsets))

    @cached_property
    def _follows(self) -> NDArray[np.bool_]:
        """bool[s]: which stays follow another of the same customer."""
        return np.append([False], self._customers[1:] == self._customers[:-1])[: len(self._customers)]

    @cached_property
    def _previous_ends(self) -> Instants:
        """int64[s]: when the stay before ended, where there is one."""
        return np.append([0], self.stays.ends[:-1])[: len(self._customers)].astype(np.int64)


def contracts_of(history: History, churn: Churn, of_kind: NDArray[np.uint8]) -> ContractHistory:
    """The contracts of a history; `of_kind` is what each kind of event means (`cohort.kind_roles`)."""
    places, offsets = contract_places(history.kinds, of_kind, history.offsets)
    rules = churn.contracts
    told_apart = rules.contracts_by == "auto"
    plans, plan_names = _coded(history.details if told_apart else (), history.detail_names, places, fold=True)
    ids, _ = _coded(history.contracts if told_apart else (), history.contract_names, places, fold=False)
    rows = ContractRows(
        offsets=offsets,
        instants=history.instants[places],
        recorded=history.recorded[places] if len(history.recorded) else history.recorded,
        roles=of_kind[history.kinds[places]],
        ids=ids,
        plans=plans,
        is_plan=_is_plan(plan_names, rules),
    )
    terms = _terms(rules, churn.horizon.calendar)
    columns = history.offsets, history.instants, history.recorded, history.retracted, history.values
    return ContractHistory(history.customers, *columns, places, rows, terms, stays(rows, terms))


def current_statuses(
    history: History, churn: Churn, of_kind: NDArray[np.uint8], as_of: int
) -> NDArray[np.int8]:
    """int8[customers]: as `ContractHistory.statuses`, of a history that is asked for one date alone.

    `of_kind` is what each kind of event means, the last for none (`cohort.kind_roles`).
    """
    rules = churn.contracts
    details, contracts = history.details, history.contracts
    if rules.contracts_by != "auto":
        details = contracts = no_codes()
    recorded = known_from(history.recorded, history.retracted, as_of)
    if rules.term_days is None:
        codes: NDArray[np.int8]
        codes, undecided = plain_standings(
            history.offsets, history.instants, recorded, history.kinds, of_kind, details, contracts, as_of
        )
        if not undecided:
            return codes
    else:
        codes = np.full(history.customers, UNDECIDED, dtype=np.int8)
    plan_of, plans = _codes_of_contracts(history, details, history.detail_names, of_kind, fold=True)
    id_of, _ = _codes_of_contracts(history, contracts, history.contract_names, of_kind, fold=False)
    terms = _terms(rules, churn.horizon.calendar)
    codes = current_standings(
        history.offsets,
        history.instants,
        recorded,
        history.kinds,
        of_kind,
        details,
        plan_of,
        contracts,
        id_of,
        _is_plan(plans, rules),
        terms.change,
        terms.term,
        terms.trials,
        terms.days,
        terms.term_ends,
        as_of,
        codes,
    )
    return codes


def plain_outcomes_of(
    history: History, churn: Churn, of_kind: NDArray[np.uint8], futures: Futures
) -> NDArray[np.int8]:
    """int8[p]: 1 who left in their horizon as `ContractHistory.left`, 0 who did not, and `UNDECIDED` of whom
    all contracts have to be read; `of_kind` as of `current_statuses`.
    """
    rules = churn.contracts
    by_plan = rules.contracts_by == "auto"
    codes: NDArray[np.int8] = plain_outcomes(
        history.offsets,
        history.instants,
        history.kinds,
        history.details if by_plan else no_codes(),
        history.contracts if by_plan else no_codes(),
        of_kind,
        round(rules.same_change_hours * HOUR),
        futures,
    )
    return codes


def _is_plan(names: Sequence[str], rules: ContractRules) -> NDArray[np.bool_]:
    """bool[names]: which names the project says are plans."""
    if not rules.plans:
        return np.zeros(len(names), dtype=np.bool_)
    known = {_plain(name, True) for name in rules.plans}
    return np.array([name in known for name in names], dtype=np.bool_)


@lru_cache(maxsize=64)
def _terms(rules: ContractRules, calendar: str | None) -> ContractTerms:
    """What decides over contracts; a term of whole years ends on the same date of a later year."""
    days = ends = np.empty(0, dtype=np.int64)
    if calendar and rules.term_days and whole_years(rules.term_days):
        days = Timeline(calendar).midnights.copy()  # one compiled type with the empty ones
        ends = days_after(days, rules.term_days, calendar)
    return ContractTerms(
        change=round(rules.same_change_hours * HOUR),
        term=FOREVER if rules.term_days is None else rules.term_days * DAY,
        trials=rules.count_trials,
        days=days,
        term_ends=ends,
    )


def _coded(
    codes: Codes | Sequence[int], names: Sequence[str], places: NDArray[np.int64], *, fold: bool
) -> tuple[Codes, list[str]]:
    """The codes of these events in a list of their own; texts that differ in spelling only are one."""
    if not len(codes):
        return np.full(len(places), -1, dtype=np.int32), []
    of_rows = np.asarray(codes)[places]
    used = np.zeros(len(names) + 1, dtype=np.bool_)
    used[of_rows] = True
    table, known = _numbered(names, used, fold=fold)
    return table[of_rows], known


def _codes_of_contracts(
    history: History, codes: Codes, names: Sequence[str], of_kind: NDArray[np.uint8], *, fold: bool
) -> tuple[Codes, list[str]]:
    """The number of each code, the last for none; of many names those that rows about contracts have."""
    if not len(codes):
        return np.full(1, -1, dtype=np.int32), []
    used = None if len(names) <= FEW else used_codes(history.kinds, of_kind, codes, len(names))
    return _numbered(names, used, fold=fold)


def _numbered(names: Sequence[str], used: NDArray[np.bool_] | None, *, fold: bool) -> tuple[Codes, list[str]]:
    """The number of each name, the last for none; names that differ in spelling only have one.

    `used` flags the names that are wanted; all where it is None.
    """
    numbers: dict[str, int] = {}
    table = [-1] * (len(names) + 1)
    for code in range(len(names)) if used is None else np.flatnonzero(used[:-1]).tolist():
        if name := _plain(names[code], fold):
            table[code] = numbers.setdefault(name, len(numbers))
    return np.array(table, dtype=np.int32), list(numbers)


@lru_cache(maxsize=4096)
def _plain(text: str, fold: bool) -> str:
    text = (text if text.isascii() else unicodedata.normalize("NFKC", text)).strip()
    return text.casefold() if fold else text
