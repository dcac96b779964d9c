"""Writes a whole project of a simulated service: its configuration, its tables, and the truth apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from features.errors import UsageError
from features.simulation import behaviour, dealings, tables
from features.simulation.hazards import draw_causes, draw_lifetimes, hazard_path
from features.simulation.moments import EventRows, SimulationContext, joined
from features.simulation.people import draw_customers
from features.simulation.project import NOW, TEXT
from features.simulation.world import TIMEZONE, RecordPeriod, end_of_record, record_period

CHUNK = 10_000
"""Customers made at a time; part of what a seed stands for."""


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


def simulate(
    folder: Path,
    *,
    customers: int,
    months: int,
    seed: int,
    progress: Callable[[str, float], None] | None = None,
) -> SimulationSummary:
    """Write `kizuna.toml`, `now.txt`, `data/` and `truth/`.

    The same numbers give the same files, byte for byte. Memory holds one chunk of customers at a time.
    Raises `UsageError` where a project is there already.
    """
    file = folder / "kizuna.toml"
    if file.exists():
        raise UsageError(
            f"cannot simulate into {folder}: there is a kizuna.toml already. "
            "Name a folder that is new or empty."
        )
    covered = record_period(months, seed)
    with tables.Tables(folder / "data") as data, tables.Tables(folder / "truth") as truth:
        for chunk, first in enumerate(range(0, customers, CHUNK)):
            if progress:
                progress("simulating customers", first / customers)
            draw = np.random.default_rng([seed, 2, chunk])
            _chunk(draw, first, min(CHUNK, customers - first), covered, data, truth)
    (folder / NOW).write_text(f"{end_of_record(covered)}\n", encoding="utf-8")
    file.write_text(TEXT, encoding="utf-8")
    events = sum(rows for name, rows in data.rows.items() if name != "profiles")
    return SimulationSummary(folder, customers, events, data.rows, tables.record(covered))


def _chunk(
    draw: np.random.Generator,
    first: int,
    count: int,
    covered: RecordPeriod,
    data: tables.Tables,
    truth: tables.Tables,
) -> None:
    crowd = draw_customers(draw, first, count, covered)
    inquiries = dealings.inquiries(draw, crowd, covered)
    approached = dealings.contacts(draw, crowd, covered)
    at_work = draw_causes(crowd, dealings.slow_answers(inquiries), (approached.who, approached.when), covered)
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
        "contracts": dealings.contracts(scene),
    }
    ids = tables.names(crowd)
    for name, happenings in streams.items():
        data.add(name, tables.rows(happenings, ids, data.rows.get(name, 0)))
    data.add("tickets", tables.tickets(inquiries, ids, data.rows.get("tickets", 0)))
    data.add("profiles", tables.profiles(crowd, ids))
    truth.add("hazard", tables.hazard_truth(risk, ids))
    truth.add("causes", tables.cause_truth(at_work, when, ids))
    truth.add("contacts", tables.contact_truth(approached, crowd, ids))
