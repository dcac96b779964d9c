"""What single aggregates say, on cases that a person can check by hand, and on what may go wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest

from features.catalog.aggregates import AGGREGATES, CALENDAR, LEVEL
from features.catalog.defaults import indicators
from features.catalog.definitions import Catalog, Stream, family
from features.engine.kernel import OPERATIONS, silence
from features.engine.snapshot import Priors, snapshot
from features.timeline import DAY, Timeline
from tests import reference
from tests.reference import Event
from tests.worlds import customer_key, history, whole_vocabulary, world

USAGE = Stream("usage", "usage", ("visit",))
WEEKLY = """
    customer  when              kind
    ann       2024-05-06 01:00  visit
    ann       2024-05-13 07:30  visit
    ann       2024-05-20 12:00  visit
    ann       2024-06-01 23:59  visit
"""
MBG = {"mbg_r.usage": 0.7, "mbg_alpha.usage": 12.0, "mbg_a.usage": 0.8, "mbg_b.usage": 2.5}


def said(
    table: str,
    *aggregates: str,
    as_of: str = "2024-06-10",
    days: int | None = None,
    zone: str = "UTC",
    numbers: dict[str, float] | None = None,
) -> list[float]:
    """What each aggregate of the visits of ann says."""
    declared = Catalog(indicators({}), (USAGE,), tuple(family(USAGE, *aggregates, over=(days,))))
    instant = np.array([Timeline(zone).instant(as_of)])
    past, keys = history(world(table, zone)), np.array([customer_key("ann")])
    row = snapshot(past, declared, Timeline(zone), keys, instant, Priors(numbers=numbers or {})).matrix[0]
    return [float(number) for number in row]


def test_every_aggregate_has_a_place_in_the_kernel_or_reads_the_date_alone() -> None:
    of_events = {name for name, aggregate in AGGREGATES.items() if aggregate.span != "date"}
    assert {*OPERATIONS, LEVEL} == of_events


def test_gaps_of_a_window_lie_between_its_own_events() -> None:
    assert said(WEEKLY, "gap_mean", "gap_max", days=30) == pytest.approx([19.6866 / 2, 12.4993], abs=1e-3)
    assert all(math.isnan(gap) for gap in said(WEEKLY, "gap_mean", "gap_std", "gap_max", days=14))


def test_shares_follow_the_local_clock() -> None:
    parts = ("share_night", "share_morning", "share_afternoon", "share_evening")
    assert said(WEEKLY, *parts) == [0.25, 0.25, 0.25, 0.25]
    assert said(WEEKLY, "share_monday", "share_saturday", "share_weekend") == [0.75, 0.25, 0.25]


def test_on_the_day_the_clock_is_changed_six_o_clock_is_what_the_clock_says() -> None:
    # Berlin, 31 March 2024: 02:00 becomes 03:00, so 05:30 is four and a half hours after midnight.
    table = """
        customer  when              kind
        ann       2024-03-31 05:30  visit
        ann       2024-03-31 06:00  visit
        ann       2024-10-27 05:59  visit
        ann       2024-10-27 18:00  visit
    """
    parts = ("share_night", "share_morning", "share_afternoon", "share_evening")
    assert said(table, *parts, as_of="2024-12-01", zone="Europe/Berlin") == [0.5, 0.25, 0.0, 0.25]


def test_smoothed_overdue_leans_on_the_population_and_without_one_on_the_customer() -> None:
    numbers = {"gap_mean.usage": 10.0, "gap_weight.usage": 2.0}
    table = """
        customer  when        kind
        ann       2024-05-01  visit
        ann       2024-05-05  visit
    """
    # One gap of 4 days and two of 10: 8 days are usual, and 16 have passed.
    assert said(table, "overdue_smoothed", as_of="2024-05-21", numbers=numbers) == [2.0]
    assert said(table, "overdue_smoothed", as_of="2024-05-21") == said(table, "overdue", as_of="2024-05-21")
    once = "customer when kind\nann 2024-05-01 visit"
    assert said(once, "overdue_smoothed", as_of="2024-05-21", numbers=numbers) == [2.0]
    assert math.isnan(said(once, "overdue_smoothed", as_of="2024-05-21")[0])


def test_the_chance_of_silence_grows_with_silence_and_is_unknown_without_a_population() -> None:
    dates = ("2024-06-02", "2024-07-01", "2024-09-01", "2026-01-01")
    chances = [said(WEEKLY, "silence", as_of=date, days=30, numbers=MBG)[0] for date in dates]
    assert chances == sorted(chances)
    assert 0 < chances[0] < 0.6 < chances[-1] < 1
    assert math.isnan(said(WEEKLY, "silence", days=30)[0])
    assert math.isnan(said(WEEKLY, "silence", as_of="2024-05-01", days=30, numbers=MBG)[0])


def test_gaps_of_whole_history_are_the_first_the_last_the_shortest_and_the_usual() -> None:
    found = said(WEEKLY, "gap_first", "gap_last", "gap_min", "gap_geometric")
    assert found == pytest.approx(
        [7.2708, 12.4993, 7.1875, (8.2708 * 8.1875 * 13.4993) ** (1 / 3) - 1], abs=1e-3
    )
    once = "customer when kind\nann 2024-05-06 visit"
    assert all(map(math.isnan, said(once, "gap_first", "gap_last", "gap_min", "gap_geometric")))


def test_events_fade_and_half_of_the_time_since_the_first_is_young() -> None:
    table = """
        customer  when        kind
        ann       2024-05-01  visit
        ann       2024-05-11  visit
        ann       2024-05-21  visit
    """
    (faded,) = said(table, "decayed_count", as_of="2024-05-21 00:00:01", days=10)
    assert faded == pytest.approx(1 + math.exp(-1) + math.exp(-2), abs=1e-4)
    assert said(table, "decayed_count", as_of="2024-05-01", days=10) == [0.0]
    # Twenty days and a second: the younger half begins half a second after the second visit.
    assert said(table, "share_younger_half", as_of="2024-05-21 00:00:01") == [1 / 3]
    assert said(table, "share_younger_half", as_of="2024-05-21") == [1 / 2]
    assert said(table, "active_day_rate", as_of="2024-05-31") == [3 / 60]


def test_the_chance_of_being_alive_falls_with_silence_and_is_what_silence_for_ever_leaves() -> None:
    first, later = (
        said(WEEKLY, "alive", as_of=date, numbers=MBG)[0] for date in ("2024-06-02", "2024-07-10")
    )
    assert 0.0 < later < first < 1.0
    (silent,) = said(WEEKLY, "silence", as_of="2024-07-10", days=36_500, numbers=MBG)
    assert 1.0 - silent == pytest.approx(later, abs=0.01)
    assert math.isnan(said(WEEKLY, "alive")[0])


def test_numbers_of_each_date_give_the_bits_of_one_date_alone() -> None:
    past, timeline = history(world(WEEKLY)), Timeline("UTC")
    declared = Catalog(
        indicators({}),
        (USAGE,),
        tuple(family(USAGE, "alive", "overdue_smoothed")) + tuple(family(USAGE, "silence", over=(30,))),
    )
    dates = [timeline.instant(date) for date in ("2024-05-21", "2024-06-10", "2024-08-01")]
    gaps = {"gap_mean.usage": 9.0, "gap_weight.usage": 2.0}
    dated = {date: {**gaps, **MBG, "mbg_alpha.usage": 5.0 + n} for n, date in enumerate(dates)}
    keys = np.repeat(past.keys, len(dates))
    together = snapshot(past, declared, timeline, keys, np.array(dates), dated=dated).matrix
    for row, date in zip(together, dates, strict=True):
        alone = snapshot(past, declared, timeline, past.keys, np.array([date]), Priors(numbers=dated[date]))
        assert alone.matrix.tobytes() == row.tobytes()
    assert len({*together[:, 0].tolist()}) == 3


def test_the_chance_of_silence_over_nothing_is_certain_and_of_ever_more_days_falls() -> None:
    chances = silence(4.0, 60.0, 10.0, np.array([0.0, 1.0, 30.0, 1e6]), 0.7, 12.0, 0.8, 2.5)
    assert chances[0] == 1.0
    assert (np.diff(chances) < 0).all()
    alive = 1 / (1 + 0.8 / 5.5 * ((12 + 60) / (12 + 50)) ** 3.7)
    assert chances[-1] == pytest.approx(1 - alive, abs=1e-6)


def test_the_chance_of_silence_is_that_of_simulated_customers() -> None:
    rng, r, alpha, a, b, days = np.random.default_rng(3), 1.5, 20.0, 1.0, 4.0, 30.0
    people, after = 400_000, 100.0
    rate, stop = rng.gamma(r, 1 / alpha, people), rng.beta(a, b, people)
    alive, clock = rng.random(people) >= stop, np.zeros(people)
    again, last, later = np.zeros(people), np.zeros(people), np.zeros(people, dtype=bool)
    while alive.any():
        clock = np.where(alive, clock + rng.exponential(1 / rate), clock)
        before = alive & (clock < after)
        again, last = again + before, np.where(before, clock, last)
        later |= alive & (clock >= after) & (clock < after + days)
        alive &= (clock < after + days) & (rng.random(people) >= stop)
    said = silence(again + 1, np.full(people, after), after - last, days, r, alpha, a, b)
    for group in (again == 0, again == 1, again >= 4, (again > 1) & (last > 70), (again > 1) & (last < 30)):
        assert group.sum() > 2_000
        assert said[group].mean() == pytest.approx((~later[group]).mean(), abs=0.02)


def test_the_kernel_and_the_array_function_say_the_same_chance_bit_for_bit() -> None:
    rng = np.random.default_rng(5)
    days = np.sort(rng.integers(0, 300, 4_000))
    happened = [
        Event(int(c), int(d) * DAY + int(s) * 1_000_000, "visit", event_id=str(n))
        for n, (c, d, s) in enumerate(
            zip(rng.integers(0, 700, 4_000), days, rng.integers(0, 86_400, 4_000), strict=True)
        )
    ]
    past = history(happened)
    rows = [
        *family(USAGE, "active_days", "days_since_first", "days_since_last"),
        *family(USAGE, "silence", over=(45,)),
    ]
    declared, as_of = Catalog(indicators({}), (USAGE,), tuple(rows)), np.full(past.customers, 320 * DAY)
    matrix = snapshot(past, declared, Timeline(), past.keys, as_of, Priors(numbers=MBG)).matrix
    active, first, last, chance = (np.ascontiguousarray(column) for column in matrix.T)
    assert silence(active, first, last, 45.0, *MBG.values()).tobytes() == chance.tobytes()
    assert not np.isnan(chance).any()


def test_calendar_features_say_the_local_date_whoever_the_customer_is() -> None:
    calendar = Stream(CALENDAR, CALENDAR, ())
    declared = Catalog((), (calendar,), tuple(family(calendar, "month", "day", "weekday", "day_of_year")))
    as_of = np.array([Timeline("Asia/Tokyo").instant(d) for d in ("2024-02-29", "2024-12-31", "2024-02-29")])
    past = history([Event(1, DAY, "visit")])
    matrix = snapshot(past, declared, Timeline("Asia/Tokyo"), np.array([1, 1, 99]), as_of).matrix
    assert matrix.tolist() == [[2, 29, 4, 60], [12, 31, 2, 366], [2, 29, 4, 60]]
    nobody = snapshot(past, declared, Timeline("Asia/Tokyo"), past.keys[:0], as_of[:0]).matrix
    assert nobody.shape == (0, 4)


def test_a_customer_of_one_instant_has_no_rhythm() -> None:
    table = """
        customer  when              kind
        ann       2024-05-01 09:00  visit
        ann       2024-05-01 09:00  visit
        ann       2024-05-01 09:00  visit
    """
    gap_mean, gap_std, gap_max, overdue = said(table, "gap_mean", "gap_std", "gap_max", "overdue")
    assert (gap_mean, gap_std, gap_max) == (0, 0, 0)
    assert math.isnan(overdue)


def test_huge_tiny_and_negative_amounts_are_counted_as_they_are() -> None:
    values = (1e300, -1e300, 5e-324, -0.0, 1e15, 0.1)
    happened = [Event(1, n * DAY, "visit", value, event_id=str(n)) for n, value in enumerate(values)]
    aggregates = ("sum", "mean", "min", "max", "last", "count")
    declared = Catalog((), (USAGE,), tuple(family(USAGE, *aggregates)))
    row = snapshot(history(happened), declared, Timeline(), np.array([1]), np.array([9 * DAY])).matrix[0]
    total = math.fsum(values)
    assert row.tolist() == [total, total / 6, -1e300, 1e300, 0.1, 6.0]


def test_a_sum_owes_nothing_to_what_lies_before_its_window() -> None:
    """Nothing is left of what was returned in another order, nor of amounts that dwarf the window's own."""
    purchase = Stream("purchase", "purchase", ("purchase", "refund"), amounts=True)
    declared = Catalog((), (purchase,), tuple(family(purchase, "sum", "mean", over=(10, 100))))

    def sums(*values: float) -> list[float]:
        days = [*range(90, 90 - len(values) + 2, -1), 2, 1]
        happened = [
            Event(1, (100 - day) * DAY, "refund" if value < 0 else "purchase", value, event_id=str(day))
            for day, value in zip(days, values, strict=True)
        ]
        past = history(happened)
        matrix = snapshot(past, declared, Timeline(), past.keys, np.array([100 * DAY])).matrix
        said = dict(zip(declared.columns, matrix[0].tolist(), strict=True))
        return [said[f"purchase_{name}"] for name in ("sum_10d", "mean_10d", "sum_100d")]

    assert sums(0.1, 0.2, 0.3, -0.3, -0.1, -0.2) == [-0.1 - 0.2, pytest.approx(math.nan, nan_ok=True), 0.0]
    assert sums(19.99, 1e15, -1e15, 0.01, 5.5, -5.5) == [0.0, 5.5, 20.0]
    assert sums(1e100, 1e100, -1e100, 3.0, 7.0) == [10.0, 5.0, 1e100]


def test_a_history_without_values_channels_places_and_details_says_what_the_records_say() -> None:
    bare = [Event(1, n * DAY, "visit", event_id=str(n)) for n in range(3)]
    past = history(bare)
    none = type(past)(
        past.keys, past.offsets, past.instants, past.recorded, past.kinds, past.values[:0],
        past.channels[:0], past.places[:0], past.details[:0], past.kind_names,
    )  # fmt: skip
    declared = whole_vocabulary()
    keys, as_of = np.array([1]), np.array([4 * DAY])
    row = snapshot(none, declared, Timeline(), keys, as_of).matrix[0]
    expected = reference.row(bare, declared, 1, 4 * DAY, "UTC")
    for name, number in zip(declared.columns, row.tolist(), strict=True):
        wanted = math.nan if expected[name] is None else expected[name]
        assert number == pytest.approx(wanted, nan_ok=True), name
