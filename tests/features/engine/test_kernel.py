"""The kernel against the plain definitions, on generated histories and on cases people can read."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.catalog.aggregates import LEVEL
from features.catalog.defaults import catalog, indicators
from features.catalog.definitions import Catalog, Derived, Feature, Stream, family, level_key
from features.catalog.settings import FeatureSettings
from features.engine.snapshot import Priors, snapshot, snapshot_with_texts
from features.errors import ConfigurationError
from features.timeline import DAY, Timeline
from tests import reference
from tests.reference import Event
from tests.worlds import (
    ALL_KINDS,
    START,
    as_of_dates,
    at_least,
    customer_key,
    default_catalog,
    events,
    history,
    whole_vocabulary,
    world,
)

VOCABULARY = whole_vocabulary()
ZONES = ["UTC", "Asia/Tokyo", "Europe/Berlin", "America/Sao_Paulo"]


LEARNED = Priors(
    numbers={
        f"{name}.{stream}": number
        for stream in ("usage", "purchase", "tokyo")
        for name, number in {
            "gap_mean": 9.5, "gap_weight": 2.0, "mbg_r": 0.7, "mbg_alpha": 12.0, "mbg_a": 0.8, "mbg_b": 2.5,
        }.items()
    }
    | {
        level_key(f"{stream}_{LEVEL}{window}", detail): number
        for stream in ("usage", "purchase", "tokyo")
        for window in ("", "_7d")
        for detail, number in {"search": 0.25, "food": -1.5}.items()
    }
)  # fmt: skip
"""What a population might have taught about some of the streams, and of some details."""


def rows(happened: list[Event], declared: Catalog, keys: list[int], as_of: int, zone: str) -> np.ndarray:
    past, dates = history(happened), np.full(len(keys), as_of, dtype=np.int64)
    return snapshot(past, declared, Timeline(zone), np.array(keys), dates, LEARNED).matrix


def agree(record: Feature | Derived, got: float, expected: float, scale: float) -> bool:
    """Equal in every digit where that can be, else within 1e-9 of what entered the number."""
    if math.isnan(expected):
        return math.isnan(got)
    exact = isinstance(record, Feature) and record.aggregate in {"count", "sum", "mean", "min", "max", "last"}
    return got == expected or (not exact and abs(got - expected) <= 1e-9 * max(1.0, scale))


def matrix_of(happened: list[Event], declared: Catalog, dates: list[int]) -> np.ndarray:
    """Three customers' rows at these dates: float64[3, dates, features]."""
    keys, as_of = np.repeat(np.arange(3), len(dates)), np.tile(np.array(dates), 3)
    return snapshot(history(happened), declared, Timeline(), keys, as_of).matrix.reshape(3, len(dates), -1)


def all_agree(happened: list[Event], declared: Catalog, dates: list[int]) -> None:
    """Of three customers and these dates, every number is what the definitions say."""
    largest = max((abs(e.value) for e in happened if e.value is not None), default=1.0)
    for key, of_customer in enumerate(matrix_of(happened, declared, dates)):
        for date, row in zip(dates, of_customer, strict=True):
            said = reference.row(happened, declared, key, date, "UTC")
            for got, record in zip(row.tolist(), declared.features, strict=True):
                expected = said[record.name]
                assert isinstance(expected, float)
                assert agree(record, got, expected, largest * len(happened)), (record.name, key, date)


@given(events(), as_of_dates, st.sampled_from(ZONES))
@at_least(500)
def test_the_kernel_says_what_the_definitions_say(happened: list[Event], as_of: int, zone: str) -> None:
    past, keys = history(happened), [0, 1, 2]
    moments = np.full(3, as_of, dtype=np.int64)
    made, texts = snapshot_with_texts(past, VOCABULARY, Timeline(zone), np.array(keys), moments, LEARNED)
    matrix, details = made.matrix, {name: column.to_pylist() for name, column in texts.items()}
    largest = max((abs(e.value) for e in happened if e.value is not None), default=1.0)
    for row, key in enumerate(keys):
        said = reference.row(happened, VOCABULARY, key, as_of, zone, LEARNED.numbers)
        for got, record in zip(matrix[row].tolist(), VOCABULARY.features, strict=True):
            expected, name = said[record.name], record.name
            if name in details:
                assert details[name][row] == expected, (name, key)
            else:
                assert isinstance(expected, float)
                assert agree(record, got, expected, largest * len(happened)), (name, key)


