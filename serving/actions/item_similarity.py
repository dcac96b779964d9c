"""Item-based collaborative filtering over implicit feedback: the item most like what a customer uses or buys.

Sarwar, B. et al. (2001), Item-based collaborative filtering recommendation algorithms, WWW '01; cosine over
who used what, as in Linden, G. et al. (2003), Amazon.com recommendations, IEEE Internet Computing 7(1).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy import sparse

from serving.reports.aggregates import Floats, Ints

MOST_ITEMS = 500
"""Items that are compared, those with the most customers first."""
AT_ONCE = 50_000


@dataclass
class ItemSimilarity:
    """Who used what, gathered bucket by bucket."""

    items: dict[str, int] = field(default_factory=dict)
    _parts: list[tuple[Ints, Ints, NDArray[np.bool_]]] = field(default_factory=list)
    _sizes: list[int] = field(default_factory=list)

    def add(
        self, row: Ints, codes: Ints, names: tuple[str, ...], recent: NDArray[np.bool_], customers: int
    ) -> None:
        """Add uses: customer and item of each, and whether it is too recent to be recommended again."""
        key = row * len(names) + codes if len(names) else row
        pairs, inverse = np.unique(key, return_inverse=True)
        lately = np.zeros(len(pairs), dtype=np.bool_)
        np.logical_or.at(lately, inverse, recent)
        used = pairs % max(len(names), 1)
        places = np.full(len(names), -1, dtype=np.int64)
        for code in np.unique(used).tolist():
            places[code] = self.items.setdefault(names[code], len(self.items))
        self._parts.append((pairs // max(len(names), 1), places[used], lately))
        self._sizes.append(customers)

    def merge(self, other: ItemSimilarity) -> None:
        """Add what customers of later buckets use."""
        own = np.array([self.items.setdefault(name, len(self.items)) for name in other.items], np.int64)
        self._parts += [(row, own[item], lately) for row, item, lately in other._parts]
        self._sizes += other._sizes

    def recommend(self) -> pa.DictionaryArray:
        """For each customer, in the order added, the item most like what they use, of those not used lately.

        Null where nothing is like what they use. Ties go to the item that comes first by name.
        """
        names = sorted(self.items)
        if len(names) < 2:
            return pa.DictionaryArray.from_arrays(
                pa.nulls(sum(self._sizes), pa.int32()), pa.array(names, pa.string())
            )
        order = np.empty(len(names), dtype=np.int64)
        order[[self.items[name] for name in names]] = np.arange(len(names))
        starts = np.cumsum([0, *self._sizes])
        row = np.concatenate([part[0] + start for part, start in zip(self._parts, starts, strict=False)])
        item = order[np.concatenate([part[1] for part in self._parts])]
        lately = np.concatenate([part[2] for part in self._parts])
        uses = sparse.csr_matrix((np.ones(len(row), np.float32), (row, item)), shape=(starts[-1], len(names)))
        barred = sparse.csr_matrix((lately.astype(np.float32), (row, item)), shape=uses.shape)
        popular = np.sort(np.argsort(-np.asarray(uses.sum(axis=0)).ravel(), kind="stable")[:MOST_ITEMS])
        uses, barred = uses[:, popular], barred[:, popular]
        alike = _cosine((uses.T @ uses).toarray())
        best = np.full(starts[-1], -1, dtype=np.int64)
        for start in range(0, starts[-1], AT_ONCE):
            part = slice(start, start + AT_ONCE)
            score = uses[part] @ alike
            score[barred[part].toarray() > 0] = 0.0
            top = score.argmax(axis=1)
            best[part] = np.where(score[np.arange(len(top)), top] > 0, popular[top], -1)
        return pa.DictionaryArray.from_arrays(
            pa.array(best.astype(np.int32), mask=best < 0), pa.array(names, pa.string())
        )


def _cosine(together: Floats) -> Floats:
    """[items, items]: cosine of who uses them; 0 with itself."""
    alone = np.sqrt(np.maximum(np.diag(together), 1.0))
    alike: Floats = together / alone[:, None] / alone[None, :]
    np.fill_diagonal(alike, 0.0)
    return alike
