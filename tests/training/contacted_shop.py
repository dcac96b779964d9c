"""A shop whose campaigns make the customers they treat buy once more, so that contact hides the risk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.timeline import DAY
from tests.training.simulated import Shop, shop
from tests.training.worlds import ORIGIN
from training.data.contact_weights import ContactAssignments

HOLD = 10
"""Days."""


@dataclass(frozen=True)
class ContactedShop:
    """A shop, and the arms of each of its campaigns by customer number."""

    shop: Shop
    starts: tuple[int, ...]
    """Days after the beginning."""
    treated: NDArray[np.bool_]
    """bool[campaigns, customers]."""
    control: float

    def assignments(self, keys: NDArray[np.int64]) -> ContactAssignments:
        """The table that training reads; `keys` are those of the customers by number, −1 for none."""
        there = keys >= 0
        size = int(there.sum())
        return ContactAssignments.of(
            [
                ContactAssignments(
                    np.full(size, number),
                    keys[there],
                    np.full(size, ORIGIN + start * DAY),
                    np.full(size, ORIGIN + (start + HOLD) * DAY),
                    self.treated[number][there],
                    np.full(size, self.control),
                )
                for number, start in enumerate(self.starts)
            ]
        )


def contacted_shop(
    customers: int = 450, days: int = 280, *, control: float = 0.4, every: int = 40, first: int = 60
) -> ContactedShop:
    """Campaigns every so many days; who is treated gets a call two days later, and buys the day after it."""
    there = shop(customers, days)
    starts = tuple(range(first, days - 5, every))
    draw = np.random.default_rng(11)
    treated = draw.random((len(starts), customers)) >= control
    number, who = np.nonzero(treated)
    called = ORIGIN + (np.array(starts)[number] + 2) * DAY
    parts = [there.events]
    for kind, when in (("call_made", called), ("purchase", called + DAY)):
        parts.append(
            pa.table(
                {
                    "customer_id": pa.array([f"c{n:04}" for n in who]),
                    "occurred_at": pa.array(when, pa.timestamp("us", "UTC")),
                    "kind": pa.array([kind] * len(who)),
                    "value": pa.array(np.full(len(who), 20.0)),
                    "detail": pa.array(["food" if kind == "purchase" else "spring"] * len(who)),
                    "event_id": pa.array([f"{kind}-{c}-{n}" for c, n in zip(number, who, strict=True)]),
                }
            )
        )
    return ContactedShop(Shop(pa.concat_tables(parts), there.rates), starts, treated, control)
