"""Customers of the cohort at as-of dates, with their features and labels: what models learn from."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features import array_pool
from features.engine.snapshot import Snapshot
from training.data.customer_hashes import Hashes

Floats = NDArray[np.float64]

ROWS_AT_ONCE = 8_192
"""Rows whose features are put together at once: 36 MB of 550 columns."""

ARRAYS = ("keys", "hashes", "as_of", "churned", "value")


@dataclass(frozen=True, eq=False)
class LabelledRows:
    """Customers of the cohort at as-of dates: what was known, and what became of them.

    The features lie in memory once, in single precision; a selection of rows refers to them, and copies what
    is read. A threshold of a tree lies halfway between two numbers of single precision, and so parts the
    double ones in the same way.
    """

    keys: NDArray[np.int64]
    hashes: Hashes
    """uint64[n]: of the customer id, for folds and samples that do not depend on keys."""
    as_of: NDArray[np.int64]
    stored: NDArray[np.float32] | Floats
    """float[m, f]: the features of these rows, or of these and others (`places`)."""
    churned: NDArray[np.bool_]
    value: Floats
    after: NDArray[np.float32] | Floats
    """float[m, len(after_columns)], as `stored`: what the tier of the next period is read off."""
    columns: tuple[str, ...]
    after_columns: tuple[str, ...]
    weight: Floats | None = None
    """float64[n]: how often each row counts; None where every row counts once."""
    places: NDArray[np.int64] | None = None
    """int64[n]: where the features of each row are `stored`; None where they are there in this order."""

    def __len__(self) -> int:
        return len(self.keys)

    def where(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> LabelledRows:
        """The chosen rows; these same ones where all are. Their features are not copied."""
        if chosen.dtype == np.bool_ and chosen.all():
            return self
        at: NDArray[np.int64] = np.arange(len(self))[chosen]
        arrays: dict[str, Any] = {name: getattr(self, name).take(at, axis=0) for name in ARRAYS}
        places = at if self.places is None else self.places[at]
        weight = None if self.weight is None else self.weight[at]
        return replace(self, weight=weight, places=places, **arrays)

    @property
    def matrix(self) -> Floats:
        """float64[n, f]: the features of all rows at once, copied; `parts` and `column` need less memory."""
        rows = self.stored if self.places is None else self.stored.take(self.places, axis=0)
        return rows.astype(np.float64, copy=False)

    def parts(self) -> Iterator[tuple[slice, Floats]]:
        """The features of a few thousand rows at a time, float64[k, f], and which rows these are."""
        for begin in range(0, len(self), ROWS_AT_ONCE):
            mine = slice(begin, begin + ROWS_AT_ONCE)
            part = self.stored[mine] if self.places is None else self.stored[self.places[mine]]
            yield mine, part.astype(np.float64, copy=False)

    def by_column(self, places: NDArray[np.int64]) -> NDArray[np.float32] | Floats:
        """float[n, f], column by column in memory: the features at these places, 0 everywhere else.

        Memory that only holds zeros is not occupied (`array_pool.sparsely_used`).
        """
        found = array_pool.sparsely_used((len(self), len(self.columns)), self.stored.dtype)
        for begin in range(0, len(self), ROWS_AT_ONCE):
            mine = slice(begin, begin + ROWS_AT_ONCE)
            part = self.stored[mine] if self.places is None else self.stored[self.places[mine]]
            found[mine, places] = part[:, places]
        return found

    def column(self, place: int) -> Floats:
        """float64[n]: one feature."""
        return self.some_columns([place])[:, 0]

    def some_columns(self, places: Sequence[int]) -> Floats:
        """float64[n, len(places)]: some features, by their places among `columns`."""
        chosen = np.array(places, dtype=np.int64)
        some = self.stored[:, chosen] if self.places is None else self.stored[self.places[:, None], chosen]
        return some.astype(np.float64, copy=False)

    def named(self, names: Collection[str]) -> Snapshot:
        """A snapshot of the features with these names."""
        places = [place for place, name in enumerate(self.columns) if name in names]
        chosen = tuple(self.columns[place] for place in places)
        return Snapshot(self.keys, self.as_of, chosen, self.some_columns(places))

    @property
    def weight_or_ones(self) -> Floats:
        """float64[n]: how often each row counts."""
        return np.ones(len(self)) if self.weight is None else self.weight

    def on(self, dates: Collection[int]) -> LabelledRows:
        """The rows of these as-of dates."""
        return self.where(np.isin(self.as_of, list(dates)))

    @property
    def compact(self) -> LabelledRows:
        """The rows with features of their own: those of others are not held in memory for them."""
        if self.places is None:
            return self
        stored, after = self.stored.take(self.places, axis=0), self.after.take(self.places, axis=0)
        return replace(self, stored=stored, after=after, places=None)

    @property
    def bare(self) -> LabelledRows:
        """The rows without features: a small part of their memory."""
        nothing = np.zeros((len(self), 0))
        return replace(self, stored=nothing, after=nothing, columns=(), after_columns=(), places=None)

    @property
    def next(self) -> Snapshot:
        """The columns of the engagement index at the end of the horizon."""
        after = (self.after if self.places is None else self.after[self.places]).astype(
            np.float64, copy=False
        )
        return Snapshot(self.keys, self.as_of, self.after_columns, after)


def customers_by_outcome(rows: LabelledRows) -> tuple[int, int]:
    """How many customers left on some row, and how many stayed on some row."""
    left, stayed = (len(np.unique(rows.keys[mine])) for mine in (rows.churned, ~rows.churned))
    return left, stayed
