"""Live scoring: events sent with a request become a history, and go the way of every other history."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.catalog import Catalog
from features.errors import UsageError
from features.events import ATTRIBUTE
from features.history import MISSING, History
from features.timeline import ALWAYS, EARLIEST, Timeline
from serving.champion import Champion
from serving.replies import Reply, with_status
from serving.schema import EventRequest, LiveCustomer, PredictRequest
from serving.scoring import answer


def predict(champion: Champion, request: PredictRequest, now: int, language: str) -> Reply:
    """What is said about the customers of a request, from their events alone."""
    bundle = champion.bundle
    timeline = Timeline(bundle.timezone)
    as_of = now if request.as_of is None else timeline.instant(request.as_of)
    if as_of > now:
        raise UsageError(
            f"cannot predict as of {request.as_of}: it has not come yet. "
            "Give a date in the past, or none at all.",
            field="as_of",
        )
    history = history_of(request.customers, timeline, as_of)
    answers = answer(bundle, history, as_of, threads=1)
    newest = int(history.instants.max()) if history.events else None
    return {
        "as_of": timeline.name(as_of),
        "model_version": champion.version,
        "data_version": bundle.data_version,
        "freshness": None if newest is None else timeline.name(newest),
        "evidence": bundle.evidence,
        "customers": [
            with_status(bundle, answers, row, customer.customer_id, language)
            for row, customer in enumerate(request.customers)
        ],
        "ignored_kinds": ignored_kinds(request.customers, bundle.catalog),
    }


def history_of(customers: Sequence[LiveCustomer], timeline: Timeline, as_of: int) -> History:
    """One history in which the customer sent first has the key 0.

    Events are put into a history's order; those without an `event_id` that share an instant keep the order
    in which they were sent. Raises `UsageError` for an event before 1970 or not before the as-of date.
    """
    rows: list[tuple[int, int, str, str, int, EventRequest | None]] = []
    attributes: list[tuple[str, float | str]] = []
    for key, customer in enumerate(customers):
        for number, event in enumerate(customer.events):
            instant = timeline.instant(event.occurred_at)
            place = f"customers[{key}].events[{number}]"
            if instant < EARLIEST:
                raise UsageError(
                    f"cannot use an event of {event.occurred_at}: it is before 1970. Check its year.",
                    field=f"{place}.occurred_at",
                )
            if instant >= as_of:
                raise UsageError(
                    f"cannot use an event of {event.occurred_at}: it is not before the as-of date "
                    f"{timeline.name(as_of)}. Leave it out, or give a later as_of.",
                    field=f"{place}.occurred_at",
                )
            rows.append((key, instant, event.event_id or "", event.kind, number, event))
        for name, value in customer.attributes.items():
            rows.append((key, as_of - 1, "", ATTRIBUTE + name, len(attributes), None))
            attributes.append((name, value))
    rows.sort(key=lambda row: row[:5])
    events = [event or _attribute(*attributes[number]) for *_, number, event in rows]
    keys = np.array([row[0] for row in rows], dtype=np.int64)
    recorded = np.array(
        [ALWAYS if e.recorded_at is None else timeline.instant(e.recorded_at) for e in events], dtype=np.int64
    )
    kinds, kind_names = _coded([row[3] for row in rows])
    channels, channel_names = _coded([event.channel for event in events])
    places, place_names = _coded([event.place for event in events])
    details, detail_names = _coded([event.detail for event in events])
    return History(
        keys=np.arange(len(customers)),
        offsets=np.searchsorted(keys, np.arange(len(customers) + 1)).astype(np.int64),
        instants=np.array([row[1] for row in rows], dtype=np.int64),
        recorded=recorded if (recorded != ALWAYS).any() else recorded[:0],
        kinds=kinds,
        values=np.array([np.nan if e.value is None else e.value for e in events], dtype=np.float64),
        channels=channels,
        places=places,
        details=details,
        kind_names=kind_names,
        channel_names=channel_names,
        place_names=place_names,
        detail_names=detail_names,
    )


def ignored_kinds(customers: Sequence[LiveCustomer], catalog: Catalog) -> dict[str, int]:
    """Kinds of event that no feature of the catalogue reads, and how many of each were sent."""
    known = {kind for stream in catalog.streams for kind in stream.kinds}
    sent = Counter(event.kind for customer in customers for event in customer.events)
    sent.update(ATTRIBUTE + name for customer in customers for name in customer.attributes)
    return {kind: count for kind, count in sorted(sent.items()) if kind not in known}


def _attribute(_name: str, value: float | str) -> Any:
    """What is known about a customer, as the event that says it."""
    if isinstance(value, str):
        return EventRequest.model_construct(value=None, detail=value, **_EMPTY)
    return EventRequest.model_construct(value=float(value), detail=None, **_EMPTY)


_EMPTY: dict[str, Any] = {"channel": None, "place": None, "recorded_at": None, "event_id": None}


def _coded(texts: list[str | None] | list[str]) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    coded = pa.array(texts, pa.string()).dictionary_encode()
    codes: NDArray[np.int32] = coded.indices.fill_null(MISSING).to_numpy(zero_copy_only=False)
    return codes.astype(np.int32), tuple(coded.dictionary.to_pylist())
