"""Hints: the SQL to write where a column cannot be read, tried on the column's own values first.

A hint is shown only if it turns a sample of the column into readings that make sense; it names what the
query itself writes, and shows one value as it would then be read. `HINTS` lists all that there are, each
with a sample, so that a test runs every one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum

import duckdb
import numpy as np
import pyarrow as pa

from features.events.parsing.amount_layouts import POINT
from features.events.parsing.amounts import read_amounts
from features.events.parsing.source_text import is_text, read_column

_MICROSECOND = 1_000_000
FIRST = 631_152_000 * _MICROSECOND
"""1990: a reading before it is not taken for right."""
LAST = 4_102_444_800 * _MICROSECOND
ANY_SHARE = 0.98
"""The share of a sample that a hint must be able to read."""


class Trouble(Enum):
    """What is wrong with a column as a whole."""

    UNREADABLE = "cannot be read"
    ZONE = "names a zone that has no one meaning"
    TOO_LATE = "lies in the future"
    TOO_EARLY = "lies before 1970"
    IN_1970 = "lies in 1970"


GENERAL = {
    Trouble.ZONE: "Write the offset instead of the name, as in `2024-03-01 09:30:00 +09:00`.",
    Trouble.TOO_LATE: "Check the time zone, the unit and the clock.",
    Trouble.TOO_EARLY: "Check the unit of its timestamps.",
    Trouble.IN_1970: "A number was taken for seconds since 1970 that is none. Check its unit.",
}
"""What is said where no hint fits."""
PLAIN = {
    "moment": "Give moments such as 2024-03-01 09:30:00 in the query.",
    "number": "Give numbers such as 1200 or -3.5 in the query.",
    "text": "Give text in the query.",
}
"""What is said of a column that cannot be read where no hint fits."""


def _texts(kind: pa.DataType) -> bool:
    return is_text(kind)


def _numbers(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _doubles(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _stamps(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))


def _others(kind: pa.DataType) -> bool:
    return not (_texts(kind) or _numbers(kind) or _stamps(kind))


@dataclass(frozen=True)
class Hint:
    """SQL to write in place of an expression `{x}`, and a sample that it reads."""

    sql: str
    reads: str
    """"moment", "number" or "text"."""
    takes: Callable[[pa.DataType], bool]
    troubles: tuple[Trouble, ...]
    sample: object
    """A value of a column that needs the hint."""
    expected: str
    """What it becomes."""


_WRONG, _SECONDS = (Trouble.UNREADABLE,), (Trouble.IN_1970, Trouble.TOO_LATE, Trouble.TOO_EARLY)
_OVER = (Trouble.UNREADABLE, *_SECONDS)


def _moment(
    sql: str, takes: Callable[[pa.DataType], bool], sample: object, expected: str,
    troubles: tuple[Trouble, ...] = _WRONG,
) -> Hint:  # fmt: skip
    return Hint(sql, "moment", takes, troubles, sample, expected)


HINTS = (
    # Whole numbers, also those that somebody took for seconds: to_timestamp(20240501).
    _moment("strptime(cast({x} as varchar), '%Y%m%d')", _numbers, 20240501, "2024-05-01 00:00:00",
            _SECONDS),
    _moment("strptime(cast({x} as varchar), '%Y%m%d%H%M%S')", _numbers, 20240501093000, "2024-05-01 09:30:00",
            _SECONDS),
    _moment("strptime(cast({x} as varchar), '%Y%m%d%H%M')", _numbers, 202405010930, "2024-05-01 09:30:00",
            _SECONDS),
    _moment("make_timestamptz({x} * 1000)", _numbers, 1714550400123, "2024-05-01 08:00:00", _SECONDS),
    _moment("make_timestamptz({x})", _numbers, 1714550400123456, "2024-05-01 08:00:00", _SECONDS),
    _moment("strptime(cast({x} as varchar) || '01', '%Y%m%d')", _numbers, 202405, "2024-05-01 00:00:00",
            _OVER),
    _moment("timestamp '1899-12-30' + to_microseconds(cast(round({x} * 86400000000) as bigint))",
            _numbers, 45413.5, "2024-05-01 12:00:00", _OVER),
    _moment("date '1970-01-01' + cast({x} as integer)", _numbers, 19844, "2024-05-01 00:00:00", _OVER),
    _moment("strptime(cast({x} as varchar), '%y%m%d')", _numbers, 240501, "2024-05-01 00:00:00", _OVER),
    # Timestamps in the wrong unit.
    _moment("strptime(cast(cast(epoch({x}) as bigint) as varchar), '%Y%m%d')", _stamps,
            datetime(1970, 8, 23, 6, 21, 41, tzinfo=UTC), "2024-05-01 00:00:00", (Trouble.IN_1970,)),
    _moment("make_timestamptz(epoch_us({x}) * 1000)", _stamps,
            datetime(1970, 1, 20, 20, 15, 50, 400000, tzinfo=UTC), "2024-05-01 08:00:00", (Trouble.IN_1970,)),
    _moment("make_timestamptz(epoch_us({x}) * 1000000)", _stamps,
            datetime(1970, 1, 1, 0, 28, 34, 550400, tzinfo=UTC), "2024-05-01 08:00:00", (Trouble.IN_1970,)),
    _moment("{x} + interval 2000 year", _stamps, datetime(24, 5, 1, 9, 30), "2024-05-01 09:30:00",  # noqa: DTZ001
            (Trouble.TOO_EARLY,)),
    # Texts in forms of their own.
    _moment("replace({x}, '{zone}', '+08:00')", _texts, "2024-05-01 09:30:00 CST", "2024-05-01 01:30:00",
            (Trouble.ZONE,)),
    _moment("strptime({x}, '%d/%b/%Y:%H:%M:%S %z')", _texts, "01/May/2024:09:30:00 +0900",
            "2024-05-01 00:30:00"),
    _moment("strptime({x}, '%Y-%m-%d-%H.%M.%S')", _texts, "2024-05-01-09.30.00", "2024-05-01 09:30:00"),
    _moment("strptime({x}, '%Y-%m-%d_%H:%M:%S')", _texts, "2024-05-01_09:30:00", "2024-05-01 09:30:00"),
    _moment("strptime({x}, '%Y-%m-%d_%H-%M-%S')", _texts, "2024-05-01_09-30-00", "2024-05-01 09:30:00"),
    _moment("strptime({x}, '%Y-%m-%d %H-%M-%S')", _texts, "2024-05-01 09-30-00", "2024-05-01 09:30:00"),
    _moment("strptime({x}, '%Y%m%d-%H%M%S')", _texts, "20240501-093000", "2024-05-01 09:30:00"),
    _moment("strptime({x}, '%Y%m%d_%H%M%S')", _texts, "20240501_093000", "2024-05-01 09:30:00"),
    _moment("strptime({x}, '%Y:%m:%d %H:%M:%S')", _texts, "2024:05:01 09:30:00", "2024-05-01 09:30:00"),
    _moment("strptime({x} || '-01', '%Y-%m-%d')", _texts, "2024-05", "2024-05-01 00:00:00"),
    _moment("strptime({x}, '%Y-%j')", _texts, "2024-122", "2024-05-01 00:00:00"),
    _moment("strptime({x} || '-1', '%G-W%V-%u')", _texts, "2024-W18", "2024-04-29 00:00:00"),
    _moment("strptime({x} || '/01', '%Y/%m/%d')", _texts, "2024/05", "2024-05-01 00:00:00"),
    _moment("strptime({x} || '1日', '%Y年%m月%d日')", _texts, "2024年5月", "2024-05-01 00:00:00"),
    _moment("strptime({x} || '01', '%Y%m%d')", _texts, "202405", "2024-05-01 00:00:00"),
    _moment("strptime({x}, '%y%m%d')", _texts, "240501", "2024-05-01 00:00:00"),
    _moment("cast(cast({x} as double) as bigint)", _texts, "2.0240501E7", "2024-05-01 00:00:00"),
    _moment("timestamp '1899-12-30' + "
            "to_microseconds(cast(round(cast({x} as double) * 86400000000) as bigint))",
            _texts, "45413.5", "2024-05-01 12:00:00"),
    # Numbers.
    Hint("cast({x} as integer)", "number", pa.types.is_boolean, _WRONG, True, "1"),
    Hint("replace({x}, '{affix}', '')", "number", _texts, _WRONG, "12 pcs", "12"),
    # Names.
    Hint("cast(cast({x} as bigint) as varchar)", "text", _doubles, _WRONG, 17850.0, "17850"),
    Hint("cast(cast(cast({x} as double) as bigint) as varchar)", "text", _texts, _WRONG, "17850.0", "17850"),
    Hint("cast({x} as varchar)", "text", _others, _WRONG, True, "true"),
)  # fmt: skip
"""Every hint there is; the first that reads a sample is shown."""

_READS = {"occurred_at": "moment", "recorded_at": "moment", "value": "number"}
_TO_TIMESTAMP = re.compile(r"to_timestamp\((.+)\)", re.IGNORECASE | re.DOTALL)
_ZONE_NAME = re.compile(r"[A-Za-z]{2,}$")
_AFFIX = re.compile(r"[-+.,\d]*\d")


def advice(
    column: str,
    named: str,
    expression: str | None,
    values: pa.Array | None,
    trouble: Trouble,
    latest: int = LAST,
) -> str:
    """What to write in the query: a hint that reads these values, else general words.

    `named` is what the query calls the column, `expression` what it writes for it. No hint reads a moment
    later than `latest` (microseconds).
    """
    reads = _READS.get(column, "text")
    general = GENERAL.get(trouble, PLAIN[reads])
    if values is None or not len(values):
        return general
    found = find_hints(reads, expression or named, values, trouble, latest)
    if not found:
        return general
    (sql, reading), *others = found
    shown = first_of(values)
    if trouble is Trouble.ZONE:
        return (
            f"Write its offset in the query, such as `{sql} as {named}`, which reads '{shown}' as "
            f"{reading} UTC."
        )
    if others:
        other, otherwise = others[0]
        return (
            f"If '{shown}' is {reading}, write in the query `{sql} as {named}`; "
            f"if it is {otherwise}, `{other} as {named}`."
        )
    return f"Write in the query `{sql} as {named}`, which reads '{shown}' as {reading}."


def first_of(values: pa.Array) -> str:
    """The first of some values as text."""
    try:
        return str(values[0].as_py())
    except (OverflowError, ValueError):  # a year that Python does not know
        with duckdb.connect() as database:
            database.execute("set TimeZone = 'UTC'")
            database.register("sample", pa.table({"x": values.slice(0, 1)}))
            (text,) = database.execute("select x::varchar from sample").fetchall()[0]
        return str(text)


def find_hints(
    reads: str, expression: str, values: pa.Array, trouble: Trouble, latest: int = LAST
) -> list[tuple[str, str]]:
    """The SQL that reads a sample of a column, each with how it reads the first value: the first hint that
    does, and another where it reads it otherwise."""
    inner = _TO_TIMESTAMP.fullmatch(expression.strip())
    if inner and pa.types.is_timestamp(values.type):
        micros = values.cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy(zero_copy_only=False)
        seconds = (micros + _MICROSECOND // 2) // _MICROSECOND
        if (np.abs(micros - seconds * _MICROSECOND) <= 1_000).all():  # far from 1970 doubles are that coarse
            numbers = pa.array(seconds)
            if found := _that_read(reads, inner[1].strip(), numbers, trouble, latest):
                return found
    return _that_read(reads, expression, values, trouble, latest)


def _that_read(
    reads: str, expression: str, values: pa.Array, trouble: Trouble, latest: int
) -> list[tuple[str, str]]:
    found: dict[str, str] = {}
    for hint in HINTS:
        if hint.reads != reads or trouble not in hint.troubles or not hint.takes(values.type):
            continue
        template = _filled(hint.sql, values)
        if template is None:
            continue
        reading = _try(template.replace("{x}", "x"), reads, values, latest)
        if reading is not None:
            found.setdefault(reading, template.replace("{x}", expression))
    return [(sql, reading) for reading, sql in list(found.items())[:2]]


def _filled(sql: str, values: pa.Array) -> str | None:
    """A template with the zone's name, or the words around numbers, that all the values have."""
    if "%j" in sql and not all(re.fullmatch(r"\d{4}-\d{3}", text.strip()) for text in values.to_pylist()):
        return None
    if "{zone}" in sql:
        names = {found[0] for text in values.to_pylist() if (found := _ZONE_NAME.search(text.strip()))}
        return sql.replace("{zone}", names.pop()) if len(names) == 1 else None
    if "{affix}" in sql:
        affixes = {_AFFIX.sub("", text.strip(), count=1) for text in values.to_pylist()}
        affix = affixes.pop() if len(affixes) == 1 else ""
        # Only words around a number: 千 or a digit beside it would be part of what it says.
        plain = affix.strip() and not re.search(r"[\d'{}%千万億百十]", affix)
        return sql.replace("{affix}", affix) if plain else None
    return sql


