"""A pool of reusable large arrays: getting fresh memory costs more than writing into it.

Bucket by bucket, arrays of the same sizes are allocated and freed. The operating system clears every page
that it hands over, and on a virtual machine has to ask for it first, which can take longer than computing
what is written there. So freed arrays stay in the pool for the next array of about their size, the newest
up to `POOL_BYTES`, as in the allocators of other engines. Arrays begin at a large page, so that no part of
them lies in small ones.
"""

from __future__ import annotations

import ctypes
import math
import mmap
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

POOL_BYTES = 2**30
"""The most bytes that the pool holds while nobody uses them."""
_PAGE = 2**21
_LARGE = 2 * _PAGE
"""Bytes from which an array is large; smaller ones are NumPy's own business."""
_SPARE = 1.25
"""Pooled memory serves an array that is smaller by no more than this factor."""

_idle: dict[int, NDArray[np.uint8]] = {}
"""Free memory by address. A single operation on it cannot be interrupted, so threads need no lock."""


def empty(shape: int | tuple[int, ...], kind: DTypeLike = np.float64) -> NDArray[Any]:
    """An uninitialised array, as `numpy.empty`, from the pool if it is large."""
    size = np.dtype(kind).itemsize * math.prod(shape if isinstance(shape, tuple) else (shape,))
    if size < _LARGE:
        return np.empty(shape, kind)
    room = _take(size)
    if room is None:
        room = np.empty(-(-size // _PAGE) * _PAGE + _PAGE, np.uint8)
    begin = -room.ctypes.data % _PAGE
    return np.asarray(_Loan(room))[begin : begin + size].view(kind).reshape(shape)


def sparsely_used(shape: tuple[int, int], kind: DTypeLike) -> NDArray[Any]:
    """An array of zeros, column by column (Fortran order), whose unwritten columns occupy no memory.

    `numpy.zeros` asks for large pages (2 MB), each of which is occupied whole by the first write into it: of
    columns of 300 kB all are, where every third is written. This one asks for small pages.
    """
    size = max(1, np.dtype(kind).itemsize * math.prod(shape))
    room = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_NOHUGEPAGE"):  # Linux; elsewhere pages are small unless asked
        room.madvise(mmap.MADV_NOHUGEPAGE)
    return np.ndarray(shape, kind, buffer=room, order="F")


def _take(size: int) -> NDArray[np.uint8] | None:
    """The smallest free memory of the pool that holds `size` bytes and not much more, else None."""
    fits = [(len(room), at) for at, room in list(_idle.items()) if size + _PAGE <= len(room)]
    for held, at in sorted(fits):
        if held > _SPARE * (size + _PAGE) + _PAGE:
            break
        room = _idle.pop(at, None)
        if room is not None:  # no other thread was faster
            return room
    return None


def release() -> None:
    """Gives free memory back to the operating system: for work that needs memory of other sizes.

    The C library keeps what was freed too, unless asked (`malloc_trim` of glibc; elsewhere nothing is asked).
    """
    _idle.clear()
    if _trim is not None:
        _trim(0)


def _glibc_trim() -> Callable[[int], int] | None:
    try:
        found: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):  # no shared C library, or another one than glibc
        return None
    return found


_trim = _glibc_trim()


class _Loan:
    """Memory lent to arrays: when the last of them is gone, it returns to the pool."""

    def __init__(self, room: NDArray[np.uint8]) -> None:
        self._room, self._at = room, room.ctypes.data
        self.__array_interface__ = room.__array_interface__

    def __del__(self) -> None:
        if len(self._room) > POOL_BYTES:
            return
        _idle[self._at] = self._room
        for at in list(_idle):  # the oldest go first
            if sum(map(len, list(_idle.values()))) <= POOL_BYTES:
                break
            _idle.pop(at, None)
