"""The features in Polars, written by hand in several forms: the counterparts of the DuckDB forms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import polars as pl

from features.catalog.definitions import Catalog, Feature
from features.events.schema import REFUND
from features.timeline import DAY

Form = Callable[[Sequence[str], Catalog, Sequence[int]], list[pl.DataFrame]]
Engine = Literal["streaming", "in-memory"]
Query = Callable[[pl.LazyFrame, Catalog, int], pl.LazyFrame]

# What a level keeps of the events it sums up. Refunds (not `forward`) enter the total and nothing else.
_OF_EVENTS = (
    pl.col("forward").cast(pl.Int64).sum().alias("n"),
    pl.col("value").sum().alias("total"),
    pl.col("paid").sum(),
    pl.col("paid").count().cast(pl.Int64).alias("valued"),
    pl.col("paid").min().alias("low"),
    pl.col("paid").max().alias("high"),
    pl.col("gone").min().alias("first"),
    pl.col("gone").max().alias("last"),
)
_OF_DAYS = (
    pl.col("n", "total", "paid", "valued", "days").sum(),
    pl.col("low", "first").min(),
    pl.col("high", "last").max(),
)
_DAYS = (pl.col("n") > 0).cast(pl.Int64).alias("days")


def forms(dates: int) -> dict[str, Form]:
    """The forms worth trying for this many as-of dates, by name."""
    single = {
        "days": _each(_days_form, "streaming"),
        "tiles": _each(_tiles_form, "streaming"),
        "tiles, in memory": _each(_tiles_form, "in-memory"),
    }
    if dates == 1:
        return {**single, "single pass": _each(_single_pass, "streaming")}
    return {**single, "kept days": _kept, "kept days, joined dates": _joined}


def _each(query: Query, engine: Engine) -> Form:
    def run(paths: Sequence[str], catalog: Catalog, dates: Sequence[int]) -> list[pl.DataFrame]:
        return [
            query(_events(paths, catalog, as_of), catalog, as_of).collect(engine=engine) for as_of in dates
        ]

    return run


def _kept(paths: Sequence[str], catalog: Catalog, dates: Sequence[int]) -> list[pl.DataFrame]:
    """Days and details of days are made once; each date is a query of its own over them."""
    days, details = _keep(paths, catalog, dates)
    found = []
    for as_of in dates:
        age, past = as_of // DAY - pl.col("day"), pl.col("day") < as_of // DAY
        tiles = days.filter(past).group_by("key", "stream", _tile(age, catalog)).agg(*_OF_DAYS)
        seen = details.filter(past).group_by("key", "stream", "detail").agg(age.min().alias("age"))
        seen = seen.with_columns(_tile(pl.col("age"), catalog))
        found.append(_final(tiles, seen, catalog, pl.lit(as_of)).collect(engine="streaming"))
    return found


def _joined(paths: Sequence[str], catalog: Catalog, dates: Sequence[int]) -> list[pl.DataFrame]:
    """Days and details of days are made once and joined to all dates in one query."""
    days, details = _keep(paths, catalog, dates)
    listed = pl.LazyFrame({"as_of": list(dates)}, schema={"as_of": pl.Int64})
    today = listed.with_columns(today=pl.col("as_of") // DAY)
    age = pl.col("today") - pl.col("day")
    tiles = days.join(today, how="cross").filter(age > 0)
    tiles = tiles.group_by("key", "as_of", "stream", _tile(age, catalog)).agg(*_OF_DAYS)
    seen = details.join(today, how="cross").filter(age > 0)
    seen = seen.group_by("key", "as_of", "stream", "detail").agg(age.min().alias("age"))
    seen = seen.with_columns(_tile(pl.col("age"), catalog))
    return [_final(tiles, seen, catalog, pl.col("as_of"), "as_of").collect(engine="streaming")]


def _keep(paths: Sequence[str], catalog: Catalog, dates: Sequence[int]) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    events = _events(paths, catalog, max(dates))
    days, details = pl.collect_all(
        [
            events.group_by("key", "stream", "day").agg(*_OF_EVENTS).with_columns(_DAYS),
            _details(events).select("key", "stream", "detail", "day").unique(),
        ],
        engine="streaming",
    )
    return days.lazy(), details.lazy()


def _events(paths: Sequence[str], catalog: Catalog, as_of: int) -> pl.LazyFrame:
    """The events before the date; `forward` says that one is no refund, `paid` and `gone` are its own."""
    kind, value = pl.col("kind"), pl.col("value")
    stream = pl.lit(None, dtype=pl.Int8)
    for number, one in enumerate(catalog.streams):
        stream = pl.when(kind.is_in(one.kinds)).then(pl.lit(number, dtype=pl.Int8)).otherwise(stream)
    money = [kind for stream in catalog.streams if stream.amounts for kind in stream.kinds]
    forward = (kind != REFUND) & ~(kind.is_in(money) & (value < 0)).fill_null(value=False)
    at = pl.col("occurred_at").dt.epoch("us")
    return (
        pl.scan_parquet(list(paths), hive_partitioning=False)
        .select(
            "key",
            "value",
            "detail",
            at.alias("at"),
            (at // DAY).cast(pl.Int32).alias("day"),
            stream.alias("stream"),
            forward.alias("forward"),
        )
        .filter(pl.col("at") < as_of)
        .with_columns(
            paid=pl.when("forward").then("value"),
            gone=pl.when("forward").then("at"),
        )
    )


def _tile(age: pl.Expr, catalog: Catalog) -> pl.Expr:
    """The number of windows that are shorter than an age in days."""
    windows = _windows(catalog)
    tile = pl.lit(len(windows), dtype=pl.Int8)
    for number in reversed(range(len(windows))):
        tile = pl.when(age <= windows[number]).then(pl.lit(number, dtype=pl.Int8)).otherwise(tile)
    return tile.alias("tile")


def _windows(catalog: Catalog) -> list[int]:
    return sorted({f.days for f in catalog.features if isinstance(f, Feature) and f.days is not None})


def _days_form(events: pl.LazyFrame, catalog: Catalog, as_of: int) -> pl.LazyFrame:
    """Two levels: customer × stream × day and customer × stream × detail, each summed up by windows."""
    days = events.group_by("key", "stream", "day").agg(*_OF_EVENTS)
    days = days.with_columns(_DAYS, _tile(as_of // DAY - pl.col("day"), catalog))
    return _final(days, _seen(events, catalog, as_of), catalog, pl.lit(as_of))


def _tiles_form(events: pl.LazyFrame, catalog: Catalog, as_of: int) -> pl.LazyFrame:
    """The same with a level between: days become tiles, and windows are sums of tiles."""
    days = events.group_by("key", "stream", "day").agg(*_OF_EVENTS)
    days = days.with_columns(_DAYS, _tile(as_of // DAY - pl.col("day"), catalog))
    tiles = days.group_by("key", "stream", "tile").agg(*_OF_DAYS)
    return _final(tiles, _seen(events, catalog, as_of), catalog, pl.lit(as_of))


def _single_pass(events: pl.LazyFrame, catalog: Catalog, as_of: int) -> pl.LazyFrame:
    """One grouping of the events, each feature a filtered aggregate."""
    rows = events.select(
        "key",
        "stream",
        _tile(as_of // DAY - pl.col("day"), catalog),
        pl.col("forward").cast(pl.Int64).alias("n"),
        pl.col("value").alias("total"),
        "paid",
        pl.col("paid").is_not_null().cast(pl.Int64).alias("valued"),
        pl.col("paid").alias("low"),
        pl.col("paid").alias("high"),
        pl.col("gone").alias("first"),
        pl.col("gone").alias("last"),
        pl.when("forward").then("day").alias("days"),
        pl.when("forward").then("detail").alias("seen"),
    )
    chosen = _select(catalog, pl.lit(as_of), distinct=True)
    return rows.group_by("key").agg(*chosen.values()).with_columns(as_of=pl.lit(as_of))


def _details(events: pl.LazyFrame) -> pl.LazyFrame:
    return events.filter(pl.col("forward") & pl.col("detail").is_not_null())


def _seen(events: pl.LazyFrame, catalog: Catalog, as_of: int) -> pl.LazyFrame:
    newest = _details(events).group_by("key", "stream", "detail").agg(pl.col("day").max())
    return newest.with_columns(_tile(as_of // DAY - pl.col("day"), catalog))


def _select(catalog: Catalog, as_of: pl.Expr, *, distinct: bool = False) -> dict[str, pl.Expr]:
    """Each feature as a filtered aggregate of rows with a stream and a tile."""
    windows, streams = _windows(catalog), [stream.name for stream in catalog.streams]
    chosen: dict[str, pl.Expr] = {}
    for feature in catalog.features:
        if not isinstance(feature, Feature):
            raise SystemExit(f"the feature '{feature.name}' is derived: the rivals compute plain ones")
        where = pl.col("stream") == streams.index(feature.stream)
        if feature.days is not None:
            where &= pl.col("tile") <= windows.index(feature.days)
        chosen[feature.name] = _aggregate(feature.aggregate, where, as_of, distinct).alias(feature.name)
    return chosen


def _aggregate(name: str, where: pl.Expr, as_of: pl.Expr, distinct: bool) -> pl.Expr:
    def only(column: str) -> pl.Expr:
        return pl.when(where).then(column)

    if distinct and name in ("active_days", "distinct_detail"):
        column = only("days" if name == "active_days" else "seen")
        number = column.n_unique().cast(pl.Int64) - column.is_null().any().cast(pl.Int64)
        return number.cast(pl.Float64)
    plain: dict[str, pl.Expr] = {
        "count": only("n").sum().cast(pl.Float64),
        "sum": only("total").sum(),
        "mean": only("paid").sum() / only("valued").sum(),
        "min": only("low").min(),
        "max": only("high").max(),
        "active_days": only("days").sum().cast(pl.Float64),
        "distinct_detail": where.sum().cast(pl.Float64),
        "days_since_last": (as_of.first() - only("last").max()) / DAY,
        "days_since_first": (as_of.first() - only("first").min()) / DAY,
    }
    return plain[name]


def _final(
    rows: pl.LazyFrame, seen: pl.LazyFrame, catalog: Catalog, as_of: pl.Expr, *also: str
) -> pl.LazyFrame:
    """The features of each customer: from partial rows, and from the tile where each detail was last seen."""
    chosen = _select(catalog, as_of)
    distinct = [
        f.name for f in catalog.features if isinstance(f, Feature) and f.aggregate == "distinct_detail"
    ]
    first = rows.group_by("key", *also).agg(*(e for name, e in chosen.items() if name not in distinct))
    second = seen.group_by("key", *also).agg(*(chosen[name] for name in distinct))
    joined = first.join(second, on=["key", *also], how="left").with_columns(pl.col(distinct).fill_null(0.0))
    return joined if also else joined.with_columns(as_of=as_of)
