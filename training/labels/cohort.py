"""Cohorts: who can still leave at an as-of date, and the status of every other customer.

Inactivity: the cohort was active within `[as_of - active_days, as_of)`. Contract: the cohort has a running
contract. Only what was known at the as-of date decides.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from features.events.history import History, of_kinds, taking_back
from features.timeline import known_from
from training.labels.settings import Churn

if TYPE_CHECKING:
    from training.labels.contracts import ContractHistory

STARTED, ENDED, COMPLETED, AMOUNT, CHANGED, PAUSED, RESUMED, TRIAL = (1 << bit for bit in range(8))
"""What an event means to a label; an activity is a start that never has to end, a renewal a start that is a
change too."""


class Status(StrEnum):
    """What a customer is at an as-of date; `statuses` gives positions in `STATUSES`."""

    COHORT = "cohort"
    LAPSED = "lapsed"
    NEW = "new"


STATUSES = tuple(Status)
IN_COHORT = STATUSES.index(Status.COHORT)
UNKNOWN = -1
"""The status of a customer of whom nothing was known yet."""


def statuses(history: History, churn: Churn, as_of: int) -> NDArray[np.int8]:
    """Each customer's position in `STATUSES` by what was known at the as-of date, or `UNKNOWN`."""
    if churn.type == "contract":
        if contracts_were_read(history, churn):
            return contract_history(history, churn).statuses(as_of)
        from training.labels.contracts import current_statuses  # compiled: as below

        return current_statuses(history, churn, kind_roles(churn, tuple(history.kind_names))[0], as_of)
    return _statuses(history, churn, event_roles(history, churn), as_of)


def cohort(history: History, churn: Churn, as_of: int) -> NDArray[np.int64]:
    """The keys of the customers who can still leave at the as-of date, ascending."""
    return cohorts(history, churn, [as_of])[0]


def cohorts(history: History, churn: Churn, dates: Sequence[int]) -> list[NDArray[np.int64]]:
    """The cohort at each of these as-of dates."""
    if len(dates) == 1:
        return [history.keys[statuses(history, churn, dates[0]) == IN_COHORT]]
    if churn.type == "contract":
        contracts = contract_history(history, churn)
        return [history.keys[contracts.statuses(date) == IN_COHORT] for date in dates]
    roles = event_roles(history, churn)
    if not (roles & ~np.uint8(AMOUNT)).any():
        return [history.keys[:0] for _ in dates]
    return [history.keys[_statuses(history, churn, roles, date) == IN_COHORT] for date in dates]


def customers_at(history: History, churn: Churn, dates: Sequence[int]) -> list[NDArray[np.bool_]]:
    """bool[customers] at each of these dates: who was in the cohort, or between two plans.

    Looks back: whose contract had ended, and by what is known today began again within the hours of a change
    of plan, was a customer in between. A cohort cannot know that.
    """
    if churn.type == "inactivity":
        roles = event_roles(history, churn)
        return [_statuses(history, churn, roles, date) == IN_COHORT for date in dates]
    contracts = contract_history(history, churn)
    return [(contracts.statuses(date) == IN_COHORT) | contracts.between_plans(date) for date in dates]


def contract_history(history: History, churn: Churn) -> ContractHistory:
    """The contracts of every customer, read once for as long as the history is used."""
    from training.labels.contracts import contracts_of  # compiled: not needed to read what a score says

    known, key = _contracts.setdefault(history, {}), _rules(churn)
    if key not in known:
        known[key] = contracts_of(history, churn, kind_roles(churn, tuple(history.kind_names))[0])
    return known[key]


def contracts_were_read(history: History, churn: Churn) -> bool:
    """Whether `contract_history` has the contracts at hand; reading them takes longer than a single date."""
    return _rules(churn) in _contracts.get(history, {})


_contracts: WeakKeyDictionary[History, dict[Hashable, ContractHistory]] = WeakKeyDictionary()
_roles: WeakKeyDictionary[History, dict[Hashable, NDArray[np.uint8]]] = WeakKeyDictionary()


def _rules(churn: Churn) -> Hashable:
    """What decides over the roles of events; not the horizon."""
    ends = churn.ended_by, churn.completed_by
    return churn.type, churn.started_by, *ends, churn.amounts, churn.contracts, churn.horizon.calendar


def _statuses(history: History, churn: Churn, roles: NDArray[np.uint8], as_of: int) -> NDArray[np.int8]:
    from training.labels.kernels import standings  # compiled: not needed to read what a score says

    codes: NDArray[np.int8] = standings(
        history.offsets,
        history.instants,
        known_from(history.recorded, history.retracted, as_of),
        roles,
        as_of,
        churn.active_since(as_of),
    )
    return codes


def event_roles(history: History, churn: Churn) -> NDArray[np.uint8]:
    """uint8[n]: what each event means to the label; what takes back is an amount but no activity."""
    from training.labels.kernels import roles  # compiled: not needed to read what a score says

    earlier, key = _roles.setdefault(history, {}), _rules(churn)
    if key in earlier:
        return earlier[key]
    of_event: NDArray[np.uint8] = roles(
        history.kinds, history.values, *kind_roles(churn, tuple(history.kind_names))
    )
    earlier[key] = of_event
    return of_event


def label_events(history: History, churn: Churn) -> History:
    """The customers with the events alone that mean something to the label: it is the same, read faster."""
    return of_kinds(history, {*_of_kinds(churn)})


@lru_cache(maxsize=256)
def kind_roles(churn: Churn, kinds: tuple[str, ...]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """uint8[kinds + 1], twice: what an event of each kind means (the last: of none), and one with a negative
    value."""
    known = _of_kinds(churn)
    of_kind = np.array([*(known.get(kind, 0) for kind in kinds), 0], dtype=np.uint8)
    if_negative = of_kind.copy()
    if churn.type == "inactivity":  # a contract is begun and ended by its kinds, whatever it costs
        always, negative = taking_back(kinds, churn.amounts)
        of_kind[:-1][always] &= ~np.uint8(STARTED)
        if_negative[:-1][always | negative] &= ~np.uint8(STARTED)
    return of_kind, if_negative


@lru_cache(maxsize=64)
def _of_kinds(churn: Churn) -> Mapping[str, int]:
    """The role of each kind that has one."""
    if churn.type == "inactivity":
        kinds = {*churn.started_by, *churn.amounts}
        return {
            kind: STARTED * (kind in churn.started_by) | AMOUNT * (kind in churn.amounts) for kind in kinds
        }
    rules = churn.contracts
    paused, resumed = (ENDED, STARTED) if rules.pause_is_churn else (PAUSED, RESUMED)
    roles = dict.fromkeys(rules.paused_by, paused) | dict.fromkeys(rules.resumed_by, resumed)
    roles |= dict.fromkeys(rules.trial_by, TRIAL)
    roles |= {kind: STARTED | CHANGED * (kind in rules.renewed_by) for kind in churn.started_by}
    roles |= dict.fromkeys(rules.changed_by, CHANGED)
    # Kinds that the project says are an end are one, whatever else they are by default.
    roles |= dict.fromkeys(churn.completed_by, COMPLETED) | dict.fromkeys(churn.ended_by, ENDED)
    for kind in churn.amounts:
        roles[kind] = roles.get(kind, 0) | AMOUNT
    return roles
