"""What is known of each value of an attribute at a date comes from labels that were decided before it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.catalog.defaults import Deciding, catalog, indicators
from features.catalog.definitions import level_key
from features.catalog.settings import FeatureSettings
from features.engine.snapshot import Priors, snapshot
from features.event_store import EventStore
from features.timeline import DAY
from tests.reference import Event, in_history
from tests.training.simulated import UTC, shop_with_regions
from tests.training.worlds import INACTIVITY, day
from tests.worlds import at_least, history
from training.data.columns.level_counts import (
    HELD,
    LEAST_CUSTOMERS,
    MOST_CUSTOMERS,
    NO_LEVELS,
    LevelCounter,
    LevelCounts,
    level_counts,
    levels_alone,
)
from training.data.columns.populations import dated_numbers

DATES = tuple(day(n) for n in range(20, 61, 5))
CHURN = INACTIVITY
COLUMN = "profile_region_detail_log_odds"
KNOWN = catalog(
    indicators({}),
    FeatureSettings(windows=(7, 30)),
    ("purchase", "attribute.region"),
    deciding=Deciding(("purchase",), CHURN.active_days, CHURN.horizon.days),
)
CUSTOMERS = 16

moments = st.integers(0, 69).map(lambda n: n + 0.5)
learned_later = st.one_of(st.none(), st.integers(0, 30).map(float))


@st.composite
def happened(draw: st.DrawFn) -> Event:
    """A purchase, or a value of the region; perhaps learned of later, perhaps retracted since."""
    at = draw(moments)
    kind = draw(st.sampled_from(["purchase", "purchase", "purchase", "attribute.region"]))
    recorded, retracted = (draw(learned_later) for _ in range(2))
    return Event(
        draw(st.integers(0, CUSTOMERS - 1)),
        day(at),
        kind,
        5.0 if kind == "purchase" else None,
        detail=draw(st.sampled_from(["north", "south", None])) if kind != "purchase" else None,
        recorded=None if recorded is None else day(at + recorded),
        retracted=None if retracted is None else day(at + 1 + retracted),
    )


def of_each_region() -> list[Event]:
    """Everybody has a region from the first day on, and buys once."""
    events = [
        Event(n, day(0), "attribute.region", detail="north" if n % 2 else "south") for n in range(CUSTOMERS)
    ]
    return [*events, *(Event(n, day(10), "purchase", 5.0) for n in range(CUSTOMERS))]


def counted(events: list[Event], dates: tuple[int, ...] = DATES) -> LevelCounts:
    counter = LevelCounter(None, levels_alone(KNOWN), CHURN, UTC, dates, 1.0)
    counter.add(history(events))
    return counter.counted()


def plainly(events: list[Event], date: int) -> Mapping[str, float]:
    """The definition, customer by customer."""
    share = 5 / 10
    there: dict[str, list[float]] = {}
    rates: list[tuple[float, float, float]] = []
    rows: list[tuple[str | None, float, int, bool]] = []
    most: dict[str, int] = {}
    for place, one in enumerate(DATES):
        end = one + CHURN.horizon.days * DAY
        if end > date:
            continue
        cohort = []
        for customer in range(CUSTOMERS):
            mine = sorted(
                (e for e in events if e.customer == customer), key=lambda e: (e.at, e.event_id, e.kind)
            )
            bought = [e.at for e in mine if e.kind == "purchase" and in_history(e, one)]
            if not any(at >= one - CHURN.active_days * DAY for at in bought):
                continue
            again = [e for e in mine if e.kind == "purchase" and one <= e.at < end and in_history(e, end)]
            values = [e.detail for e in mine if e.kind == "attribute.region" and in_history(e, one)]
            cohort.append((values[-1] if values else None, not again))
        weight = 1.0 if place == 0 else share
        rates.append((weight, len(cohort), sum(gone for _, gone in cohort)))
        rows += [(level, weight, place, gone) for level, gone in cohort]
        for region in {region for region, _ in cohort if region}:
            most[region] = max(most.get(region, 0), sum(of == region for of, _ in cohort))
    everybody = sum(weight * n for weight, n, _ in rates)
    base = sum(weight * left for weight, _, left in rates) / everybody if everybody else 0.0
    if not 0.0 < base < 1.0:
        return {}
    for level, weight, of_date, gone in rows:
        if level is not None and most[level] >= LEAST_CUSTOMERS:
            _, n, left = rates[of_date]
            sums = there.setdefault(level, [HELD, HELD * base, HELD * base])
            sums[0] += weight
            sums[1] += weight * gone
            sums[2] += weight * left / n
    return {
        level_key(COLUMN, level): math.log(seen / (held - seen)) - math.log(due / (held - due))
        for level, (held, seen, due) in there.items()
    }


@given(st.lists(happened(), max_size=60), st.sampled_from([30, 43, 60, 75]))
@at_least(100)
def test_a_level_is_what_its_customers_did_against_all_others_of_the_same_dates(
    more: list[Event], at: int
) -> None:
    events = [*of_each_region(), *more]
    assert counted(events).numbers(day(at)) == pytest.approx(plainly(events, day(at)), abs=1e-5)


@given(st.lists(happened(), max_size=60), st.lists(happened(), max_size=20), st.sampled_from([35, 50]))
@at_least(100)
def test_what_is_known_later_changes_no_level_of_a_date(
    more: list[Event], later: list[Event], at: int
) -> None:
    date = day(at)
    known = [*of_each_region(), *more]
    future = [one for one in later if one.at >= date or (one.recorded or 0) >= date]
    unretracted = [
        replace(one, retracted=None) if (one.retracted or 0) >= date else one for one in (*known, *future)
    ]
    assert counted([*known, *future]).numbers(date) == counted(known).numbers(date)
    assert counted(unretracted).numbers(date) == counted(known).numbers(date)


def test_a_rare_level_and_a_date_before_all_labels_have_no_number() -> None:
    rare = [Event(0, day(1), "attribute.region", detail="island")]
    events = [*of_each_region(), *rare, *(Event(n, day(25), "purchase", 5.0) for n in range(4, 9))]
    levels = counted(events)
    assert levels.numbers(day(29)) == {}
    assert [*levels.numbers(day(60))] == [level_key(COLUMN, level) for level in ("north", "south")]


def test_rows_read_the_level_of_their_own_date_and_nothing_is_known_of_a_new_one() -> None:
    events = [
        Event(0, day(1), "attribute.region", detail="north"),
        Event(1, day(1), "attribute.region", detail="moon"),
        Event(2, day(1), "purchase", 5.0),
    ]
    keys = np.array([0, 0, 1, 2])
    as_of = np.array([day(30), day(40), day(40), day(40)])
    dated = {day(30): {level_key(COLUMN, "north"): 0.5}, day(40): {level_key(COLUMN, "north"): -0.25}}
    part, past = levels_alone(KNOWN), history(events)
    read = snapshot(past, part, UTC, keys, as_of, Priors(), dated=dated).matrix[:, 0]
    np.testing.assert_array_equal(read, [0.5, -0.25, 0.0, np.nan])
    for place in range(len(keys)):
        priors = Priors(numbers=dated[int(as_of[place])])
        alone = snapshot(past, part, UTC, keys[place : place + 1], as_of[place : place + 1], priors).matrix
        np.testing.assert_array_equal(alone[0, 0], read[place])


def test_the_store_s_order_changes_nothing_and_the_frozen_levels_are_of_no_date(tmp_path: Path) -> None:
    there = shop_with_regions()
    dates = tuple(day(n) for n in range(40, 200, 10))

    def numbers(store: EventStore, until: int | None = None) -> dict[int, Mapping[str, float]]:
        matured = [date for date in dates if until is None or CHURN.horizon.end(date) <= until]
        levels = level_counts(store, KNOWN, CHURN, UTC, matured, 300, until)
        frozen = Priors(numbers={level_key(COLUMN, "north"): 9.0})
        return dated_numbers(store, levels_alone(KNOWN), UTC, (day(60), day(150)), frozen, 300, until, levels)

    whole = numbers(there.store(tmp_path / "whole"))
    assert whole[day(60)] != whole[day(150)]
    assert {*whole[day(150)]} == {level_key(COLUMN, level) for level in ("north", "south")}
    assert numbers(there.store(tmp_path / "mixed", shuffled=3)) == whole
    assert numbers(there.store(tmp_path / "cut", before=day(150)), day(150)) == whole
    many = level_counts(there.store(tmp_path / "whole"), KNOWN, CHURN, UTC, dates, 2 * MOST_CUSTOMERS, None)
    assert 0 < many.cohort[0, 0] < 300


def test_without_attributes_nothing_is_counted(tmp_path: Path) -> None:
    plain = replace(KNOWN, features=tuple(f for f in KNOWN.features if f.name not in KNOWN.level_columns))
    store = shop_with_regions().store(tmp_path / "state")
    assert level_counts(store, plain, CHURN, UTC, DATES, 300, None) is NO_LEVELS
    frozen = Priors(numbers={"gap_mean.purchase": 9.0})
    assert (
        dated_numbers(store, levels_alone(plain), UTC, DATES, frozen, 300, None)[DATES[0]] == frozen.numbers
    )
