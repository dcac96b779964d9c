"""What customers did since a campaign began, at several dates: one compiled walk over sorted histories.

Inputs: the arrays of a `History`; `roles`, uint8[n], what each event means (the bits below); the customers as
places in the history (−1 for one without events); the dates, ascending instants after `start`.
Outputs: `OutcomeSums`, one row a customer and one column a date, of the events in `[start, date)`.
Invariant: an event belongs to a date by `instants[i] < date` alone, and sums run in the order of events with
what each addition rounds away kept beside them, so that they have the same bits on every machine.
Plain version: in `tests.serving.experiments.test_outcomes`, which compares them.
Read on only to change the speed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Codes = NDArray[np.int32]

ACTIVITY, AMOUNT, BEHAVIOUR, ANSWER, RESPONSE, CONTACT = (1 << bit for bit in range(6))
"""Activity that decides churn; an amount; what makes a day active; an NPS answer; a response; a contact."""
NEVER_ACTIVE = -(1 << 62)
EVERY_CONTACT = -2
"""In the place of a campaign's code: all contacts count as its own, but those of service."""
MINUTE = 60_000_000
"""Within it two systems tell of one contact."""
OTHER, OWN, SERVICE = range(3)
"""Whose a contact is: another's, the campaign's, that of a rule of the playbook for service."""


class OutcomeEvents(NamedTuple):
    """The events of a history that the walk reads."""

    offsets: Ints
    instants: Ints
    values: Floats
    kinds: Codes
    details: Codes
    """Empty where no event has one."""
    sources: Codes
    roles: NDArray[np.uint8]


class OutcomeSums(NamedTuple):
    """Sums since the start; every array is [customers, dates]."""

    last_activity: Ints
    """The newest activity that decides churn, `NEVER_ACTIVE` where there is none."""
    spend: Floats
    active_days: Ints
    answer: Floats
    """The newest NPS answer, NaN where none was given."""
    responses: Ints
    contacts: Ints
    """Contacts of the campaign."""
    other_contacts: Ints
    service_contacts: Ints
    """Contacts that name a rule of the playbook for service."""
    cost: Floats
    unpriced: Ints
    """Contacts of the campaign whose cost is not known."""


def outcome_sums(
    events: OutcomeEvents,
    customers: Ints,
    start: int,
    dates: Ints,
    midnights: Ints,
    campaign: int,
    service: NDArray[np.bool_],
) -> OutcomeSums:
    """The sums of some customers.

    `campaign` is the code of its name among the details, −1 for none; `service`, bool[details], which details
    name a rule for service.
    """
    return OutcomeSums(*_walk(*events, customers, start, dates, midnights, campaign, service))


@njit(cache=True, nogil=True)
def _whose(details, i, campaign, service):  # type: ignore[no-untyped-def]
    detail = details[i] if len(details) > 0 else -1
    if campaign >= 0 and detail == campaign:
        return OWN
    if detail >= 0 and service[detail]:
        return SERVICE
    return OWN if campaign == EVERY_CONTACT else OTHER


@njit(cache=True, nogil=True)
def _told_before(  # type: ignore[no-untyped-def]
    instants, kinds, details, sources, roles, first, i, campaign, service
):
    """Of the contact `i`, what was told within its minute and of its kind from the place `first` on.

    The source of the first one of the campaign (−2 where there is none), how many of the campaign that source
    told of, and how many of others another source than it, or than that of `i`, told of.
    """
    minute, owner = instants[i] // MINUTE, -2
    j = i - 1
    while j >= first and instants[j] // MINUTE == minute:
        if roles[j] & CONTACT and kinds[j] == kinds[i] and _whose(details, j, campaign, service) == OWN:
            owner = sources[j] if len(sources) > 0 else -1
        j -= 1
    apart = owner if owner != -2 else (sources[i] if len(sources) > 0 else -1)
    own = others = 0
    for k in range(j + 1, i):
        if roles[k] & CONTACT and kinds[k] == kinds[i]:
            whose = _whose(details, k, campaign, service)
            source = sources[k] if len(sources) > 0 else -1
            if whose == OWN and source == owner:
                own += 1
            elif whose == OTHER and source != apart:
                others += 1
    return owner, own, others


@njit(cache=True, nogil=True)
def _walk(  # type: ignore[no-untyped-def]
    offsets, instants, values, kinds, details, sources, roles, customers, start, dates, midnights, campaign,
    service,
):  # fmt: skip
    n, k = len(customers), len(dates)
    last_activity = np.full((n, k), NEVER_ACTIVE, np.int64)
    spend = np.zeros((n, k))
    active_days = np.zeros((n, k), np.int64)
    answer = np.full((n, k), np.nan)
    responses = np.zeros((n, k), np.int64)
    contacts = np.zeros((n, k), np.int64)
    other_contacts = np.zeros((n, k), np.int64)
    service_contacts = np.zeros((n, k), np.int64)
    cost = np.zeros((n, k))
    unpriced = np.zeros((n, k), np.int64)
    first_day = np.searchsorted(midnights, start, side="right") - 1
    for c in range(n):
        row = customers[c]
        if row < 0:
            continue
        low, high = offsets[row], offsets[row + 1]
        i = first = low + np.searchsorted(instants[low:high], start)
        day, last_day = first_day, -1
        newest, days, answers, contacted, others, services, free = NEVER_ACTIVE, 0, 0, 0, 0, 0, 0
        amount = rest = price = price_rest = 0.0
        rating = np.nan
        for d in range(k):
            while i < high and instants[i] < dates[d]:
                role = roles[i]
                known = len(values) > 0 and not np.isnan(values[i])
                if role & ACTIVITY:
                    newest = instants[i]
                if role & AMOUNT and known:
                    total = amount + values[i]
                    part = total - amount
                    rest += (amount - (total - part)) + (values[i] - part)
                    amount = total
                if role & BEHAVIOUR:
                    while midnights[day + 1] <= instants[i]:
                        day += 1
                    if day != last_day:
                        days += 1
                        last_day = day
                if role & ANSWER and known and 0.0 <= values[i] <= 10.0:
                    rating = values[i]
                if role & RESPONSE:
                    answers += 1
                if role & CONTACT:
                    # Two systems tell of one contact: it counts once. One system's repeats are repeats.
                    whose = _whose(details, i, campaign, service)
                    source = sources[i] if len(sources) > 0 else -1
                    if whose == SERVICE:
                        services += 1
                    else:
                        owner, own, apart = _told_before(
                            instants, kinds, details, sources, roles, first, i, campaign, service
                        )
                        if whose == OTHER:
                            if owner == -2 or source == owner or apart >= own:
                                others += 1
                        elif owner == -2 or source == owner:
                            contacted += 1
                            if apart > own:
                                others -= 1  # told of before, without the campaign's name
                            if known:
                                total = price + values[i]
                                part = total - price
                                price_rest += (price - (total - part)) + (values[i] - part)
                                price = total
                            else:
                                free += 1
                i += 1
            last_activity[c, d] = newest
            spend[c, d] = amount + rest
            active_days[c, d] = days
            answer[c, d] = rating
            responses[c, d] = answers
            contacts[c, d] = contacted
            other_contacts[c, d] = others
            service_contacts[c, d] = services
            cost[c, d] = price + price_rest
            unpriced[c, d] = free
    return (
        last_activity, spend, active_days, answer, responses, contacts, other_contacts, service_contacts,
        cost, unpriced,
    )  # fmt: skip
