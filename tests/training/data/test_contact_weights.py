"""Rows without contact, on small histories: who is left out, who counts how often, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from features.errors import DataError
from features.timeline import DAY, Horizon
from tests.training.worlds import INACTIVITY, day
from training.data.contact_weights import (
    ContactAssignments,
    calibrates,
    effective_size,
    effective_weights,
    representative_rows,
    without_contact,
)
from training.data.rows.labelled_rows import LabelledRows
from training.data.uncontacted_rows import require_enough

CHURN = replace(INACTIVITY, horizon=Horizon(20))


def rows(*pairs: tuple[int, int], churned: list[bool] | None = None) -> LabelledRows:
    """Rows of (customer, day)."""
    n = len(pairs)
    keys = np.array([key for key, _ in pairs], np.int64)
    return LabelledRows(
        keys, keys.astype(np.uint64), np.array([day(at) for _, at in pairs], np.int64), np.zeros((n, 1)),
        np.array(churned or [False] * n), np.zeros(n), np.zeros((n, 0)), ("x",), (),
    )  # fmt: skip


def campaign(
    number: int, start: int, end: int, treated: list[int], control: list[int], share: float
) -> ContactAssignments:
    keys = np.array([*treated, *control], np.int64)
    n = len(keys)
    return ContactAssignments(
        np.full(n, number), keys, np.full(n, day(start)), np.full(n, day(end)),
        np.isin(keys, treated), np.full(n, share),
    )  # fmt: skip


SPRING = campaign(0, 100, 130, [1, 2, 3], [4], 0.25)


def weights(found: LabelledRows) -> dict[tuple[int, int], float]:
    return {
        (int(key), int((at - day(0)) // DAY)): float(weight)
        for key, at, weight in zip(found.keys, found.as_of, found.weight_or_ones, strict=True)
    }


def test_treated_rows_are_left_out_and_control_rows_count_one_over_their_probability() -> None:
    found, weighting = without_contact(rows((1, 95), (2, 95), (4, 95), (9, 95)), SPRING, CHURN)
    assert weights(found) == {(4, 95): 4.0, (9, 95): 1.0}
    assert (weighting.left_out, weighting.control_rows, weighting.control_customers) == (2, 1, 1)
    assert (weighting.campaigns, weighting.rows) == (1, 2)


def test_a_campaign_concerns_rows_from_the_first_horizon_that_reaches_its_start_to_the_end_of_its_hold() -> (
    None
):
    dates = (80, 81, 100, 129, 130)
    found, _ = without_contact(rows(*((who, at) for who in (1, 4) for at in dates)), SPRING, CHURN)
    assert weights(found) == {
        (1, 80): 1.0, (1, 130): 1.0,
        (4, 80): 1.0, (4, 81): 4.0, (4, 100): 4.0, (4, 129): 4.0, (4, 130): 1.0,
    }  # fmt: skip


def test_a_contact_between_the_as_of_date_and_a_later_horizon_counts_too() -> None:
    ahead = replace(INACTIVITY, horizon=Horizon(20, 15))
    found, _ = without_contact(rows((1, 64), (1, 66), (1, 128)), SPRING, ahead)
    assert weights(found) == {(1, 64): 1.0}


def test_control_customers_of_several_campaigns_have_the_product_of_their_weights() -> None:
    summer = campaign(1, 110, 140, [4], [5, 1], 0.5)
    both = ContactAssignments.of([SPRING, summer])
    found, weighting = without_contact(rows((1, 95), (4, 85), (4, 95), (5, 95)), both, CHURN)
    assert weights(found) == {(4, 85): 4.0, (5, 95): 2.0}
    assert weighting.campaigns == 2


def test_weighted_control_rows_stand_for_everybody_who_was_assigned() -> None:
    draw = np.random.default_rng(3)
    keys = np.arange(20_000)
    left = draw.random(20_000) < 0.3
    treated = draw.random(20_000) >= 0.2
    kept = left & treated & (draw.random(20_000) < 0.7)
    half = keys < 10_000  # the others are in no campaign
    table = ContactAssignments(
        np.zeros(10_000, np.int64), keys[half], np.full(10_000, day(96)), np.full(10_000, day(120)),
        treated[half], np.full(10_000, 0.2),
    )  # fmt: skip
    whole = rows(*((int(key), 95) for key in keys), churned=list(left & ~(kept & half)))
    found, weighting = without_contact(whole, table, CHURN)
    assert abs(whole.churned.mean() - 0.3) > 0.07
    assert abs(np.average(found.churned, weights=found.weight) - 0.3) < 0.02
    assert abs(found.weight_or_ones.sum() - 20_000) < 600
    assert weighting.effective_rows < weighting.rows


def test_assignments_made_later_are_unknown() -> None:
    assert not len(SPRING.before(day(100)))
    assert len(SPRING.before(day(101))) == len(SPRING.before(None)) == 4


def test_no_campaign_leaves_every_row_with_weight_one() -> None:
    found, weighting = without_contact(rows((1, 95)), ContactAssignments.of([]), CHURN)
    assert weights(found) == {(1, 95): 1.0}
    assert weighting.left_out == weighting.campaigns == 0


def test_ten_observations_of_weight_ten_are_ten_observations() -> None:
    assert effective_size(np.full(10, 10.0)) == 10
    assert np.allclose(effective_weights(np.full(10, 10.0)), 1.0)
    assert effective_weights(np.array([1.0] * 90 + [10.0] * 10)).sum() == pytest.approx(190**2 / 1090)


@pytest.mark.parametrize(
    ("controls", "others", "alone"), [(400, 100, True), (400, 5_000, False), (100, 10, False)]
)
def test_control_customers_calibrate_alone_where_they_are_enough_and_most(
    controls: int, others: int, alone: bool
) -> None:
    n = controls + others
    every = rows(*((key, 95) for key in range(n)), churned=[key % 2 == 0 for key in range(n)])
    weighted = replace(every, weight=np.where(np.arange(n) < controls, 4.0, 1.0))
    chosen, on_controls = calibrates(weighted)
    assert on_controls is alone
    assert chosen.sum() == (controls if alone else n)


def test_too_few_control_customers_are_refused_with_a_way_out() -> None:
    found, weighting = without_contact(rows((1, 95), (4, 95), (9, 95)), SPRING, CHURN)
    with pytest.raises(DataError) as refused:
        require_enough(found, weighting)
    assert str(refused.value) == (
        'cannot learn the risk without contact ([churn] contacts = "without_contact"): 1 rows of treatment '
        "arms are left out, and 1 control customers would stand for them, where 50 are needed. Start "
        'campaigns with a larger --control, or write contacts = "as_they_were" in [churn].'
    )


def test_too_few_remaining_outcomes_are_refused() -> None:
    arms = campaign(0, 100, 130, list(range(100, 300)), list(range(60)), 0.25)
    pairs = [(key, 95) for key in [*range(60), *range(100, 300)]]
    left = [key < 3 or key >= 200 for key, _ in pairs]
    found, weighting = without_contact(rows(*pairs, churned=left), arms, CHURN)
    with pytest.raises(DataError, match="3 customers left and 57 stayed, where 25 of each are needed"):
        require_enough(found, weighting)


def test_charts_are_drawn_from_rows_that_stand_as_often_as_they_count() -> None:
    every = rows(*((key, 95) for key in range(100)))
    assert representative_rows(every).tolist() == list(range(100))
    weight = np.where(np.arange(100) < 10, 10.0, 1.0)
    drawn = representative_rows(replace(every, weight=weight))
    assert len(drawn) == 100
    assert 52 <= (drawn < 10).sum() <= 53  # 100 of 190
