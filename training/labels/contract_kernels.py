"""Contracts of many customers: compiled loops over their rows, from which statuses and labels are read.

Inputs: the rows about contracts of sorted histories (`ContractRows`), and what counts as a change of plan, as
a term and as a customer (`ContractTerms`).
Outputs: of each customer the stays (from when to when any contract ran, and whether the end was churn), the
first row by which they are or were a customer; every contract; of each row the contract it is about.
Invariant: what holds at an instant is decided by the rows before it, whatever their order at one instant.
Plain versions: `contract_status`, `contract_outcome` of `tests.reference`; a test compares them.
Read on only to change the speed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from training.labels.plain_contract_kernels import UNDECIDED

Ints = NDArray[np.int64]
Codes = NDArray[np.int32]
Flags = NDArray[np.bool_]

FOREVER = np.iinfo(np.int64).max
"""The end of what has not ended; the first instant of what never was."""
_STARTED, _ENDED, _COMPLETED, _CHANGED, _PAUSED, _RESUMED, _TRIAL = 1, 2, 4, 16, 32, 64, 128
_CONTRACTS, _OPEN, _FORMER, _STAYS, _FIRST, _REPLACEABLE = range(6)
_NEVER = -1
_CONTRACT_BITS = np.uint8(0b11110111)
"""Roles that are about contracts; the one that is not is an amount."""


class ContractRows(NamedTuple):
    """The rows about contracts, sorted by customer and instant."""

    offsets: Ints
    """int64[c + 1]: where the rows of each customer begin."""
    instants: Ints
    recorded: Ints
    """Empty where all were known at once."""
    roles: NDArray[np.uint8]
    """uint8[n]: 1 started (17 renewed), 2 ended, 4 completed, 16 changed, 32 paused, 64 resumed, 128 trial"""
    ids: Codes
    plans: Codes
    """int32[n]: the contract and the plan that a row names, -1 for none."""
    is_plan: Flags
    """bool[plans]: which names the project says are plans."""


class ContractTerms(NamedTuple):
    """What decides over contracts, in microseconds."""

    change: int
    """An end and a start at most so far apart are a change of plan."""
    term: int
    """A contract without renewal ends after so long; `FOREVER` for none."""
    trials: bool
    """Whether who is on trial is a customer."""
    days: Ints
    term_ends: Ints
    """int64[d]: local midnights, and when a term ends that begins at each; empty where a term is `term`."""


class Stays(NamedTuple):
    """Of each customer from when to when any contract ran, and every contract."""

    offsets: Ints
    """int64[c + 1]: where the stays of each customer begin."""
    begins: Ints
    ends: Ints
    """int64[s]: `FOREVER` where a contract still runs."""
    churned: Flags
    first: Ints
    """int64[c]: the first row by which a customer is or was one; `FOREVER` where there is none."""
    contract_of_row: Ints
    """int64[n]: the contract that a row is about, -1 for none."""
    contract_customer: Ints
    contract_begins: Ints
    contract_ends: Ints
    contract_trial: Flags
    contract_lapsed: Flags
    """bool[k]: of each contract whether it was a trial, and whether its term ended without a row."""


class _OpenContracts(NamedTuple):
    """The contracts of the customer at hand."""

    n: Ints
    ids: Codes
    plans: Codes
    begins: Ints
    ends: Ints
    terms: Ints
    pauses: Ints
    again: Ints
    beside: Ints
    trial: Flags
    churn: Flags
    lapsed: Flags
    open: Ints
    """The contracts that run, by age."""
    former_of: Ints
    former_plan: Codes
    former_at: Ints
    hit: Ints
    stay_begins: Ints
    stay_ends: Ints
    stay_churned: Flags
    seen_ids: Ints
    seen_plans: Ints
    """By code the customer (or the reading) that had it."""


@njit(cache=True, nogil=True)
def _book(rows, ids, plans):  # type: ignore[no-untyped-def]
    size = rows + 1
    return _OpenContracts(
        np.zeros(6, np.int64),
        np.empty(size, np.int32),
        np.empty(size, np.int32),
        np.empty(size, np.int64),
        np.empty(size, np.int64),
        np.empty(size, np.int64),
        np.empty(size, np.int64),
        np.empty(size, np.int64),
        np.empty(size, np.int64),
        np.zeros(size, np.bool_),
        np.zeros(size, np.bool_),
        np.zeros(size, np.bool_),
        np.empty(size, np.int64),
        np.empty(size, np.int64),
        np.empty(size, np.int32),
        np.empty(size, np.int64),
        np.empty(size, np.int64),
        np.empty(2 * size, np.int64),
        np.empty(2 * size, np.int64),
        np.zeros(2 * size, np.bool_),
        np.full(ids, -1, np.int64),
        np.full(plans, -1, np.int64),
    )


@njit(cache=True, nogil=True)
def _sized(rows):  # type: ignore[no-untyped-def]
    """A book for the customer with the most rows, and for the codes there are."""
    most, ids, plans = 0, -1, -1
    for c in range(len(rows.offsets) - 1):
        most = max(most, rows.offsets[c + 1] - rows.offsets[c])
    for i in range(len(rows.ids)):
        ids, plans = max(ids, rows.ids[i]), max(plans, rows.plans[i])
    return _book(most, ids + 1, plans + 1)


def stays(rows: ContractRows, terms: ContractTerms) -> Stays:
    """The stays and contracts of every customer, by all of their rows."""
    return Stays(*_stays(rows, terms))


@njit(cache=True, nogil=True)
def _stays(rows, terms):  # type: ignore[no-untyped-def]
    book = _sized(rows)
    customers, total = len(rows.offsets) - 1, len(rows.instants)
    offsets, first = np.zeros(customers + 1, np.int64), np.full(customers, FOREVER)
    # A stay begins or ends at a row, or ends by its term.
    begins, ends, churned = np.empty(total, np.int64), np.empty(total, np.int64), np.empty(total, np.bool_)
    of_row = np.full(total, -1, np.int64)
    whose, k_begins = np.empty(total, np.int64), np.empty(total, np.int64)
    k_ends, k_trial, k_lapsed = (
        np.empty(total, np.int64),
        np.empty(total, np.bool_),
        np.empty(total, np.bool_),
    )
    n, k_first, k_last = book.n, book.begins, book.ends
    s_begin, s_end, s_churn = book.stay_begins, book.stay_ends, book.stay_churned
    instants, roles, ids, plans, row_offsets = rows.instants, rows.roles, rows.ids, rows.plans, rows.offsets
    trial, lapsed = book.trial, book.lapsed
    count = contracts = 0
    for c in range(customers):
        low, high = row_offsets[c], row_offsets[c + 1]
        if low < high:
            plain = terms.term == FOREVER and _read_plain(
                instants, roles, ids, plans, low, high, n, k_first, k_last, s_begin, s_end, s_churn, of_row
            )
            if not plain:
                _read(
                    instants[low:high],
                    roles[low:high],
                    ids[low:high],
                    plans[low:high],
                    rows.is_plan,
                    terms,
                    book,
                    c,
                    of_row[low:high],
                )
            for i in range(n[_STAYS]):
                begins[count], ends[count], churned[count] = s_begin[i], s_end[i], s_churn[i]
                count += 1
            first[c] = n[_FIRST]
            for i in range(low, high):
                if of_row[i] >= 0:
                    of_row[i] += contracts
            for k in range(n[_CONTRACTS]):
                whose[contracts], k_begins[contracts], k_ends[contracts] = c, k_first[k], k_last[k]
                k_trial[contracts] = not plain and trial[k]
                k_lapsed[contracts] = not plain and lapsed[k]
                contracts += 1
        offsets[c + 1] = count
    return (
        offsets, begins[:count].copy(), ends[:count].copy(), churned[:count].copy(), first, of_row,
        whose[:contracts].copy(), k_begins[:contracts].copy(), k_ends[:contracts].copy(),
        k_trial[:contracts].copy(), k_lapsed[:contracts].copy(),
    )  # fmt: skip


def standings(
    offsets: Ints, instants: Ints, recorded: Ints, rows: ContractRows, terms: ContractTerms, found: Stays,
    as_of: int,
) -> NDArray[np.int8]:  # fmt: skip
    """int8[customers]: −1 without known events, 2 never a customer, 0 with a running contract, 1 without.

    `found` are the stays by all rows; customers with rows that were recorded late are read again, by the
    rows known at the as-of date.
    """
    codes: NDArray[np.int8] = _standings(
        offsets, instants, recorded, rows, terms, found.offsets, found.begins, found.ends, found.first, as_of
    )
    return codes


@njit(cache=True, nogil=True)
def _standings(  # type: ignore[no-untyped-def]
    offsets, instants, recorded, rows, terms, stay_offsets, stay_begins, stay_ends, first_row, as_of
):
    customers = len(offsets) - 1
    out = np.full(customers, -1, dtype=np.int8)
    late = len(recorded) > 0
    book = _sized(rows) if len(rows.recorded) else _book(0, 0, 0)
    size = len(book.begins)
    ats, roles = np.empty(size, np.int64), np.empty(size, np.uint8)
    ids, plans, of_row = np.empty(size, np.int32), np.empty(size, np.int32), np.empty(size, np.int64)
    for c in range(customers):
        low, high = offsets[c], offsets[c + 1]
        known = low < high and instants[low] < as_of
        if known and late:
            known = False
            for i in range(low, high):
                if instants[i] >= as_of:
                    break
                if recorded[i] < as_of:
                    known = True
                    break
        if not known:
            continue
        first, last = rows.offsets[c], rows.offsets[c + 1]
        unknown = False
        if len(rows.recorded):
            for i in range(first, last):
                unknown |= rows.instants[i] < as_of and rows.recorded[i] >= as_of
        if unknown:
            count = 0
            for i in range(first, last):
                if rows.instants[i] < as_of and rows.recorded[i] < as_of:
                    ats[count], roles[count] = rows.instants[i], rows.roles[i]
                    ids[count], plans[count] = rows.ids[i], rows.plans[i]
                    count += 1
            _read(
                ats[:count], roles[:count], ids[:count], plans[:count], rows.is_plan, terms, book, c,
                of_row[:count],
            )  # fmt: skip
            out[c] = 2 if book.n[_FIRST] == FOREVER else 1
            stays = book.n[_STAYS]
            if stays and book.stay_begins[stays - 1] < as_of <= book.stay_ends[stays - 1]:
                out[c] = 0
            continue
        out[c] = 1 if first_row[c] < as_of else 2
        for s in range(stay_offsets[c], stay_offsets[c + 1]):
            if stay_begins[s] < as_of <= stay_ends[s]:
                out[c] = 0
    return out


@njit(cache=True, nogil=True)
def current_standings(  # type: ignore[no-untyped-def]
    offsets, instants, recorded, kinds, of_kind, details, plan_of, contracts, id_of, is_plan,
    change, term, trials, days, term_ends, as_of, codes,
):  # fmt: skip
    """As `standings`, for one as-of date: reads no more than the rows known by then.

    `codes` are those of `plain_standings`; customers who are `UNDECIDED` in them are read. `of_kind` are the
    roles of kinds; `plan_of` and `id_of` are the plan and the contract of each detail and contract code, the
    last for none.
    """
    terms = ContractTerms(change, term, trials, days, term_ends)
    customers, late, size = len(offsets) - 1, len(recorded) > 0, 0
    for c in range(customers):
        if codes[c] == UNDECIDED:
            size = max(size, offsets[c + 1] - offsets[c])
    plan_count, id_count = np.int32(-1), np.int32(-1)
    for i in range(len(plan_of)):
        plan_count = max(plan_count, plan_of[i])
    for i in range(len(id_of)):
        id_count = max(id_count, id_of[i])
    book = _book(size, id_count + 1, plan_count + 1)
    n, stay_begins, stay_ends = book.n, book.stay_begins, book.stay_ends
    ats, roles = np.empty(size, np.int64), np.empty(size, np.uint8)
    ids, plans, of_row = np.empty(size, np.int32), np.empty(size, np.int32), np.empty(size, np.int64)
    out = codes.copy()
    for c in range(customers):
        if codes[c] != UNDECIDED:
            continue
        out[c] = -1
        known, count = False, 0
        for i in range(offsets[c], offsets[c + 1]):
            if instants[i] >= as_of:
                break
            if late and recorded[i] >= as_of:
                continue
            known = True
            role = of_kind[kinds[i]] & _CONTRACT_BITS
            if role:
                ats[count], roles[count] = instants[i], role
                plans[count] = plan_of[details[i]] if len(details) else np.int32(-1)
                ids[count] = id_of[contracts[i]] if len(contracts) else np.int32(-1)
                count += 1
        if not known:
            continue
        out[c] = 2
        if count == 0:
            continue
        plain = term == FOREVER and _read_plain(
            ats, roles, ids, plans, 0, count, n, book.begins, book.ends, stay_begins, stay_ends,
            book.stay_churned, of_row,
        )  # fmt: skip
        if not plain:
            _read(
                ats[:count],
                roles[:count],
                ids[:count],
                plans[:count],
                is_plan,
                terms,
                book,
                c,
                of_row[:count],
            )
        if n[_FIRST] < as_of:
            out[c] = 1
            if n[_STAYS] and stay_begins[n[_STAYS] - 1] < as_of <= stay_ends[n[_STAYS] - 1]:
                out[c] = 0
    return out


@njit(cache=True, nogil=True)
def used_codes(kinds, of_kind, codes, names):  # type: ignore[no-untyped-def]
    """bool[names + 1]: the codes that rows about contracts have, the last for none."""
    used = np.zeros(names + 1, np.bool_)
    for i in range(len(codes)):
        if of_kind[kinds[i]] & _CONTRACT_BITS:
            used[codes[i]] = True
    return used


def outcomes(found: Stays, customers: Ints, starts: Ints, ends: Ints, change: int) -> Flags:
    """bool[p]: whether each customer (−1: none) left in their horizon `[starts, ends)`.

    They left when their last running contract ended by what is churn, and none began within `change` after.
    """
    left: Flags = _outcomes(
        found.offsets, found.begins, found.ends, found.churned, customers, starts, ends, change
    )
    return left


@njit(cache=True, nogil=True)
def _outcomes(offsets, begins, stay_ends, churned, customers, starts, ends, change):  # type: ignore[no-untyped-def]
    n = len(customers)
    out = np.zeros(n, np.bool_)
    for p in range(n):
        c = customers[p]
        if c < 0:
            continue
        last = offsets[c + 1]
        for s in range(offsets[c], last):
            end = stay_ends[s]
            if end < starts[p]:
                continue
            if end >= ends[p]:
                break
            if s + 1 == last or begins[s + 1] - end > change:
                out[p] = churned[s]
                break
    return out


@njit(cache=True, nogil=True)
def _read_plain(  # type: ignore[no-untyped-def]
    instants, roles, ids, plans, low, high, n, begins, ends, stay_begins, stay_ends, churned, of_row
):
    """As `_read` for a customer with one contract at a time and nothing to decide; False for any other."""
    first, plan, contracts, runs = FOREVER, np.int32(-1), 0, False
    for i in range(low, high):
        role, at, named = roles[i], instants[i], plans[i]
        if ids[i] >= 0 or role & (_PAUSED | _RESUMED | _TRIAL) or (i > low and instants[i - 1] == at):
            return False
        starts, stops = role & (_STARTED | _CHANGED), role & (_ENDED | _COMPLETED)
        if starts and stops:
            return False
        of_row[i] = -1
        first = min(first, at)
        if starts and not runs:
            begins[contracts], ends[contracts], runs, plan = at, FOREVER, True, named
            stay_begins[contracts], stay_ends[contracts], churned[contracts] = at, FOREVER, False
            of_row[i] = contracts
            contracts += 1
        elif starts:
            of_row[i] = contracts - 1
            if named != plan and named >= 0:
                if plan < 0 or role & _STARTED:
                    return False
                plan = named
            if role & _STARTED and not role & _CHANGED:
                return False
        elif runs:
            if named != plan and named >= 0:
                return False
            of_row[i] = contracts - 1
            ends[contracts - 1], stay_ends[contracts - 1], runs = at, at, False
            churned[contracts - 1] = (role & _ENDED) != 0
    n[_CONTRACTS], n[_STAYS], n[_FIRST] = contracts, contracts, first
    return True


@njit(cache=True, nogil=True)
def _counting(book, trials):  # type: ignore[no-untyped-def]
    """How many contracts make somebody a customer."""
    count = 0
    for o in range(book.n[_OPEN]):
        count += trials or not book.trial[book.open[o]]
    return count


@njit(cache=True, nogil=True)
def _note(book, at, before, now):  # type: ignore[no-untyped-def]
    """Opens or closes a stay after what happened at one instant."""
    n = book.n
    if before > 0 and now == 0:
        churn = False
        for k in range(n[_CONTRACTS]):
            churn |= book.ends[k] == at and book.churn[k]
        book.stay_ends[n[_STAYS] - 1], book.stay_churned[n[_STAYS] - 1] = at, churn
    if before == 0 and now > 0:
        book.stay_begins[n[_STAYS]], book.stay_ends[n[_STAYS]] = at, FOREVER
        book.stay_churned[n[_STAYS]] = False
        n[_STAYS] += 1


@njit(cache=True, nogil=True)
def _close(book, k, at, churn):  # type: ignore[no-untyped-def]
    """Ends a running contract."""
    n = book.n
    book.ends[k], book.churn[k] = at, churn
    place = 0
    while book.open[place] != k:
        place += 1
    for o in range(place, n[_OPEN] - 1):
        book.open[o] = book.open[o + 1]
    n[_OPEN] -= 1


@njit(cache=True, nogil=True)
def _lapse(book, until, trials):  # type: ignore[no-untyped-def]
    """Ends the contracts whose term is over before that instant."""
    n = book.n
    while True:
        at = FOREVER
        for o in range(n[_OPEN]):
            k = book.open[o]
            if book.pauses[k] == _NEVER:
                at = min(at, book.terms[k])
        if at == FOREVER or at >= until:
            return
        before = _counting(book, trials)
        o = 0
        while o < n[_OPEN]:
            k = book.open[o]
            if book.pauses[k] == _NEVER and book.terms[k] == at:
                book.lapsed[k] = True
                _close(book, k, at, not book.trial[k])
            else:
                o += 1
        _note(book, at, before, _counting(book, trials))


@njit(cache=True, nogil=True)
def _targets(book, at, id_, plan, is_plan, change, token):  # type: ignore[no-untyped-def]
    """The running contracts that an end or a pause is about, in `book.hit`: how many, and whether it names
    none of them."""
    n, hit, count = book.n, book.hit, 0
    nameless = False
    if id_ >= 0:
        for o in range(n[_OPEN]):
            if book.ids[book.open[o]] == id_:
                hit[count] = book.open[o]
                count += 1
        if count or book.seen_ids[id_] == token:
            return count, False
        nameless = True
    if plan >= 0:
        for o in range(n[_OPEN]):
            k = book.open[o]
            if book.plans[k] == plan and not (nameless and book.ids[k] >= 0):
                hit[0] = k
                return 1, False
        newest, moved_at = -1, np.int64(0)
        for o in range(n[_OPEN]):
            k = book.open[o]
            if nameless and book.ids[k] >= 0:
                continue
            for f in range(n[_FORMER]):
                mine = book.former_of[f] == k and book.former_plan[f] == plan
                if mine and (newest < 0 or book.former_at[f] > moved_at):
                    newest, moved_at = k, book.former_at[f]
        if newest >= 0:
            if at - moved_at <= change:
                return 0, False
            hit[0] = newest
            return 1, False
        for o in range(n[_OPEN]):
            k = book.open[o]
            if book.plans[k] < 0 and not (nameless and book.ids[k] >= 0):
                hit[count] = k
                count += 1
        if count:
            return count, True
        if book.seen_plans[plan] == token or is_plan[plan]:
            return 0, False
    for o in range(n[_OPEN]):
        k = book.open[o]
        if not (nameless and book.ids[k] >= 0):
            hit[count] = k
            count += 1
    return count, True


@njit(cache=True, nogil=True)
def _end(book, at, id_, plan, churn, is_plan, terms, token):  # type: ignore[no-untyped-def]
    n, hit = book.n, book.hit
    count, unnamed = _targets(book, at, id_, plan, is_plan, terms.change, token)
    trial = False
    for h in range(count):
        trial |= book.trial[hit[h]]
    if not trial or terms.trials:
        n[_FIRST] = min(n[_FIRST], at)
    if count == 0:
        return -1
    of_row, going, young = hit[0], 0, 0
    for h in range(count):
        k = hit[h]
        # A contract that was started again, and soon after ended: the one before has ended.
        if id_ < 0 and book.again[k] != _NEVER and at - book.again[k] <= terms.change:
            book.again[k] = _NEVER
        else:
            hit[going] = k
            going += 1
            young += book.beside[k] != _NEVER and at - book.beside[k] <= terms.change
    spare = unnamed and young < going
    for h in range(going):
        k = hit[h]
        # The same where the new one is another contract: of two that run, the older one has ended.
        if spare and book.beside[k] != _NEVER and at - book.beside[k] <= terms.change:
            book.beside[k] = _NEVER
            continue
        _close(book, k, at, churn and not book.trial[k])
        if not book.trial[k]:
            n[_REPLACEABLE] = at
    return of_row


@njit(cache=True, nogil=True)
def _begin(book, at, id_, plan, role, trial, terms, token):  # type: ignore[no-untyped-def]
    n = book.n
    k = n[_CONTRACTS]
    n[_CONTRACTS] += 1
    beside = False
    for o in range(n[_OPEN]):
        other = book.open[o]
        beside |= not book.trial[other] and book.begins[other] < at
    book.ids[k], book.plans[k], book.begins[k], book.ends[k] = id_, plan, at, FOREVER
    book.terms[k] = _term_end(terms, at)
    book.pauses[k], book.again[k] = _NEVER, _NEVER
    book.beside[k] = at if beside and not trial and not role & _CHANGED else _NEVER
    book.trial[k], book.churn[k], book.lapsed[k] = trial, False, False
    book.open[n[_OPEN]] = k
    n[_OPEN] += 1
    if id_ >= 0:
        book.seen_ids[id_] = token
    if plan >= 0:
        book.seen_plans[plan] = token
    if not trial:
        n[_REPLACEABLE] = _NEVER
    return k


@njit(cache=True, nogil=True)
def _term_end(terms, at):  # type: ignore[no-untyped-def]
    """When a term ends that begins at an instant."""
    if terms.term == FOREVER:
        return FOREVER
    if not len(terms.days):
        return at + terms.term
    day = max(0, np.searchsorted(terms.days, at, side="right") - 1)
    return terms.term_ends[day] + at - terms.days[day]


@njit(cache=True, nogil=True)
def _move(book, k, at, plan, token):  # type: ignore[no-untyped-def]
    """The contract is on that plan from now on."""
    n = book.n
    if plan < 0 or book.plans[k] == plan:
        return
    old = book.plans[k]
    if old >= 0:
        f = 0
        while f < n[_FORMER] and not (book.former_of[f] == k and book.former_plan[f] == old):
            f += 1
        book.former_of[f], book.former_plan[f], book.former_at[f] = k, old, at
        n[_FORMER] = max(n[_FORMER], f + 1)
    book.plans[k] = plan
    book.seen_plans[plan] = token


@njit(cache=True, nogil=True)
def _customer_from(book, at):  # type: ignore[no-untyped-def]
    """A start or a change: they are a customer, and no longer on trial."""
    n = book.n
    n[_FIRST] = min(n[_FIRST], at)
    o = 0
    while o < n[_OPEN]:
        if book.trial[book.open[o]]:
            _close(book, book.open[o], at, False)
        else:
            o += 1


@njit(cache=True, nogil=True)
def _kept_by_start(book, id_, plan):  # type: ignore[no-untyped-def]
    """The running contracts that a start or a renewal is about, in `book.hit`: how many."""
    n, hit, count = book.n, book.hit, 0
    if id_ >= 0:
        for o in range(n[_OPEN]):
            if book.ids[book.open[o]] == id_:
                hit[count] = book.open[o]
                count += 1
        for o in range(n[_OPEN]):
            k = book.open[o]
            if count == 0 and plan >= 0 and book.ids[k] < 0 and book.plans[k] == plan:
                hit[0], count = k, 1
        return count
    if plan >= 0:
        for o in range(n[_OPEN]):
            if count == 0 and book.plans[book.open[o]] == plan:
                hit[0], count = book.open[o], 1
        for o in range(n[_OPEN]):
            k = book.open[o]
            if count == 0 and book.plans[k] < 0 and book.ids[k] < 0:
                hit[0], count = k, 1
        return count
    for o in range(n[_OPEN]):
        hit[o] = book.open[o]
    return n[_OPEN]


@njit(cache=True, nogil=True)
def _kept_by_change(book, id_, plan, replaced):  # type: ignore[no-untyped-def]
    """The running contracts that a change of plan is about, in `book.hit`: how many."""
    n, hit, count = book.n, book.hit, 0
    if id_ >= 0:
        for o in range(n[_OPEN]):
            if book.ids[book.open[o]] == id_:
                hit[count] = book.open[o]
                count += 1
        if count == 0:
            nameless = 0
            for o in range(n[_OPEN]):
                if book.ids[book.open[o]] < 0:
                    hit[0] = book.open[o]
                    nameless += 1
            count = 1 if nameless == 1 else 0
        return count
    if plan >= 0:
        for o in range(n[_OPEN]):
            if count == 0 and book.plans[book.open[o]] == plan:
                hit[0], count = book.open[o], 1
        if count or replaced:
            return count
        for o in range(n[_OPEN]):
            if count == 0 and book.plans[book.open[o]] < 0:
                hit[0], count = book.open[o], 1
        if count == 0 and n[_OPEN]:
            hit[0], count = book.open[0], 1
        return count
    for o in range(n[_OPEN]):
        hit[o] = book.open[o]
    return n[_OPEN]


@njit(cache=True, nogil=True)
def _start_or_change(book, at, id_, plan, role, terms, token):  # type: ignore[no-untyped-def]
    n, hit = book.n, book.hit
    _customer_from(book, at)
    if role & _STARTED:
        count = _kept_by_start(book, id_, plan)
    else:
        replaced = n[_REPLACEABLE] != _NEVER and at - n[_REPLACEABLE] <= terms.change
        count = _kept_by_change(book, id_, plan, replaced)
    for h in range(count):
        k = hit[h]
        if id_ >= 0:
            book.ids[k] = id_
            book.seen_ids[id_] = token
        elif role & _STARTED and not role & _CHANGED and book.begins[k] < at:
            book.again[k] = at
        _move(book, k, at, plan, token)
        if role & _STARTED:
            book.terms[k] = _term_end(terms, at)
            if book.pauses[k] != _NEVER:
                book.pauses[k] = at
    if count == 0:
        return _begin(book, at, id_, plan, role, False, terms, token)
    return hit[0]


@njit(cache=True, nogil=True)
def _pause(book, at, id_, plan, role, is_plan, terms, token):  # type: ignore[no-untyped-def]
    n, hit = book.n, book.hit
    if n[_CONTRACTS] == 0 and n[_FIRST] == FOREVER:
        n[_FIRST] = at
        _begin(book, at, id_, plan, role, False, terms, token)
    count, _ = _targets(book, at, id_, plan, is_plan, terms.change, token)
    for h in range(count):
        if book.pauses[hit[h]] == _NEVER:
            book.pauses[hit[h]] = at
    return hit[0] if count else -1


@njit(cache=True, nogil=True)
def _resume(book, at, id_, plan, role, is_plan, terms, token):  # type: ignore[no-untyped-def]
    n, hit = book.n, book.hit
    real = False
    for o in range(n[_OPEN]):
        real |= not book.trial[book.open[o]]
    if not real:
        _customer_from(book, at)
        _begin(book, at, id_, plan, role, False, terms, token)
    count, _ = _targets(book, at, id_, plan, is_plan, terms.change, token)
    for h in range(count):
        k = hit[h]
        if book.pauses[k] != _NEVER:
            if book.terms[k] != FOREVER:
                book.terms[k] += at - book.pauses[k]
            book.pauses[k] = _NEVER
    return hit[0] if count else -1


@njit(cache=True, nogil=True)
def _read(instants, roles, ids, plans, is_plan, terms, book, token, of_row):  # type: ignore[no-untyped-def]
    """Reads the rows of one customer into the book; `token` tells this reading from every other."""
    n = book.n
    n[:] = 0
    n[_FIRST], n[_REPLACEABLE] = FOREVER, _NEVER
    start, count = 0, len(instants)
    while start < count:
        at, stop = instants[start], start + 1
        union = roles[start]
        while stop < count and instants[stop] == at:
            union |= roles[stop]
            stop += 1
        if terms.term != FOREVER:
            _lapse(book, at, terms.trials)
        before = _counting(book, terms.trials)
        # Of rows at one instant ends come first: a start at the instant of an end goes on.
        for step in range(7):
            bit = (_COMPLETED, _ENDED, _TRIAL, _STARTED, _CHANGED, _PAUSED, _RESUMED)[step]
            if not union & bit:
                continue
            for i in range(start, stop):
                role, id_, plan = roles[i], ids[i], plans[i]
                if not role & bit or (bit == _CHANGED and role & _STARTED):
                    continue
                if bit in (_COMPLETED, _ENDED):
                    of_row[i] = _end(book, at, id_, plan, bit == _ENDED, is_plan, terms, token)
                elif bit == _TRIAL:
                    if terms.trials:
                        n[_FIRST] = min(n[_FIRST], at)
                    of_row[i] = _begin(book, at, id_, plan, role, True, terms, token)
                elif bit in (_STARTED, _CHANGED):
                    of_row[i] = _start_or_change(book, at, id_, plan, role, terms, token)
                elif bit == _PAUSED:
                    of_row[i] = _pause(book, at, id_, plan, role, is_plan, terms, token)
                else:
                    of_row[i] = _resume(book, at, id_, plan, role, is_plan, terms, token)
        _note(book, at, before, _counting(book, terms.trials))
        start = stop
    if terms.term != FOREVER:
        _lapse(book, FOREVER, terms.trials)
