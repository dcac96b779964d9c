"""One customer with 500 events, as the service sees them: `python -m benchmarks.online`."""

from __future__ import annotations

import json
import time

_START = time.perf_counter()

import statistics  # noqa: E402
from collections.abc import Callable  # noqa: E402

import numpy as np  # noqa: E402

from benchmarks import events  # noqa: E402
from features.engine.compiled_catalog import CompiledCatalog, StreamSelection  # noqa: E402
from features.engine.evaluate import compute  # noqa: E402
from features.engine.snapshot import snapshot  # noqa: E402
from features.timeline import SECOND, Timeline, from_instant  # noqa: E402
from serving.schemas.requests import EventRequest, LiveCustomer  # noqa: E402
from serving.scoring.live import history_of  # noqa: E402

_IMPORTED = time.perf_counter()
EVENTS = 500
_TIMES = 2_000


def customer(number: int, as_of: int) -> LiveCustomer:
    """A customer with these many events of two years, parsed from a request."""
    rng = np.random.default_rng(0)
    moments = np.sort(as_of - rng.integers(1, 730 * 86_400, number) * SECOND)
    kinds = rng.choice(["purchase", "visit", "feature_used", "login", "ticket_opened"], number)
    channels = rng.choice(["web", "app", "store"], number)
    sent = [
        EventRequest(
            occurred_at=from_instant(int(moment)).isoformat(),
            kind=str(kind),
            value=float(value),
            channel=str(channel),
            place=f"shop-{detail % 7}",
            detail=f"detail-{detail}",
        )
        for moment, kind, value, channel, detail in zip(
            moments, kinds, rng.integers(1, 5000, number), channels, rng.integers(0, 40, number), strict=True
        )
    ]
    return LiveCustomer(customer_id="customer", events=sent)


def measure() -> dict[str, float]:
    """Milliseconds of the kernel alone and from parsed events to the row; seconds of the first call."""
    timeline, catalog = Timeline(), events.rich_features()
    as_of = np.array(events.as_of_dates(1), dtype=np.int64)
    one, keys = customer(EVENTS, int(as_of[0])), np.zeros(1, dtype=np.int64)

    def row() -> None:
        history = history_of([one], timeline, int(as_of[0]), int(as_of[0]))
        snapshot(history, catalog, timeline, keys, as_of, threads=1)

    begun = time.perf_counter()
    row()
    first = time.perf_counter() - begun
    history, program = history_of([one], timeline, int(as_of[0]), int(as_of[0])), CompiledCatalog.of(catalog)
    selection = StreamSelection.of(catalog, history)

    def kernel() -> None:
        compute(history, program, selection, timeline, keys, as_of, threads=1)

    def ready() -> None:
        snapshot(history, catalog, timeline, keys, as_of, threads=1)

    def median_ms(work: Callable[[], None]) -> float:
        times = []
        for _ in range(_TIMES):
            begun = time.perf_counter()
            work()
            times.append(time.perf_counter() - begun)
        return 1000 * statistics.median(times)

    return {
        "events": EVENTS,
        "features": len(catalog.columns),
        "kernel_ms": median_ms(kernel),
        "history_to_row_ms": median_ms(ready),
        "events_to_row_ms": median_ms(row),
        "first_call_s": first,
        "import_s": _IMPORTED - _START,
    }


if __name__ == "__main__":
    print(json.dumps(measure()))
