"""Reading `[[aliases]]`: outside tables that say which customer id became which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
from pydantic import Field

from features.errors import DataError
from features.events.schema import REFUSED_SCHEMA
from features.events.validation import as_json, validate_rows
from features.events.validation_counts import ValidationCounts
from features.ingestion.quarantine import QuarantineWriter
from features.ingestion.receipt import Receipt
from features.ingestion.sources import Query, SourceReader
from features.timeline import EARLIEST, Timeline, from_instant

NOT_YET = "known_at is in the future"


class AliasTable(Query):
    """Which customer id became which, since a migration or a merger: `[[aliases]]`."""

    name: str = Field(default="aliases", min_length=1, description="what receipts and errors call it")
    query: str = Field(
        min_length=1,
        description="SQL for old_id and new_id; known_at, where it is given, is the moment from which a row "
        "holds",
    )


@dataclass
class AliasRows:
    """What the tables say: old id → new id, and what became of the rows of each table."""

    pairs: dict[str, str] = field(default_factory=dict)
    receipts: list[Receipt] = field(default_factory=list)


def read_alias_tables(
    tables: Sequence[AliasTable],
    known: Mapping[str, str],
    folder: Path,
    timeline: Timeline,
    now: int,
    refusals: QuarantineWriter,
) -> AliasRows:
    """All rows of the tables; `known` are the aliases that the store follows already.

    A row without one of the ids is refused. One whose `known_at` has not come does not hold yet, and one
    that names the same id twice says nothing. Raises `DataError` where an id has two new ones.
    """
    result = AliasRows()
    for table in tables:
        clock = Timeline(table.timezone) if table.timezone else timeline
        read, refused, fresh = 0, 0, 0
        for rows in SourceReader(table, folder):
            read += rows.num_rows
            pairs, bad = _pairs(table.name, rows, clock, now)
            refused += bad.num_rows
            refusals.add(bad)
            for old, new in pairs:
                if result.pairs.setdefault(old, new) != new:
                    raise DataError(
                        f"cannot follow the aliases of '{table.name}': '{old}' has two new ids, "
                        f"'{result.pairs[old]}' and '{new}'. Keep the one that is right in its query.",
                        field="new_id",
                    )
                fresh += old not in known
        result.receipts.append(Receipt(table.name, read, fresh, read - refused - fresh, 0, refused, 0))
    return result


def current_ids(pairs: Mapping[str, str], known: Mapping[str, str]) -> dict[str, str]:
    """Old id → the newest id of its chain; `known` are the aliases that the store follows already.

    What is known stays, as its events were moved. Raises `DataError` where aliases go in a circle, or where a
    known one is to stand for somebody else.
    """
    steps = dict(known) | dict(pairs)
    newest: dict[str, str] = {}
    for start in steps:
        chain = [start]
        while chain[-1] in steps and chain[-1] not in newest:
            chain.append(steps[chain[-1]])
            if chain[-1] in chain[:-1]:
                circle = " → ".join(f"'{one}'" for one in chain[chain.index(chain[-1]) :])
                raise DataError(
                    f"cannot follow the aliases: they go in a circle, {circle}. Take one of these rows out "
                    "of the query of [[aliases]]; an alias that was followed before cannot be turned round.",
                    field="new_id",
                )
        end = newest.get(chain[-1], chain[-1])
        newest.update(dict.fromkeys(chain[:-1], end))
    for old, before in known.items():
        if newest[old] != newest.get(before, before):
            raise DataError(
                f"cannot follow the aliases: '{old}' became '{newest[old]}', but it was read as '{before}' "
                "before, and their events lie together now. Write the alias as it was, or move the state "
                "folder away and ingest anew.",
                field="new_id",
            )
    return newest


def _pairs(name: str, rows: pa.Table, timeline: Timeline, now: int) -> tuple[list[tuple[str, str]], pa.Table]:
    """Old and new ids, read as the customer ids of events are, and the rows that are refused."""
    for column in ("old_id", "new_id"):
        if column not in rows.column_names:
            raise DataError(
                f"cannot read the aliases '{name}': its query gives no column '{column}'. It has "
                f"{', '.join(rows.column_names)}; name one of them so, as in `x as {column}`.",
                field=column,
            )
    # Each side as an event of nothing but a customer, and `known_at` as when it was recorded.
    known = rows.column("known_at") if "known_at" in rows.column_names else pa.nulls(rows.num_rows)
    sides, reasons = [], [""] * rows.num_rows
    for column in ("old_id", "new_id"):
        checked = pa.table(
            {
                "customer_id": rows.column(column),
                "occurred_at": pa.array([from_instant(EARLIEST)] * rows.num_rows, pa.timestamp("us", "UTC")),
                "kind": pa.array(["alias"] * rows.num_rows, pa.string()),
                "event_id": pa.array(np.arange(rows.num_rows).astype(str)),
                "recorded_at": known,
            }
        )
        try:
            good, refused = validate_rows(checked, timeline, now, ValidationCounts(name))
        except DataError as error:
            said = error.message.replace("customer_id", column).replace("recorded_at", "known_at")
            raise DataError(said, field=column) from None
        places = [int(at) for at in good.column("event_id").to_pylist()]
        sides.append(dict(zip(places, good.column("customer_id").to_pylist(), strict=True)))
        bad = np.delete(np.arange(rows.num_rows), places).tolist()
        for place, reason in zip(bad, refused.column("reason").to_pylist(), strict=True):
            named = reason.replace("customer_id", column).replace("recorded_at", "known_at")
            reasons[place] = reasons[place] or named
    both = [at for at, reason in enumerate(reasons) if not reason]
    pairs = [(sides[0][at], sides[1][at]) for at in both if sides[0][at] != sides[1][at]]
    wrong = [at for at, reason in enumerate(reasons) if reason and reason != NOT_YET]
    if not wrong:
        return pairs, REFUSED_SCHEMA.empty_table()
    texts = as_json(rows.take(pa.array(wrong)))
    why = [reasons[at] for at in wrong]
    columns = [pa.array([name] * len(wrong), pa.string()), texts, pa.array(why, pa.string())]
    columns += [pa.nulls(len(wrong), pa.string())] * 2
    return pairs, pa.Table.from_arrays(columns, schema=REFUSED_SCHEMA)
