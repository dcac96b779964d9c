"""The engagement index and its tiers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from features.catalog.defaults import catalog, indicators
from features.catalog.definitions import Catalog
from features.catalog.settings import FeatureSettings
from features.engine.snapshot import Snapshot
from features.timeline import Horizon
from tests.training.worlds import INACTIVITY
from training.bundle.tiers import TierScale, TierSettings, index_columns
from training.fitting.tiers import tier_scale

CHURN = replace(INACTIVITY, horizon=Horizon(30))
SHOP = catalog(indicators({}), FeatureSettings(windows=(30, 90)), ("purchase", "visit", "nps", "email_sent"))
DRAW = np.random.default_rng(2)


def rows(n: int = 500, of: Catalog = SHOP) -> Snapshot:
    matrix = np.full((n, len(of.columns)), np.nan)
    pace = DRAW.gamma(1.0, 3.0, n)
    for place, column in enumerate(of.columns):
        if column.endswith("days_since_last"):
            matrix[:, place] = DRAW.exponential(30 / (1 + pace))
        elif "_sum_" in column:
            matrix[:, place] = pace * DRAW.lognormal(2, 0.5, n)
        elif "_count_" in column or "_active_days_" in column or "_distinct_" in column:
            matrix[:, place] = DRAW.poisson(pace)
    return Snapshot(np.arange(n), np.zeros(n, int), of.columns, matrix)


SNAPSHOT = rows()
SCALE = tier_scale(TierSettings(), SNAPSHOT, SHOP, CHURN)


def changed(column: str, value: float) -> Snapshot:
    matrix = SNAPSHOT.matrix.copy()
    matrix[:, SHOP.columns.index(column)] = value
    return replace(SNAPSHOT, matrix=matrix)


def test_the_index_lies_between_0_and_100() -> None:
    index = SCALE.index(SNAPSHOT)
    assert (index >= 0).all()
    assert (index <= 100).all()
    silent = replace(SNAPSHOT, matrix=np.full_like(SNAPSHOT.matrix, np.nan))
    assert (SCALE.index(silent) == 0).all()
    assert (SCALE.tier(SCALE.index(silent)) == 0).all()


@pytest.mark.parametrize("column", ["purchase_active_days_30d", "usage_active_days_30d", "purchase_sum_30d"])
def test_more_engagement_never_lowers_the_index(column: str) -> None:
    few, many = SCALE.index(changed(column, 1.0)), SCALE.index(changed(column, 500.0))
    assert (many > few).all()


def test_a_longer_absence_lowers_the_index() -> None:
    near, far = (SCALE.index(changed("purchase_days_since_last", days)) for days in (0.5, 60.0))
    assert (far < near).all()


def test_frequency_breadth_recency_and_value_each_have_a_side() -> None:
    assert {part.side for part in SCALE.parts} == {"frequency", "breadth", "recency", "value"}


def test_what_customers_say_and_what_the_company_does_stay_apart() -> None:
    read = index_columns(SHOP, CHURN)
    assert not any(column.startswith(("survey", "campaign")) for column in read)
    for column in ("survey_count_30d", "campaign_count_30d"):
        assert (SCALE.index(changed(column, 99.0)) == SCALE.index(SNAPSHOT)).all()


def test_the_columns_the_index_reads_are_enough_for_it() -> None:
    read = index_columns(SHOP, CHURN)
    narrow = SNAPSHOT.matrix[:, [SHOP.columns.index(column) for column in read]]
    assert (SCALE.index(Snapshot(SNAPSHOT.keys, SNAPSHOT.as_of, read, narrow)) == SCALE.index(SNAPSHOT)).all()


def test_one_row_and_many_get_the_same_bits() -> None:
    index = SCALE.index(SNAPSHOT)
    for row in range(0, 500, 50):
        alone = Snapshot(SNAPSHOT.keys[:1], SNAPSHOT.as_of[:1], SHOP.columns, SNAPSHOT.matrix[row : row + 1])
        assert SCALE.index(alone)[0] == index[row]


def test_a_customer_at_a_cut_point_belongs_to_the_higher_tier() -> None:
    assert SCALE.tier(np.array(SCALE.cuts)).tolist() == [1, 2, 3, 4]


def test_a_scale_survives_json() -> None:
    assert TierScale.from_json(SCALE.to_json()) == SCALE


def test_tiers_need_names_of_their_own() -> None:
    with pytest.raises(ValueError, match="each tier needs a name of its own"):
        TierSettings(names=("a", "a"))
