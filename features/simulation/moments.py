"""Draws when things happen to simulated customers, and joins them into rows of a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.simulation.hazards import HazardPath, Lifetimes
from features.simulation.people import SimulatedCustomers
from features.simulation.world import DAY, HOUR, Flags, Floats, RecordPeriod, Rows, Times

Column = NDArray[Any] | tuple[NDArray[np.int64], tuple[str, ...]]
"""Numbers, or codes with the names they stand for (-1: absent)."""


@dataclass(frozen=True, eq=False)
class EventRows:
    """Rows of one outside table: who, when, and further columns."""

    who: Rows
    when: Times
    columns: Mapping[str, Column]

    def __len__(self) -> int:
        return len(self.who)

    def where(self, mask: Flags | Rows) -> EventRows:
        return EventRows(
            self.who[mask],
            self.when[mask],
            {
                name: (column[0][mask], column[1]) if isinstance(column, tuple) else column[mask]
                for name, column in self.columns.items()
            },
        )


@dataclass(frozen=True, eq=False)
class SimulationContext:
    """The state that all streams of events are drawn from: customers, hazards, the record period."""

    draw: np.random.Generator
    crowd: SimulatedCustomers
    lives: Lifetimes
    risk: HazardPath
    span: RecordPeriod

    def alive(self, who: Rows, when: Times) -> Flags:
        """Customers at a time within the record."""
        return (when < self.span.end) & self.lives.during(who, when)

    def strain(self, who: Rows, when: Times) -> Floats:
        """How many times their own base the hazard of customers is."""
        strain: Floats = self.risk.hazard[self.risk.at(who, when)] / self.crowd.base[who]
        return strain

    def use(self, who: Rows, when: Times) -> Floats:
        """The share of their usual activity that customers still show."""
        crowd = self.crowd
        months = (when - crowd.fading[who]) / (30 * DAY)
        fading = (months > 0) & (when < crowd.recovered[who])
        return np.where(fading, np.maximum(1 - 0.9 * np.minimum(2 * months, 1.0), 0.1), 1.0)

    def moments(self, rate: float | Floats, *, steady: bool = False) -> tuple[Rows, Times]:
        """Who and when, at a rate per 30 days; unless steady, more for the active and less as they fade."""
        who, when, real = self.candidates(rate, steady=steady)
        return who[real], when[real]

    def candidates(self, rate: float | Floats, *, steady: bool = False) -> tuple[Rows, Times, Flags]:
        """Who and when as if nobody left before the end of the period, and which of it really happens.

        What is drawn here does not depend on who leaves when.
        """
        who, when = moments(self.draw, self.crowd, rate, self.span, steady=steady)
        real = self.alive(who, when)
        if not steady:
            real &= self.draw.random(len(who)) < self.use(who, when)
        return who, when, real


def moments(
    draw: np.random.Generator,
    crowd: SimulatedCustomers,
    rate: float | Floats,
    span: RecordPeriod,
    *,
    steady: bool = False,
) -> tuple[Rows, Times]:
    """Who and when from each customer's start to the end of the period, whether or not they have left."""
    entry = span.entry(crowd.start)
    rates = np.broadcast_to(rate, len(crowd)) * (1.0 if steady else crowd.frequency)
    counts = draw.poisson(rates * (span.end - entry) / (30 * DAY))
    who = np.repeat(np.arange(len(crowd)), counts)
    when = entry[who] + (draw.random(len(who)) * (span.end - entry[who])).astype(np.int64)
    hour = (crowd.hour[who] + 2.0 * draw.standard_normal(len(who))) % 24
    when = when // DAY * DAY + (hour * HOUR).astype(np.int64) // 1_000_000 * 1_000_000
    mask = (when >= entry[who]) & (when < span.end)
    return who[mask], when[mask]


def liked(draw: np.random.Generator, order: NDArray[np.int64], who: Rows, breadth: Rows | int) -> Rows:
    """For each row one of the customer's `breadth` best liked things, the best liked most often."""
    place = np.minimum(draw.geometric(0.42, len(who)) - 1, np.broadcast_to(breadth, len(who)) - 1)
    chosen: Rows = order[who, place]
    return chosen


def joined(*parts: EventRows) -> EventRows:
    """Several tables as one; a column that one of them lacks is absent there."""
    names = dict.fromkeys(name for part in parts for name in part.columns)
    columns: dict[str, Column] = {}
    for name in names:
        given = [part.columns.get(name) for part in parts]
        if any(isinstance(column, tuple) for column in given):
            words: dict[str, int] = {}
            codes = []
            for part, column in zip(parts, given, strict=True):
                if not isinstance(column, tuple):
                    codes.append(np.full(len(part), -1))
                    continue
                places = np.array([*(words.setdefault(word, len(words)) for word in column[1]), -1])
                codes.append(places[column[0]])
            columns[name] = (np.concatenate(codes), tuple(words))
        else:
            columns[name] = np.concatenate(
                [
                    np.full(len(part), np.nan) if column is None else np.asarray(column)
                    for part, column in zip(parts, given, strict=True)
                ]
            )
    return EventRows(
        np.concatenate([part.who for part in parts]), np.concatenate([part.when for part in parts]), columns
    )


def constant(word: str, count: int) -> Column:
    """A text column with the same value in every row."""
    return np.zeros(count, np.int64), (word,)
