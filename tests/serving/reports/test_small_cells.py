"""A churn rate of few customers says how many they are and how sure it is, and is not shaded."""

from __future__ import annotations

import re

import pytest

from serving.reports.behaviour_attitude import FEWEST, shades_of, telling_rate
from serving.reports.rendering.html import _axes
from serving.schemas.report_responses import Cell


def cell(customers: int, rate: float | None) -> Cell:
    return Cell(
        tier="devoted",
        tier_words="devoted",
        attitude="promoter",
        attitude_words="promoter",
        words="active and recommending",
        customers=500,
        customers_at_start=customers,
        churn_rate=rate,
        churn_rate_low=None if rate is None else rate / 2,
        churn_rate_high=None if rate is None else min(rate * 2, 1.0),
        value_per_customer=None if rate is None else 12.0,
        value_low=None,
        value_high=None,
    )


@pytest.mark.parametrize(("customers", "shaded"), [(0, False), (FEWEST - 1, False), (FEWEST, True)])
def test_a_cell_is_shaded_by_the_rate_of_enough_customers_only(customers: int, shaded: bool) -> None:
    one = cell(customers, 0.312 if customers else None)
    html = _axes([one], lambda name: name, str)[-1]
    shade = re.search(r"rgba\(180,35,24,([0-9.]+)\)", html)
    assert shade is not None
    assert (float(shade[1]) > 0) is shaded
    assert (telling_rate(one) is not None) is shaded
    if customers:
        assert "31.2% (15.6% – 62.4%)" in html
        assert f"at_start {customers:,}" in html


def test_the_shades_are_those_of_the_cells_that_tell() -> None:
    rates = [telling_rate(one) for one in (cell(5, 0.9), cell(100, 0.1), cell(100, 0.3))]
    shades = shades_of([rate for rate in rates if rate is not None])
    assert shades is not None
    assert (shades(0.1), shades(0.3)) == (0, 4)
