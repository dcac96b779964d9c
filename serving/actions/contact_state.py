"""Who may be contacted now: consent by channel, and the contact of every customer that is nearest to now.

A prediction knows only what was known at its as-of date; what must hold when somebody acts is read as of now.
A contact that lies ahead (a call that was arranged) counts as one that was made: nobody is contacted within
the cool-down before it or after it. One further ahead, such as a date mistyped by years, holds nobody.
The state is computed bucket by bucket and only for buckets whose files changed, so that a running service
follows an ingest or an appended event at little cost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
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
from features.execution.base import Engine
from features.execution.local import HERE, map_partitions
from features.timeline import DAY

_COLUMNS = frozenset({"value", "detail"})
NEVER = np.iinfo(np.int64).min
"""The instant of the contact of a customer who had none."""
_NONE_AHEAD = np.iinfo(np.int64).max


@dataclass(frozen=True, eq=False)
class ContactState:
    """Consent and nearest contacts of every customer of the store at one moment."""

    keys: NDArray[np.int64]
    """int64[n], ascending."""
    mask: NDArray[np.int64]
    """int64[n]: the bits of the channels over which a customer must not be contacted."""
    contacted: NDArray[np.int64]
    """int64[t, n]: the contact of each touch model's kinds that is nearest to `now`, `NEVER` for none."""
    bits: ChannelBits
    entries: tuple[ConsentEntry, ...]
    attributes: tuple[str, ...]
    """Every attribute that a customer has."""
    unclear: Mapping[tuple[str, str], int]
    """Customers by attribute and unclear word."""
    contradictions: Mapping[str, int]
    """Customers by attribute for whom it says yes and no at one instant."""
    now: int
    """The instant that the state is of, in microseconds."""

    def masks(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """int64[k]: the forbidden channels of some customers; all for one whom the store does not have."""
        places, known = self._places(keys)
        return np.where(known, self.mask[places] if len(self.mask) else 0, ALL_CHANNELS)

    def refuse(self, keys: NDArray[np.int64], channel: str) -> NDArray[np.bool_]:
        """bool[k]: who must not be contacted over a channel; over every one, where none is given."""
        masks = self.masks(keys)
        refused: NDArray[np.bool_] = (
            (masks & self.bits.bit(channel)) != 0 if channel else masks == ALL_CHANNELS
        )
        return refused

    def refused_channels(self, keys: NDArray[np.int64]) -> list[tuple[str, ...]]:
        """The channels over which each customer must not be contacted, by name; `all` for all of them."""
        masks = self.masks(keys)
        names = {mask: self.bits.refused(mask) for mask in set(masks.tolist())}
        return [names[mask] for mask in masks.tolist()]

    def nearest_contacts(self, keys: NDArray[np.int64], touch: int) -> NDArray[np.int64]:
        """int64[k]: the contact of some customers by the kinds of a touch model that is nearest to now."""
        places, known = self._places(keys)
        return np.where(known, self.contacted[touch][places] if len(self.keys) else NEVER, NEVER)

    def _places(self, keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        if not len(self.keys):
            return np.zeros(len(keys), np.int64), np.zeros(len(keys), np.bool_)
        places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return places, self.keys[places] == keys


def cooling_down(contacts: NDArray[np.int64], days: int, now: int) -> NDArray[np.bool_]:
    """bool[n]: whose nearest contact lies within so many days of now, before it or ahead."""
    return (contacts > now - days * DAY) & (contacts < now + days * DAY)


@dataclass(frozen=True, eq=False)
class _BucketState:
    """What the events of one bucket say from one instant to another."""

    keys: NDArray[np.int64]
    verdicts: Mapping[tuple[str, Says], ConsentVerdicts]
    contacted: NDArray[np.int64]
    """int64[t, n]: the last contact of each touch model's kinds, `NEVER` for none."""
    ahead: NDArray[np.int64]
    """int64[t, n]: the next contact, `_NONE_AHEAD` for none."""
    attributes: frozenset[str]
    since: int
    until: int
    """The instant of the next event: from then on another state holds."""

    def holds(self, now: int) -> bool:
        return self.since <= now < self.until


@dataclass
class _BucketStates:
    """What the events of some buckets say, in the order of the buckets."""

    rules: ConsentRules
    contact_kinds: tuple[tuple[str, ...], ...]
    now: int
    parts: list[_BucketState] = field(default_factory=list)

    def add(self, history: History) -> None:
        held = {name for name in attributes_of(history) if len(attribute_rows(history, name).codes)}
        verdicts = {
            (entry.attribute, entry.says): consent_verdicts(history, entry.attribute, entry.says, self.now)
            for entry in self.rules.for_attributes(held)
        }
        contacted = np.full((len(self.contact_kinds), history.customers), NEVER)
        ahead = np.full_like(contacted, _NONE_AHEAD)
        owner, instants = customer_of_event(history), history.instants
        to_come = instants > self.now
        for number, kinds in enumerate(self.contact_kinds):
            at = events_of_kinds(history, kinds)
            past, future = at & ~to_come, at & to_come
            np.maximum.at(contacted[number], owner[past], instants[past])
            np.minimum.at(ahead[number], owner[future], instants[future])
        until = int(instants[to_come].min(initial=_NONE_AHEAD))
        self.parts.append(
            _BucketState(history.keys, verdicts, contacted, ahead, frozenset(held), self.now, until)
        )

    def merge(self, other: _BucketStates) -> None:
        self.parts += other.parts


@dataclass(eq=False)
class ContactRegister:
    """Computes the `ContactState` of a store, reading only the buckets that changed since the last time."""

    rules: ConsentRules
    contact_kinds: tuple[tuple[str, ...], ...]
    """The kinds of contact of each touch model."""
    _buckets: dict[int, tuple[tuple[str, ...], _BucketState]] = field(default_factory=dict)

    def state(self, store: EventStore, now: int | None = None, *, engine: Engine = HERE) -> ContactState:
        """The state at `now` of the store's newest version; words of consent after it lift nothing.

        Without `now`, at its newest event.
        """
        store = store.pinned()
        files = {bucket: store.files_of(bucket) for bucket in store.buckets}
        if not any(files.values()):
            return self._merged([], NEVER if now is None else now)
        if now is None:
            newest = store.newest()
            now = NEVER if newest is None else newest
        old = [bucket for bucket in store.buckets if not self._is_known(bucket, files[bucket], now)]
        if old:
            new, columns = partial(_BucketStates, self.rules, self.contact_kinds, now), _COLUMNS
            read = map_partitions(store, new, columns=columns, buckets=old, engine=engine)
            for bucket, part in zip(old, read.parts, strict=True):  # in the order of the buckets
                self._buckets[bucket] = files[bucket], part
        waiting = store.events_to_come({kind for kinds in self.contact_kinds for kind in kinds})
        return self._merged([self._buckets[bucket][1] for bucket in store.buckets], now, waiting)

    def state_of(self, history: History, now: int) -> ContactState:
        """The state of the customers of one history alone, read a moment ago."""
        parts = _BucketStates(self.rules, self.contact_kinds, now)
        parts.add(history)
        return self._merged(parts.parts, now)

    def _is_known(self, bucket: int, files: tuple[str, ...], now: int) -> bool:
        known = self._buckets.get(bucket)
        return known is not None and known[0] == files and known[1].holds(now)

    def _merged(
        self, parts: Sequence[_BucketState], now: int, waiting: pa.Table | None = None
    ) -> ContactState:
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
        nothing = np.empty((len(self.contact_kinds), 0), np.int64)
        contacted, ahead = (
            np.concatenate([nothing, *arrays], axis=1)[:, order]
            for arrays in ([part.contacted for part in parts], [part.ahead for part in parts])
        )
        if waiting is not None and waiting.num_rows:
            self._add_waiting(ahead, contacted, keys[order], waiting, now)
        return ContactState(
            keys[order],
            np.concatenate([none, *masks])[order],
            _nearest(contacted, ahead, now),
            bits,
            entries,
            tuple(sorted(attributes)),
            dict(unclear),
            {name: count for name, count in contradictions.items() if count},
            now,
        )

    def _add_waiting(
        self,
        ahead: NDArray[np.int64],
        contacted: NDArray[np.int64],
        keys: NDArray[np.int64],
        waiting: pa.Table,
        now: int,
    ) -> None:
        """Add contacts whose rows wait for their moment in quarantine."""
        instants, kinds = waiting.column("occurred_at").to_numpy(), waiting.column("kind")
        whose = waiting.column("key").to_numpy()
        places = np.minimum(np.searchsorted(keys, whose), len(keys) - 1)
        known = keys[places] == whose
        for number, of_touch in enumerate(self.contact_kinds):
            mine = known & pc.is_in(kinds, pa.array(of_touch, pa.string())).to_numpy()
            for nearest, rows in (
                (np.minimum, mine & (instants > now)),
                (np.maximum, mine & (instants <= now)),
            ):
                side = ahead if nearest is np.minimum else contacted
                nearest.at(side[number], places[rows], instants[rows])


def _nearest(contacted: NDArray[np.int64], ahead: NDArray[np.int64], now: int) -> NDArray[np.int64]:
    """int64[t, n]: of the last and the next contact the one that is nearer to now."""
    is_past, is_ahead = contacted != NEVER, ahead != _NONE_AHEAD
    since = now - np.where(is_past, contacted, now)
    until = np.where(is_ahead, ahead, now) - now
    take_ahead = is_ahead & (~is_past | (until < since))
    return np.where(take_ahead, ahead, contacted)
