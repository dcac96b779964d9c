"""How many items purchases had: counted where events say so, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.catalog.defaults import ITEMS, IndicatorSettings, catalog, indicators
from features.catalog.definitions import Catalog
from features.catalog.settings import FeatureSettings
from features.engine.snapshot import snapshot
from features.timeline import DAY, Timeline
from tests.reference import Event
from tests.worlds import START, at_least, history

COLUMNS = tuple(f"purchase_items_sum_{days}d" for days in (30, 90, 365))


def shop(*kinds: str, **settings: IndicatorSettings) -> Catalog:
    return catalog(indicators(settings), FeatureSettings.model_validate({}), kinds)


def test_items_are_added_up_where_there_are_some_and_all_else_stays() -> None:
    without, with_items = shop("purchase"), shop("purchase", ITEMS)
    assert tuple(name for name in with_items.columns if name not in without.columns) == COLUMNS
    assert tuple(name for name in with_items.columns if name in without.columns) == without.columns
    assert with_items.indicator_of(COLUMNS[0]) == "purchase"
    assert with_items.meaning(COLUMNS[0], "en") == "total number of items of purchases in the last 30 days"
    assert with_items.meaning(COLUMNS[0], "ja") == "直近30日の購入点数の合計"
    assert shop("visit", ITEMS).columns == shop("visit").columns


@pytest.mark.parametrize("name", ["stock", "purchase"])
def test_a_project_that_gives_the_kind_to_an_indicator_keeps_its_meaning(name: str) -> None:
    kinds = (ITEMS,) if name == "stock" else ("purchase", ITEMS)
    own = shop("purchase", ITEMS, **{name: IndicatorSettings.model_validate({"kinds": kinds})})
    assert all(ITEMS not in one.kinds or one.indicator == name for one in own.streams)
    assert "purchase_items" not in own.stream_of or own.stream_of["purchase_items"].amounts


def test_the_features_of_items_can_be_dropped_before_any_source_brings_them() -> None:
    dropped = FeatureSettings.model_validate({"drop": ["purchase_items_sum_*"]})
    for kinds in (("purchase",), ("purchase", ITEMS)):
        assert catalog(indicators({}), dropped, kinds).columns == shop("purchase").columns


@st.composite
def baskets(draw: st.DrawFn) -> list[Event]:
    """Purchases with their items, some learned of later."""
    events = []
    for number in range(draw(st.integers(0, 8))):
        customer, at = draw(st.integers(0, 2)), START + draw(st.integers(0, 400)) * DAY
        recorded = draw(st.one_of(st.none(), st.integers(0, 30).map(lambda n, at=at: at + n * DAY)))
        items = float(draw(st.integers(1, 60)))
        events += [
            Event(customer, at, "purchase", 20.0, recorded=recorded, event_id=f"p{number}"),
            Event(customer, at, ITEMS, items, recorded=recorded, event_id=f"i{number}"),
        ]
    return events


@given(baskets(), baskets(), st.integers(1, 420), st.randoms())
@at_least(100)
def test_items_of_later_change_nothing_and_one_customer_alone_has_the_same(
    happened: list[Event], later: list[Event], days: int, mixed: object
) -> None:
    as_of, declared = START + days * DAY, shop("purchase", ITEMS)
    future = [one for one in later if max(one.at, one.recorded or 0) >= as_of]
    shuffled = [*future, *happened]
    mixed.shuffle(shuffled)  # type: ignore[attr-defined]
    keys, dates = np.arange(3), np.full(3, as_of)
    places = [declared.columns.index(name) for name in COLUMNS]
    past = history(happened, with_customers=(0, 1, 2))
    matrix = snapshot(past, declared, Timeline(), keys, dates).matrix
    whole = history(shuffled, with_customers=(0, 1, 2))
    np.testing.assert_array_equal(snapshot(whole, declared, Timeline(), keys, dates).matrix, matrix)
    for key in range(3):
        alone = snapshot(past, declared, Timeline(), keys[key : key + 1], dates[:1]).matrix
        np.testing.assert_array_equal(alone[0], matrix[key])
        mine = [e for e in happened if e.customer == key and e.kind == ITEMS]
        known = [e for e in mine if e.at < as_of and (e.recorded is None or e.recorded < as_of)]
        sums = [sum(e.value or 0 for e in known if e.at >= as_of - n * DAY) for n in (30, 90, 365)]
        assert matrix[key, places].tolist() == sums