AMOUNTS = {
    "tiny": [1e100, 3.0, -1e100, 0.1, -1e15, 0.1, 1e15, -2.0157e-255, -0.3, 5e-324],
    "what is taken back leaves a rest of digits": [-1.0, -(2.0**53), 2.0**53, 2.0**-60],
    "the window's own digits": [0.01, 1e15, -1e15, 0.0001],
    "parts that take turns": [2.0**60, -(2.0**-53), -(2.0**60), 2.0**60, 1.0, 2.0**-53, -(2.0**60), -1.0],
    "refunds": [1.0, 2.0**-53, 2.0**-53, 2.0**-104, -1.0 - 2.0**-52, -(2.0**-130)],
    "a half, and something behind it": [1.0, 2.0**-53, 2.0**-160, -(2.0**-300), 3.0],
    "a half": [1.0, 2.0**-53, 2.0**-1000, -(2.0**-1000), 2.0**-52],
    "none at the first date": [math.nan, math.nan, 1e100, 1.0],
    "more parts than a number has digits": [random.Random(n).random() * 8.0**n * 1e-20 for n in range(120)],
}


def sums_agree(amounts: list[float], dates: list[int]) -> None:
    """Of these amounts half a day apart, and of the same turned round: alone and beside other dates."""
    streams = (
        Stream("purchase", "purchase", ("purchase",), amounts=True),
        Stream("usage", "usage", ("visit",)),
    )
    families = (family(stream, "sum", "mean", over=(1, 2, 4, 9, None)) for stream in streams)
    declared = Catalog(indicators({}), streams, tuple(itertools.chain(*families)))
    happened = [
        Event(
            customer,
            START + n * DAY // 2,
            kind,
            None if math.isnan(value) else value,
            event_id=f"{customer}-{n:03}",
        )
        for customer, kind in enumerate(["purchase", "visit", "purchase"])
        for n, value in enumerate(amounts[::-1] if customer == 2 else amounts)
    ]
    all_agree(happened, declared, dates)
    batch = matrix_of(happened, declared, dates)
    alone = [matrix_of(happened, declared, [date]) for date in dates]
    assert batch.tobytes() == np.stack(alone, axis=1).tobytes()


@pytest.mark.parametrize("amounts", AMOUNTS.values(), ids=AMOUNTS)
def test_sums_are_of_the_exact_amounts_whatever_their_sizes(amounts: list[float]) -> None:
    sums_agree(amounts, [START + days * DAY for days in (0, 1, 2, 3, 4, 5, 6, 12, 80)])


SIZES = st.one_of(
    st.integers(-9_999, 9_999).map(lambda cents: cents / 100),
    st.builds(math.ldexp, st.integers(-5, 5).map(float), st.integers(-90, 90)),
    st.sampled_from([1e15, -1e15, 1e100, -1e100, 5e-324, -0.0, math.nan]),
)


@given(st.lists(SIZES, max_size=12), st.lists(st.integers(0, 8), min_size=1, max_size=5))
@at_least(200)
def test_sums_of_amounts_of_all_sizes_say_what_the_definitions_say(
    amounts: list[float], days: list[int]
) -> None:
    sums_agree(amounts, [START + n * DAY for n in days])


def test_a_least_of_zeros_does_not_depend_on_the_dates_beside() -> None:
    """There are two zeros; which of them is kept would depend on the order in which they were met."""
    happened = [Event(0, START + n * DAY, "purchase", zero) for n, zero in ((0, -0.0), (2, 0.0), (4, -0.0))]
    purchase = Stream("purchase", "purchase", ("purchase",), amounts=True)
    declared = Catalog(indicators({}), (purchase,), tuple(family(purchase, "min", "max", over=(3, None))))
    dates = [START + days * DAY for days in (1, 3, 5)]
    alone = [matrix_of(happened, declared, [date]) for date in dates]
    assert matrix_of(happened, declared, dates).tobytes() == np.stack(alone, axis=1).tobytes()


