"""Sources: reads outside tables as events, by the SQL of a project's `kizuna.toml`.

A query runs in embedded DuckDB, where relative paths start at the project folder, or, with
`connection`, in the database that it names (an SQLAlchemy URL).
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal
from uuid import UUID

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from features.catalog.settings import GivenName
from features.errors import ConfigurationError, DataError
from features.events.answer_scales import DeclaredScale
from features.events.consent import ConsentRules
from features.events.parsing.source_text import Formats, SourceText
from features.events.recurring_amounts import Period, RecurringAmounts
from features.events.schema import ATTRIBUTE
from features.events.validation_counts import ValidationCounts
from features.ingestion.files.schemes import SCHEMES, ConvertedFileSystem
from features.ingestion.query_errors import conversion_hint, encoding_hint, error_words
from features.ingestion.reader_guesses import read_as_text

BATCH = 1_000_000
"""Rows read from a source at a time."""
BATCH_OVER_CONNECTION = 50_000

Watermark = str | int | float


class Query(BaseModel):
    """An outside table: SQL, where it runs, and the zone of its timestamps without one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, description="what receipts and errors call it")
    query: str = Field(
        min_length=1,
        description="SQL for customer_id, occurred_at and kind (attributes: customer_id, known_at, value)",
    )
    timezone: str | None = Field(
        default=None, description="of its timestamps without a zone; the project's when absent"
    )
    connection: str | None = Field(
        default=None, description="an SQLAlchemy URL where the query runs; embedded DuckDB when absent"
    )
    date_order: Literal["dmy", "mdy", "ymd"] | None = Field(
        default=None,
        description="of day, month and year in texts such as 01/02/2024; told by the column when absent",
    )
    decimal: Literal[".", ","] | None = Field(
        default=None, description="what stands before decimals in texts; told by the column when absent"
    )


class Source(Query):
    """One outside table of events: `[[sources]]`."""

    watermark: str | None = Field(
        default=None,
        description="a column that only grows: the next ingest reads the rows from its largest value on",
    )
    closed: bool = Field(
        default=False,
        description="it has ended for good: that it brings nothing more is not taken for missing data",
    )
    shared_ids: bool = Field(
        default=False,
        description="its event ids name the same events as those of the other sources that say so",
    )
    per: Period | None = Field(
        default=None,
        description="the period of its recurring amounts, those of contracts; where they differ, a column "
        "`per` of its query says it for each row; they are brought to that of `indicators.contract.per`",
    )
    complete: bool = Field(
        default=False,
        description="every ingest reads all its rows: events that it does not bring any more are retracted",
    )

    @model_validator(mode="after")
    def _complete_is_read_whole(self) -> Source:
        if self.complete and self.watermark is not None:
            raise ValueError(
                f"source '{self.name}' cannot have both `complete` and `watermark`: with a watermark only "
                "its newest rows are read, so that nothing tells which others are gone. Remove one of them"
            )
        return self


def says_period(source: Query) -> bool:
    """Whether a source says the period of its recurring amounts, itself or by a column of its query."""
    if not isinstance(source, Source):
        return False
    text = re.sub(r"--[^\n]*", " ", source.query)
    return source.per is not None or re.search(r'(?i)(?<!\w)"?per"?\s*(,|$|from\b)', text.strip()) is not None


class Attribute(Query):
    """What is known about a customer besides events, and since when: `[[attributes]]`."""

    english: str | None = Field(default=None, description="the name that people read, in English")
    japanese: str | None = Field(default=None, description="the name that people read, in Japanese")
    values: dict[str, GivenName] = Field(
        default_factory=dict, description="by value the name that people read in its place"
    )


