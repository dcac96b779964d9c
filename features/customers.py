"""Who a customer key stands for: the only place with identities."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


class Customers:
    """Customer ids and their keys 0, 1, 2, …, given in order of first sight and never given again."""

    def __init__(self, names: pa.Array | None = None) -> None:
        self._names: pa.Array = pa.array([], pa.string()) if names is None else names

    def __len__(self) -> int:
        """How many keys were ever given."""
        return len(self._names)

    def keys(self, ids: pa.Array | pa.ChunkedArray) -> NDArray[np.int64]:
        """int64[n]: the key of each customer id, -1 where unknown."""
        found = pc.index_in(pc.cast(ids, pa.string()), value_set=self._names, skip_nulls=True)
        if isinstance(found, pa.ChunkedArray):
            found = found.combine_chunks()
        keys: NDArray[np.int64] = found.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
        return keys

    def assign(self, ids: pa.Array | pa.ChunkedArray) -> NDArray[np.int64]:
        """int64[n]: the key of each customer id, a fresh one for those seen for the first time."""
        ids = pc.cast(ids, pa.string())
        if isinstance(ids, pa.ChunkedArray):
            ids = ids.combine_chunks()
        coded = ids.dictionary_encode()
        distinct = coded.dictionary
        keys = self.keys(distinct)
        unknown = keys < 0
        if unknown.any():
            keys[unknown] = len(self._names) + np.arange(unknown.sum())
            self._names = pa.concat_arrays([self._names, distinct.filter(pa.array(unknown))])
        assigned: NDArray[np.int64] = keys[coded.indices.to_numpy(zero_copy_only=False)]
        return assigned

    def names(self, keys: NDArray[np.int64]) -> pa.Array:
        """The customer id of each key, null for those erased."""
        return self._names.take(pa.array(keys, pa.int64()))
