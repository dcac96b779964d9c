"""Memory that is used again."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from features import array_pool

LARGE = 1_000_000
"""Numbers of 8 bytes that make a large array."""
PAGE = 2**21


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    array_pool._idle.clear()


def test_a_large_array_begins_with_a_large_page_and_has_the_shape_asked_for() -> None:
    array = array_pool.empty((LARGE // 10, 10), np.int64)
    assert (array.shape, array.dtype) == ((LARGE // 10, 10), np.int64)
    assert array.ctypes.data % PAGE == 0
    assert array.flags.c_contiguous
    assert array.flags.writeable


def test_memory_that_nobody_holds_is_used_for_the_next_array_of_its_size() -> None:
    array = array_pool.empty(LARGE)
    place = array.ctypes.data
    del array
    assert array_pool.empty(LARGE - 1).ctypes.data == place


def test_memory_is_not_used_again_while_a_part_of_it_is_held() -> None:
    array = array_pool.empty(LARGE)
    array[:] = 7.0
    part, place = array[10:20], array.ctypes.data
    del array
    other = array_pool.empty(LARGE)
    other[:] = 8.0
    assert other.ctypes.data != place
    assert (part == 7.0).all()


def test_an_array_takes_no_memory_that_is_much_larger() -> None:
    array = array_pool.empty(10 * LARGE)
    place = array.ctypes.data
    del array
    assert array_pool.empty(LARGE).ctypes.data != place


def test_no_more_is_kept_than_allowed_and_the_oldest_goes_first() -> None:
    arrays = [array_pool.empty(array_pool.POOL_BYTES // 32) for _ in range(6)]  # a quarter of it each
    places = [array.ctypes.data for array in arrays]
    while arrays:
        arrays.pop(0)
    assert 0 < sum(map(len, array_pool._idle.values())) <= array_pool.POOL_BYTES
    last = array_pool.empty(array_pool.POOL_BYTES // 32)
    assert last.ctypes.data in places[-3:]
    del last
    larger = array_pool.empty(array_pool.POOL_BYTES // 16)
    place = larger.ctypes.data
    del larger
    assert array_pool.empty(array_pool.POOL_BYTES // 16).ctypes.data == place


def test_columns_that_nobody_wrote_occupy_no_memory() -> None:
    rows, columns = 70_000, 500
    before = _resident()
    array = array_pool.sparsely_used((rows, columns), np.float32)
    array[:, ::10] = 1.0
    assert array.flags.f_contiguous
    assert float(array.sum()) == rows * columns / 10  # reads every page; those of zeros are one and the same
    assert _resident() - before < 4 * rows * columns / 2


def _resident() -> int:
    """The bytes that this process occupies."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
