"""What was known of each customer's purchases at past dates, and what they spent afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from features.catalog.definitions import Catalog
from features.engine.evaluate import DatedNumbers
from features.engine.snapshot import Priors, snapshot
from features.event_store import EventStore
from features.events.history import History, without_retracted
from features.execution.base import Engine
from features.execution.local import HERE, map_partitions
from features.timeline import DAY, Timeline
from training.bundle.lifetime.lifetime_model import contract_kinds
from training.bundle.lifetime.spend_process import BOUGHT, SINCE_FIRST, paying
from training.data.customer_hashes import customer_hashes, in_first_share, shuffled_by_customer
from training.data.lifetime.contract_spend import contract_durations, contract_spend, period_days
from training.labels.cohort import cohort, event_roles
from training.labels.settings import Churn

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_CUSTOMERS = 150_000
"""More customers than this are sampled, by customer id: a level needs no more."""
MOST_FEATURED, MOST_NUMBERS = 8_000, 40_000_000
"""Customers of whom there are features, and numbers at all dates together (320 MB): fewer customers have them
where it would be more."""
FIRST_DAYS = 1
"""What is bought within so many days of the first purchase is the first purchase."""


@dataclass(frozen=True)
class RowRequest:
    """What one date is to give."""

    ends: tuple[int, ...] = ()
    """Instants until which the spend is summed up, from the date on."""
    features: bool = False
    repeats_since: int | None = None
    """Where the spend before the date that came after a customer's first purchase is summed up from."""


@dataclass(frozen=True, eq=False)
class PurchaseRows:
    """The customers known by a purchase, or by a contract that costs something, at one date."""

    hashes: NDArray[np.uint64]
    facts: Floats
    """float64[n, 4 or 7]: the columns of `training.bundle.lifetime.lifetime_model.spending_catalog`."""
    bought: Floats
    """float64[n, len(ends)]: what they bought from the date until each end, refunds taken off."""
    contracts: Floats
    """float64[n, len(ends)]: what their contracts brought meanwhile."""
    featured: NDArray[np.bool_]
    """bool[n]: of which of them there are features."""
    matrix: Floats
    """float64[k, f]: the features of these k, in order."""
    repeats: Floats
    """float64[n]: spend after the first purchase and before the date; 0 where no date asked for it."""
    in_cohort: NDArray[np.bool_]
    durations: Floats
    """float64[s, 2]: of every contract by then the days that it had run, and 1 where it had ended."""

    def __len__(self) -> int:
        return len(self.facts)

    @property
    def paying(self) -> NDArray[np.bool_]:
        """bool[n]: who has a contract that costs something."""
        return paying(self.facts, self.in_cohort)

    def where(self, chosen: NDArray[np.bool_] | Ints) -> PurchaseRows:
        """The chosen rows."""
        place = (np.cumsum(self.featured) - 1)[chosen]
        return PurchaseRows(
            self.hashes[chosen],
            self.facts[chosen],
            self.bought[chosen],
            self.contracts[chosen],
            self.featured[chosen],
            self.matrix[place[self.featured[chosen]]],
            self.repeats[chosen],
            self.in_cohort[chosen],
            self.durations,
        )


def purchase_rows(
    store: EventStore,
    spending: Catalog,
    features: Catalog,
    churn: Churn,
    timeline: Timeline,
    priors: Priors,
    numbers: DatedNumbers,
    requests: Mapping[int, RowRequest],
    customers: int,
    until: int | None,
    *,
    engine: Engine = HERE,
) -> dict[int, PurchaseRows]:
    """The rows of each date of `requests`; events at or after `until` do not exist.

    `numbers` are those of the population as of each date that is to have features.
    """
    share = min(1.0, MOST_CUSTOMERS / max(1, customers))
    dates = sum(request.features for request in requests.values())
    most = min(MOST_FEATURED, MOST_NUMBERS / max(1, dates * len(features.columns)))
    of_bucket = partial(
        _rows,
        store=store,
        spending=spending,
        features=features,
        churn=churn,
        timeline=timeline,
        priors=priors,
        numbers=numbers,
        requests=requests,
        share=share,
        featured_share=min(1.0, most / max(1.0, share * customers)) * share,
    )
    new = partial(_PurchaseRowParts, of_bucket)
    found = map_partitions(store, new, until=until, retractions=True, engine=engine)
    return {date: _joined([part[date] for part in found.parts]) for date in requests}


