"""What contracts bring and how long they ran: by what each date knew, and by what came afterwards."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from features.catalog.defaults import indicators
from features.catalog.definitions import Indicator
from tests.training.worlds import CONTRACT, day, world
from training.data.lifetime.contract_spend import contract_durations, contract_spend, period_days

MONTH = 365.0 / 12
HISTORY = world(
    {
        1: [(0, "started", 1000.0), (30, "upgraded", 2000.0), (60, "cancelled", 2000.0)],
        2: [(20, "started", 500.0), (50, "renewed", None)],
        3: [(5, "started", None), (8, "purchase", 90.0)],
        4: [(0, "started", 300.0), (10, "cancelled", None), (40, "started", 400.0)],
    }
)
CHURN = replace(CONTRACT, contracts=replace(CONTRACT.contracts, changed_by=("upgraded",)))


def test_the_newest_amount_of_a_contract_counts_until_the_next_one_or_its_end() -> None:
    found = contract_spend(HISTORY, CHURN, day(10), day(90), MONTH) * MONTH
    assert found.tolist() == pytest.approx([20 * 1000 + 30 * 2000, 70 * 500, 0, 50 * 400])
    later = contract_spend(HISTORY, CHURN, day(60), day(61), MONTH) * MONTH
    assert later.tolist() == pytest.approx([0, 500, 0, 400])


def test_durations_know_nothing_of_what_came_after_their_date() -> None:
    everybody = np.ones(4, dtype=np.bool_)
    assert contract_durations(HISTORY, CHURN, everybody, day(45)).tolist() == [
        [45, 0], [25, 0], [40, 0], [10, 1], [5, 0],
    ]  # fmt: skip
    assert contract_durations(HISTORY, CHURN, everybody, day(61)).tolist()[0] == [60, 1]
    assert len(contract_durations(HISTORY, CHURN, np.arange(4) == 1, day(45))) == 1


def test_an_end_that_was_not_known_yet_ends_nothing() -> None:
    rows = {1: [(0, "started", 1000.0), (30, "cancelled", None)]}
    late = world(rows, recorded={(1, 1): 50})
    everybody = np.ones(1, dtype=np.bool_)
    assert contract_durations(late, CHURN, everybody, day(40)).tolist() == [[40, 0]]
    assert contract_durations(late, CHURN, everybody, day(51)).tolist() == [[30, 1]]
    gone = world(rows, retracted={(1, 1): 35})
    assert contract_durations(gone, CHURN, everybody, day(34)).tolist() == [[30, 1]]
    assert contract_durations(gone, CHURN, everybody, day(40)).tolist() == [[40, 0]]


def test_an_amount_pays_for_a_month_unless_the_project_says_a_year() -> None:
    assert period_days(indicators({}), CHURN) == pytest.approx(MONTH)
    yearly = Indicator("contract", ("started", "renewed", "cancelled"), amounts=True, per="year")
    assert period_days((yearly,), CHURN) == 365.0
