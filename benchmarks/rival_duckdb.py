"""The features in DuckDB SQL, written by hand in several forms.

Every form ends in the same step: a row for each customer out of rows that carry `stream`, `tile` (the
number of windows that are too short to hold the row) and partial counts, sums and extremes. The forms
differ in what those rows are: events, days, or tiles.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import duckdb
import pyarrow as pa

from features.catalog.definitions import Catalog, Feature
from features.timeline import DAY

Form = Callable[[Sequence[str], Catalog, Sequence[int]], list[pa.Table]]
Query = Callable[[str, Catalog, int], str]

# What a level keeps of the events it sums up. Refunds (not `forward`) enter the total and nothing else.
_OF_EVENTS = """count(*) filter (forward) as n, sum(value) as total,
    sum(value) filter (forward) as paid, count(value) filter (forward) as valued,
    min(value) filter (forward) as low, max(value) filter (forward) as high,
    min(moment) filter (forward) as first, max(moment) filter (forward) as last"""
_OF_DAYS = """sum(n) as n, sum(total) as total, sum(paid) as paid, sum(valued) as valued, min(low) as low,
    max(high) as high, min(first) as first, max(last) as last"""


def connect(folder: Path) -> duckdb.DuckDBPyConnection:
    """A database in memory on all cores, free to answer in any order, spilling to the folder."""
    database = duckdb.connect()
    database.execute(f"set threads = {os.cpu_count()}")
    database.execute("set preserve_insertion_order = false")
    database.execute("set enable_progress_bar = false")
    database.execute(f"set temp_directory = '{folder}'")
    database.execute("set TimeZone = 'UTC'")
    return database


def forms(dates: int, folder: Path) -> dict[str, Form]:
    """The forms worth trying for this many as-of dates, by name; what memory cannot hold goes to `folder`."""
    queries: dict[str, Query] = {"days": _days_form, "tiles": _tiles_form, "day bits": _bits_form}
    if dates == 1:
        queries = {**queries, "single pass": _single_pass}
    single: dict[str, Form] = {name: partial(_each, folder, query) for name, query in queries.items()}
    if dates == 1:
        return single
    return {
        **single,
        "kept days": partial(_kept, folder),
        "kept days, joined dates": partial(_joined, folder),
    }


def _each(
    folder: Path, query: Query, paths: Sequence[str], catalog: Catalog, dates: Sequence[int]
) -> list[pa.Table]:
    with connect(folder) as database:
        return [
            database.sql(query(_events(paths, catalog, as_of), catalog, as_of)).to_arrow_table()
            for as_of in dates
        ]


def _kept(folder: Path, paths: Sequence[str], catalog: Catalog, dates: Sequence[int]) -> list[pa.Table]:
    """Days and details of days are made once; each date is a query of its own over them."""
    with connect(folder) as database:
        _keep(database, paths, catalog, dates)
        tables = []
        for as_of in dates:
            age = f"{as_of // DAY} - day"
            tiles = f"""select key, stream, {_tile(age, catalog)} as tile, {_OF_DAYS},
                count(*) filter (n > 0) as days from days where day < {as_of // DAY} group by all"""
            seen = f"""select key, stream, {_tile(f"min({age})", catalog)} as tile from details
                where day < {as_of // DAY} group by key, stream, detail"""
            tables.append(database.sql(_final(tiles, seen, catalog, str(as_of))).to_arrow_table())
        return tables


def _joined(folder: Path, paths: Sequence[str], catalog: Catalog, dates: Sequence[int]) -> list[pa.Table]:
    """Days and details of days are made once and joined to all dates in one query."""
    with connect(folder) as database:
        _keep(database, paths, catalog, dates)
        listed = ", ".join(f"({as_of}, {as_of // DAY})" for as_of in dates)
        database.execute(f"create temp table dates as select * from (values {listed}) as t(as_of, today)")
        tiles = f"""select key, as_of, stream, {_tile("today - day", catalog)} as tile, {_OF_DAYS},
            count(*) filter (n > 0) as days from days join dates on day < today group by all"""
        seen = f"""select key, as_of, stream, {_tile("min(today - day)", catalog)} as tile
            from details join dates on day < today group by key, as_of, stream, detail"""
        return [database.sql(_final(tiles, seen, catalog, "as_of")).to_arrow_table()]


def _keep(
    database: duckdb.DuckDBPyConnection, paths: Sequence[str], catalog: Catalog, dates: Sequence[int]
) -> None:
    events = _events(paths, catalog, max(dates))
    database.execute(
        f"create temp table days as select key, stream, day, {_OF_EVENTS} from ({events}) group by all"
    )
    database.execute(
        f"""create temp table details as select distinct key, stream, detail, day
            from ({events}) where forward and detail is not null"""
    )


def _events(paths: Sequence[str], catalog: Catalog, as_of: int) -> str:
    """The events before the date, and whether they go forward (are no refunds)."""
    listed = ", ".join(f"'{path}'" for path in paths)
    streams = " ".join(
        f"when kind in ({', '.join(repr(kind) for kind in stream.kinds)}) then {number}"
        for number, stream in enumerate(catalog.streams)
    )
    money = [repr(kind) for stream in catalog.streams if stream.amounts for kind in stream.kinds]
    negative = f"kind in ({', '.join(money)}) and value < 0"
    return f"""select key, epoch_us(occurred_at) as moment, epoch_us(occurred_at) // {DAY} as day,
        (case {streams} end)::tinyint as stream, value, detail,
        kind <> 'refund' and not coalesce({negative}, false) as forward
        from read_parquet([{listed}], hive_partitioning = false)
        where occurred_at < make_timestamptz({as_of})"""


def _tile(age: str, catalog: Catalog) -> str:
    """The number of windows that are shorter than an age in days."""
    windows = _windows(catalog)
    cases = " ".join(f"when {age} <= {days} then {number}" for number, days in enumerate(windows))
    return f"(case {cases} else {len(windows)} end)::tinyint"


def _windows(catalog: Catalog) -> list[int]:
    return sorted({f.days for f in catalog.features if isinstance(f, Feature) and f.days is not None})


def _days_form(events: str, catalog: Catalog, as_of: int) -> str:
    """Two levels: customer × stream × day and customer × stream × detail, each summed up by windows."""
    days = f"""select *, {_tile(f"{as_of // DAY} - day", catalog)} as tile, (n > 0)::int as days
        from (select key, stream, day, {_OF_EVENTS} from e group by all)"""
    return _final(days, _details(catalog, as_of), catalog, str(as_of), events)


def _tiles_form(events: str, catalog: Catalog, as_of: int) -> str:
    """The same with a level between: days become tiles, and windows are sums of tiles."""
    tiles = f"""select key, stream, {_tile(f"{as_of // DAY} - day", catalog)} as tile, {_OF_DAYS},
        count(*) filter (n > 0) as days
        from (select key, stream, day, {_OF_EVENTS} from e group by all) group by all"""
    return _final(tiles, _details(catalog, as_of), catalog, str(as_of), events)


def _bits_form(events: str, catalog: Catalog, as_of: int) -> str:
    """Events become tiles at once: the distinct days of 120 consecutive ones are bits of one number."""
    age = f"{as_of // DAY} - day"
    tiles = f"""select key, stream, {_tile(age, catalog)} as tile, ({age}) // 120 as piece, {_OF_EVENTS},
        bit_count(bit_or(1::hugeint << (({age}) % 120)::int) filter (forward)) as days from e group by all"""
    return _final(tiles, _details(catalog, as_of), catalog, str(as_of), events)


def _single_pass(events: str, catalog: Catalog, as_of: int) -> str:
    """One grouping of the events, each feature a filtered aggregate."""
    rows = f"""select key, stream, {_tile(f"{as_of // DAY} - day", catalog)} as tile,
        case when forward then day end as day, case when forward then detail end as detail,
        forward::int as n, value as total,
        case when forward then value end as paid, (forward and value is not null)::int as valued,
        case when forward then value end as low, case when forward then value end as high,
        case when forward then moment end as first, case when forward then moment end as last
        from ({events})"""
    distinct = {"active_days": "count(distinct day)", "distinct_detail": "count(distinct detail)"}
    chosen = _select(catalog, str(as_of), {**_AGGREGATES, **distinct})
    return (
        f"""select key, {as_of}::bigint as as_of, {", ".join(chosen.values())} from ({rows}) group by key"""
    )


def _details(catalog: Catalog, as_of: int) -> str:
    return f"""select key, stream, {_tile(f"min({as_of // DAY} - day)", catalog)} as tile
        from e where forward and detail is not null group by key, stream, detail"""


_AGGREGATES = {
    "count": "sum(n)",
    "sum": "sum(total)",
    "min": "min(low)",
    "max": "max(high)",
    "active_days": "sum(days)",
    "distinct_detail": "count(*)",
    "days_since_last": "max(last)",
    "days_since_first": "min(first)",
}


def _select(catalog: Catalog, as_of: str, aggregates: dict[str, str]) -> dict[str, str]:
    """Each feature as a filtered aggregate of rows with a stream and a tile."""
    windows, streams = _windows(catalog), [stream.name for stream in catalog.streams]
    chosen = {}
    for feature in catalog.features:
        if not isinstance(feature, Feature):
            raise SystemExit(f"the feature '{feature.name}' is derived: the rivals compute plain ones")
        where = f"stream = {streams.index(feature.stream)}"
        if feature.days is not None:
            where += f" and tile <= {windows.index(feature.days)}"
        where = f" filter (where {where})"
        if feature.aggregate == "mean":
            text = f"sum(paid){where} / nullif(sum(valued){where}, 0)"
        else:
            text = aggregates[feature.aggregate] + where
        if feature.aggregate in ("count", "sum", "active_days", "distinct_detail"):
            text = f"coalesce({text}, 0)::double"
        if feature.aggregate.startswith("days_since"):
            text = f"({as_of} - {text}) / {DAY}::double"
        chosen[feature.name] = f"{text} as {feature.name}"
    return chosen


def _final(rows: str, seen: str, catalog: Catalog, as_of: str, events: str | None = None) -> str:
    """The features of each customer: from partial rows, and from the tile where each detail was last seen."""
    chosen = _select(catalog, as_of, _AGGREGATES)
    distinct = [
        f.name for f in catalog.features if isinstance(f, Feature) and f.aggregate == "distinct_detail"
    ]
    others = [text for name, text in chosen.items() if name not in distinct]
    by = ["key", "as_of"] if as_of == "as_of" else ["key"]
    outer = [f"coalesce({name}, 0) as {name}" if name in distinct else name for name in chosen]
    with_events = f"e as ({events}), " if events else ""
    return f"""with {with_events}
        r as (select {", ".join(by)}, {", ".join(others)} from ({rows}) group by {", ".join(by)}),
        s as (select {", ".join(by)}, {", ".join(chosen[name] for name in distinct)}
              from ({seen}) group by {", ".join(by)})
        select key, {as_of}::bigint as as_of, {", ".join(outer)} from r left join s using ({", ".join(by)})"""