class SourceReader:
    """The rows of one query, in batches; with a watermark, only those from it on."""

    def __init__(self, source: Query, folder: Path, since: Watermark | None = None) -> None:
        self.source, self.folder, self.since = source, folder, since
        self.watermark: Watermark | None = since
        """Where the next ingest begins."""
        self.expressions: dict[str, str] = {}
        """What the query writes before `as`, for each column; known once it is read."""

    def __iter__(self) -> Iterator[pa.Table]:
        source = self.source
        column = source.watermark if isinstance(source, Source) else None
        query = source.query.strip().rstrip(";")
        batches = (
            _run(source, query, column, self.since, self.folder, self.expressions)
            if source.connection is None
            else _fetch(source, source.connection, query, column, self.since, self.folder)
        )
        for rows in batches:
            if column is not None:
                self._mark(column, rows)
            yield as_events(source, rows) if isinstance(source, Attribute) else rows

    def _mark(self, column: str, rows: pa.Table) -> None:
        name, has = self.source.name, rows.column_names
        if column not in has:
            raise DataError(
                f"cannot ingest source '{name}': its watermark is the column '{column}', but its query "
                f"gives {', '.join(has)}. Add it to the query, or correct `watermark`.",
                field=column,
            )
        if "event_id" not in has:
            raise ConfigurationError(
                f"cannot ingest source '{name}': it names a watermark, but its query gives no event_id, and "
                "without one a repeated row cannot be told from a true repeat. Add `… as event_id`."
            )
        largest = pc.max(rows.column(column))
        if largest.is_valid:
            value = largest.as_py()
            mark = value if isinstance(value, int | float) else str(value)
            self.watermark = mark if self.watermark is None else _later(mark, self.watermark)


def refuse_repeated_names(names: Sequence[str]) -> None:
    """Raises `ConfigurationError` where two sources or attributes have one name."""
    for name in names:
        if names.count(name) > 1:
            raise ConfigurationError(
                f"cannot ingest: two sources or attributes are called '{name}'. Give each its own name."
            )


def marks_of(column: pa.ChunkedArray | pa.Array) -> NDArray[np.float64]:
    """float64[n]: the place of rows in the order of their watermark, NaN where it says none.

    Texts are moments or numbers; where they are neither, they say no order.
    """
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        with duckdb.connect() as database:
            database.execute("set TimeZone = 'UTC'")
            database.register("marks", pa.table({"text": column}))
            read = database.sql(
                "select epoch_us(try_cast(text as timestamptz)) as moment, "
                "try_cast(text as double) as number from marks"
            ).to_arrow_table()
        moments, numbers = read.column("moment"), read.column("number")
        column = moments if moments.null_count <= numbers.null_count else numbers
    elif pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        column = column.cast(pa.timestamp("us", getattr(kind, "tz", None)), safe=False).cast(pa.int64())
    marks: NDArray[np.float64] = (
        column.cast(pa.float64(), safe=False).fill_null(np.nan).to_numpy(zero_copy_only=False)
        if isinstance(column, pa.Array)
        else column.cast(pa.float64(), safe=False).fill_null(np.nan).to_numpy()
    )
    return marks


def _later(mark: Watermark, other: Watermark) -> Watermark:
    return max(mark, other) if isinstance(mark, str) == isinstance(other, str) else mark


def _run(
    source: Query,
    query: str,
    column: str | None,
    since: Watermark | None,
    folder: Path,
    expressions: dict[str, str],
) -> Iterator[pa.Table]:
    """Run a query in DuckDB; what it writes for each column goes to `expressions`."""
    folder = folder.resolve()
    with ExitStack() as stack:
        database = stack.enter_context(duckdb.connect(config={"file_search_path": str(folder)}))
        database.execute("set TimeZone = 'UTC'")
        database.execute("set enable_progress_bar = false")  # it writes to standard output
        if "://" in query:
            scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kizuna-")))
            for scheme in SCHEMES:
                if f"{scheme}://" in query:
                    files = ConvertedFileSystem(scheme, folder, scratch)
                    database.register_filesystem(files)
                    stack.callback(files.close)
        try:
            numbers = ("value",) if isinstance(source, Attribute) else ()
            as_text = read_as_text(database, query, source.name, folder, (column,) if column else (), numbers)
            query = as_text.query
            expressions.update(as_text.expressions)
            if column is not None and since is not None:
                whole = database.sql(query)
                kind = dict(zip(whole.columns, whole.types, strict=True)).get(column, "varchar")
                text = str(since).replace("'", "''")
                query = f"select * from ({query}) where {_quoted(column)} >= cast('{text}' as {kind})"  # noqa: S608
            for batch in database.sql(query).to_arrow_reader(BATCH):
                yield pa.Table.from_batches([batch])
        except (duckdb.Error, OSError) as error:
            with database.cursor() as other:
                other.execute("set TimeZone = 'UTC'")
                hint = encoding_hint(error, source.query, folder)
                hint = hint or conversion_hint(other, source.query, source.name, folder)
            raise _bad_query(source, error, folder, hint) from None


