"""Validation of rows: which are events, and why the others are refused."""

from __future__ import annotations

from dataclasses import dataclass, field

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.errors import DataError
from features.events.local_time import to_instants
from features.events.schema import EVENT_SCHEMA, REFUND, REFUSED_SCHEMA, REQUIRED, TEXTS
from features.timeline import ALWAYS, EARLIEST, Instants, Timeline

NO_CUSTOMER = "customer_id is empty"
UNREADABLE = "occurred_at is not a moment that can be read"
TOO_EARLY = "occurred_at is before 1970"
TOO_LATE = "occurred_at is in the future"
NOT_A_NUMBER = "value is not a number"
LARGEST = 1e100
"""Far beyond any amount, and small enough that sums and squares of any number of values stay finite."""
_COLUMNS = {
    "": "",
    NO_CUSTOMER: "customer_id",
    "occurred_at is empty": "occurred_at",
    UNREADABLE: "occurred_at",
    TOO_EARLY: "occurred_at",
    TOO_LATE: "occurred_at",
    "kind is empty": "kind",
    NOT_A_NUMBER: "value",
    "value is NaN or infinite": "value",
    "value is beyond 1e100": "value",
    "a refund has a positive value: write the amount negative": "value",
    "recorded_at is not a moment that can be read": "recorded_at",
    "recorded_at is in the future": "recorded_at",
}
"""Why a row is no event, and the column that says so."""
_REASONS = tuple(_COLUMNS)


@dataclass(frozen=True)
class RejectedRow:
    """A row that is no event: its position, the column at fault and the reason."""

    row: int
    column: str
    reason: str


@dataclass
class ValidationCounts:
    """What became of the rows of one source so far, to tell a bad row from a bad source."""

    source: str
    rows: int = 0
    values: int = 0
    """Rows that say something in `value`."""
    erased: int = 0
    """Rows that were left out before, as their customers were erased."""
    types: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)

    def verdict(self) -> None:
        """Refuse a source that is wrong as a whole: no rows, a column of the wrong type, impossible dates."""
        if self.rows == 0:
            raise DataError(
                f"cannot ingest source '{self.source}': its query gave no rows. "
                "Check its file names and conditions, or remove the source."
            )
        for column, reason, rows, cast in (
            ("occurred_at", UNREADABLE, self.rows, "strptime(column, '%d.%m.%Y')"),
            ("value", NOT_A_NUMBER, self.values, "cast(replace(column, ',', '') as double)"),
        ):
            if rows and self.reasons.get(reason, 0) == rows:
                raise wrong_type(self.source, column, self.types[column], cast)
        for reason, what in (
            (TOO_LATE, "lies in the future. Check the time zone, the unit and the clock"),
            (TOO_EARLY, "lies before 1970. Check the unit of its timestamps"),
        ):
            if self.reasons.get(reason, 0) == self.rows:
                raise DataError(f"cannot ingest source '{self.source}': every occurred_at {what}.")


def check(table: pa.Table, timeline: Timeline, now: int, source: str) -> tuple[pa.Table, pa.Table]:
    """Split rows into events (`EVENT_SCHEMA`) and refused rows (`REFUSED_SCHEMA`, each with its reason).

    Raises `DataError` when it is not single rows that are wrong but the whole: a missing column, a
    column of the wrong type, no rows, or times that are all impossible.
    """
    tally = ValidationCounts(source)
    split = validate_rows(table, timeline, now, tally)
    tally.verdict()
    return split


def validate_rows(
    table: pa.Table, timeline: Timeline, now: int, tally: ValidationCounts
) -> tuple[pa.Table, pa.Table]:
    """As `check`, for one batch of a source; the tally gathers what its verdict needs in the end."""
    events, reason = _examined(table, timeline, now, tally)
    bad = reason != 0
    if not bad.any():
        return events, REFUSED_SCHEMA.empty_table()
    why = pa.DictionaryArray.from_arrays(pa.array(reason[bad]), pa.array(_REASONS)).dictionary_decode()
    refused = pa.Table.from_arrays(
        [pa.array([tally.source] * len(why), pa.string()), as_json(table.filter(pa.array(bad))), why],
        schema=REFUSED_SCHEMA,
    )
    return events.filter(pa.array(~bad)), refused