def _try(sql: str, reads: str, values: pa.Array, latest: int) -> str | None:
    """How a hint reads the first value, None where it cannot read the sample."""
    with duckdb.connect() as database:
        database.execute("set enable_progress_bar = false")
        database.execute("set TimeZone = 'UTC'")
        database.register("sample", pa.table({"x": values}))
        try:
            made = database.sql(f"select {sql} as x from sample").to_arrow_table().column("x")  # noqa: S608
        except duckdb.Error:
            return None
    result = made.combine_chunks()
    if isinstance(result, pa.ChunkedArray):
        result = pa.concat_arrays(result.chunks)
    if reads == "text":
        same = result.cast(pa.string())
        whole = pa.types.is_floating(values.type) or pa.types.is_decimal(values.type)
        if whole and not all(float(value).is_integer() for value in values.to_pylist()):
            return None
        return str(same[0].as_py())
    return reading_of(reads, result, latest)


def reading_of(reads: str, result: pa.Array, latest: int = LAST) -> str | None:
    """How the first of these values is read as a moment or a number; None where most cannot be read."""
    if reads == "number":
        if not is_text(result.type):
            return str(result[0].as_py())
        numbers = read_amounts(result)
        if len(numbers.decimals) > 1 or (POINT in numbers.in_doubt and not numbers.decimals):
            return None
        numbers.settle(next(iter(numbers.decimals), POINT))
        if np.isnan(numbers.values).mean() > 1 - ANY_SHARE:
            return None
        return f"{numbers.values[0]:.15g}"
    if pa.types.is_timestamp(result.type) or pa.types.is_date(result.type):
        micros = result.cast(pa.timestamp("us")).cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    else:
        read = read_column(result)
        if read.ordered:
            return None
        micros = read.micros
    right = (micros >= FIRST) & (micros < min(latest, LAST))
    if right.mean() < ANY_SHARE:
        return None
    return datetime.fromtimestamp(int(micros[0]) // _MICROSECOND, UTC).strftime("%Y-%m-%d %H:%M:%S")
