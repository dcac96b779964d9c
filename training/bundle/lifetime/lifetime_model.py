"""Lifetime value (顧客生涯価値): what a customer is expected to spend over the months to come.

Purchases to come by MBG/NBD times the spend of each by Gamma-Gamma, and recurring amounts of contracts for as
long as those will run, at the level that the last cohort whose
months have passed turned out to have. Where such cohorts exist, the first horizon is the mean of that and
of what LightGBM learned from them: the two err differently. `LifetimeModel` is frozen in the bundle; batch,
live and cluster all ask it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from features.catalog.definitions import Catalog, Stream, family
from features.timeline import DAY, SECOND, Timeline, months_later
from training.bundle.lifetime.intervals import SpendIntervals
from training.bundle.lifetime.lifetime_values import LifetimeHorizons, LifetimeValues
from training.bundle.lifetime.parameters import (
    ChurnHold,
    ContractSurvival,
    GammaGammaParameters,
    MbgNbdParameters,
)
from training.bundle.lifetime.spend_process import SpendProcess, days_known
from training.bundle.light_imports import without_pandas_and_sklearn
from training.bundle.tree_inference import TreeEnsemble

if TYPE_CHECKING:
    from lightgbm import Booster

    from training.labels.settings import Churn

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

STREAM = "lifetime value"
"""No project can name a stream so: names have no blanks."""
READ = ("active_days", "days_since_first", "days_since_last", "sum")
"""What is known of a customer's purchases, in the order of `purchase_facts`."""
EXPECTED = "lifetime_expected"
"""What the learned model calls its column of the value without it."""

HALF_MINUTE = 30 * SECOND
"""No local day since 1970 begins in the midst of one."""


@dataclass(frozen=True, eq=False)
class LifetimeModel:
    """Everything that lifetime value is told from, frozen."""

    horizons: LifetimeHorizons
    catalog: Catalog
    """What is known of all that customers spend on (`spending_catalog`): the facts."""
    population: MbgNbdParameters
    spend: GammaGammaParameters
    levels: tuple[float, ...]
    """What the expected spend of each stretch, from one horizon to the next, is multiplied by."""
    intervals: tuple[SpendIntervals, ...]
    unit: float
    """The mean spend that the learned model counts in."""
    scale: float
    """What its values are multiplied by, for their total to be at the level of all others."""
    learned: str | None
    """LightGBM text, over the bundle's columns and one more; None where no cohort has matured."""
    contract: ContractSurvival | None = None
    """None where no contract has a recurring amount."""
    churn: ChurnHold | None = None
    """None where leaving is another thing than what is valued."""

    @cached_property
    def process(self) -> SpendProcess:
        """The populations that spend is expected of."""
        return SpendProcess(self.population, self.spend, self.contract)

    @property
    def months(self) -> tuple[int, ...]:
        return self.horizons.months

    def beside(self, catalog: Catalog) -> Catalog:
        """The catalogue with the facts at its end: both are computed in one pass over the events."""
        return Catalog(
            catalog.indicators,
            (*catalog.streams, *self.catalog.streams),
            (*catalog.features, *self.catalog.features),
        )

    def of_customers(
        self,
        facts: Floats,
        matrix: Floats,
        as_of: int,
        timeline: Timeline,
        in_cohort: NDArray[np.bool_],
        probability: Floats,
        *,
        threads: int = 0,
    ) -> LifetimeValues:
        """The lifetime values of customers from the facts, the bundle's features and the churn probability of
        each, NaN outside the cohort."""
        days = ahead(as_of, self.months, timeline)
        if len(facts) == 1 and self._alone is not None:
            from training.bundle.lifetime.value_kernel import of_one  # compiled

            told = of_one(
                facts, matrix, days, as_of, in_cohort, probability, timeline.midnights, *self._alone
            )
            return LifetimeValues(self.horizons, *told)
        found = self.values(facts, matrix, in_cohort, days, probability, threads=threads)
        outside = ~in_cohort
        found.low[outside] = np.nan
        found.high[outside] = np.nan
        known = self.process.known(facts, in_cohort)
        joined = as_of - np.round(days_known(facts)[known] * DAY).astype(np.int64)
        found.joined_month[known] = timeline.local_months(joined)
        return found

    def values(
        self,
        facts: Floats,
        matrix: Floats,
        running: NDArray[np.bool_],
        days: Floats,
        probability: Floats | None = None,
        *,
        threads: int = 0,
    ) -> LifetimeValues:
        """The values from the facts and the bundle's features; `days` to each horizon's end.

        `running` says who has a contract. Intervals are told of all who have a value. Without churn
        probabilities the values are not held to them.
        """
        n = len(facts)
        chance = np.full(n, np.nan) if probability is None else probability
        months = np.full(n, -1)
        known = self.process.known(facts, running)
        if known.all():
            told = self._told(facts, matrix, running, days, chance, threads)
            return LifetimeValues(self.horizons, *told, months)
        value, low, high = (np.full((n, len(self.months)), np.nan) for _ in range(3))
        if known.any():
            value[known], low[known], high[known] = self._told(
                facts[known], matrix[known], running[known], days, chance[known], threads
            )
        return LifetimeValues(self.horizons, value, low, high, months)

    def _told(
        self,
        facts: Floats,
        matrix: Floats,
        running: NDArray[np.bool_],
        days: Floats,
        probability: Floats,
        threads: int,
    ) -> tuple[Floats, Floats, Floats]:
        """Value, low and high of customers who have a value, float64[n, h] each."""
        from training.bundle.lifetime.churn_kernel import hold_to_churn  # compiled
        from training.bundle.lifetime.value_kernel import values_and_intervals

        facts = np.ascontiguousarray(facts)
        expected, plain = self.process.expectations(facts, running, days)
        learned = np.empty(0)
        if self.learned is not None:
            learned = self.learned_values(matrix, plain[:, 0], threads=threads) * self.scale
        value, low, high = values_and_intervals(plain, expected, learned, self._tables)
        population, _, contract = self.process.constants
        known = facts, running, days, expected, probability
        hold_to_churn(value, low, high, *known, population, contract, self._hold)
        return value, low, high

    @cached_property
    def _hold(self) -> tuple[float, Floats]:
        """What holds values to churn, as the compiled code takes it."""
        return (0.0, np.empty(0)) if self.churn is None else (self.churn.days, np.array(self.churn.kept))

    @cached_property
    def _tables(self) -> tuple[Floats, Floats, Floats, Floats, Ints]:
        """The levels and the interval tables as arrays, for `values_and_intervals`."""
        sizes = [len(one.expected) for one in self.intervals]
        tables = np.zeros((3, len(sizes), max(sizes)))
        for at, one in enumerate(self.intervals):
            tables[:, at, : sizes[at]] = one.expected, one.low, one.high
        return np.array(self.levels), tables[0], tables[1], tables[2], np.array(sizes)

    @cached_property
    def _alone(self) -> tuple[Any, ...] | None:
        """What `of_one` takes besides a customer; None where the learned model has trees of another kind."""
        trees = TreeEnsemble.of([] if self.learned is None else [(self._booster, "normal")])
        if trees is None:
            return None
        units = (self.unit, self.scale)
        return *self.process.constants, self._hold, tuple(trees.arrays), units, self._tables

    def learned_values(self, matrix: Floats, plain: Floats, *, threads: int = 0) -> Floats:
        """float64[n]: what the learned model says of the first horizon, before `scale`.

        Its columns are the features and the plain value of that horizon, in units.
        """
        rows = np.column_stack([matrix, plain / self.unit])
        return np.asarray(self._booster.predict(rows, num_threads=threads)) * self.unit

    @cached_property
    def _booster(self) -> Booster:
        with without_pandas_and_sklearn():
            from lightgbm import Booster

        return Booster(model_str=self.learned)

    def to_json(self) -> dict[str, Any]:
        """All but the text of the learned model."""
        return {
            "horizons": asdict(self.horizons),
            "catalog": self.catalog.to_json(),
            "population": asdict(self.population),
            "spend": asdict(self.spend),
            "levels": [*self.levels],
            "intervals": [one.to_json() for one in self.intervals],
            "unit": self.unit,
            "scale": self.scale,
            "contract": self.contract and asdict(self.contract),
            "churn": self.churn and asdict(self.churn),
        }

    @staticmethod
    def from_json(d: Mapping[str, Any], learned: str | None) -> LifetimeModel:
        return LifetimeModel(
            horizons=LifetimeHorizons(**{name: tuple(known) for name, known in d["horizons"].items()}),
            catalog=Catalog.from_json(d["catalog"]),
            population=MbgNbdParameters(**d["population"]),
            spend=GammaGammaParameters(**d["spend"]),
            levels=tuple(d["levels"]),
            intervals=tuple(SpendIntervals.from_json(one) for one in d["intervals"]),
            unit=d["unit"],
            scale=d["scale"],
            learned=learned,
            contract=d["contract"] and ContractSurvival(**d["contract"]),
            churn=d["churn"] and ChurnHold(d["churn"]["days"], tuple(d["churn"]["kept"])),
        )


