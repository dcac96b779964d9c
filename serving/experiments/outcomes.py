"""Outcomes of a campaign: what became of every assigned customer by each review date, by intention to treat.

Who was assigned is looked at until the date, whatever was done to them. An outcome counts what happened since
the start of the campaign and before the date, by all that is known today:

- `retained`: 1 for who is still a customer at the date by the project's own definition of churn. Inactivity:
  an activity that decides churn within the `horizon_days` before the date, or since the start where that is
  shorter. Contract: a contract that runs at the date, or a change from one to the next.
- `churned_value`: the expected value of the day of assignment of those who were not retained, else 0; a value
  that is not known counts as 0.
- `spend`: the amounts of purchases, refunds taken off.
- `active_days`: local days on which the customer did anything, as in the engagement report.
- `tier`: the place of the engagement tier at the date, 1 the lowest, on the scale of the campaign's model.
- `nps`: 100 for a promoter, −100 for a detractor, 0 between, by the last answer since the start; NaN without.
- `response`: 1 for who responded to anything the company sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from features.catalog.definitions import Indicator, amount_kinds, company_kinds
from features.event_store import EventStore
from features.events.history import History, taking_back
from features.execution.base import Engine, Progress
from features.execution.local import HERE, map_partitions
from features.storage.history_reader import ALL_COLUMNS
from features.timeline import Timeline, days_after
from serving.experiments.campaign_file import Assignment
from serving.experiments.outcome_kernels import (
    ACTIVITY,
    AMOUNT,
    ANSWER,
    BEHAVIOUR,
    CONTACT,
    EVERY_CONTACT,
    RESPONSE,
    OutcomeEvents,
    OutcomeSums,
    outcome_sums,
)
from serving.scoring.tiers_at import tiers_at
from training.bundle.model_bundle import Bundle
from training.labels.cohort import contract_history
from training.labels.settings import Churn

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PROMOTER, DETRACTOR = 9.0, 6.0
OUTCOMES = ("retained", "churned_value", "spend", "active_days", "tier", "nps", "response")
_COLUMNS = ALL_COLUMNS | {"source"}


@dataclass(frozen=True)
class OutcomeRules:
    """What decides over outcomes: the project's definitions, the campaign's name and start."""

    campaign: str
    """Contacts with this name in `detail` are the campaign's."""
    started_at: int
    churn: Churn
    indicators: tuple[Indicator, ...]
    timeline: Timeline
    bundle: Bundle | None = None
    """The model of the campaign's scores, for its tiers; without one there are none."""
    every_contact: bool = False
    """Whether every contact by the company counts as one of the campaign, whatever it names but service."""
    service: frozenset[str] = frozenset()
    """Rules of the playbook for service: contacts with one of these names in `detail` are told apart."""

    @property
    def contacts(self) -> frozenset[str]:
        """The kinds by which the company contacts customers."""
        return company_kinds(self.indicators)


@dataclass(frozen=True, eq=False)
class CampaignOutcomes:
    """The outcomes of all customers of a campaign, in the order of its assignment."""

    dates: tuple[int, ...]
    values: dict[str, Floats]
    """float64[customers, dates] by outcome, NaN where not known. Outcomes that the data cannot tell are left
    out: money without amounts, tiers without a model, NPS and responses that nobody gave."""
    contacts: Ints
    """int64[customers, dates]: contacts of the campaign since the start."""
    other_contacts: Ints
    """Contacts that name neither the campaign nor a rule for service."""
    service_contacts: Ints
    """Contacts that name a rule of the playbook for service."""
    cost: Floats
    unpriced: Ints
    """Contacts of the campaign whose cost is not known."""

    @property
    def reached(self) -> NDArray[np.bool_]:
        """bool[customers, dates]: exposure, whether the campaign contacted the customer by the date."""
        reached: NDArray[np.bool_] = self.contacts > 0
        return reached


def campaign_outcomes(
    store: EventStore,
    rules: OutcomeRules,
    assignment: Assignment,
    dates: Sequence[int],
    *,
    tier_dates: Sequence[int] = (),
    progress: Progress | None = None,
    engine: Engine = HERE,
) -> CampaignOutcomes:
    """The outcomes of the assigned customers at some dates, all in one walk over the store.

    The dates ascend and come after the start. The tier, which costs more, is known at `tier_dates` alone.
    """
    found = map_partitions(
        store,
        partial(_OutcomeParts, rules, assignment.keys, tuple(dates), frozenset(tier_dates)),
        "counting outcomes",
        columns=_COLUMNS,
        progress=progress,
        engine=engine,
    )
    return _outcomes(assignment, tuple(dates), found)


@dataclass
class _OutcomeParts:
    """Sums, retention and tiers of the assigned customers of each bucket; `rows` are their places."""

    rules: OutcomeRules
    keys: Ints
    dates: tuple[int, ...]
    tier_dates: frozenset[int]
    rows: list[Ints] = field(default_factory=list)
    sums: list[OutcomeSums] = field(default_factory=list)
    retained: list[NDArray[np.bool_]] = field(default_factory=list)
    tiers: list[NDArray[np.int8]] = field(default_factory=list)
    """int8[customers, dates], −1 where not asked."""

    def add(self, history: History) -> None:
        if not history.customers or not len(self.keys):
            return
        places = np.minimum(np.searchsorted(history.keys, self.keys), history.customers - 1)
        mine = np.flatnonzero(history.keys[places] == self.keys)
        if not len(mine):
            return
        rules, places = self.rules, places[mine]
        names = {name: code for code, name in enumerate(history.detail_names)}
        sums = outcome_sums(
            _event_rows(history, rules),
            places,
            rules.started_at,
            np.array(self.dates, np.int64),
            rules.timeline.midnights,
            EVERY_CONTACT if rules.every_contact else names.get(rules.campaign, -1),
            np.isin(history.detail_names, _texts(rules.service)),
        )
        self.rows.append(mine)
        self.sums.append(sums)
        self.retained.append(_retained(history, rules, places, self.dates, sums))
        tiers = np.full((len(mine), len(self.dates)), -1, np.int8)
        asked = [place for place, date in enumerate(self.dates) if date in self.tier_dates]
        if rules.bundle is not None and asked:
            dates = [self.dates[place] for place in asked]
            of_dates = tiers_at(rules.bundle, history, history.keys[places], dates)
            tiers[:, asked] = np.column_stack(of_dates)
        self.tiers.append(tiers)

    def merge(self, other: _OutcomeParts) -> None:
        self.rows += other.rows
        self.sums += other.sums
        self.retained += other.retained
        self.tiers += other.tiers


