"""Why and when simulated customers leave: causes raise a hidden hazard, and the hazard decides.

The hazard of a customer is their own base times the factor of every cause at work, per day and constant
between changes. A customer leaves when the hazard gathered since their start reaches a draw from the
exponential distribution: P(leaving in [a, b)) is exactly 1 − exp(−∫ hazard).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.simulation.people import DRIVES_AWAY, HELPS, NEVER, SimulatedCustomers
from features.simulation.world import DAY, Flags, Floats, RecordPeriod, Rows, Times

CAUSES = ("slow_answers", "falling_use", "unused_features", "unwelcome_contact")
SLOW, FALLING, UNUSED, UNWELCOME, WELCOME = range(5)
FACTORS = np.array([6.0, 9.0, 3.5, 4.0, 0.45])
"""What each cause does to the hazard; the last is a contact that helps."""
SLOW_MINUTES = 24 * 60
"""An answer that takes longer is a slow one."""
HIGHEST = 0.08
"""No hazard per day is above this."""
_SHIFT = 2**46
"""More microseconds than a record has: a customer's row and a time make one number."""


@dataclass(frozen=True, eq=False)
class CausePeriods:
    """Spans during which a cause is at work, one row each."""

    who: Rows
    start: Times
    end: Times
    cause: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class HazardPath:
    """The hazard of every customer from their start to the end of the period, one row per change."""

    who: Rows
    start: Times
    end: Times
    hazard: Floats
    """Per day."""
    gathered: Floats
    """The hazard gathered by the end of each row, summed over all rows so far."""
    origin: int

    def at(self, who: Rows, when: Times) -> Rows:
        """The row that covers each customer and time."""
        places: Rows = np.searchsorted(self._keys, who * _SHIFT + (when - self.origin), side="right") - 1
        return np.clip(places, 0, len(self.who) - 1)

    @property
    def _keys(self) -> Rows:
        return self.who * _SHIFT + (self.start - self.origin)

    def until(self, who: Rows, when: Times) -> Floats:
        """The hazard gathered by each time."""
        row = self.at(who, when)
        missing: Floats = self.hazard[row] * (self.end[row] - when) / DAY
        return self.gathered[row] - missing

    def reached(self, who: Rows, target: Floats) -> Times:
        """When the gathered hazard reaches a target, `NEVER` where not within the record."""
        row = np.minimum(np.searchsorted(self.gathered, target), len(self.who) - 1)
        when = self.end[row] - ((self.gathered[row] - target) / self.hazard[row] * DAY).astype(np.int64)
        there = (self.who[row] == who) & (target <= self.gathered[row])
        return np.where(there, when, NEVER)


@dataclass(frozen=True, eq=False)
class Lifetimes:
    """When each customer is one: `[start, left)`, and for some `[back, left_again)`."""

    start: Times
    left: Times
    back: Times
    left_again: Times

    def during(self, who: Rows, when: Times) -> Flags:
        """Whether a customer was one at a time."""
        first = (when >= self.start[who]) & (when < self.left[who])
        alive: Flags = first | ((when >= self.back[who]) & (when < self.left_again[who]))
        return alive


def draw_causes(
    crowd: SimulatedCustomers, slow: tuple[Rows, Times], contacts: tuple[Rows, Times], span: RecordPeriod
) -> CausePeriods:
    """Every cause at work: slow answers and contacts given by customer and time, the rest from traits."""
    everyone, narrow = np.arange(len(crowd)), np.flatnonzero(crowd.breadth <= 2)
    effect = crowd.effect[contacts[0]]
    parts = [
        (slow[0], slow[1], slow[1] + 60 * DAY, SLOW),
        (everyone, crowd.fading + 14 * DAY, crowd.recovered, FALLING),
        (narrow, crowd.start[narrow] + 30 * DAY, crowd.adopted[narrow], UNUSED),
        *(
            (
                contacts[0][effect == kind],
                contacts[1][effect == kind],
                contacts[1][effect == kind] + days * DAY,
                cause,
            )
            for kind, days, cause in ((DRIVES_AWAY, 30, UNWELCOME), (HELPS, 45, WELCOME))
        ),
    ]
    who = np.concatenate([part[0] for part in parts])
    start = np.concatenate([part[1] for part in parts])
    end = np.concatenate([part[2] for part in parts])
    cause = np.concatenate([np.full(len(part[0]), part[3]) for part in parts])
    mask = (start < span.end) & (start < end) & (end > span.start)
    return CausePeriods(who[mask], start[mask], np.minimum(end[mask], span.end), cause[mask])


def hazard_path(crowd: SimulatedCustomers, at_work: CausePeriods, span: RecordPeriod) -> HazardPath:
    """The hazard of every customer, changed by the causes at work."""
    everyone, entry = np.arange(len(crowd)), span.entry(crowd.start)
    factor = np.log(FACTORS[at_work.cause])
    who = np.concatenate([everyone, at_work.who, at_work.who])
    when = np.concatenate([entry, at_work.start, at_work.end])
    change = np.concatenate([np.log(crowd.base), factor, -factor])
    first = np.concatenate([np.zeros(len(crowd), np.int8), np.ones(2 * len(factor), np.int8)])
    order = np.lexsort((first, when, who))
    who, when, change = who[order], np.maximum(when, entry[who])[order], change[order]
    total = np.cumsum(change)
    heads = np.flatnonzero(np.r_[True, who[1:] != who[:-1]])
    before = np.r_[0.0, total[heads[1:] - 1]]
    level = total - np.repeat(before, np.diff(np.r_[heads, len(who)]))
    end = np.where(np.r_[who[1:] == who[:-1], False], np.r_[when[1:], 0], span.end)
    lasting = end > when
    who, when, end = who[lasting], when[lasting], end[lasting]
    hazard = np.minimum(np.exp(np.round(level[lasting], 9)), HIGHEST)
    gathered = np.cumsum(hazard * (end - when) / DAY)
    return HazardPath(who, when, end, hazard, gathered, span.start)


def draw_lifetimes(
    draw: np.random.Generator, crowd: SimulatedCustomers, risk: HazardPath, span: RecordPeriod
) -> Lifetimes:
    """When each customer leaves, and when some come back and perhaps leave again."""
    everyone, entry = np.arange(len(crowd)), span.entry(crowd.start)
    left = risk.reached(everyone, risk.until(everyone, entry) + draw.exponential(1.0, len(crowd)))
    gone = left < span.end
    returns = gone & (draw.random(len(crowd)) < 0.15)
    back = np.where(returns, left + ((20 + draw.exponential(90, len(crowd))) * DAY).astype(np.int64), NEVER)
    back = np.where(back < span.end - DAY, back, NEVER)
    again = np.where(back < NEVER, back, entry)
    left_again = risk.reached(everyone, risk.until(everyone, again) + draw.exponential(1.0, len(crowd)))
    return Lifetimes(entry, left, back, np.where(back < NEVER, left_again, NEVER))