@dataclass
class _PurchaseRowParts:
    """The rows of each bucket."""

    rows: partial[dict[int, PurchaseRows]]
    parts: list[dict[int, PurchaseRows]] = field(default_factory=list)

    def add(self, history: History) -> None:
        self.parts.append(self.rows(history))

    def merge(self, other: _PurchaseRowParts) -> None:
        self.parts += other.parts


def _rows(
    history: History,
    store: EventStore,
    spending: Catalog,
    features: Catalog,
    churn: Churn,
    timeline: Timeline,
    priors: Priors,
    numbers: DatedNumbers,
    requests: Mapping[int, RowRequest],
    share: float,
    featured_share: float,
) -> dict[int, PurchaseRows]:
    hashes = customer_hashes(store, history.keys)
    chosen = _sampled(hashes, share)
    keys, hashes = history.keys[chosen], hashes[chosen]
    with_features = _sampled(hashes, featured_share)
    counted = without_retracted(history)
    contracts, period = bool(contract_kinds(churn)), period_days(features.indicators, churn)
    found = {}
    for date, request in requests.items():
        facts = snapshot(history, spending, timeline, keys, np.full(len(keys), date)).matrix
        inside = np.isin(keys, cohort(history, churn, date))
        chosen_rows, durations = facts[:, BOUGHT] > 0, np.empty((0, 2))
        if contracts:
            chosen_rows |= paying(facts, inside)
            durations = contract_durations(history, churn, chosen, date)
        known, facts, inside = keys[chosen_rows], facts[chosen_rows], inside[chosen_rows]
        spent = [spent_between(counted, churn, known, np.full(len(known), date), end) for end in request.ends]
        brought = [np.zeros(len(known)) for _ in request.ends]
        if contracts:
            places = np.searchsorted(history.keys, known)
            brought = [contract_spend(counted, churn, date, end, period)[places] for end in request.ends]
        repeats = np.zeros(len(known))
        if request.repeats_since is not None and not contracts:
            first = date - np.round(facts[:, SINCE_FIRST] * DAY).astype(np.int64)
            begin = np.maximum(first + FIRST_DAYS * DAY, request.repeats_since)
            repeats = spent_between(counted, churn, known, begin, date)
        featured = with_features[chosen_rows] if request.features else np.zeros(len(known), dtype=np.bool_)
        matrix = np.empty((0, len(features.columns)))
        if featured.any():
            dates = np.full(int(featured.sum()), date)
            dated = {date: numbers.get(date, priors.numbers)}
            matrix = snapshot(history, features, timeline, known[featured], dates, priors, dated=dated).matrix
        found[date] = PurchaseRows(
            hashes=hashes[chosen_rows],
            facts=facts,
            bought=np.array(spent).reshape(len(spent), len(known)).T,
            contracts=np.array(brought).reshape(len(brought), len(known)).T,
            featured=featured,
            matrix=matrix,
            repeats=repeats,
            in_cohort=inside,
            durations=durations,
        )
    return found


def _sampled(hashes: NDArray[np.uint64], share: float) -> NDArray[np.bool_]:
    """bool[n]: a share of customers, the same ones at every date."""
    if share >= 1.0:
        return np.ones(len(hashes), dtype=np.bool_)
    return in_first_share(shuffled_by_customer(hashes), share)


def spent_between(history: History, churn: Churn, keys: Ints, starts: Ints, end: int) -> Floats:
    """float64[n]: what these customers spent from each start until the end, refunds taken off."""
    from training.labels.kernels import Futures, outcomes, rows_of_keys

    futures = Futures(rows_of_keys(history.keys, keys), starts, np.full(len(keys), end))
    return np.asarray(
        outcomes(history.offsets, history.instants, history.values, event_roles(history, churn), futures)[1]
    )


def _joined(parts: Sequence[PurchaseRows]) -> PurchaseRows:
    """The rows of all buckets, in an order that does not depend on the store's."""
    names = [one.name for one in fields(PurchaseRows)]
    whole = PurchaseRows(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})
    whole = replace(whole, durations=whole.durations[np.lexsort(whole.durations.T)])
    return whole.where(np.lexsort((*whole.facts.T, whole.hashes)))
