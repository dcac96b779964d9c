"""Who may be contacted now: consent by channel and last contacts of every customer, as of the newest data.

A prediction knows only what was known at its as-of date; what must hold when somebody acts is read as of now.
The state is computed bucket by bucket and only for buckets whose files changed, so that a running service
follows an ingest or an appended event at little cost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from features.event_store import EventStore
from features.events.attributes import attribute_rows, attributes_of
from features.events.consent import (
    ALL_CHANNELS,
    NOTHING_SAID,
    ChannelBits,
    ConsentEntry,
    ConsentRules,
    ConsentVerdicts,
    Says,
    consent_verdicts,
)
from features.events.history import History, customer_of_event, events_of_kinds
from features.execution.local import map_partitions

_COLUMNS = frozenset({"value", "detail"})
NEVER = np.iinfo(np.int64).min
"""The instant of the last contact of a customer who had none."""


@dataclass(frozen=True, eq=False)
class ContactState:
    """Consent and last contacts of every customer of the store at one moment."""

    keys: NDArray[np.int64]
    """int64[n], ascending."""
    mask: NDArray[np.int64]
    """int64[n]: the bits of the channels over which a customer must not be contacted."""
    contacted: NDArray[np.int64]
    """int64[t, n]: the last contact of each touch model's kinds, `NEVER` for none."""
    bits: ChannelBits
    entries: tuple[ConsentEntry, ...]
    attributes: tuple[str, ...]
    """Every attribute that a customer has."""
    unclear: Mapping[tuple[str, str], int]
    """Customers by attribute and unclear word."""
    contradictions: Mapping[str, int]
    """Customers by attribute for whom it says yes and no at one instant."""
    reached: int
    """How far the events reach, in microseconds: contacts after it are not known."""

    def masks(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """int64[k]: the forbidden channels of some customers; all for one whom the store does not have."""
        places, known = self._places(keys)
        return np.where(known, self.mask[places] if len(self.mask) else 0, ALL_CHANNELS)

    def last_contacts(self, keys: NDArray[np.int64], touch: int) -> NDArray[np.int64]:
        """int64[k]: the last contact of some customers by the kinds of a touch model."""
        places, known = self._places(keys)
        return np.where(known, self.contacted[touch][places] if len(self.keys) else NEVER, NEVER)

    def _places(self, keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        if not len(self.keys):
            return np.zeros(len(keys), np.int64), np.zeros(len(keys), np.bool_)
        places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return places, self.keys[places] == keys


@dataclass(frozen=True, eq=False)
class _BucketState:
    """What the events of one bucket say."""

    keys: NDArray[np.int64]
    verdicts: Mapping[tuple[str, Says], ConsentVerdicts]
    contacted: NDArray[np.int64]
    attributes: frozenset[str]


@dataclass
class _BucketStates:
    """What the events of some buckets say, in the order of the buckets."""

    rules: ConsentRules
    contact_kinds: tuple[tuple[str, ...], ...]
    now: int | None
    parts: list[_BucketState] = field(default_factory=list)

    def add(self, history: History) -> None:
        held = {name for name in attributes_of(history) if len(attribute_rows(history, name).codes)}
        verdicts = {
            (entry.attribute, entry.says): consent_verdicts(history, entry.attribute, entry.says, self.now)
            for entry in self.rules.for_attributes(held)
        }
        contacted = np.full((len(self.contact_kinds), history.customers), NEVER)
        owner = customer_of_event(history)
        for number, kinds in enumerate(self.contact_kinds):
            at = events_of_kinds(history, kinds)
            np.maximum.at(contacted[number], owner[at], history.instants[at])
        self.parts.append(_BucketState(history.keys, verdicts, contacted, frozenset(held)))

    def merge(self, other: _BucketStates) -> None:
        self.parts += other.parts


@dataclass(eq=False)
class ContactRegister:
    """Computes the `ContactState` of a store, reading only the buckets that changed since the last time."""

    rules: ConsentRules
    contact_kinds: tuple[tuple[str, ...], ...]
    """The kinds of contact of each touch model."""
    _buckets: dict[int, tuple[tuple[str, ...], _BucketState]] = field(default_factory=dict)

    def state(self, store: EventStore, now: int | None = None) -> ContactState:
        """The state as of the store's newest version; words of consent after `now` lift nothing."""
        store = store.pinned()
        files = {bucket: store.files_of(bucket) for bucket in store.buckets}
        if not any(files.values()):
            return self._merged([], None)
        old = [bucket for bucket in store.buckets if self._known_files(bucket) != files[bucket]]
        if old:
            new, columns = partial(_BucketStates, self.rules, self.contact_kinds, now), _COLUMNS
            read = map_partitions(store, new, columns=columns, buckets=old)
            for bucket, part in zip(old, read.parts, strict=True):  # in the order of the buckets
                self._buckets[bucket] = files[bucket], part
        return self._merged([self._buckets[bucket][1] for bucket in store.buckets], store.newest())

    def _known_files(self, bucket: int) -> tuple[str, ...] | None:
        known = self._buckets.get(bucket)
        return None if known is None else known[0]

    def _merged(self, parts: Sequence[_BucketState], newest: int | None) -> ContactState:
        attributes: set[str] = set()
        for part in parts:
            attributes |= part.attributes
        entries = self.rules.for_attributes(attributes)
        bits = ChannelBits(entries)
        masks, unclear, contradictions = [], Counter[tuple[str, str]](), Counter[str]()
        for part in parts:
            mask = np.zeros(len(part.keys), dtype=np.int64)
            for entry in entries:
                found = part.verdicts.get((entry.attribute, entry.says))
                none = np.full(len(part.keys), NOTHING_SAID, dtype=np.int8)
                mask |= bits.forbidden(entry, none if found is None else found.verdict)
            masks.append(mask)
            for (name, _), found in part.verdicts.items():
                unclear.update({(name, word): count for word, count in found.unclear.items()})
                contradictions[name] += found.contradictions
        none = np.empty(0, dtype=np.int64)
        keys = np.concatenate([none, *(part.keys for part in parts)])
        order = np.argsort(keys, kind="stable")
        return ContactState(
            keys[order],
            np.concatenate([none, *masks])[order],
            np.concatenate(
                [np.empty((len(self.contact_kinds), 0), np.int64), *(part.contacted for part in parts)],
                axis=1,
            )[:, order],
            bits,
            entries,
            tuple(sorted(attributes)),
            dict(unclear),
            {name: count for name, count in contradictions.items() if count},
            NEVER if newest is None else newest,
        )
