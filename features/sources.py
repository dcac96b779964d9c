"""How outside tables become events: the SQL of a project's `kizuna.toml`, run in embedded DuckDB."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from features.errors import ConfigurationError, DataError
from features.events import ATTRIBUTE

BATCH = 1_000_000
"""Rows read from a source at a time."""


class Source(BaseModel):
    """One outside table of events: `[[sources]]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    query: str = Field(min_length=1)
    timezone: str | None = None
    watermark: str | None = None


class Attribute(BaseModel):
    """What is known about a customer besides events, and since when: `[[attributes]]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    query: str = Field(min_length=1)
    timezone: str | None = None


def read(source: Source | Attribute, folder: Path) -> Iterator[pa.Table]:
    """The rows of a query in batches; relative paths in it start at the project folder."""
    with duckdb.connect(config={"file_search_path": str(folder.resolve())}) as database:
        try:
            for batch in database.sql(source.query).to_arrow_reader(BATCH):
                yield pa.Table.from_batches([batch])
        except (duckdb.Error, OSError) as error:
            first = str(error).strip().splitlines()[0]
            raise ConfigurationError(
                f"cannot run the query of source '{source.name}': {first}. Correct it in kizuna.toml."
            ) from None


def as_events(attribute: Attribute, rows: pa.Table) -> pa.Table:
    """Rows of `customer_id, known_at, value` as events of the kind `attribute.<name>`."""
    for column in ("customer_id", "known_at", "value"):
        if column not in rows.column_names:
            raise DataError(
                f"cannot ingest attribute '{attribute.name}': its query gives no column '{column}'. "
                f"It has {', '.join(rows.column_names)}; name one of them so, as in `x as {column}`.",
                field=column,
            )
    values = rows.column("value")
    number = any(
        test(values.type) for test in (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
    )
    kind = pa.array([ATTRIBUTE + attribute.name] * rows.num_rows, pa.string())
    columns = {
        "customer_id": rows.column("customer_id"),
        "occurred_at": rows.column("known_at"),
        "kind": kind,
        ("value" if number else "detail"): values,
    }
    return pa.table(columns)
