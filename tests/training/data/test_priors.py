"""What a population teaches comes from before the first date that uses it, in whatever order it is read."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from features.catalog.defaults import catalog, indicators
from features.catalog.settings import FeatureSettings
from tests.training.simulated import UTC, shop
from tests.training.worlds import day
from training.data.priors import WEIGHTS, learn_priors

SHOP = catalog(indicators({}), FeatureSettings(windows=(30, 90)), ("purchase",), horizon_days=30)


def test_every_number_that_the_features_read_is_learned(tmp_path: Path) -> None:
    there = shop(400, 300)
    found = learn_priors(there.store(tmp_path / "state"), SHOP, UTC, day(200)).numbers
    assert set(found) == set(SHOP.learned)
    assert all(value > 0 for value in found.values())
    assert WEIGHTS[0] <= found["gap_weight.purchase"] <= WEIGHTS[1]
    rate = found["mbg_r.purchase"] / found["mbg_alpha.purchase"]
    assert abs(rate / there.rates.mean() - 1) < 0.25
    assert found["mbg_a.purchase"] / (found["mbg_a.purchase"] + found["mbg_b.purchase"]) < 0.05


def test_what_comes_later_and_the_order_of_ingestion_teach_nothing(tmp_path: Path) -> None:
    there = shop(200, 300)
    stores = (
        there.store(tmp_path / "whole"),
        there.store(tmp_path / "cut", before=day(150)),
        there.store(tmp_path / "mixed", shuffled=3),
    )
    first, *others = (learn_priors(store, SHOP, UTC, day(150)) for store in stores)
    assert first.code_book["purchase_last_detail"]
    for other in others:
        assert other == first


def test_too_little_to_learn_from_leaves_the_numbers_out(tmp_path: Path) -> None:
    few = shop(10, 60).store(tmp_path / "state")
    assert not any(name.startswith("mbg_") for name in learn_priors(few, SHOP, UTC, day(30)).numbers)
    assert learn_priors(few, SHOP, UTC, day(0), until=day(0)).numbers == {}


def test_the_usual_gap_is_the_mean_of_the_customers_own(tmp_path: Path) -> None:
    store = shop(300, 300).store(tmp_path / "state")
    found = learn_priors(store, SHOP, UTC, day(300)).numbers["gap_mean.purchase"]
    gaps = []
    for history in store.histories():
        for low, high in zip(history.offsets, history.offsets[1:], strict=False):
            if high - low > 1:
                gaps.append(
                    (history.instants[high - 1] - history.instants[low]) / 86_400e6 / (high - low - 1)
                )
    assert abs(found / np.mean(gaps) - 1) < 0.01
