"""Known answer times: an inquiry without minutes is open only where others like it have some."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from features.event_store import EventStore
from features.events.history import History, events_of_kinds
from features.execution.base import Engine
from features.execution.local import HERE, map_partitions

FEW = 20
"""A channel with fewer inquiries of a kind is judged by the kind alone."""
_COLUMNS = frozenset({"value", "channel"})

Group = tuple[str, str | None]
"""A kind and a channel: a source that says no minutes shows in these, because events do not name theirs."""


@dataclass
class AnswerTimes:
    """How many inquiries of each kind and channel there are, and how many carry minutes to the answer."""

    kinds: tuple[str, ...]
    inquiries: Counter[Group] = field(default_factory=Counter)
    answered: Counter[Group] = field(default_factory=Counter)

    def add(self, history: History) -> None:
        """Count a bucket's inquiries."""
        at = np.flatnonzero(events_of_kinds(history, self.kinds))
        groups = self._groups(history, at)
        known = ~np.isnan(history.values[at])
        for counts, chosen in ((self.inquiries, groups), (self.answered, groups[known])):
            codes, times = np.unique(chosen, return_counts=True)
            counts.update(
                {self._name(history, c): n for c, n in zip(codes.tolist(), times.tolist(), strict=True)}
            )

    def merge(self, other: AnswerTimes) -> None:
        """Add the counts of later buckets."""
        self.inquiries.update(other.inquiries)
        self.answered.update(other.answered)

    def known(self, history: History, places: NDArray[np.int64]) -> NDArray[np.bool_]:
        """bool[p]: for which of these inquiries minutes would be known had they been answered."""
        codes, inverse = np.unique(self._groups(history, places), return_inverse=True)
        known = np.array(
            [self._is_known(self._name(history, code)) for code in codes.tolist()], dtype=np.bool_
        )
        return known[inverse]

    @property
    def unknown(self) -> dict[str, int]:
        """Kinds of which some inquiries have unknown answer times, and how many inquiries these are."""
        counts: Counter[str] = Counter()
        for group, number in self.inquiries.items():
            if not self._is_known(group):
                counts[group[0]] += number
        return dict(sorted(counts.items()))

    def _is_known(self, group: Group) -> bool:
        if self.inquiries[group] >= FEW:
            return self.answered[group] > 0
        return any(count for (kind, _), count in self.answered.items() if kind == group[0])

    @staticmethod
    def _groups(history: History, places: NDArray[np.int64]) -> NDArray[np.int64]:
        channels = history.channels[places] if len(history.channels) else np.full(len(places), -1, np.int32)
        size = len(history.channel_names) + 1
        groups: NDArray[np.int64] = history.kinds[places].astype(np.int64) * size + channels + 1
        return groups

    @staticmethod
    def _name(history: History, code: int) -> Group:
        kind, channel = divmod(code, len(history.channel_names) + 1)
        return history.kind_names[kind], history.channel_names[channel - 1] if channel else None


def answer_times(
    store: EventStore, kinds: Collection[str], until: int | None = None, *, engine: Engine = HERE
) -> AnswerTimes:
    """The answer times that a store knows of inquiries of these kinds before `until`."""
    new = partial(AnswerTimes, tuple(kinds))
    return map_partitions(store, new, until=until, columns=_COLUMNS, engine=engine)
