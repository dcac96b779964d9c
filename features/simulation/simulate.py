"""Writes a whole project of a simulated service: its configuration, its tables, and the truth apart.

`advance` lets the service live on: the customers who are still there and newcomers go through the following
months, under the service's own contacts or under those that somebody made. Every draw depends on the seed
alone, so an earlier period is computed again instead of being kept.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from features.errors import UsageError
from features.simulation import behaviour, dealings, tables
from features.simulation.contact_file import MadeContacts, read_contacts
from features.simulation.hazards import draw_causes, draw_lifetimes, hazard_path
from features.simulation.messy import check, dirty, local_end
from features.simulation.messy_project import settings
from features.simulation.moments import EventRows, SimulationContext, joined
from features.simulation.names import NAMES
from features.simulation.people import SimulatedCustomers, draw_customers, draw_newcomers
from features.simulation.project import NOW, TEXT
from features.simulation.world import (
    DAY,
    TIMEZONE,
    RecordPeriod,
    Rows,
    Times,
    end_of_record,
    following_period,
    record_period,
)

CHUNK = 10_000
"""Customers made at a time; part of what a seed stands for."""
NEWCOMERS_A_MONTH = 0.03
"""Of those who were simulated at first, how many come new in each later month."""
WORLD = "world.json"
"""In `truth/`: what the service was simulated with, for `advance`."""

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class SimulationSummary:
    """Counts of what a simulation wrote."""

    folder: Path
    customers: int
    events: int
    rows: Mapping[str, int]
    """Rows of each table."""
    record: Mapping[str, str]
    timezone: str = TIMEZONE


@dataclass(frozen=True)
class AdvanceSummary:
    """What became of a simulated service in the months that it was moved on by."""

    folder: Path
    now: str
    """The simulated present from now on, ISO 8601."""
    customers: int
    """Those who were ever simulated."""
    newcomers: int
    there: int
    """Customers at the new present."""
    events: int
    """New events."""
    contacts: int | None
    """Contacts of the file; None where the service made its own."""
    came_too_late: int
    """Contacts of the file to customers who had left by then: they did nothing and are in no table."""


@dataclass(frozen=True)
class _Period:
    months: int
    contacts: str | None = None
    """The file in `truth/` with the contacts that were made; None where the service made its own."""


@dataclass(frozen=True)
class _World:
    """What a service was simulated with, and the rows of each table and each file of the truth."""

    customers: int
    seed: int
    periods: tuple[_Period, ...]
    messy: float = 0.0
    data: Mapping[str, int] = field(default_factory=dict)
    truth: Mapping[str, int] = field(default_factory=dict)

    @property
    def spans(self) -> list[RecordPeriod]:
        """When each period begins and ends."""
        spans = [record_period(self.periods[0].months, self.seed)]
        for number, period in enumerate(self.periods[1:], 1):
            spans.append(following_period(spans[-1], period.months, self.seed, number))
        return spans

    @property
    def born(self) -> list[int]:
        """How many customers each period brings."""
        monthly = self.customers * NEWCOMERS_A_MONTH
        return [self.customers, *(round(monthly * period.months) for period in self.periods[1:])]

    def chunks(self) -> list[tuple[int, int, int]]:
        """Of each chunk of customers: the period that brings them, the first number, how many."""
        chunks, first = [], 0
        for period, count in enumerate(self.born):
            chunks += [(period, first + start, min(CHUNK, count - start)) for start in range(0, count, CHUNK)]
            first += count
        return chunks

    def write(self, folder: Path) -> None:
        text = json.dumps(asdict(self), indent=1) + "\n"
        _replace(folder / "truth" / WORLD, text)

    @staticmethod
    def read(folder: Path) -> _World:
        file = folder / "truth" / WORLD
        if not file.is_file():
            raise UsageError(
                f"cannot move the simulation in {folder} on: there is no {file}. "
                "Name a folder that `kizuna simulate` has written, or simulate it anew."
            )
        values = json.loads(file.read_text(encoding="utf-8"))
        values["periods"] = tuple(_Period(**period) for period in values["periods"])
        return _World(**values)


@dataclass(frozen=True, eq=False)
class _Survivors:
    """The customers at the end of a period, with the slow answers and contacts that still weigh on them.

    Both are rows of customer (a place in `crowd`) and time.
    """

    crowd: SimulatedCustomers
    slow: tuple[Rows, Times]
    contacts: tuple[Rows, Times]

    @staticmethod
    def newly(crowd: SimulatedCustomers) -> _Survivors:
        nothing = np.empty(0, np.int64), np.empty(0, np.int64)
        return _Survivors(crowd, nothing, nothing)


@dataclass(frozen=True, eq=False)
class _Book:
    """The tables that a period is written into."""

    data: tables.Tables
    truth: tables.Tables


def simulate(
    folder: Path,
    *,
    customers: int,
    months: int,
    seed: int,
    messy: float = 0.0,
    dirt: Collection[str] | None = None,
    progress: Progress | None = None,
) -> SimulationSummary:
    """Write `kizuna.toml`, `now.txt`, `data/` and `truth/`.

    The same numbers give the same files, byte for byte. Memory holds one chunk of customers at a time.
    With `messy`, a share from 0 to 1, the exports are then dirtied as real ones are (`messy.dirty`, which
    holds them in memory as a whole), by every kind of dirt or those named.
    Raises `UsageError` where a project is there already.
    """
    file = folder / "kizuna.toml"
    if file.exists():
        raise UsageError(
            f"cannot simulate into {folder}: there is a kizuna.toml already. "
            "Name a folder that is new or empty, or move a simulated one on with --advance."
        )
    check(dirt or ())
    world = _World(customers, seed, (_Period(months),), messy)
    world, _ = _live(folder, world, [], progress)
    text = f"{TEXT}\n{NAMES}"
    if messy:
        end = end_of_record(world.spans[0])
        mess = dirty(folder, messy, seed, local_end(end), dirt)
        text = settings(mess)
        # Some of the dirt is known only after the record: who opts out later, calls that were noted.
        _replace(folder / NOW, f"{(datetime.fromisoformat(end) + timedelta(days=3)).isoformat()}\n")
    file.write_text(text, encoding="utf-8")
    events = sum(rows for name, rows in world.data.items() if name != "profiles")
    return SimulationSummary(folder, customers, events, world.data, tables.record(world.spans[0]))


def advance(
    folder: Path, *, months: int, contacts: Path | None = None, progress: Progress | None = None
) -> AdvanceSummary:
    """Let a simulated service live on for some months, and move its present on.

    Personal contacts are those of the file (`read_contacts`), or the service's own by chance. The tables gain
    rows at their end, also of newcomers; what they held stays. The same steps give the same files.
    Raises `UsageError` for a folder that was not simulated, `DataError` for contacts that do not fit.
    """
    before = _World.read(folder)
    if before.messy:
        raise UsageError(
            f"cannot move the simulation in {folder} on: its exports are messy. "
            "Simulate a service without --messy to move it on."
        )
    number = len(before.periods)
    made = None if contacts is None else f"contacts-{number}.parquet"
    world = replace(before, periods=(*before.periods, _Period(months, made)))
    known = sum(before.born)
    given: list[MadeContacts | None] = []
    for period, span in zip(world.periods[1:-1], world.spans[1:-1], strict=True):
        given.append(
            read_contacts(folder / "truth" / period.contacts, known, span) if period.contacts else None
        )
    given.append(None if contacts is None else read_contacts(contacts, known, world.spans[-1]))
    if contacts is not None and made is not None and given[-1] is not None:
        given[-1].write(folder / "truth" / made)
    after, (there, reached) = _live(folder, world, given, progress)
    sent = None if given[-1] is None else len(given[-1].numbers)
    return AdvanceSummary(
        folder,
        end_of_record(world.spans[-1]),
        customers=sum(world.born),
        newcomers=world.born[-1],
        there=there,
        events=sum(
            rows - before.data.get(name, 0) for name, rows in after.data.items() if name != "profiles"
        ),
        contacts=sent,
        came_too_late=0 if sent is None else sent - reached,
    )


def _live(
    folder: Path, world: _World, given: list[MadeContacts | None], progress: Progress | None
) -> tuple[_World, tuple[int, int]]:
    """Simulate every period and write the last; also how many are there at its end, and were contacted."""
    spans, chunks = world.spans, world.chunks()
    last, there, reached = len(spans) - 1, 0, 0
    with (
        tables.Tables(folder / "data", world.data) as data,
        tables.Tables(folder / "truth", world.truth) as truth,
    ):
        for place, (born, first, count) in enumerate(chunks):
            if progress:
                progress("simulating customers", first / sum(world.born))
            draw = np.random.default_rng([world.seed, 2, place, *([born] if born else [])])
            new = draw_customers if born == 0 else draw_newcomers
            living = _Survivors.newly(new(draw, first, count, spans[born]))
            for period in range(born, last + 1):
                if period > born:
                    draw = np.random.default_rng([world.seed, 3, place, period])
                book = _Book(data, truth) if period == last else None
                made = given[period - 1] if period else None
                orders = None if made is None else np.random.default_rng([world.seed, 4, place, period])
                living, contacted = _period(draw, living, made, spans[period], book, orders)
            there += len(living.crowd)
            reached += contacted
    _replace(folder / NOW, f"{end_of_record(spans[-1])}\n")
    done = replace(world, data=data.rows, truth=truth.rows)
    done.write(folder)
    return done, (there, reached)


def _period(
    draw: np.random.Generator,
    before: _Survivors,
    given: MadeContacts | None,
    covered: RecordPeriod,
    book: _Book | None,
    draw_orders: np.random.Generator | None,
) -> tuple[_Survivors, int]:
    """Simulate a chunk of customers through a period, written where there is a book.

    With `draw_orders` they order by common random numbers (`shared_orders`). Returns who is there at the end
    of the period, and how many contacts reached somebody.
    """
    crowd = before.crowd
    inquiries = dealings.inquiries(draw, crowd, covered)
    approached = dealings.contacts(draw, crowd, covered) if given is None else given.of(crowd)
    slow = _both(before.slow, dealings.slow_answers(inquiries))
    contacted = _both(before.contacts, (approached.who, approached.when))
    at_work = draw_causes(crowd, slow, contacted, covered)
    risk = hazard_path(crowd, at_work, covered)
    when = draw_lifetimes(draw, crowd, risk, covered)
    scene = SimulationContext(draw, crowd, when, risk, covered)
    inquiries, approached = (part.where(scene.alive(part.who, part.when)) for part in (inquiries, approached))
    sent = joined(approached, dealings.mailings(scene))
    topics = np.asarray(inquiries.columns["topic"][0])
    streams: dict[str, EventRows] = {
        "orders": behaviour.orders(scene),
        "usage": behaviour.usage(scene),
        "content": behaviour.content(scene, (inquiries.who, inquiries.when, topics)),
        "surveys": dealings.surveys(scene, inquiries),
        "social": behaviour.social(scene),
        "community": behaviour.community(scene),
        "campaigns": sent,
        "responses": dealings.responses(scene, sent),
    }
    if draw_orders is not None:
        # Drawn besides, not instead: everything else of a service that was moved on before stays as it was.
        streams["orders"] = behaviour.shared_orders(scene, draw_orders)
    streams["contracts"], plan = dealings.contracts(scene)
    if book is not None:
        data, truth, ids = book.data, book.truth, tables.names(crowd)
        for name, happenings in streams.items():
            data.add(name, tables.rows(happenings, ids, data.rows.get(name, 0)))
        data.add("tickets", tables.tickets(inquiries, ids, data.rows.get("tickets", 0)))
        new = np.flatnonzero(crowd.start >= covered.start)
        if len(new):
            data.add("profiles", tables.profiles(crowd.take(new), ids.take(new)))
        truth.add("hazard", tables.hazard_truth(risk, ids))
        truth.add("causes", tables.cause_truth(at_work, when, ids))
        truth.add("contacts", tables.contact_truth(approached, crowd, ids))
    everyone = np.arange(len(crowd))
    stays = when.during(everyone, np.full(len(crowd), covered.end - 1))
    who = np.flatnonzero(stays)
    new_place = np.cumsum(stays) - 1

    def of_those(rows: tuple[Rows, Times]) -> tuple[Rows, Times]:
        mine = stays[rows[0]] & (rows[1] > covered.end - 90 * DAY)  # none weighs longer than 60 days
        return new_place[rows[0][mine]], rows[1][mine]

    carried = _Survivors(replace(crowd, plan=plan).take(who), of_those(slow), of_those(contacted))
    return carried, len(approached)


def _both(one: tuple[Rows, Times], other: tuple[Rows, Times]) -> tuple[Rows, Times]:
    return np.concatenate([one[0], other[0]]), np.concatenate([one[1], other[1]])


def _replace(file: Path, text: str) -> None:
    """Write a file in one step."""
    unfinished = file.with_name(f"{file.name}.unfinished")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(file)
