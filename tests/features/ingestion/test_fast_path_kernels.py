"""Moments read in one pass are what Python reads; what it would refuse or read otherwise is left to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.ingestion.fast_path_kernels import IN_ORDER, INVALID, OUT_OF_ORDER, check_rows, parse_timestamps
from features.timeline import to_instant
from tests.reference import checked

OFFSETS = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))
FIRST, LAST = datetime.fromisoformat("1970-01-01"), datetime.fromisoformat("2100-12-31")
MOMENTS = st.datetimes(FIRST, LAST, timezones=OFFSETS)


def read(texts: list[str]) -> list[int] | None:
    instants = np.empty(len(texts), np.int64)
    lines = np.frombuffer("\n".join(texts).encode("utf-8", "replace"), np.uint8)
    return instants.tolist() if parse_timestamps(lines, instants) else None


@given(st.lists(MOMENTS, min_size=1, max_size=5), st.sampled_from("T "))
def test_plain_moments_are_read_as_python_reads_them(given: list[datetime], between: str) -> None:
    texts = [moment.isoformat(between) for moment in given]
    assert read(texts) == [to_instant(moment) for moment in given]
    at_utc = [moment.astimezone(UTC).isoformat(between).replace("+00:00", "Z") for moment in given]
    assert read(at_utc) in ([to_instant(moment) for moment in given], None)  # 1969 or 2101 in UTC


@given(MOMENTS.map(datetime.isoformat), st.integers(0, 40), st.characters(), st.booleans())
def test_what_is_read_python_reads_alike(text: str, at: int, character: str, instead: bool) -> None:
    changed = text[:at] + character + text[at + instead :]
    instants = read([changed])
    if instants is not None:
        moment = datetime.fromisoformat(changed)
        assert moment.tzinfo is not None
        assert instants == [to_instant(moment)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2024-02-30T00:00:00Z",
        "2023-02-29T00:00:00Z",
        "2024-01-01",
        "2024-01-01T00:00:00",
        "2024-01-01T24:00:00Z",
        "2024-01-01T00:00:60Z",
        "2024-01-01T00:00:00.Z",
        "2024-01-01T00:00:00.1234567Z",
        "2024-01-01T00:00:00+24:00",
        "2024-01-01T00:00:00+0900",
        "1969-12-31T23:59:59Z",
        "20240101T000000Z",
        "2024-01-01T00:00:00Z\n2024-01-01T00:00:00Z",
        "2024-01-01T00:00:00Zz",
        "２０２４-01-01T00:00:00Z",
    ],
)
def test_anything_else_is_left_to_python(text: str) -> None:
    plain = "2024-02-29T00:00:00Z"
    assert read([plain, plain]) is not None
    assert read([text]) is None
    assert read([plain, text]) is None
    assert read([text, plain]) is None


def test_rows_are_invalid_in_order_or_out_of_order() -> None:
    def found(keys: list[int], instants: list[int], values: list[float], kinds: list[int]) -> int:
        arrays = np.array(keys), np.array(instants), np.array(values), np.array(kinds, np.int32)
        return int(check_rows(*arrays, 1, 0, 100, 1e6))

    nan = float("nan")
    assert found([], [], [], []) == IN_ORDER
    assert found([0, 0, 1], [5, 6, 5], [nan, 1.0, -1.0], [0, 0, 1]) == IN_ORDER
    assert found([0, 0], [5, 5], [1.0, 1.0], [0, 0]) == OUT_OF_ORDER
    assert found([1, 0], [5, 6], [1.0, 1.0], [0, 0]) == OUT_OF_ORDER
    for instants, values, kinds in (
        ([-1], [1.0], [0]),
        ([101], [1.0], [0]),
        ([5], [2e6], [0]),
        ([5], [1.0], [1]),
    ):
        assert found([0], instants, values, kinds) == INVALID


ROWS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.integers(-1, 11),
        st.sampled_from([1.0, -1.0, 0.0, float("nan"), 99.0]),
        st.integers(0, 2),
    ),
    max_size=4,
)


@given(ROWS)
def test_rows_are_checked_as_the_plain_version_checks_them(rows: list[tuple[int, int, float, int]]) -> None:
    columns = [np.array(column) for column in zip(*rows, strict=True)] or [np.empty(0, np.int64)] * 4
    keys, instants, values, kinds = columns
    got = check_rows(keys, instants, values.astype(float), kinds.astype(np.int32), 1, 0, 10, 50.0)
    words = {INVALID: "invalid", IN_ORDER: "in order", OUT_OF_ORDER: "out of order"}
    assert words[int(got)] == checked(rows, 1, 0, 10, 50.0)
