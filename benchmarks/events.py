"""The events that the benchmarks run on, and the features they ask for.

Two years of a shop with an app: purchases and refunds, visits, features used, logins and tickets. A few
customers have thousands of events and half have fewer than thirty. Hashes of a running number make the same
events every time; they come into a real store through its ingest.
"""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path

import duckdb
from deltalake import DeltaTable

from features.catalog.defaults import indicators
from features.catalog.definitions import Catalog, Stream, family, trend
from features.event_store import BUCKETS, EventStore
from features.ingestion.sources import Source
from features.timeline import DAY, Timeline

HOME = Path("build/benchmarks")
RECIPE = 3
"""Raised when the events or the layout of a run change, so that older stores are made anew."""
START, DAYS, NEWEST_DATE = "2022-01-01", 730, date(2024, 1, 1)
WINDOWS = (7, 14, 30, 60, 90, 180, 365)
_EVENTS_OF_A_BUCKET = 1_600_000

# Numbers are hashed one by one: DuckDB's hash(i, 1) and hash(i, 2) are the same but for a constant.
# x = share of the customers in order of size: the density 1 / (x + 0.001) is Zipf's, cut off at the top.
_EVENTS = """
    with drawn as (
        select i,
               least({customers} - 1, floor({customers} * 0.001 * (pow(1001, {u1}) - 1)))::bigint as customer,
               {u2} as moment, hash(i * 16 + 3) % 100 as draw, {u4} as size, {u5} as choice,
               hash(i * 16 + 6) as route
        from range({events}) as t(i)
    ), lived as (
        select *, hash(customer * 16 + 11) % 640 as joined,
               least({days}, hash(customer * 16 + 11) % 640 + 30 + hash(customer * 16 + 12) % 1400) as left_,
               case when draw < 24 then 'purchase' when draw < 26 then 'refund' when draw < 76 then 'visit'
                    when draw < 90 then 'feature_used' when draw < 95 then 'login'
                    else 'ticket_opened' end as kind
        from drawn
    )
    select 'customer-' || customer as customer_id,
           timestamptz '{start} 00:00:00+00'
               + to_seconds(floor((joined + moment * (left_ - joined)) * 86400)::bigint) as occurred_at,
           kind,
           case kind when 'purchase' then round(300 * exp(3 * size))
                     when 'refund' then -round(300 * exp(3 * size))
                     when 'login' then null
                     when 'ticket_opened' then case when route % 10 < 9 then round(600 * size * size, 1) end
                     else round(0.2 + 40 * size * size, 1) end as value,
           case when kind in ('purchase', 'refund') then ['web', 'app', 'store'][(1 + route % 3)::bigint]
                when kind = 'ticket_opened' then ['phone', 'email', 'chat', null][(1 + route % 4)::bigint]
                else ['web', 'app'][(1 + route % 2)::bigint] end as channel,
           case when kind in ('purchase', 'refund') then 'shop-' || (route % 37) end as place,
           case when kind in ('purchase', 'refund') then 'category-' || floor(60 * choice * choice)::int
                when kind in ('visit', 'feature_used') then 'feature-' || floor(40 * choice * choice)::int
                when kind = 'ticket_opened' then 'topic-' || floor(12 * choice)::int end as detail,
           'e' || i as event_id
    from lived
"""


def write_events(path: Path, events: int, customers: int) -> None:
    """Write the events as one Parquet file, as a source would give them."""
    drawn = {f"u{n}": f"((hash(i * 16 + {n}) >> 12) / {2**52}.0)" for n in (1, 2, 4, 5)}
    query = _EVENTS.format(events=events, customers=customers, days=DAYS, start=START, **drawn)
    with duckdb.connect() as database:
        database.execute("set preserve_insertion_order = false")
        database.execute("set enable_progress_bar = false")
        database.execute(f"copy ({query}) to '{path}' (format parquet)")


def made(events: int, customers: int, home: Path = HOME, *, buckets: int = BUCKETS) -> Path:
    """The state folder of a store with these many events, made when it is not there yet."""
    folder = home / f"events-{events}-customers-{customers}"
    recipe = folder / "recipe.json"
    if recipe.is_file() and json.loads(recipe.read_text())["recipe"] == RECIPE:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_events(folder / "source.parquet", events, customers)
    while buckets * _EVENTS_OF_A_BUCKET < events:
        buckets *= 2
    source = Source(name="shop", query="select * from 'source.parquet'")
    timeline = Timeline()
    (receipt,) = EventStore(folder, buckets=buckets).ingest(
        [source], [], folder=folder, timeline=timeline, now=timeline.instant(NEWEST_DATE) + DAY
    )
    if receipt.new != events:
        raise SystemExit(f"cannot make the events: {receipt}")
    (folder / "source.parquet").unlink()
    (folder / "features.json").write_text(json.dumps(plain_features().to_json(), indent=1))
    recipe.write_text(json.dumps({"recipe": RECIPE, "events": events, "customers": customers}))
    return folder


def files(folder: Path) -> dict[int, list[str]]:
    """The Parquet files of a store's events, by bucket; no customer is in two buckets."""
    found: dict[int, list[str]] = {}
    for path in sorted(DeltaTable(str(folder / "events")).file_uris()):
        bucket = next(int(part[7:]) for part in Path(path).parts if part.startswith("bucket="))
        found.setdefault(bucket, []).append(path.removeprefix("file://"))
    return dict(sorted(found.items()))


def as_of_dates(number: int) -> list[int]:
    """The instants of the last `number` first days of a month (UTC), ascending."""
    months = [NEWEST_DATE.year * 12 + NEWEST_DATE.month - 1 - back for back in range(number)]
    return sorted(Timeline().instant(date(month // 12, month % 12 + 1, 1)) for month in months)


def _streams() -> tuple[Stream, Stream, Stream]:
    return (
        Stream("purchase", "purchase", ("purchase", "refund"), amounts=True),
        Stream("usage", "usage", ("visit", "feature_used", "login")),
        Stream("inquiry", "inquiry", ("ticket_opened",)),
    )


def plain_features() -> Catalog:
    """104 features that SQL can say as well: what all contenders compute."""
    streams = _streams()
    purchase, usage, inquiry = streams
    rows = [
        *family(purchase, "count", "active_days", "distinct_detail", over=WINDOWS),
        *family(usage, "count", "active_days", "distinct_detail", over=WINDOWS),
        *family(inquiry, "count", "active_days", "distinct_detail", over=WINDOWS),
        *family(purchase, "sum", "mean", "min", "max", over=WINDOWS),
        *family(usage, "sum", over=WINDOWS),
    ]
    for stream in streams:
        rows += family(stream, "days_since_last", "days_since_first")
    return Catalog(indicators({}), streams, tuple(rows))


def rich_features() -> Catalog:
    """150 features: the plain ones and rhythm, spread, latest and most frequent details, trends."""
    plain = plain_features()
    streams = purchase, usage, _ = _streams()
    rows = list(plain.features)
    for stream in streams:
        rows += family(stream, "gap_mean", "gap_std", "gap_max", "overdue", "last_detail", "last", "count")
        rows += family(stream, "top_detail", over=(365,))
        rows += family(stream, "distinct_channel", over=(30, 90, 365))
        rows.append(trend(stream, "count", 30, 90))
    rows += family(purchase, "distinct_place", over=(30, 90, 365))
    rows += family(purchase, "std", over=(90, 365)) + family(usage, "std", over=(90, 365))
    rows += [*family(purchase, "sum"), *family(usage, "sum"), trend(purchase, "sum", 30, 90)]
    return Catalog(indicators({}), streams, tuple(rows))
