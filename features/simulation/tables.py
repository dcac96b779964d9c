"""The simulated service's outside tables and its truth as Parquet files, written chunk by chunk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.simulation.hazards import CAUSES, WELCOME, CausePeriods, Lifetimes
from features.simulation.hazards import HazardPath as RiskPath
from features.simulation.moments import Column, EventRows
from features.simulation.people import EFFECTS, SimulatedCustomers
from features.simulation.world import AGE_BANDS, DAY, HOUR, MINUTE, OFFSET_HOURS, REGIONS, RecordPeriod, Times

LOCAL = pa.timestamp("us")
UTC = pa.timestamp("us", "UTC")


class Tables:
    """Parquet files of one folder, each open while chunks are added; use as a context.

    With `before`, the rows that each file has already stay, so many of them, and new ones come after them.
    Files are written beside the old ones and take their place when all is done.
    """

    def __init__(self, folder: Path, before: Mapping[str, int] | None = None) -> None:
        self.folder = folder
        self.rows: dict[str, int] = dict(before or {})
        self._before = dict(before or {})
        self._open: dict[str, pq.ParquetWriter] = {}

    def __enter__(self) -> Tables:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name, writer in self._open.items():
            writer.close()
            if error is None:
                self._unfinished(name).replace(self.folder / f"{name}.parquet")
            else:
                self._unfinished(name).unlink()

    def _unfinished(self, name: str) -> Path:
        return self.folder / f"{name}.parquet.unfinished"

    def add(self, name: str, table: pa.Table) -> None:
        """Append rows to `<name>.parquet`."""
        if name not in self._open:
            file = self._unfinished(name)
            file.parent.mkdir(parents=True, exist_ok=True)
            writer = pq.ParquetWriter(file, table.schema, compression="zstd", compression_level=1)
            self._open[name] = writer
            left = self._before.get(name, 0)
            if left:
                earlier = pq.ParquetFile(self.folder / f"{name}.parquet")
                for group in range(earlier.num_row_groups):
                    part = earlier.read_row_group(group)[:left]
                    left -= part.num_rows
                    if part.num_rows:
                        writer.write_table(part.cast(table.schema))
        self._open[name].write_table(table)
        self.rows[name] = self.rows.get(name, 0) + table.num_rows


def names(crowd: SimulatedCustomers) -> pa.Array:
    """The customers' ids."""
    return pa.array([f"c{number:07}" for number in crowd.numbers.tolist()])


def rows(happenings: EventRows, ids: pa.Array, first: int) -> pa.Table:
    """Rows of an outside table in time order, numbered from `first`."""
    ordered = happenings.where(np.lexsort((happenings.who, happenings.when)))
    columns: dict[str, pa.Array] = {
        "number": pa.array(np.arange(first, first + len(ordered))),
        "customer": _coded(ordered.who, ids),
        "happened_at": pa.array(ordered.when, LOCAL),
    }
    columns |= {name: _array(column) for name, column in ordered.columns.items()}
    return pa.table(columns)


def tickets(inquiries: EventRows, ids: pa.Array, first: int) -> pa.Table:
    """Inquiries, with the moment of their answer: before it, nobody knows how long it takes."""
    minutes = np.asarray(inquiries.columns["minutes"])
    answered = inquiries.when + (np.nan_to_num(minutes) * MINUTE).astype(np.int64)
    both = EventRows(inquiries.who, inquiries.when, {**inquiries.columns, "answered_at": answered})
    table = rows(both, ids, first)
    known = pa.array(
        table.column("answered_at").to_numpy(), LOCAL, mask=np.isnan(table.column("minutes").to_numpy())
    )
    return table.set_column(table.schema.get_field_index("answered_at"), "answered_at", known)


def profiles(crowd: SimulatedCustomers, ids: pa.Array) -> pa.Table:
    """What is known about customers since they joined."""
    birthday = np.datetime64("2023-01-01") + crowd.birthday
    return pa.table({
        "customer": ids,
        "since": pa.array(crowd.start, LOCAL),
        "region": _coded(crowd.region, pa.array(REGIONS)),
        "age_band": _coded(crowd.age_band, pa.array(AGE_BANDS)),
        "birthday": pa.array([str(day)[5:] for day in birthday]),
        "do_not_contact": pa.array(crowd.do_not_contact),
    })  # fmt: skip


def hazard_truth(risk: RiskPath, ids: pa.Array) -> pa.Table:
    """`customer_id, from, to, hazard` per day, one row per change; it goes on after the customer has left."""
    return pa.table({
        "customer_id": _coded(risk.who, ids),
        "from": _utc(risk.start),
        "to": _utc(risk.end),
        "hazard": pa.array(risk.hazard),
    })  # fmt: skip


def cause_truth(at_work: CausePeriods, lives: Lifetimes, ids: pa.Array) -> pa.Table:
    """`customer_id, from, cause`: what began to drive a customer away while they were one."""
    real = lives.during(at_work.who, at_work.start) & (at_work.cause != WELCOME)
    who, start, cause = at_work.who[real], at_work.start[real], at_work.cause[real]
    order = np.lexsort((cause, start, who))
    return pa.table({
        "customer_id": _coded(who[order], ids),
        "from": _utc(start[order]),
        "cause": _coded(cause[order], pa.array(CAUSES)),
    })  # fmt: skip


def contact_truth(made: EventRows, crowd: SimulatedCustomers, ids: pa.Array) -> pa.Table:
    """`customer_id, at, effect`: what a personal contact did."""
    order = np.lexsort((made.when, made.who))
    who = made.who[order]
    return pa.table({
        "customer_id": _coded(who, ids),
        "at": _utc(made.when[order]),
        "effect": _coded(crowd.effect[who], pa.array(EFFECTS)),
    })  # fmt: skip


def _utc(when: Times) -> pa.Array:
    return pa.array(when - OFFSET_HOURS * HOUR, UTC)


def _array(column: Column) -> pa.Array:
    if isinstance(column, tuple):
        return _coded(column[0], pa.array(column[1], pa.string()))
    numbers: NDArray[Any] = np.asarray(column)
    return pa.array(numbers, from_pandas=True)


def _coded(codes: NDArray[np.int64], words: pa.Array) -> pa.Array:
    """Texts by their codes; -1 is absent."""
    # A word that stands twice in a dictionary leaves bytes in the Parquet file that nobody wrote.
    once = words.dictionary_encode()
    places = once.indices.to_numpy()[np.maximum(codes, 0)]
    indices = pa.array(places.astype(np.int32), mask=codes < 0)
    return pa.DictionaryArray.from_arrays(indices, once.dictionary)


def record(span: RecordPeriod) -> Mapping[str, str]:
    """The first and the last day of the record."""
    first, last = (str(np.datetime64(at, "us"))[:10] for at in (span.start, span.end - DAY))
    return {"from": first, "until": last}
