"""Lifetime value as training learns it: at the known level, from the past alone, and judged in time."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from features.catalog.defaults import catalog, indicators
from features.catalog.settings import FeatureSettings
from features.engine.snapshot import Priors
from features.event_store import EventStore
from features.timeline import DAY
from serving.scoring.batch import score_customers
from tests.training.simulated import NOW, UTC, Shop, plan, shop
from tests.training.worlds import day
from training.backtest import judged_backtest
from training.bundle.lifetime.lifetime_model import spending_catalog
from training.bundle.lifetime.settings import ValueSettings
from training.bundle.model_bundle import Bundle
from training.data.extent import data_extent
from training.data.lifetime.purchase_history import purchase_history
from training.evaluation.lifetime_value_metrics import lifetime_figures, normalised_gini, total_error
from training.fitting.lifetime_value import fit_lifetime_value
from training.labels.cohort import IN_COHORT
from training.labels.settings import Churn
from training.train import learn
from training.training_config import TrainingConfig

MONTHS = (1, 2, 24)
END = day(540)


def monthly(**settings: object) -> TrainingConfig:
    return replace(plan(**settings), value=ValueSettings(months=MONTHS))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def there() -> Shop:
    return shop(250, 540, seed=4)


@pytest.fixture(scope="module")
def folder(there: Shop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return there.store(tmp_path_factory.mktemp("lifetime") / "state").folder


@pytest.fixture(scope="module")
def learned(folder: Path) -> Bundle:
    return learn(EventStore(folder), monthly(), until=None)[0]


def test_the_total_is_near_that_of_the_known_rates(there: Shop, folder: Path, learned: Bundle) -> None:
    """Customers buy for ever at rates of their own: what a month brings is known but for chance."""
    store = EventStore(folder)
    assert learned.lifetime is not None
    assert learned.lifetime.horizons.evidence == ("normal", "normal", "low")
    assert learned.lifetime.learned is not None
    amounts = there.events.column("value").to_numpy()
    expected, known, inside = 0.0, 0.0, []
    for history in store.histories(until=END):
        found = score_customers(learned, history, END).lifetime
        assert found is not None
        numbers = [int(name[1:]) for name in store.customers.names(history.keys).to_pylist()]
        expected += float(found.value[:, 1].sum())
        known += float(there.rates[numbers].sum()) * 61 * float(amounts.mean())
        inside += [~np.isnan(found.low[:, 0])]
        assert (found.value[:, 2] > found.value[:, 1]).all()
    assert abs(expected / known - 1) < 0.15
    assert np.concatenate(inside).mean() > 0.5


def test_each_horizon_that_has_matured_is_judged_by_total_ranking_and_coverage(learned: Bundle) -> None:
    for months in (1, 2):
        name = f"lifetime/{months}_months"
        assert abs(learned.figures[f"{name}/total_error"]) < 0.25
        assert 0.4 < learned.figures[f"{name}/normalised_gini"] <= 1
        assert 0.7 < learned.figures[f"{name}/coverage"] < 0.95
        assert learned.figures[f"{name}/customers"] > 200
    assert not any("24_months" in name for name in learned.figures)


def subscriptions(folder: Path, customers: int = 500, before: float = 540.0) -> EventStore:
    """Contracts of 980 a month that end at one rate, of customers who never buy anything."""
    draw = np.random.default_rng(7)
    begins = draw.uniform(0.0, 500.0, customers)
    ends = begins + draw.exponential(250.0, customers)
    rows = [(f"c{n:04}", begin, "started", 980.0) for n, begin in enumerate(begins)]
    rows += [(f"c{n:04}", end, "cancelled", None) for n, end in enumerate(ends) if end < 540]
    rows = [row for row in rows if row[1] < before]
    table = pa.table(
        {
            "customer_id": [row[0] for row in rows],
            "occurred_at": pa.array([day(row[1]) for row in rows], pa.timestamp("us", "UTC")),
            "kind": [row[2] for row in rows],
            "value": pa.array([row[3] for row in rows], pa.float64()),
        }
    )
    folder.mkdir(parents=True)
    store = EventStore(folder)
    store.add(table, source="contracts", timeline=UTC, now=NOW)
    return EventStore(folder)


def test_contracts_that_begin_or_end_after_the_date_change_no_byte_of_it(tmp_path: Path) -> None:
    config, whole = monthly(type="contract"), subscriptions(tmp_path / "whole")
    known, _ = learn(whole, config, until=day(480))
    cut, _ = learn(subscriptions(tmp_path / "cut", before=480.0), config, until=None)
    assert known.lifetime is not None
    assert cut.lifetime is not None
    assert known.lifetime.churn is not None
    assert known.lifetime.to_json() == cut.lifetime.to_json()
    assert known.lifetime.learned == cut.lifetime.learned


def test_contracts_are_worth_what_they_cost_for_as_long_as_they_will_run(tmp_path: Path) -> None:
    store = subscriptions(tmp_path / "state")
    bundle, _ = learn(store, monthly(type="contract"), until=None)
    assert bundle.lifetime is not None
    assert bundle.lifetime.contract is not None
    values = []
    for history in store.histories(until=END):
        table = score_customers(bundle, history, END)
        assert table.lifetime is not None
        runs = table.status == IN_COHORT
        values.append(table.lifetime.value[runs, 1])
        assert np.isnan(table.lifetime.value[~runs]).all()
    known = 980 * 250 * (1 - np.exp(-61 / 250)) / (365 / 12)
    assert abs(np.concatenate(values).mean() / known - 1) < 0.1
    assert abs(bundle.figures["lifetime/2_months/total_error"]) < 0.15


def test_a_backtest_counts_what_contracts_bring_as_spend(tmp_path: Path) -> None:
    store, date = subscriptions(tmp_path / "state", 1_500), day(475)
    found = judged_backtest(store, monthly(type="contract"), date)
    month, two = found.lifetime[:2]
    days = (UTC.months_after(date, 1) - date) / DAY
    spent = found.table.column("spent_1_months").to_numpy()
    assert spent.max() == pytest.approx(980 * days / (365 / 12))
    assert (spent > 0).all(), "all of the cohort have a contract"
    assert month.spent == pytest.approx(spent.sum())
    assert two.total_error is not None
    assert abs(two.total_error) < 0.15


def test_values_do_not_contradict_the_churn_probability_and_keep_their_total(
    there: Shop, folder: Path, learned: Bundle
) -> None:
    lifetime = learned.lifetime
    assert lifetime is not None
    assert lifetime.churn is not None
    assert lifetime.churn.days == 20
    free = replace(learned, lifetime=replace(lifetime, churn=None))
    held, plain = [], []
    for history in EventStore(folder).histories(until=END):
        table, other = score_customers(learned, history, END), score_customers(free, history, END)
        assert table.lifetime is not None
        assert other.lifetime is not None
        inside = ~np.isnan(table.churn_probability)
        held.append(table.lifetime.value[inside])
        plain.append(other.lifetime.value[inside])
        assert np.array_equal(table.lifetime.value[~inside], other.lifetime.value[~inside], equal_nan=True)
    told, before = np.concatenate(held), np.concatenate(plain)
    assert np.allclose(told.sum(axis=0), before.sum(axis=0), rtol=1e-3)
    assert not np.allclose(told, before, rtol=0.05)


def test_nothing_is_held_where_leaving_is_no_end_of_what_is_valued(folder: Path, learned: Bundle) -> None:
    ahead, _ = learn(EventStore(folder), monthly(lead_days=5), until=None)
    assert ahead.lifetime is not None
    assert ahead.lifetime.churn is None


def test_what_lies_after_the_date_changes_no_byte(there: Shop, folder: Path, tmp_path: Path) -> None:
    until = day(480)
    whole, _ = learn(EventStore(folder), monthly(), until=until)
    cut, _ = learn(there.store(tmp_path / "cut", before=until, shuffled=2), monthly(), until=None)
    assert whole.lifetime is not None
    assert whole.files["lifetime.txt"] == cut.files["lifetime.txt"]
    assert cut.lifetime is not None
    assert whole.lifetime.to_json() == cut.lifetime.to_json()


def test_no_months_or_no_amounts_ask_for_none(folder: Path, learned: Bundle) -> None:
    store, config = EventStore(folder), monthly()
    extent = data_extent(store, None, learned.churn, UTC, config.indicators)
    asked = partial(purchase_history, store, learned.catalog, learned.churn, UTC, learned.priors, extent, END)
    assert asked((), None) is None
    nothing = replace(learned.churn, amounts=())
    assert (
        purchase_history(store, learned.catalog, nothing, UTC, learned.priors, extent, END, MONTHS, None)
        is None
    )


def test_features_of_past_dates_know_no_population_of_today(folder: Path, learned: Bundle) -> None:
    store, config = EventStore(folder), monthly()
    extent = data_extent(store, None, learned.churn, UTC, config.indicators)
    later = replace(learned.priors, numbers={name: 3.0 * one for name, one in learned.priors.numbers.items()})
    first, second = (
        purchase_history(store, learned.catalog, learned.churn, UTC, priors, extent, END, MONTHS, None)
        for priors in (learned.priors, later)
    )
    assert first is not None
    assert second is not None
    past = [date for date, rows in first.rows.items() if date != END and rows.featured.any()]
    assert past
    for date in past:
        np.testing.assert_array_equal(first.rows[date].matrix, second.rows[date].matrix)
    assert not np.array_equal(first.rows[END].matrix, second.rows[END].matrix, equal_nan=True)


def test_too_few_contracts_to_expect_anything_of_raise_no_other_value(tmp_path: Path) -> None:
    """A project of contracts in which nearly everybody only buys: 30 contracts are no population."""
    there, few = shop(300, 540, seed=4), [(f"c{n:04}", 5.0 + n, "started", 5_000.0) for n in range(30)]
    contracts = pa.table(
        {
            "customer_id": [row[0] for row in few],
            "occurred_at": pa.array([day(row[1]) for row in few], pa.timestamp("us", "UTC")),
            "kind": [row[2] for row in few],
            "value": [row[3] for row in few],
        }
    )
    store = there.store(tmp_path / "state")
    store.add(contracts, source="contracts", timeline=UTC, now=NOW)
    store = EventStore(store.folder)
    config = monthly(type="contract")
    churn = Churn.of(config.churn, config.indicators)
    extent = data_extent(store, None, churn, UTC, config.indicators)
    features = spending_catalog(catalog(indicators({}), FeatureSettings(), extent.kinds), churn)
    past = purchase_history(store, features, churn, UTC, Priors(), extent, END, MONTHS, None)
    assert past is not None
    with_contracts = fit_lifetime_value(past, END, MONTHS, config.models)
    plain = {date: replace(rows, contracts=np.zeros_like(rows.contracts)) for date, rows in past.rows.items()}
    without = fit_lifetime_value(replace(past, rows=plain), END, MONTHS, config.models)
    assert with_contracts is not None
    assert without is not None
    assert with_contracts.contract is None
    assert with_contracts.levels == without.levels
    assert with_contracts.intervals == without.intervals
    figures = lifetime_figures(past, config.models)
    assert {"lifetime/1_months/total_error", "lifetime/2_months/total_error"} <= {*figures}


@pytest.mark.parametrize("months", [(24, 12), (12, 12), (0,), (121,)])
def test_months_that_make_no_sense_are_refused(months: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="months"):
        ValueSettings(months=months)


def test_metrics_say_what_they_are_called() -> None:
    spent = np.array([0.0, 10.0, 90.0, -5.0])
    assert total_error(np.array([10.0, 20.0, 70.0, 14.0]), spent) == pytest.approx(114 / 95 - 1)
    assert normalised_gini(spent, spent) == 1.0
    assert normalised_gini(-spent, spent) < 0
    assert np.isnan(total_error(spent, np.zeros(4)))
