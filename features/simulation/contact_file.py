"""Contacts that a simulated service made in a period: read from a file, kept for the periods after it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyarrow import csv

from features.errors import DataError
from features.simulation.moments import EventRows
from features.simulation.people import SimulatedCustomers
from features.simulation.world import RecordPeriod, Rows, Times

COSTS = {"call_made": 800.0, "coupon_sent": 300.0}
"""The kinds of a contact, and what one costs."""
CHANNELS = {"call_made": "phone", "coupon_sent": "app"}
_CUSTOMER = re.compile(r"c(\d{7,})")


@dataclass(frozen=True, eq=False)
class MadeContacts:
    """n contacts: the customers' numbers, when, and the kind of each as a place in `COSTS`."""

    numbers: NDArray[np.int64]
    when: Times
    kind: Rows
    campaign: tuple[str, ...]

    def write(self, file: Path) -> None:
        """Keep the contacts as a file that `read_contacts` reads."""
        kinds = list(COSTS)
        table = pa.table({
            "customer_id": [f"c{number:07}" for number in self.numbers.tolist()],
            "at": pa.array(self.when, pa.timestamp("us")),
            "kind": [kinds[kind] for kind in self.kind.tolist()],
            "campaign": list(self.campaign),
        })  # fmt: skip
        pq.write_table(table, file)

    def of(self, crowd: SimulatedCustomers) -> EventRows:
        """The contacts of these customers."""
        place = np.minimum(np.searchsorted(crowd.numbers, self.numbers), max(len(crowd) - 1, 0))
        mine = np.zeros(len(self.numbers), np.bool_)
        if len(crowd):
            mine = crowd.numbers[place] == self.numbers
        kinds, names = self.kind[mine], tuple(dict.fromkeys(self.campaign))
        codes = {name: code for code, name in enumerate(names)}
        campaign = np.array([codes[name] for name in self.campaign], dtype=np.int64)[mine]
        return EventRows(place[mine], self.when[mine], {
            "kind": (kinds, tuple(COSTS)),
            "channel": (kinds, tuple(CHANNELS.values())),
            "campaign": (campaign, names),
            "cost": np.array(list(COSTS.values()))[kinds],
        })  # fmt: skip


def read_contacts(file: Path, customers: int, span: RecordPeriod) -> MadeContacts:
    """Contacts from a CSV or Parquet file with the columns customer_id, at, and if given kind and campaign.

    `at` is a date or a local time within the period, `kind` is `call_made` (the default) or `coupon_sent`.
    Raises `DataError` for a file, a column or a row that does not fit; `customers` were simulated so far.
    """
    try:
        table = pq.read_table(file) if file.suffix == ".parquet" else _csv(file)
    except (OSError, pa.ArrowInvalid) as error:
        first = str(error).strip().splitlines()[0].rstrip(".")
        raise DataError(f"cannot read the contacts in {file}: {first}. Write CSV or Parquet.") from None
    for needed in ("customer_id", "at"):
        if needed not in table.column_names:
            raise DataError(
                f"cannot read the contacts in {file}: there is no column '{needed}'. It has "
                f"{', '.join(table.column_names)}. Name the columns customer_id, at, and if wanted kind and "
                "campaign.",
                field=needed,
            )

    def column(name: str, otherwise: str) -> list[str]:
        if name not in table.column_names:
            return [otherwise] * table.num_rows
        return [str(value) if value not in (None, "") else otherwise for value in table[name].to_pylist()]

    rows = sorted(
        (_moment(written), customer_id, kind, campaign, written)
        for customer_id, written, kind, campaign in zip(
            column("customer_id", ""),
            column("at", ""),
            column("kind", "call_made"),
            column("campaign", "contacts"),
            strict=True,
        )
    )
    first_day, last_day = (str(np.datetime64(at, "us"))[:10] for at in (span.start, span.end - 1))
    numbers = []
    for moment, customer_id, kind, _, written in rows:
        problem, match = None, _CUSTOMER.fullmatch(customer_id)
        if match is None or int(match[1]) >= customers:
            problem = (
                f"there is no customer '{customer_id}'. Write ids as they stand in data/profiles.parquet"
            )
        elif not span.start <= moment < span.end:
            problem = f"the contact of '{customer_id}' at '{written}' is not from {first_day} to {last_day}"
        elif kind not in COSTS:
            problem = f"there is no kind of contact '{kind}'. Write {' or '.join(COSTS)}"
        if problem or match is None:
            raise DataError(f"cannot use the contacts in {file}: {problem}.")
        numbers.append(int(match[1]))
    kinds = list(COSTS)
    return MadeContacts(
        np.array(numbers, dtype=np.int64),
        np.array([row[0] for row in rows], dtype=np.int64),
        np.array([kinds.index(row[2]) for row in rows], dtype=np.int64),
        tuple(row[3] for row in rows),
    )


def _csv(file: Path) -> pa.Table:
    """A CSV file with every column as text."""
    names = csv.open_csv(file).schema.names
    return csv.read_csv(
        file, convert_options=csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()))
    )


def _moment(written: str) -> int:
    """A date or a local time as microseconds, -1 where it is none."""
    try:
        return (datetime.fromisoformat(written) - datetime(1970, 1, 1)) // timedelta(microseconds=1)  # noqa: DTZ001
    except (ValueError, TypeError):
        return -1