def spending_catalog(catalog: Catalog, churn: Churn) -> Catalog:
    """The columns `READ` of what the project's customers spend on, and where they have contracts: the newest
    recurring amount, the days since a contract last began, and since the first row of any."""
    owner = next(
        (one.name for one in catalog.indicators if {*churn.amounts} & {*one.kinds}),
        catalog.indicators[0].name,
    )
    bought = Stream(STREAM, owner, churn.amounts, amounts=True)
    streams, features = [bought], family(bought, *READ)
    kinds = contract_kinds(churn)
    if kinds:
        begun = tuple(kind for kind in kinds if kind in churn.started_by)
        begun = tuple(kind for kind in begun if kind not in churn.contracts.renewed_by)
        running, begins = Stream(f"{STREAM} contract", owner, kinds), Stream(f"{STREAM} start", owner, begun)
        streams += [running, begins]
        features += family(running, "last")
        features += family(begins, "days_since_last")
        features += family(running, "days_since_first")
    return Catalog(catalog.indicators, tuple(streams), tuple(features))


def contract_kinds(churn: Churn) -> tuple[str, ...]:
    """The kinds that begin, renew or change a contract, whose value is its recurring amount."""
    if churn.type != "contract":
        return ()
    kinds = dict.fromkeys((*churn.started_by, *churn.contracts.changed_by))
    ends = {*churn.ended_by, *churn.completed_by, *churn.amounts}
    return tuple(kind for kind in kinds if kind not in ends)


def ahead(as_of: int, months: tuple[int, ...], timeline: Timeline) -> Floats:
    """float64[h]: days from an as-of date to the same local date so many months later."""
    return np.array(_days_ahead(as_of // HALF_MINUTE, months, timeline))


@lru_cache(maxsize=1024)
def _days_ahead(half_minute: int, months: tuple[int, ...], timeline: Timeline) -> tuple[float, ...]:
    today = timeline.local(half_minute * HALF_MINUTE).date()
    return tuple(float((months_later(today, one) - today).days) for one in months)