def _event_rows(history: History, rules: OutcomeRules) -> OutcomeEvents:
    from training.labels.kernels import roles  # compiled

    return OutcomeEvents(
        history.offsets,
        history.instants,
        history.values,
        history.kinds,
        history.details,
        history.sources,
        roles(history.kinds, history.values, *_roles(history.kind_names, rules)),
    )


def _roles(kinds: Sequence[str], rules: OutcomeRules) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """What an event of each kind means, and what one with a negative value does; the last is for no kind.

    What takes back is an amount, but no activity and no active day.
    """
    own = [one for one in rules.indicators if one.origin == "customer"]
    answered = [one.kinds for one in rules.indicators if one.name == "response"]
    bits = (
        (ACTIVITY, rules.churn.started_by if rules.churn.type == "inactivity" else ()),
        (AMOUNT, rules.churn.amounts),
        (BEHAVIOUR, chain.from_iterable(one.kinds for one in own if not one.attitude)),
        (ANSWER, ("nps",)),
        (RESPONSE, chain.from_iterable(answered)),
        (CONTACT, rules.contacts),
    )
    of_kind = np.zeros(len(kinds) + 1, np.uint8)
    for bit, named in bits:
        of_kind[:-1] |= bit * np.isin(kinds, _texts(named)).astype(np.uint8)
    negative = of_kind.copy()
    always, if_negative = taking_back(kinds, {*rules.churn.amounts, *amount_kinds(rules.indicators)})
    of_kind[:-1][always] &= ~np.uint8(ACTIVITY | BEHAVIOUR)
    negative[:-1][always | if_negative] &= ~np.uint8(ACTIVITY | BEHAVIOUR)
    return of_kind, negative


def _texts(names: Iterable[str]) -> list[str]:
    return list(names) or [""]


def _retained(
    history: History, rules: OutcomeRules, places: Ints, dates: Sequence[int], sums: OutcomeSums
) -> NDArray[np.bool_]:
    """bool[customers, dates]: who is still a customer."""
    churn = rules.churn
    if churn.type == "contract":
        contracts = contract_history(history, churn)
        retained = np.zeros((len(places), len(dates)), np.bool_)
        for column, date in enumerate(dates):
            retained[:, column] = contracts.running(date)[places]
        return retained
    since = [
        max(rules.started_at, days_after(date, -churn.horizon.days, churn.horizon.calendar)) for date in dates
    ]
    active: NDArray[np.bool_] = sums.last_activity >= np.array(since)
    return active


def _outcomes(assignment: Assignment, dates: tuple[int, ...], found: _OutcomeParts) -> CampaignOutcomes:
    """The outcomes in the order of the assignment; a customer without events did nothing."""
    rows = np.concatenate([np.empty(0, np.int64), *found.rows])
    shape = len(assignment), len(dates)

    def of_all(parts: Sequence[NDArray[np.generic]], nothing: float, kind: type[np.generic]) -> Floats:
        if not nothing and not any(part.any() for part in parts):
            return np.zeros(shape, kind)
        every = np.full(shape, nothing, kind)
        place = 0
        for part in parts:
            every[rows[place : place + len(part)]] = part
            place += len(part)
        return every

    def summed(name: str, nothing: float = 0.0, kind: type[np.generic] = np.float64) -> Floats:
        return of_all([getattr(part, name) for part in found.sums], nothing, kind)

    retained = of_all(found.retained, 0, np.float64)
    values = {"retained": retained}
    worth = assignment.column("expected_value").astype(np.float64, copy=False)
    if not np.isnan(worth).all():
        values["churned_value"] = (1.0 - retained) * np.nan_to_num(worth)[:, np.newaxis]
    spend = summed("spend")
    if "churned_value" in values or spend.any():
        values["spend"] = spend
    values["active_days"] = summed("active_days")
    tiers = of_all(found.tiers, -1, np.float64)
    if (tiers >= 0).any():
        values["tier"] = np.where(tiers >= 0, tiers + 1, np.nan)
    answers = summed("answer", np.nan)
    if not np.isnan(answers).all():
        points = np.where(answers >= PROMOTER, 100.0, np.where(answers <= DETRACTOR, -100.0, 0.0))
        values["nps"] = np.where(np.isnan(answers), np.nan, points)
    responses = summed("responses")
    if responses.any():
        values["response"] = (responses > 0).astype(np.float64)
    return CampaignOutcomes(
        dates,
        values,
        summed("contacts", 0, np.int64).astype(np.int64),
        summed("other_contacts", 0, np.int64).astype(np.int64),
        summed("service_contacts", 0, np.int64).astype(np.int64),
        summed("cost"),
        summed("unpriced", 0, np.int64).astype(np.int64),
    )