def whole(table: pa.Table, timeline: Timeline, now: int, source: str) -> tuple[pa.Table, RejectedRow | None]:
    """Rows that must all be events (`EVENT_SCHEMA`), and the first that is none by the rules of `check`."""
    events, reason = _examined(table, timeline, now, ValidationCounts(source))
    if not reason.any():
        return events, None
    row = int(np.flatnonzero(reason)[0])
    why = _REASONS[reason[row]]
    return events, RejectedRow(row, _COLUMNS[why], why)


def _examined(
    table: pa.Table, timeline: Timeline, now: int, tally: ValidationCounts
) -> tuple[pa.Table, NDArray[np.int8]]:
    """Every row in the columns of an event, and why it is none: a place in `_REASONS`, 0 for nothing."""
    source, rows = tally.source, table.num_rows
    missing = [name for name in REQUIRED if name not in table.column_names]
    if missing:
        raise DataError(
            f"cannot ingest source '{source}': its query gives no column '{missing[0]}'. "
            f"It has {', '.join(table.column_names)}; name one of them so, as in `x as {missing[0]}`.",
            field=missing[0],
        )
    tally.rows += rows
    reason = np.zeros(rows, dtype=np.int8)

    def refuse(where: NDArray[np.bool_], why: str) -> None:
        where = where & (reason == 0)
        count = int(where.sum())
        if count:
            reason[where] = _REASONS.index(why)
            tally.reasons[why] = tally.reasons.get(why, 0) + count

    def column(name: str) -> pa.Array:
        if name not in table.column_names:
            return pa.nulls(rows, pa.null())
        values = table.column(name).combine_chunks()
        if pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        tally.types[name] = str(values.type)
        return values

    customer = _text(column("customer_id"), "customer_id", source)
    refuse(_flags(pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(customer)), 0), null=True), NO_CUSTOMER)

    occurred, absent, unreadable = _instants(column("occurred_at"), "occurred_at", timeline, source)
    refuse(unreadable, UNREADABLE)
    refuse(absent, "occurred_at is empty")
    refuse(occurred < EARLIEST, TOO_EARLY)
    refuse(occurred > now, TOO_LATE)

    kind = _text(column("kind"), "kind", source)
    refuse(_flags(pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(kind)), 0), null=True), "kind is empty")

    given = column("value")
    value, unreadable = _numbers(given, source)
    tally.values += rows - given.null_count
    refuse(unreadable, NOT_A_NUMBER)
    refuse(~_flags(pc.is_finite(value), null=True), "value is NaN or infinite")
    refuse(_flags(pc.greater(pc.abs(value), LARGEST), null=False), "value is beyond 1e100")
    refund = _flags(pc.equal(kind, REFUND), null=False)
    if refund.any():
        refuse(
            refund & _flags(pc.greater(value, 0), null=False),
            "a refund has a positive value: write the amount negative",
        )

    recorded, known_at_once, unreadable = _instants(column("recorded_at"), "recorded_at", timeline, source)
    refuse(unreadable, "recorded_at is not a moment that can be read")
    recorded = np.where(known_at_once, ALWAYS, np.maximum(recorded, occurred))
    refuse(recorded > now, "recorded_at is in the future")

    texts = {name: _named(column(name), name, source) for name in (*TEXTS, "event_id")}
    events = pa.Table.from_arrays(
        [
            customer,
            pa.array(occurred).cast(pa.timestamp("us", "UTC")),
            kind,
            value,
            *(texts[name] for name in ("channel", "place", "detail")),
            pa.array(recorded, mask=known_at_once).cast(pa.timestamp("us", "UTC")),
            *(texts[name] for name in ("contract_id", "currency", "event_id")),
        ],
        schema=EVENT_SCHEMA,
    )
    return events, reason


def wrong_type(source: str, column: str, found: str, cast: str) -> DataError:
    """A column holds something that cannot be what it is named; `cast` shows what to write."""
    return DataError(
        f"cannot ingest source '{source}': its column {column} is {found} and cannot be read. "
        f"Write a cast in the query, such as `{cast.replace('column', column)} as {column}`.",
        field=column,
    )


def as_json(rows: pa.Table) -> pa.Array:
    """Each row as JSON text."""
    if rows.num_columns == 0 or rows.num_rows == 0:
        return pa.nulls(rows.num_rows, pa.string()).fill_null("{}")
    with duckdb.connect() as database:
        database.execute("set enable_progress_bar = false")
        database.execute("set TimeZone = 'UTC'")
        database.register("refused", rows)
        texts = database.sql("select to_json(refused)::varchar as row from refused").to_arrow_table()
    return texts.column("row").combine_chunks().cast(pa.string())


