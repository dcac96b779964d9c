"""The events of one bucket as a profile counts them: no attributes, each with its local day and minute."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from features.catalog.definitions import Indicator
from features.events.history import Codes, Flags, History, customer_of_event
from features.events.schema import ATTRIBUTE
from features.timeline import SECOND, Timeline

Ints = NDArray[np.int64]

MINUTES = 1_440
OPENS = (
    "email_open",
    "mail_open",
    "push_open",
    "message_open",
    "newsletter_open",
    "open_",
    "opened_",
    "開封",
)
"""Parts of names of kinds that say a message was opened: mail programs and proxies open them too."""


def is_opening(kind: str) -> bool:
    """Whether a kind says that a message was opened, which machines do too."""
    name = kind.casefold()
    return name in ("open", "opened") or any(
        name.startswith(part) if part.endswith("_") else part in name for part in OPENS
    )


@dataclass(frozen=True, eq=False)
class BucketEvents:
    """The events of a bucket that are no attributes, in the order of the store; `day` counts from 0."""

    history: History
    timeline: Timeline
    first_day: int
    days: int
    """How many days the profile has."""
    indicators: tuple[Indicator, ...]

    @cached_property
    def rows(self) -> Ints:
        """Where the events are in the history."""
        profile = np.array([name.startswith(ATTRIBUTE) for name in self.history.kind_names])
        return np.flatnonzero(~profile[self.history.kinds])

    @cached_property
    def who(self) -> Ints:
        """The customer of each event, as a position in the history's keys."""
        return customer_of_event(self.history)[self.rows]

    @cached_property
    def instants(self) -> Ints:
        return self.history.instants[self.rows]

    @cached_property
    def kinds(self) -> Codes:
        return self.history.kinds[self.rows]

    @cached_property
    def values(self) -> NDArray[np.float64]:
        return self.history.values[self.rows]

    @cached_property
    def _midnight(self) -> Ints:
        places: Ints = np.searchsorted(self.timeline.midnights, self.instants, side="right") - 1
        return places

    @cached_property
    def day(self) -> Ints:
        days: Ints = self._midnight - self.first_day
        return days

    @cached_property
    def minute(self) -> Ints:
        """The local time of day."""
        since = self.instants - self.timeline.midnights[self._midnight]
        minutes: Ints = np.minimum(since // (60 * SECOND), MINUTES - 1)
        return minutes

    def codes(self, column: str) -> Codes:
        """A text column of the events; empty where no event has one."""
        codes: Codes = getattr(self.history, column)
        return codes[self.rows] if len(codes) else codes

    def of_kinds(self, flags: list[bool]) -> Flags:
        """Which events are of the kinds that are flagged, in the order of the history's names."""
        chosen: Flags = np.array(flags, dtype=np.bool_)[self.kinds]
        return chosen

    @cached_property
    def by_customers(self) -> Flags:
        """Which events customers did, or machines in their name; not what the company did."""
        company = {kind for one in self.indicators if one.origin == "company" for kind in one.kinds}
        return self.of_kinds([name not in company for name in self.history.kind_names])
