"""What would have been said on a past date."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from features.errors import DataError
from tests.training.simulated import NOW, UTC, plan, shop
from tests.training.worlds import day
from training.backtest import CHURNED, SCHEMA, backtest, judged_backtest
from training.bundle.lifetime.settings import ValueSettings
from training.labels.cohort import cohort
from training.labels.settings import Churn


def test_every_customer_of_the_cohort_has_a_row_and_nobody_else(tmp_path: Path) -> None:
    store = shop(150, 260).store(tmp_path / "state")
    table = backtest(store, plan(), day(230))
    churn = Churn.of(plan().churn, plan().indicators)
    keys = np.concatenate([cohort(history, churn, day(230)) for history in store.histories()])
    assert table.schema.names[: len(SCHEMA)] == SCHEMA.names
    assert table.column("customer_id").to_pylist() == sorted(store.customers.names(keys).to_pylist())
    probability = table.column("churn_probability").to_numpy()
    assert ((probability > 0) & (probability < 1)).all()
    assert set(table.column("tier").to_pylist()) <= set(plan().tiers.names)
    assert set(table.column("predicted_tier").to_pylist()) <= set(plan().tiers.names)
    assert (table.column("expected_value").to_numpy() > 0).all()


def test_what_came_later_changes_nothing(tmp_path: Path) -> None:
    there = shop(150, 260)
    whole = backtest(there.store(tmp_path / "whole"), plan(), day(220))
    cut = backtest(there.store(tmp_path / "cut", before=day(220)), plan(), day(220))
    assert whole.equals(cut)


def test_events_that_arrive_while_it_runs_change_nothing(tmp_path: Path) -> None:
    there = shop(150, 260)
    store = there.store(tmp_path / "state")
    late = shop(160, 260, seed=3).events.filter(pc.field("customer_id") >= "c0150")

    def ingest_meanwhile(step: str, _: float) -> None:
        if step == "looking back":
            store.add(late, source="late", timeline=UTC, now=NOW)

    table = backtest(store, plan(), day(220), ingest_meanwhile)
    assert store.events > len(there.events)
    assert max(table.column("customer_id").to_pylist()) < "c0150"


def test_without_amounts_the_expected_value_is_null(tmp_path: Path) -> None:
    store = shop(120, 160, amounts=False).store(tmp_path / "state")
    assert backtest(store, plan(), day(150)).column("expected_value").null_count > 0


def test_a_date_before_the_history_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there are no events before 2023-06-01"):
        backtest(shop(50, 100).store(tmp_path / "state"), plan(), day(-214))


def test_where_the_future_is_there_it_judges_the_scores_and_changes_none(tmp_path: Path) -> None:
    there = shop(150, 260)
    store = there.store(tmp_path / "state")
    found = judged_backtest(store, plan(), day(220))
    assert CHURNED in found.table.schema
    before = backtest(store, plan(), day(220))
    assert found.table.select(before.column_names).equals(before)
    when = there.events.column("occurred_at").cast("int64").to_numpy()
    later = there.events.filter(pa.array((when >= day(220)) & (when < day(240))))
    came = set(later.column("customer_id").to_pylist())
    rows = found.table.to_pylist()
    assert [row["churned"] for row in rows] == [row["customer_id"] not in came for row in rows]
    assert found.churners == sum(row["churned"] for row in rows)
    metrics = {one.name: one for one in found.metrics}
    for name in ("auc", "log_loss", "expected_calibration_error"):
        one = metrics[name]
        assert one.low <= one.high
    assert metrics["auc"].low < metrics["auc"].value < metrics["auc"].high
    assert found.calibration_noise > 0


def test_where_the_horizon_is_not_over_nobody_is_said_to_have_left(tmp_path: Path) -> None:
    store = shop(150, 260).store(tmp_path / "state")
    found = judged_backtest(store, plan(), day(250))
    assert found.table.column("churned").null_count == len(found.table)
    assert (found.churners, found.metrics) == (None, ())
    assert found.covered_until < found.decided == day(270)


def test_lifetime_value_stands_beside_what_was_spent_as_far_as_it_is_known(tmp_path: Path) -> None:
    there = shop(150, 300)
    store = there.store(tmp_path / "state")
    settings = replace(plan(), value=ValueSettings(months=(1, 2, 12)))
    found = judged_backtest(store, settings, day(230))
    assert [(one.months, one.spent is None) for one in found.lifetime] == [(1, False), (2, False), (12, True)]
    assert found.table.column("spent_12_months").null_count == len(found.table)
    events = there.events
    when = events.column("occurred_at").cast("int64").to_numpy()
    month = events.filter(pa.array((when >= day(230)) & (when < found.lifetime[0].decided)))
    by_customer = dict.fromkeys(found.table.column("customer_id").to_pylist(), 0.0)
    for row in month.select(["customer_id", "value"]).to_pylist():
        if row["customer_id"] in by_customer:
            by_customer[row["customer_id"]] += row["value"]
    spent = found.table.column("spent_1_months").to_pylist()
    assert spent == pytest.approx(list(by_customer.values()))
    one = found.lifetime[0]
    assert one.spent == pytest.approx(sum(spent))
    value, low, high = (
        found.table.column(f"lifetime_value_1_months{end}").to_numpy() for end in ("", "_low", "_high")
    )
    assert (low <= value).all()
    assert (value <= high).all()
    assert one.total_error == pytest.approx(value.sum() / sum(spent) - 1)
    assert one.coverage == pytest.approx(np.mean((np.array(spent) >= low) & (np.array(spent) <= high)))
    assert set(found.table.column("lifetime_value_12_months_evidence").to_pylist()) == {"low"}


def test_lifetime_value_of_a_past_date_knows_nothing_of_later_spend(tmp_path: Path) -> None:
    there, settings = shop(150, 300), replace(plan(), value=ValueSettings(months=(1, 12)))
    whole = backtest(there.store(tmp_path / "whole"), settings, day(230))
    cut = backtest(there.store(tmp_path / "cut", before=day(230)), settings, day(230))
    assert "lifetime_value_12_months_high" in whole.column_names
    assert whole.equals(cut)