@given(events(), as_of_dates, events(most=10))
@at_least(500)
def test_events_of_the_future_change_no_byte(happened: list[Event], as_of: int, later: list[Event]) -> None:
    keys = [0, 1, 2]
    known = [replace(e, retracted=None) for e in happened if reference.in_history(e, as_of)]
    future = [
        Event(**{**vars(e), "event_id": f"f{e.event_id}"})
        for e in later
        if e.at >= as_of or (e.recorded is not None and e.recorded >= as_of)
    ]
    before = rows(known, VOCABULARY, keys, as_of, "Asia/Tokyo")
    # Retractions at or after the date, and events that were retracted before it, change no byte either.
    after = rows(happened + future, VOCABULARY, keys, as_of, "Asia/Tokyo")
    numbers = [n for n, name in enumerate(VOCABULARY.columns) if name not in VOCABULARY.detail_columns]
    assert before[:, numbers].tobytes() == after[:, numbers].tobytes()


@given(events(), st.lists(as_of_dates, min_size=1, max_size=9))
@at_least(500)
def test_a_row_alone_equals_its_row_in_a_batch(happened: list[Event], dates: list[int]) -> None:
    past = history(happened, with_customers=[0, 1, 2])
    keys, as_of = np.repeat(past.keys, len(dates)), np.tile(np.array(dates), past.customers)
    whole = snapshot(past, VOCABULARY, Timeline(), keys, as_of, LEARNED).matrix
    for row, (key, date) in enumerate(zip(keys, as_of, strict=True)):
        own = history([e for e in happened if e.customer == key])
        alone = snapshot(own, VOCABULARY, Timeline(), np.array([key]), np.array([date]), LEARNED).matrix
        numbers = [n for n, name in enumerate(VOCABULARY.columns) if name not in VOCABULARY.detail_columns]
        assert alone[0, numbers].tobytes() == whole[row, numbers].tobytes()


def test_more_dates_than_are_remembered_change_no_byte() -> None:
    """Dates of several customers that overlap, in no order, on the boundary of a window, too many to keep."""
    generator = np.random.default_rng(11)
    happened = [
        Event(int(c), int(t) * DAY, "purchase", float(v), event_id=str(n), detail=str(n % 7))
        for n, (c, t, v) in enumerate(
            zip(
                generator.integers(0, 40, 3_000),
                generator.integers(1, 900, 3_000),
                generator.normal(20, 30, 3_000),
                strict=True,
            )
        )
    ]
    past = history(happened)
    dates = generator.integers(100, 950, (past.customers, 30)) * DAY + generator.integers(0, 2, 30)
    dates[::2] = dates[0]
    keys = np.repeat(past.keys, 30)
    whole = snapshot(past, VOCABULARY, Timeline(), keys, dates.ravel(), LEARNED, threads=1).matrix
    alone = [
        snapshot(past, VOCABULARY, Timeline(), np.array([key]), np.array([date]), LEARNED).matrix
        for key, own in zip(past.keys, dates, strict=True)
        for date in own
    ]
    assert np.concatenate(alone).tobytes() == whole.tobytes()


@given(events(), st.lists(as_of_dates, min_size=1, max_size=6), st.booleans(), st.sampled_from([None, 1]))
@at_least(200)
def test_streams_that_choose_by_kind_alone_say_what_the_definitions_say(
    happened: list[Event], dates: list[int], many: bool, late: int | None
) -> None:
    kinds = tuple(f"visit_{n}" for n in range(8 if many else 1))
    happened = [
        replace(
            e,
            recorded=e.recorded if e.customer == late else None,
            retracted=e.retracted if e.customer == late else None,
            kind=kinds[n % len(kinds)] if e.kind == "visit" else e.kind,
        )
        for n, e in enumerate(happened)
    ]
    purchase = Stream("purchase", "purchase", ("purchase", "refund"), amounts=True)
    streams = (purchase, *(Stream(kind, "usage", (kind,)) for kind in kinds))
    asked = ("count", "active_days", "sum", "mean", "max", "distinct_detail", "gap_max")
    rows = [row for stream in streams for row in family(stream, *asked, over=(1, 7, 30, None))]
    declared = Catalog(indicators({}), streams, tuple(rows))
    all_agree(happened, declared, dates)


