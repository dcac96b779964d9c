"""Large arrays, in memory that is used again: to be handed fresh memory costs more than to write into it.

Bucket by bucket the same arrays are made and thrown away. The operating system clears every page that it
hands over, and on a virtual machine has to ask for it first, which can take longer than computing what is
written there. So what nobody holds any more is kept for the next array of about its size, the newest up to
`KEPT` bytes, as other engines' allocators do. Arrays begin with a large page, so that none of their parts
comes in small ones.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

KEPT = 2**30
"""Bytes that are kept at most while nobody uses them."""
_PAGE = 2**21
_LARGE = 2 * _PAGE
"""Bytes from which an array is large; smaller ones are NumPy's own business."""
_SPARE = 1.25
"""Kept memory is used for what is smaller by no more than this factor."""

_idle: dict[int, NDArray[np.uint8]] = {}
"""By where they lie. A single operation on it cannot be interrupted, so threads need no lock."""


def empty(shape: int | tuple[int, ...], kind: DTypeLike = np.float64) -> NDArray[Any]:
    """An array whose numbers are yet to be written, as `numpy.empty`."""
    size = np.dtype(kind).itemsize * math.prod(shape if isinstance(shape, tuple) else (shape,))
    if size < _LARGE:
        return np.empty(shape, kind)
    room = _kept(size)
    if room is None:
        room = np.empty(-(-size // _PAGE) * _PAGE + _PAGE, np.uint8)
    begin = -room.ctypes.data % _PAGE
    return np.asarray(_Loan(room))[begin : begin + size].view(kind).reshape(shape)


def _kept(size: int) -> NDArray[np.uint8] | None:
    """The smallest room kept that holds `size` bytes and not much more."""
    fits = [(len(room), at) for at, room in list(_idle.items()) if size + _PAGE <= len(room)]
    for held, at in sorted(fits):
        if held > _SPARE * (size + _PAGE) + _PAGE:
            break
        room = _idle.pop(at, None)
        if room is not None:  # no other thread was faster
            return room
    return None


class _Loan:
    """Room lent to arrays: when the last of them is gone, it is kept for others."""

    def __init__(self, room: NDArray[np.uint8]) -> None:
        self._room, self._at = room, room.ctypes.data
        self.__array_interface__ = room.__array_interface__

    def __del__(self) -> None:
        if len(self._room) > KEPT:
            return
        _idle[self._at] = self._room
        for at in list(_idle):  # the oldest go first
            if sum(map(len, list(_idle.values()))) <= KEPT:
                break
            _idle.pop(at, None)