def _text(values: pa.Array, name: str, source: str) -> pa.Array:
    """Text, or whole numbers as text."""
    kind = values.type
    if pa.types.is_string(kind):
        return values
    if (
        pa.types.is_null(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
    ):
        return values.cast(pa.string())
    raise wrong_type(source, name, str(kind), "cast(column as varchar)")


def _named(values: pa.Array, name: str, source: str) -> pa.Array:
    """Text where an empty one says nothing; other plain types are written out."""
    if pa.types.is_nested(values.type) or pa.types.is_binary(values.type):
        raise wrong_type(source, name, str(values.type), "cast(column as varchar)")
    if name in ("event_id", "contract_id"):
        values = _text(values, name, source)
    elif not pa.types.is_string(values.type):
        values = values.cast(pa.string())
    if values.null_count == len(values):
        return values
    empty = pc.equal(pc.binary_length(values), 0)
    return pc.if_else(empty, pa.scalar(None, pa.string()), values) if pc.any(empty).as_py() else values


def _flags(values: pa.Array, null: bool) -> NDArray[np.bool_]:
    flags: NDArray[np.bool_] = values.fill_null(null).to_numpy(zero_copy_only=False).astype(bool)
    return flags


def _instants(
    values: pa.Array, name: str, timeline: Timeline, source: str
) -> tuple[Instants, NDArray[np.bool_], NDArray[np.bool_]]:
    """Instants (0 where there is none), where the text is absent, and where it cannot be read."""
    rows, kind = len(values), values.type
    absent = _flags(pc.is_null(values), null=False)
    unreadable = np.zeros(rows, dtype=bool)
    if pa.types.is_null(kind):
        return np.zeros(rows, dtype=np.int64), absent, unreadable
    if pa.types.is_timestamp(kind):
        numbers = _numpy(values.cast(pa.timestamp("us", kind.tz), safe=False).cast(pa.int64()))
        return (numbers if kind.tz else to_instants(numbers, timeline.timezone)), absent, unreadable
    if pa.types.is_date(kind):
        numbers = _numpy(values.cast(pa.timestamp("us")).cast(pa.int64()))
        return to_instants(numbers, timeline.timezone), absent, unreadable
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)):
        raise wrong_type(source, name, str(kind), "to_timestamp(column)")
    zoned, local = _read_moments(values)
    instants = np.where(
        _flags(zoned.is_valid(), null=False), _numpy(zoned), to_instants(_numpy(local), timeline.timezone)
    )
    unreadable = _flags(pc.and_(zoned.is_null(), local.is_null()), null=False) & ~absent
    return np.where(unreadable | absent, 0, instants), absent, unreadable


def _read_moments(values: pa.Array) -> tuple[pa.Array, pa.Array]:
    """ISO texts as microseconds: those that name a zone or offset, and those that do not."""
    with duckdb.connect() as database:
        database.execute("set enable_progress_bar = false")
        database.execute("set TimeZone = 'UTC'")
        database.register("texts", pa.table({"text": values}))
        read = database.sql(
            r"""
            select case when zoned then epoch_us(try_cast(text as timestamptz)) end as zoned,
                   case when not zoned then epoch_us(try_cast(text as timestamp)) end as local
            from (select trim(text) as text,
                         regexp_matches(trim(text), ':\d{2}(\.\d+)?\s*([zZ]|[+-]\d{2}(:?\d{2})?)$') as zoned
                  from texts)
            """
        ).to_arrow_table()
    return read.column("zoned").combine_chunks(), read.column("local").combine_chunks()


def _numbers(values: pa.Array, source: str) -> tuple[pa.Array, NDArray[np.bool_]]:
    """Numbers as float64, and where the text is none."""
    kind = values.type
    unreadable = np.zeros(len(values), dtype=bool)
    if pa.types.is_null(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return values.cast(pa.float64(), safe=False), unreadable
    if pa.types.is_decimal(kind):
        return values.cast(pa.float64()), unreadable
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)):
        raise wrong_type(source, "value", str(kind), "cast(column as double)")
    with duckdb.connect() as database:
        database.execute("set enable_progress_bar = false")
        database.register("texts", pa.table({"text": values}))
        read = database.sql("select try_cast(text as double) as number from texts").to_arrow_table()
    numbers = read.column("number").combine_chunks()
    return numbers, _flags(pc.and_(numbers.is_null(), values.is_valid()), null=False)


def _numpy(values: pa.Array) -> NDArray[np.int64]:
    numbers: NDArray[np.int64] = values.fill_null(0).to_numpy(zero_copy_only=False)
    return numbers