def _fetch(
    source: Query, url: str, query: str, column: str | None, since: Watermark | None, folder: Path
) -> Iterator[pa.Table]:
    """Run a query over a connection, streamed."""
    import sqlalchemy as sa

    try:
        address = sa.make_url(url)
        if address.drivername in ("postgresql", "postgres"):
            address = address.set(drivername="postgresql+psycopg")
        if address.get_backend_name() == "sqlite" and address.database:
            place = folder.resolve() / address.database
            if not place.is_file():
                raise ConfigurationError(
                    f"cannot read source '{source.name}': there is no database '{address.database}' in the "
                    "project folder. Correct its `connection`."
                )
            address = address.set(database=str(place))
        engine = sa.create_engine(address, poolclass=sa.NullPool)
    except (sa.exc.SQLAlchemyError, ImportError) as error:
        raise _bad_query(source, error, folder) from None
    values: dict[str, Any] = {}
    if column is not None and since is not None:
        name = engine.dialect.identifier_preparer.quote(column)
        query, values = f"select * from ({query}) as rows_from where {name} >= :since", {"since": since}  # noqa: S608
    try:
        with engine.connect() as connection:
            result = connection.execution_options(stream_results=True).execute(sa.text(query), values)
            names = list(result.keys())
            for rows in result.partitions(BATCH_OVER_CONNECTION):
                columns = [pa.array([_plain(value) for value in cells]) for cells in zip(*rows, strict=True)]
                yield pa.table(dict(zip(names, columns, strict=True)))
    except (sa.exc.SQLAlchemyError, pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise _bad_query(source, error, folder) from None
    finally:
        engine.dispose()


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    return str(value) if isinstance(value, UUID) else value


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _bad_query(source: Query, error: Exception, folder: Path, hint: str | None = None) -> ConfigurationError:
    words = error_words(error, folder)
    hint = hint or "Correct it in kizuna.toml."
    return ConfigurationError(f"cannot run the query of source '{source.name}': {words}. {hint}")


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
    return pa.table(
        {
            "customer_id": rows.column("customer_id"),
            "occurred_at": rows.column("known_at"),
            "kind": pa.array([ATTRIBUTE + attribute.name] * rows.num_rows, pa.string()),
            ("value" if number else "detail"): values,
        }
    )


def source_tally(
    source: Source | Attribute,
    formats: Formats,
    consent: ConsentRules,
    scales: tuple[DeclaredScale, ...] = (),
    units: Mapping[str, str] = MappingProxyType({}),
) -> ValidationCounts:
    """Counts of a source's rows, at none; `formats` are those in which its columns came in before.

    `consent` tells its rows that forbid contact, `scales` on which its survey answers are given, `units` the
    periods of recurring amounts by kind.
    """
    attribute = isinstance(source, Attribute)
    names = {"occurred_at": "known_at"} if attribute else {}
    texts = SourceText(source.name, source.date_order, source.decimal, formats, names)
    recurring = RecurringAmounts(units, source.per) if isinstance(source, Source) else RecurringAmounts()
    return ValidationCounts(
        source.name,
        is_attribute=attribute,
        consent=consent,
        recurring=recurring,
        texts=texts,
        scales=scales,
    )
