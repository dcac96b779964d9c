"""A simulated service twice, clean and with dirty exports, and how far what is read of them differs."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from features.errors import KizunaError
from features.events.schema import ATTRIBUTE
from features.simulation.exports import EARLIER_ID
from features.simulation.simulate import simulate
from serving.actions.contact_rules import consent_rules
from serving.actions.contact_state import ContactRegister
from serving.application.data.ingest import ingest
from serving.cli.context import CliContext
from training.labels.cohort import cohort, statuses
from training.labels.labelling import label

CONTRACTS = frozenset({"started", "renewed", "upgraded", "downgraded", "cancelled"})
DATES = ("2024-09-01", "2024-11-15", "2024-12-01")
"""As-of dates whose horizon of 30 days the record covers."""


@dataclass(frozen=True)
class Reading:
    """What a project says of its customers: by as-of date and customer whether they churned and what they
    spent, for those in the cohort; and who may not be contacted."""

    status: Mapping[tuple[str, str], int]
    labels: Mapping[tuple[str, str], tuple[bool, float]]
    events: Mapping[str, tuple[int, float]]
    """By customer the number of events but those of contracts and attributes, and the sum of their values."""
    refused: frozenset[str]


@dataclass(frozen=True)
class Comparison:
    """How far the reading of dirty exports is from that of clean ones."""

    customers: int
    different: tuple[str, ...] = ()
    """Customers with another status, label, value or consent."""
    refusal: str = ""
    """Why the ingest of the dirty exports was refused, where it was."""

    @property
    def share(self) -> float:
        """The share of customers who differ."""
        return len(self.different) / self.customers


def compare(
    folder: Path,
    *,
    seed: int,
    customers: int,
    months: int,
    share: float,
    dirt: Collection[str] | None = None,
    clean: Reading | None = None,
) -> Comparison:
    """Simulate a service clean and messy, take both in, and compare what they say of every customer.

    `clean` is the reading of the clean exports, where it was made before.
    """
    simulate(folder / "messy", customers=customers, months=months, seed=seed, messy=share, dirt=dirt)
    if clean is None:
        simulate(folder / "clean", customers=customers, months=months, seed=seed)
        clean = read(folder / "clean")
    try:
        messy = read(folder / "messy")
    except KizunaError as error:
        return Comparison(customers, refusal=error.message)
    different = {name for _, name in clean.status.keys() ^ messy.status.keys()}
    for place, status in clean.status.items():
        if messy.status.get(place) != status:
            different.add(place[1])
    for place, (churned, value) in clean.labels.items():
        other = messy.labels.get(place)
        if other is None or other[0] != churned or not math.isclose(other[1], value, abs_tol=0.5):
            different.add(place[1])
    for name, (count, total) in clean.events.items():
        other_count, other_total = messy.events.get(name, (0, 0.0))
        if count != other_count or not math.isclose(total, other_total, abs_tol=0.01):
            different.add(name)
    different |= clean.refused ^ messy.refused
    return Comparison(customers, tuple(sorted(different)))


def read(folder: Path) -> Reading:
    """Take a project's exports in and read every customer's status, label, value and consent."""
    call = CliContext(folder)
    with call.workspace() as workspace:
        ingest(workspace, call.actor)
        store, churn, timeline = workspace.store, workspace.project.churn, workspace.project.timeline
        status: dict[tuple[str, str], int] = {}
        labels: dict[tuple[str, str], tuple[bool, float]] = {}
        events: dict[str, tuple[int, float]] = {}
        covered = timeline.instant("2025-01-01")
        for history in store.histories():
            names = dict(
                zip(
                    history.keys.tolist(),
                    map(_plain, store.customers.names(history.keys).to_pylist()),
                    strict=True,
                )
            )
            left_out = np.array(
                [kind in CONTRACTS or kind.startswith(ATTRIBUTE) for kind in history.kind_names]
            )
            counts = ~left_out[history.kinds] & (history.instants < covered)
            for place, name in enumerate(names.values()):
                rows = slice(history.offsets[place], history.offsets[place + 1])
                events[name] = int(counts[rows].sum()), float(np.nansum(history.values[rows][counts[rows]]))
            for day in DATES:
                as_of = timeline.instant(day)
                for key, code in zip(
                    history.keys.tolist(), statuses(history, churn, as_of).tolist(), strict=True
                ):
                    if code >= 0:
                        status[day, names[key]] = code
                keys = cohort(history, churn, as_of)
                found = label(history, churn, keys, as_of, covered, timeline)
                for key, churned, value in zip(
                    keys.tolist(), found.churned.tolist(), found.value.tolist(), strict=True
                ):
                    labels[day, names[key]] = churned, value
        contacts = ContactRegister(consent_rules(workspace.project), ()).state(store, workspace.clock())
        names = store.customers.names(contacts.keys[contacts.mask != 0]).to_pylist()
        return Reading(status, labels, events, frozenset(map(_plain, names)))


def _plain(name: str) -> str:
    """A customer's number, however their id is written."""
    prefix = EARLIER_ID.partition("{")[0]
    return name if name.startswith(prefix) else name.removeprefix("c")
