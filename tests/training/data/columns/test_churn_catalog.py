"""Which indicators have the columns of what decides churn."""

from __future__ import annotations

import pytest

from features.catalog.defaults import INDICATORS
from features.catalog.settings import FeatureSettings
from training.data.columns.churn_catalog import churn_catalog
from training.labels.settings import Churn, ChurnSettings

CONTRACT = Churn.of(ChurnSettings(type="contract", horizon_days=30), INDICATORS)
PURCHASE = Churn.of(ChurnSettings(type="inactivity", indicators=["purchase"], horizon_days=30), INDICATORS)


@pytest.mark.parametrize(
    ("churn", "kinds", "rhythms"),
    [
        (CONTRACT, {"started", "cancelled", "login", "purchase"}, {"usage"}),
        (CONTRACT, {"started", "cancelled", "purchase"}, set()),
        (PURCHASE, {"login", "purchase"}, {"purchase"}),
    ],
)
def test_what_decides_has_more_of_its_rhythm_and_use_has_it_where_contracts_decide(
    churn: Churn, kinds: set[str], rhythms: set[str]
) -> None:
    columns = churn_catalog(INDICATORS, FeatureSettings(), kinds, churn).columns
    assert {name.removesuffix("_alive") for name in columns if name.endswith("_alive")} == rhythms
