"""What the population teaches about one customer, from what lies before the first date that uses it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from features.catalog import Catalog, Feature
from features.history import History
from features.snapshot import Priors
from features.timeline import in_history

BOOK_SIZE = 64
"""Details a code book knows by name; the rest share one number."""


def learn_priors(histories: Iterable[History], catalog: Catalog, before: int) -> Priors:
    """The priors that everything known before this instant teaches.

    A code book lists the details of a column's stream, the most frequent first, so that numbers that lie
    near each other stand for details that are about equally common.
    """
    roots = {column: catalog.stream_of[_stream(catalog, column)] for column in catalog.detail_columns}
    streams = {stream.name: stream for stream in roots.values()}
    counts: dict[str, Counter[str]] = {name: Counter() for name in streams}
    for history in histories:
        if not history.detail_names:
            continue
        past = in_history(history.instants, history.recorded if len(history.recorded) else None, before)
        past &= history.details >= 0
        for name, stream in streams.items():
            codes = [code for code, kind in enumerate(history.kind_names) if kind in stream.kinds]
            details = history.details[past & np.isin(history.kinds, codes)]
            found = np.bincount(details, minlength=len(history.detail_names))
            counts[name].update(
                {history.detail_names[code]: int(found[code]) for code in np.flatnonzero(found)}
            )
    books = {
        name: tuple(detail for detail, _ in sorted(count.items(), key=lambda item: (-item[1], item[0])))
        for name, count in counts.items()
    }
    return Priors({column: books[stream.name][:BOOK_SIZE] for column, stream in roots.items()}, {})


def _stream(catalog: Catalog, column: str) -> str:
    """The name of the stream that a column is computed from."""
    feature = catalog.feature_of[column]
    return feature.stream if isinstance(feature, Feature) else _stream(catalog, feature.first)
