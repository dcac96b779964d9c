"""Made-up exports of a shop as Parquet files (orders, visits, contracts), and a project that reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.inputs.services import kizuna

START = datetime(2023, 1, 1)  # noqa: DTZ001 (the project's zone is UTC)
END = datetime(2025, 1, 1)  # noqa: DTZ001

Row = tuple[str, datetime, str]
"""Who, when, what."""
Kept = Callable[[datetime], bool]


def always(_: datetime) -> bool:
    """Every row is in the export."""
    return True


def before(day: str) -> Kept:
    """Rows before a day alone are in the export."""
    end = datetime.fromisoformat(day)
    return lambda moment: moment < end


@dataclass(frozen=True)
class Habit:
    """Customers who do something every `gap` days or so, until they leave."""

    kind: str
    gap: float
    prefix: str = "c"
    customers: int = 60
    seed: int = 1

    def rows(self) -> Iterator[Row]:
        chance = np.random.default_rng(self.seed)
        days = (END - START).days
        for customer in range(self.customers):
            at = float(chance.uniform(0, 60))
            stop = days if chance.random() < 0.6 else float(chance.uniform(100, days))
            while at < stop:
                yield f"{self.prefix}{customer:03d}", START + timedelta(days=at), self.kind
                at += float(chance.exponential(self.gap)) + 0.05


def on_days(kind: str, days: Sequence[datetime], customers: int = 40) -> list[Row]:
    """A batch: everybody, on each of these days at noon."""
    noon = timedelta(hours=12)
    return [(f"c{n:03d}", day + noon, kind) for day in days for n in range(customers)]


def write(folder: Path, source: str, rows: Sequence[Row] | Iterator[Row], kept: Kept = always) -> None:
    """One source's file."""
    who, when, what = zip(*(row for row in rows if kept(row[1])), strict=True)
    (folder / "data").mkdir(parents=True, exist_ok=True)
    table = {"customer_id": who, "occurred_at": pa.array(when, pa.timestamp("us")), "kind": what}
    pq.write_table(pa.table(table), folder / "data" / f"{source}.parquet")


def project(folder: Path, churn: str, *, closed: Sequence[str] = (), more: str = "") -> Path:
    """A kizuna.toml that reads every file there is, ingested."""
    parts = ['timezone = "UTC"']
    for file in sorted((folder / "data").glob("*.parquet")):
        lines = ["[[sources]]", f'name = "{file.stem}"', f"query = \"select * from 'data/{file.name}'\""]
        parts.append("\n".join([*lines, *(["closed = true"] if file.stem in closed else [])]))
    parts += [more, f"[churn]\n{churn}"]
    (folder / "kizuna.toml").write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    assert kizuna(folder, "ingest") == 0
    return folder