@given(
    events(),
    st.lists(as_of_dates, min_size=1, max_size=5),
    st.lists(st.integers(1, 400), max_size=9, unique=True).map(sorted),
    st.randoms(use_true_random=False),
)
@at_least(200)
def test_columns_of_any_windows_in_any_order_and_twice_say_what_the_definitions_say(
    happened: list[Event], dates: list[int], windows: list[int], chance: random.Random
) -> None:
    streams = (
        Stream("purchase", "purchase", ("purchase", "refund"), amounts=True),
        Stream("usage", "usage", ("visit", "feature_used")),
    )
    asked = ("count", "active_days", "sum", "mean", "min", "max", "days_since_first", "distinct_detail")
    rows = [
        feature
        for stream in streams
        for name in asked
        for feature in family(stream, name, over=(None,) if name.startswith("days") else (*windows, None))
        if chance.random() < 0.9
    ]
    if chance.random() < 0.5:
        chance.shuffle(rows)
    rows += [replace(feature, name=f"{feature.name}_again") for feature in rows if chance.random() < 0.2]
    declared = Catalog(indicators({}), streams, tuple(rows))
    all_agree(happened, declared, dates)


def test_hundreds_of_events_and_dates_in_no_order_say_what_the_definitions_say() -> None:
    generator = np.random.default_rng(5)
    happened = [
        Event(
            0,
            int(t) * DAY // 8,
            kind,
            round(float(v), 2),
            event_id=str(n),
            detail=f"d{d}" if d % 9 else None,
            channel=f"c{d % 3}",
        )
        for n, (t, kind, v, d) in enumerate(
            zip(
                generator.integers(1, 4_000, 700),
                generator.choice(["visit", "purchase", "refund"], 700, p=[0.5, 0.4, 0.1]),
                generator.normal(20, 30, 700),
                generator.integers(0, 300, 700),
                strict=True,
            )
        )
    ]
    dates = generator.permutation(12) * 50 * DAY
    matrix = snapshot(
        history(happened), VOCABULARY, Timeline(), np.zeros(12, np.int64), dates, LEARNED
    ).matrix
    for row, as_of in zip(matrix, dates.tolist(), strict=True):
        said = reference.row(happened, VOCABULARY, 0, as_of, "UTC", LEARNED.numbers)
        for got, record in zip(row.tolist(), VOCABULARY.features, strict=True):
            expected = said[record.name]
            if record.name not in VOCABULARY.detail_columns:
                assert isinstance(expected, float)
                assert agree(record, got, expected, 100.0), (record.name, as_of // DAY)


def test_the_number_of_threads_changes_no_byte() -> None:
    generator = np.random.default_rng(7)
    happened = [
        Event(int(c), int(t) * 1_000_000_000, "purchase", float(v), event_id=str(n))
        for n, (c, t, v) in enumerate(
            zip(
                generator.integers(0, 900, 9_000),
                generator.integers(0, 10**6, 9_000),
                generator.normal(20, 30, 9_000),
                strict=True,
            )
        )
    ]
    past = history(happened)
    keys, dates = np.repeat(past.keys, 9), np.tile(np.arange(9) * 10**14 + 10**14, past.customers)
    results = {
        snapshot(past, VOCABULARY, Timeline(), keys, dates, threads=n).matrix.tobytes() for n in (1, 2, 4)
    }
    assert len(keys) > 8_000
    assert len(results) == 1


Ask = Callable[..., dict[str, float]]


@pytest.fixture(params=["reference", "batch", "online"])
def ask(request: pytest.FixtureRequest) -> Ask:
    """Asks one feature of every customer, on each path that can produce it."""

    def answer(name: str, happened: list[Event], as_of: str, zone: str = "UTC") -> dict[int, float]:
        keys, instant = sorted({e.customer for e in happened}), Timeline(zone).instant(as_of)
        declared = default_catalog(windows=(1, 7, 30, 90, 365))
        if request.param == "reference":
            said = {k: reference.row(happened, declared, k, instant, zone)[name] for k in keys}
            return {k: v for k, v in said.items() if isinstance(v, float)}
        if request.param == "batch":
            column = rows(happened, declared, keys, instant, zone)[:, declared.columns.index(name)]
            return dict(zip(keys, column.tolist(), strict=True))
        return {
            k: float(
                rows([e for e in happened if e.customer == k], declared, [k], instant, zone)[
                    0, declared.columns.index(name)
                ]
            )
            for k in keys
        }

    def by_name(name: str, happened: list[Event], as_of: str, zone: str = "UTC") -> dict[str, float]:
        return {
            key.to_bytes(6, "big").strip(b"\0").decode(): number
            for key, number in answer(name, happened, as_of, zone).items()
        }

    return by_name


def test_active_days_count_a_day_once(ask: Ask) -> None:
    happened = world("""
        customer  when              kind
        ann       2024-05-01 09:00  visit
        ann       2024-05-01 21:00  visit
        ann       2024-05-20 10:00  visit
    """)
    assert ask("usage_active_days_30d", happened, "2024-05-31") == {"ann": 2}
    assert ask("usage_active_days_7d", happened, "2024-05-31") == {"ann": 0}


def test_a_window_holds_its_first_instant_and_not_the_as_of_date(ask: Ask) -> None:
    happened = world("""
        customer  when              kind
        ann       2024-05-24 00:00  visit
        ann       2024-05-31 00:00  visit
        bob       2024-05-23 23:59  visit
    """)
    assert ask("usage_count_7d", happened, "2024-05-31") == {"ann": 1, "bob": 0}


def test_an_event_counts_from_when_the_company_learned_of_it(ask: Ask) -> None:
    happened = world("""
        customer  when        kind   recorded
        ann       2024-05-01  visit  2024-05-10
    """)
    assert ask("usage_count_30d", happened, "2024-05-10") == {"ann": 0}
    assert ask("usage_count_30d", happened, "2024-05-11") == {"ann": 1}


def test_an_event_counts_until_its_retraction_is_known(ask: Ask) -> None:
    happened = world("""
        customer  when        kind   recorded    retracted
        ann       2024-05-01  visit  -           2024-05-10
        bob       2024-05-01  visit  2024-05-08  2024-05-10
        cem       2024-05-01  visit  2024-05-10  2024-05-10
    """)
    assert ask("usage_count_30d", happened, "2024-05-05") == {"ann": 1, "bob": 0, "cem": 0}
    assert ask("usage_count_30d", happened, "2024-05-10") == {"ann": 1, "bob": 1, "cem": 0}
    assert ask("usage_count_30d", happened, "2024-05-11") == {"ann": 0, "bob": 0, "cem": 0}


def test_a_refund_enters_sums_and_nothing_else(ask: Ask) -> None:
    happened = world("""
        customer  when        kind      value
        ann       2024-05-01  purchase  100
        ann       2024-05-02  refund    -40
        ann       2024-05-03  purchase  -10
    """)
    said = {
        name: ask(f"purchase_{name}", happened, "2024-05-31")["ann"]
        for name in (
            "sum_90d",
            "count_90d",
            "active_days_90d",
            "mean_90d",
            "days_since_last",
            "refund_count_90d",
        )
    }
    assert said == {
        "sum_90d": 50, "count_90d": 1, "active_days_90d": 1, "mean_90d": 100, "days_since_last": 30,
        "refund_count_90d": 1,
    }  # fmt: skip


def test_the_local_day_decides_active_days_over_daylight_saving(ask: Ask) -> None:
    # Berlin: 31 March 2024 has 23 hours; 00:30 and 23:30 local are one day, 22:30 UTC the day before is not.
    happened = world("""
        customer  when                       kind
        ann       2024-03-31T00:30:00+01:00  visit
        ann       2024-03-31T23:30:00+02:00  visit
        ann       2024-03-30T23:30:00+01:00  visit
        bob       2024-10-27T02:30:00+02:00  visit
        bob       2024-10-27T02:30:00+01:00  visit
    """)
    assert ask("usage_active_days_365d", happened, "2024-12-01", "Europe/Berlin") == {"ann": 2, "bob": 1}
    assert ask("usage_active_days_365d", happened, "2024-12-01", "UTC") == {"ann": 2, "bob": 1}


def test_a_leap_day_is_a_day(ask: Ask) -> None:
    happened = world("""
        customer  when        kind
        ann       2024-02-28  visit
        ann       2024-02-29  visit
        ann       2024-03-01  visit
    """)
    assert ask("usage_active_days_7d", happened, "2024-03-02") == {"ann": 3}
    assert ask("usage_days_since_first", happened, "2024-03-02") == {"ann": 3}


def test_days_since_are_fractions_of_86400_seconds(ask: Ask) -> None:
    happened = world("""
        customer  when              kind
        ann       2024-05-30 12:00  visit
    """)
    assert ask("usage_days_since_last", happened, "2024-05-31") == {"ann": 0.5}


def test_overdue_is_the_silence_in_multiples_of_the_usual_gap(ask: Ask) -> None:
    happened = world("""
        customer  when        kind
        ann       2024-05-01  visit
        ann       2024-05-03  visit
        ann       2024-05-07  visit
        bob       2024-05-07  visit
    """)
    said = ask("usage_overdue", happened, "2024-05-13")
    assert said["ann"] == 2.0
    assert math.isnan(said["bob"])


def test_a_customer_without_events_says_what_the_records_say() -> None:
    declared = default_catalog()
    row = rows([], declared, [42], 10**15, "UTC")[0]
    assert row.tobytes() == np.array([declared.empty(name) for name in declared.columns]).tobytes()
    assert row[declared.columns.index("purchase_count_30d")] == 0
    assert math.isnan(row[declared.columns.index("purchase_days_since_last")])


def test_a_million_events_of_one_customer_and_many_details_are_counted() -> None:
    n = 1_000_000
    past = history([Event(1, 10**15, "visit", detail="x")])
    many = type(past)(
        np.array([1]), np.array([0, n]), np.arange(n) * 1_000_000 + 10**15, past.recorded,
        np.zeros(n, dtype=np.int32), np.ones(n), past.channels[:0], past.places[:0],
        (np.arange(n) % 100_000).astype(np.int32), ("visit",), (), (), tuple(f"d{i}" for i in range(100_000)),
    )  # fmt: skip
    declared = whole_vocabulary()
    row = snapshot(many, declared, Timeline(), np.array([1]), np.array([10**15 + n * 1_000_000])).matrix[0]
    said = dict(zip(declared.columns, row.tolist(), strict=True))
    assert said["usage_count"] == n
    assert said["usage_sum"] == n
    assert said["usage_distinct_detail"] == 100_000
    assert said["usage_distinct_detail_1d"] == 86_400
    assert said["usage_gap_mean"] == pytest.approx(1 / 86_400)


def test_more_than_sixty_four_streams_are_no_limit() -> None:
    streams = tuple(Stream(f"s{n}", "usage", ("visit",), details=(f"d{n}",)) for n in range(200))
    declared = Catalog(
        indicators({}), streams, tuple(f for s in streams for f in family(s, "count", over=(7,)))
    )
    happened = [Event(1, 10**15 + n, "visit", detail=f"d{n % 200}", event_id=str(n)) for n in range(400)]
    assert (rows(happened, declared, [1], 10**15 + DAY, "UTC") == 2).all()


def test_the_default_families_follow_the_kinds_present() -> None:
    columns = default_catalog(["purchase"]).columns
    for days in (7, 30, 90, 365):
        assert f"purchase_count_{days}d" in columns
        assert f"purchase_active_days_{days}d" in columns
    assert "purchase_days_since_last" in columns
    assert not any(name.startswith(("usage", "survey")) for name in columns)
    assert "survey_nps_last" in default_catalog(["nps", "csat"]).columns
    assert len(default_catalog(ALL_KINDS).columns) == len(set(default_catalog(ALL_KINDS).columns))


def test_every_feature_has_a_meaning_and_a_unit_in_both_languages() -> None:
    declared = catalog(indicators({}), FeatureSettings(), ALL_KINDS)
    for language in ("en", "ja"):
        meanings = [declared.meaning(name, language) for name in declared.columns]
        assert all(meanings)
        assert not any("{" in text or "None" in text for text in meanings)
    assert declared.meaning("purchase_count_30d", "en") == "number of purchases in the last 30 days"
    assert declared.meaning("purchase_count_30d", "ja") == "直近30日の購買回数"


def test_a_catalogue_survives_being_written_down() -> None:
    assert Catalog.from_json(VOCABULARY.to_json()).to_json() == VOCABULARY.to_json()


def test_a_feature_that_needs_an_unknown_one_is_refused() -> None:
    stream = Stream("usage", "usage", ("visit",))
    with pytest.raises(
        ConfigurationError, match=r"^the feature 'x' needs 'usage_count_9d', which is not declared before it$"
    ):
        Catalog((), (stream,), (Derived("x", "ratio", "usage_count_9d", "usage_count_9d"),))


def test_customer_names_keep_their_keys() -> None:
    assert customer_key("ann") != customer_key("bob")
