"""The population as of each date is that of the customers known then, and a bundle keeps that of its last."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from features.catalog.defaults import Deciding, catalog, indicators
from features.catalog.settings import FeatureSettings
from features.engine.snapshot import Priors
from features.event_store import EventStore
from tests.training.simulated import UTC, shop
from tests.training.worlds import day
from training.data.columns.populations import MOST_CUSTOMERS, dated_numbers

CUSTOMERS = 300
SHOP = catalog(
    indicators({}),
    FeatureSettings(windows=(30, 90)),
    ("purchase",),
    horizon_days=30,
    deciding=Deciding(("purchase",), 90, 30),
)
DATES = (day(100), day(150), day(200))


def learned(
    store: EventStore, dates: tuple[int, ...] = DATES, customers: int = CUSTOMERS
) -> Mapping[int, Mapping[str, float]]:
    frozen = Priors(numbers={"gap_mean.purchase": 9.0, "mbg_r.purchase": 7.0})
    return dated_numbers(store, SHOP, UTC, dates, frozen, customers, None)


def test_each_date_has_a_population_of_its_own_which_nothing_later_changes(tmp_path: Path) -> None:
    there = shop(CUSTOMERS, 300)
    whole = learned(there.store(tmp_path / "whole"))
    assert len({tuple(sorted(numbers.items())) for numbers in whole.values()}) == len(DATES)
    assert {numbers["gap_mean.purchase"] for numbers in whole.values()} == {9.0}
    cut = learned(there.store(tmp_path / "cut", before=day(150)), DATES[:2])
    assert cut == {date: whole[date] for date in DATES[:2]}
    assert learned(there.store(tmp_path / "mixed", shuffled=3)) == whole


def test_a_date_with_too_few_customers_has_the_frozen_numbers(tmp_path: Path) -> None:
    store = shop(CUSTOMERS, 300).store(tmp_path / "state")
    assert learned(store, (day(0),))[day(0)] == {"gap_mean.purchase": 9.0, "mbg_r.purchase": 7.0}


def test_of_many_customers_a_sample_is_taken_that_does_not_depend_on_the_store(
    tmp_path: Path,
) -> None:
    there, many = shop(CUSTOMERS, 300), 2 * MOST_CUSTOMERS
    whole = learned(there.store(tmp_path / "whole"))
    some = learned(there.store(tmp_path / "whole"), customers=many)
    assert some != whole
    assert learned(there.store(tmp_path / "mixed", shuffled=3), customers=many) == some
