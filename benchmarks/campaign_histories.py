"""Arms drawn at random over customers of public histories: how much narrower covariates make an interval.

Nobody was treated, so the effect is zero, and what customers did after the date is real. What was known
before it gives two covariates as in the product, a score and an expected value: predictions by LightGBM that
learned from the same history, one horizon earlier.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb
import lightgbm
import numpy as np
from numpy.typing import NDArray

from benchmarks.histories import DEMONSTRATION
from training.causal.effect import compare_arms

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PurchaseHistory:
    """Purchases (customer, day, amount), a date to draw arms on, and the days that are compared after it."""

    query: str
    as_of: date
    horizon_days: int
    active_days: int
    """Whoever bought within so many days before the date is drawn."""


# cdnow: the horizon ends on the last day of the record. essec: a tenth of all purchases fall on the eve of
# the date, so the date counts from midnight. online_retail_ii: the sheets overlap; a cancellation takes money
# back, but is no purchase.
PURCHASES: Mapping[str, PurchaseHistory] = {
    "cdnow": PurchaseHistory(
        "select customer_id, date::date, amount from '{data}/cdnow/purchases.parquet'",
        date(1998, 1, 1),
        180,
        365,
    ),
    "essec": PurchaseHistory(
        "select customer_id, date::date, amount from '{data}/essec/purchases.parquet'",
        date(2015, 1, 1),
        365,
        730,
    ),
    "online_retail_ii": PurchaseHistory(
        """select CustomerID, InvoiceDate::date, sum(Quantity * UnitPrice)
           from '{data}/online_retail_ii/transactions.parquet'
           where CustomerID is not null and UnitPrice > 0
             and not (sheet = '2009-2010' and InvoiceDate >= '2010-12-01')
           group by CustomerID, InvoiceNo, InvoiceDate::date""",
        date(2011, 9, 9),
        90,
        365,
    ),
    "complete_journey": PurchaseHistory(
        """select household_id, transaction_timestamp::date, sum(sales_value)
           from '{demo}/data/completejourney/transactions.parquet'
           group by household_id, basket_id, transaction_timestamp::date""",
        date(2017, 10, 1),
        90,
        180,
    ),
}


@dataclass(frozen=True)
class WidthRatio:
    """Of one history and measure: adjusted width ÷ plain width, median over draws."""

    history: str
    measure: str
    customers: int
    ratio: float
    holds_zero: float
    """Share of draws whose adjusted 95 % interval holds zero, which is the truth."""


def width_ratios(data: Path, draws: int = 400, *, control: float = 0.1, seed: int = 0) -> list[WidthRatio]:
    """Draw arms over the customers of each history that is at hand, and compare the widths."""
    found = []
    for number, (name, history) in enumerate(PURCHASES.items()):
        outcomes, covariates = prepared(history, data)
        count = len(outcomes)
        ratios, holds = np.empty((draws, 2)), np.empty((draws, 2))
        for draw in range(draws):
            treated = np.ones(count, dtype=np.bool_)
            generator = np.random.default_rng([seed, number, draw])
            treated[generator.permutation(count)[: round(control * count)]] = False
            comparison = compare_arms(outcomes, treated, covariates, ("score", "expected value"))
            for place in (0, 1):
                effect, plain = comparison.effect(place), comparison.effect(place, adjusted=False)
                ratios[draw, place] = (effect.high - effect.low) / (plain.high - plain.low)
                holds[draw, place] = effect.low <= 0 <= effect.high
        found += [
            WidthRatio(
                name, measure, count, float(np.median(ratios[:, place])), float(holds[:, place].mean())
            )
            for place, measure in enumerate(("retained", "spend"))
        ]
    return found


def prepared(history: PurchaseHistory, data: Path) -> tuple[Floats, Floats]:
    """float64[customers, 2] each: bought in the horizon and spend in it; their predictions from before."""
    query = history.query.replace("{data}", str(data)).replace("{demo}", str(DEMONSTRATION))
    rows = duckdb.sql(query).fetchnumpy()
    customer, day, amount = list(rows.values())
    _, customer = np.unique(np.asarray(customer).astype(str), return_inverse=True)
    days = np.asarray(day).astype("datetime64[D]")
    amounts = np.asarray(amount, dtype=np.float64)
    earlier = history.as_of - timedelta(history.horizon_days)
    learned_features, learned_outcomes = _as_of(history, customer, days, amounts, earlier)
    features, outcomes = _as_of(history, customer, days, amounts, history.as_of)
    predictions = [
        lightgbm.train(
            {
                "objective": objective,
                "num_leaves": 15,
                "learning_rate": 0.05,
                "min_data_in_leaf": 40,
                "lambda_l2": 5.0,
                "verbosity": -1,
                "seed": 1,
                "deterministic": True,
                "num_threads": 1,
            },
            lightgbm.Dataset(learned_features, learned_outcomes[:, place]),
            num_boost_round=100,
        ).predict(features)
        for place, objective in enumerate(("binary", "regression"))
    ]
    return outcomes, np.column_stack(predictions).astype(np.float64)


def _as_of(
    history: PurchaseHistory,
    customer: NDArray[np.int64],
    days: NDArray[np.datetime64],
    amounts: Floats,
    as_of: date,
) -> tuple[Floats, Floats]:
    """Recency, frequency and spend over several windows of who was active, and what they did later."""
    age = (np.datetime64(as_of) - days).astype(np.int64)
    count = customer.max() + 1

    def total(rows: NDArray[np.bool_], values: Floats | None = None) -> Floats:
        weights = None if values is None else values[rows]
        return np.bincount(customer[rows], weights, count).astype(np.float64)

    bought, past = amounts > 0, age > 0
    recency, tenure = np.full(count, np.inf), np.zeros(count)
    np.minimum.at(recency, customer[past & bought], age[past & bought])
    np.maximum.at(tenure, customer[past & bought], age[past & bought])
    windows = [past & (age <= length) for length in (30, 90, 180, 365, 100_000)]
    features = np.column_stack(
        [
            recency,
            tenure,
            *(total(rows & bought) for rows in windows),
            *(total(rows, amounts) for rows in windows),
        ]
    )
    future = (age <= 0) & (age > -history.horizon_days)
    outcomes = np.column_stack([total(future & bought) > 0, total(future, amounts)]).astype(np.float64)
    active = recency <= history.active_days
    return features[active], outcomes[active]
