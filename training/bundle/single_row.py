"""LightGBM for one row: the same call of its library without what its Python wrapper does for many rows.

The wrapper takes longer to prepare a call than the trees take to answer one. The answer is the same, bit
for bit, which a test holds on every kind of prediction.
"""

from __future__ import annotations

import ctypes
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from lightgbm import Booster

Floats = NDArray[np.float64]
Kind = Literal["normal", "raw", "contributions"]

_CODES: dict[Kind, int] = {"normal": 0, "raw": 1, "contributions": 3}
_FLOAT64 = 1
_EVERY_TREE = -1


class SingleRowPredictor:
    """One kind of prediction of one booster for one row at a time; safe to call from several threads."""

    def __init__(self, booster: Booster, kind: Kind) -> None:
        from lightgbm import basic

        self._library: Any = basic._LIB
        self._check: Any = basic._safe_call
        self._booster = booster  # the library's handle lives as long as the booster
        self.features = booster.num_feature()
        width = booster.num_model_per_iteration() * (self.features + 1 if kind == "contributions" else 1)
        self._row, self._said = np.empty(self.features), np.empty(width)
        self._length = ctypes.c_int64(0)
        self._config = ctypes.c_void_p()
        self._lock = Lock()
        self._check(
            self._library.LGBM_BoosterPredictForMatSingleRowFastInit(
                booster._handle,
                ctypes.c_int(_CODES[kind]),
                ctypes.c_int(0),
                ctypes.c_int(_EVERY_TREE),
                ctypes.c_int(_FLOAT64),
                ctypes.c_int32(self.features),
                ctypes.c_char_p(b"num_threads=1"),
                ctypes.byref(self._config),
            )
        )
        self._call = (
            self._config,
            self._row.ctypes.data_as(ctypes.c_void_p),
            ctypes.byref(self._length),
            self._said.ctypes.data_as(ctypes.POINTER(ctypes.c_double)),
        )

    def __call__(self, row: Floats) -> Floats:
        """float64[k] for a row float64[f]."""
        with self._lock:
            self._row[:] = row
            self._check(self._library.LGBM_BoosterPredictForMatSingleRowFast(*self._call))
            return self._said.copy()

    def __del__(self) -> None:
        if self._config:
            self._library.LGBM_FastConfigFree(self._config)
