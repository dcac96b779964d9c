"""How the list would have worked: whom it reached, how early, and how steady it was."""

from __future__ import annotations

import numpy as np
import pytest

from features.timeline import DAY
from tests.training.trained import CHURN
from training.bundle.list_policy import default_order, on_list, value_at_risk
from training.evaluation.list_metrics import list_figures, of_order, purity_figures, quiet_days
from training.evaluation.metrics import HeldOutOutcomes, churn_metrics
from training.labels.settings import Churn


def outcomes(rows: list[tuple[int, int, bool]], contacts: int = 1) -> HeldOutOutcomes:
    """Rows of (customer, day of the as-of date, whether they left)."""
    customers, days, left = (np.array(column) for column in zip(*rows, strict=True))
    return HeldOutOutcomes(
        left.astype(bool), customers.astype(np.int64), days.astype(np.int64) * DAY, contacts
    )


def test_lead_time_runs_from_the_first_list_to_the_last_thing_a_leaver_did() -> None:
    # Ann is on the list of day 0 and day 10, last bought on day 8; Bob stays and is never listed.
    rows = [(0, 0, False), (1, 0, False), (0, 10, True), (1, 10, False)]
    figures = list_figures(np.array([0.9, 0.1, 0.8, 0.2]), outcomes(rows), np.array([3.0, 1.0, 2.0, 1.0]))
    assert figures["lead_days"] == pytest.approx(8.0)
    assert figures["leavers_reached"] == figures["leavers_reached_in_time"] == 1.0


def test_a_leaver_listed_after_the_last_thing_they_did_is_reached_too_late() -> None:
    rows = [(0, 0, False), (1, 0, False), (0, 10, True), (1, 10, False)]
    figures = list_figures(np.array([0.1, 0.9, 0.8, 0.2]), outcomes(rows), np.array([3.0, 1.0, 6.0, 1.0]))
    assert figures["lead_days"] == pytest.approx(-6.0)
    assert (figures["leavers_reached"], figures["leavers_reached_in_time"]) == (1.0, 0.0)


def test_a_leaver_who_never_stood_on_a_list_is_not_reached() -> None:
    rows = [(0, 0, True), (1, 0, False)]
    figures = list_figures(np.array([0.1, 0.9]), outcomes(rows), np.array([3.0, 1.0]))
    assert figures["leavers_reached"] == 0.0
    assert np.isnan(figures["lead_days"])


def test_stability_is_the_share_of_a_list_that_was_on_the_one_before() -> None:
    rows = [(who, day, False) for day in (0, 10, 20) for who in range(4)]
    p = np.array([0.9, 0.8, 0.1, 0.1, 0.9, 0.1, 0.8, 0.1, 0.9, 0.1, 0.8, 0.1])
    figures = list_figures(p, outcomes(rows, contacts=2), np.ones(12))
    assert figures["list_stability"] == pytest.approx(3 / 4)
    assert np.isnan(figures["leavers_reached"])


def test_the_intervals_hold_the_figures_and_narrow_with_more_customers() -> None:
    def width(customers: int) -> float:
        draw = np.random.default_rng(3)
        rows = [(who, day, bool(draw.random() < 0.3)) for day in (0, 10, 20) for who in range(customers)]
        figures = list_figures(
            draw.random(len(rows)), outcomes(rows, customers // 4), draw.exponential(8, len(rows)), seed=1
        )
        for name in ("leavers_reached", "leavers_reached_in_time", "lead_days", "list_stability"):
            assert figures[f"{name}_low"] <= figures[name] <= figures[f"{name}_high"]
        return figures["leavers_reached_high"] - figures["leavers_reached_low"]

    assert width(1_600) < width(100) * 0.5


def test_days_of_quiet_are_those_since_the_last_activity_that_counts() -> None:
    columns = ("purchase_count_30d", "purchase_days_since_last", "usage_days_since_last")
    matrix = np.array([[1.0, 5.0, 2.0], [1.0, np.nan, 7.0]])
    both = Churn.from_json(CHURN.to_json() | {"indicators": ["purchase", "usage"]})
    assert quiet_days(matrix, columns, both).tolist() == [2.0, 7.0]
    assert quiet_days(matrix[:1], columns, CHURN).tolist() == [5.0]
    contract = Churn.from_json(CHURN.to_json() | {"type": "contract"})
    assert quiet_days(matrix, columns, contract).tolist() == [0.0, 0.0]


def test_the_two_orders_of_the_list_have_metrics_of_their_own() -> None:
    # Ann is the likeliest to leave and spends little; Bob is less likely and spends much.
    rows = [(0, 0, True), (1, 0, False), (2, 0, False)]
    probability, value = np.array([0.9, 0.6, 0.1]), np.array([1.0, 100.0, 10.0])
    by_probability = purity_figures(probability, outcomes(rows))
    by_value = purity_figures(value_at_risk(probability, value), outcomes(rows))
    assert by_probability["precision_at_capacity"] == 1.0
    assert by_probability["lift_at_capacity"] == pytest.approx(3.0)
    assert by_value["precision_at_capacity"] == 0.0
    assert of_order("value_at_risk", by_value)["list_by_value_at_risk/precision_at_capacity"] == 0.0


def test_the_metrics_by_probability_are_those_of_the_model(rng: np.random.Generator) -> None:
    p = rng.random(400)
    rows = [(who // 2, who % 2, bool(left)) for who, left in enumerate(rng.random(400) < p)]
    model, purity = (
        churn_metrics(p, {}, outcomes(rows, 50), seed=3),
        purity_figures(p, outcomes(rows, 50), seed=3),
    )
    assert set(purity) < set(model)
    for name, value in purity.items():
        assert value == pytest.approx(model[name])


def test_where_there_are_amounts_the_list_is_by_value_at_risk_and_ties_keep_their_order() -> None:
    assert default_order(amounts=True) == "value_at_risk"
    assert default_order(amounts=False) == "churn_probability"
    measure, dates = np.array([2.0, 2.0, 5.0, np.nan, 1.0]), np.array([0, 0, 0, 1, 1])
    assert on_list(measure, dates, 2).tolist() == [True, False, True, True, True]
    assert on_list(measure, dates, 1).tolist() == [False, False, True, False, True]
