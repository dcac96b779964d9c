"""Four numbers at a time say what one number at a time says, bit for bit."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import numba
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from features.engine import kernel, simd
from features.engine.simd import (
    blend,
    both_ways,
    four,
    four_at,
    minimum4,
    scatter4,
    select_positive4,
    store4,
    transpose4,
)

Fours = st.lists(st.floats(width=64), min_size=4, max_size=4).map(np.array)
_U = np.uintp


@numba.njit(error_model="numpy")
def _together(a, b, out):  # type: ignore[no-untyped-def]
    x, y = four_at(a, _U(0)), four_at(b, _U(0))
    store4(out, _U(0), x + y)
    store4(out, _U(4), x - y)
    store4(out, _U(8), x / y)
    store4(out, _U(12), -x)
    store4(out, _U(16), minimum4(x, y))
    store4(out, _U(20), select_positive4(x, y, four(3.0)))
    store4(out, _U(24), blend(x, y))
    store4(out, _U(28), both_ways(a[0]))


@numba.njit(error_model="numpy")
def _alone(a, b, out):  # type: ignore[no-untyped-def]
    for n in range(4):
        out[n], out[4 + n], out[8 + n], out[12 + n] = a[n] + b[n], a[n] - b[n], a[n] / b[n], -a[n]
        out[16 + n] = a[n] if a[n] < b[n] else b[n]
        out[20 + n] = b[n] if a[n] > 0 else 3.0
        out[24 + n] = a[n] if n in (0, 3) else b[n]
    out[28], out[29], out[30], out[31] = math.inf, a[0], -a[0], math.inf


@given(Fours, Fours)
def test_four_numbers_are_computed_with_the_bits_of_one(a: np.ndarray, b: np.ndarray) -> None:
    together, alone = np.empty(32), np.empty(32)
    _together(a, b, together)
    _alone(a, b, alone)
    np.testing.assert_array_equal(together, alone)  # one NaN is as good as another
    numbers = ~np.isnan(alone)
    assert together[numbers].tobytes() == alone[numbers].tobytes()


@numba.njit(error_model="numpy")
def _turn(records, places, out):  # type: ignore[no-untyped-def]
    first, second, third, fourth = transpose4(records, places, _U(1))
    store4(out, _U(0), first)
    store4(out, _U(4), second)
    store4(out, _U(8), third)
    store4(out, _U(12), fourth)


def test_four_records_are_turned_into_four_columns() -> None:
    records, out = np.arange(40.0), np.empty(16)
    places = np.array([9, 3, 0, 3, 7], np.uint32)
    _turn(records, places, out)
    assert out.reshape(4, 4).T.tolist() == records.reshape(10, 4)[places[1:]].tolist()


@numba.njit(error_model="numpy")
def _spread(line, columns, numbers):  # type: ignore[no-untyped-def]
    scatter4(line, _U(2), columns, _U(1), four_at(numbers, _U(0)))


def test_numbers_go_into_columns_side_by_side_or_each_into_its_own() -> None:
    numbers, nothing = np.array([1.0, 2.0, 3.0, 4.0]), math.nan
    line = np.full(10, nothing)
    _spread(line, np.array([99, 3, 3, 4, 5, 6]), numbers)
    np.testing.assert_array_equal(line, [nothing] * 5 + [1.0, 2.0, 3.0, 4.0, nothing])
    line = np.full(10, nothing)
    _spread(line, np.array([99, -1, 7, -1, 0, -1]), numbers)
    np.testing.assert_array_equal(line, [nothing, nothing, 3.0, *[nothing] * 6, 1.0])


def test_the_kernel_names_the_lanes_that_it_is_compiled_with() -> None:
    """The compiler's cache looks at the kernel's file alone: without this old lanes would go on working."""
    digest = hashlib.sha256(Path(simd.__file__).read_bytes()).hexdigest()
    assert digest.startswith(kernel.LANES_DIGEST), (
        f'write LANES_DIGEST = "{digest[:16]}" in features/engine/kernel.py'
    )
