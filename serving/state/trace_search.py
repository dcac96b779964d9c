"""Searching files for texts that identify a customer: their id, and attribute values that nobody else has.

Parquet and Arrow files are read as tables, because their pages are compressed. SQLite files are queried
column by column, because their cells lie side by side without separators, and read as bytes for their free
pages. Everything else is searched as bytes. A text is found where it does not stand inside a longer word or
number. An id that is short stands by chance in binary files: it is searched in texts and tables only.
"""

from __future__ import annotations

import json
import mmap
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

LEAST_LENGTH = 5
"""Shorter texts stand by chance in any large file."""
LEAST_DIGITS = 9
"""So do shorter numbers: counts and figures look like them."""
COMPRESSED = (b"\x1f\x8b", b"PK\x03\x04", b"\x28\xb5\x2f\xfd")
"""How gzip, zip and Zstandard files begin: searching their bytes would say nothing."""
SQLITE = b"SQLite format 3\x00"
HEAD = 8192
"""A file without a zero byte in its first bytes is taken for a text, as Git does."""
OTHER_WORDS = ("kind", "source", "reason")
"""Columns of names that the project gives: a short id may be one of them by chance."""


def identifying(texts: Sequence[str]) -> tuple[str, ...]:
    """Those texts that stand nowhere by chance, so that finding one means the customer."""
    return tuple(
        text
        for text in dict.fromkeys(texts)
        if len(text) >= (LEAST_DIGITS if text.isdecimal() else LEAST_LENGTH)
    )


def files_below(folder: Path) -> Iterator[Path]:
    """Every file below a folder, in order; links are not followed."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield path


class TraceSearch:
    """A search for one customer: for the ids, however short, and for those values that identify them."""

    def __init__(self, customer_id: str, values: Sequence[str] = (), other_ids: Sequence[str] = ()) -> None:
        ids = (customer_id, *other_ids)
        self._long = identifying([*ids, *values])
        self._short = tuple(one for one in ids if one not in self._long)
        self._words = _pattern(self._long, ()) if self._long else None
        self._cells = _pattern(self._long, self._short)

    def search(self, file: Path) -> bool | None:
        """Whether a file holds a trace; None where it could not be searched, or is gone meanwhile."""
        try:
            if file.suffix in (".parquet", ".arrow"):
                try:
                    return self._in_parquet(file) if file.suffix == ".parquet" else self._in_arrow(file)
                except pa.ArrowInvalid:
                    pass  # not what its name says: its bytes are searched
            return self._in_bytes(file)
        except OSError:
            return None

    def _in_parquet(self, file: Path) -> bool:
        with pq.ParquetFile(file) as whole:
            return self._in_metadata(whole.metadata.metadata) or any(
                self._in_batch(batch) for batch in whole.iter_batches()
            )

    def _in_arrow(self, file: Path) -> bool:
        with pa.memory_map(str(file)) as source:
            reader = pa.ipc.open_file(source)
            return self._in_metadata(reader.schema.metadata) or any(
                self._in_batch(reader.get_batch(number)) for number in range(reader.num_record_batches)
            )

    def _in_metadata(self, metadata: dict[bytes, bytes] | None) -> bool:
        items = (metadata or {}).items()
        # The schema that Arrow adds to Parquet is encoded: it says nothing of rows.
        return any(self._cells.search(part) for name, part in items if name != b"ARROW:schema")

    def _in_batch(self, batch: pa.RecordBatch) -> bool:
        return any(
            self._in_column(column, self._long if name in OTHER_WORDS else (*self._long, *self._short))
            for name, column in zip(batch.schema.names, batch.columns, strict=True)
        )

    def _in_column(self, column: pa.Array, texts: Sequence[str]) -> bool:
        column = column.dictionary if pa.types.is_dictionary(column.type) else column
        while pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
            column = column.flatten()
        if not texts or not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
            return False
        values = pa.array(texts, pa.large_string())
        if pc.any(pc.is_in(column.cast(pa.large_string()), value_set=values)).as_py():
            return True
        forms = sorted({form for text in texts for form in (text, json.dumps(text)[1:-1])})
        patterns = ["[\"']" + re.escape(form) + "\\\\*[\"']" for form in forms]
        patterns += [re.escape(text) for text in texts if len(text) > LEAST_LENGTH and text in self._long]
        return bool(pc.any(pc.match_substring_regex(column, "|".join(patterns))).as_py())

    def _in_bytes(self, file: Path) -> bool | None:
        with file.open("rb") as opened:
            head = opened.read(HEAD)
            if not head:
                return False
            if head.startswith(COMPRESSED):
                return None
            text = b"\x00" not in head
            pattern = self._cells if text else self._words
            with mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
                if pattern is not None and pattern.search(content):
                    return True
        if head.startswith(SQLITE):
            return self._in_sqlite(file)
        return False if text or not self._short else None

    def _in_sqlite(self, file: Path) -> bool | None:
        """Whether any text of any table holds a trace; None for a database that cannot be read."""
        try:
            with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as database:
                database.create_function(
                    "says", 1, lambda cell: self._cells.search(cell) is not None, deterministic=True
                )
                tables = database.execute("select name from sqlite_master where type = 'table'").fetchall()
                return any(_row_says(database, table) for (table,) in tables)
        except sqlite3.Error:
            return None


def _row_says(database: sqlite3.Connection, table: str) -> bool:
    """Whether `says` is true for a text or a blob in any row of a table."""
    columns = [name for (name,) in database.execute("select name from pragma_table_info(?)", (table,))]
    cells = " or ".join(
        f"(typeof({name}) in ('text', 'blob') and says(cast({name} as blob)))"
        for name in map(_quoted, columns)
    )
    query = f"select 1 from {_quoted(table)} where {cells} limit 1"  # noqa: S608 # names are quoted
    return database.execute(query).fetchone() is not None


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _pattern(words: Sequence[str], short: Sequence[str]) -> re.Pattern[bytes]:
    """The texts as UTF-8, and as JSON writes them without other characters than ASCII.

    Short numbers count only in quotes, or as a whole field of a line; short words only as whole words.
    """
    parts = [rb"(?<![A-Za-z0-9_.])(?:" + _forms(words) + rb")(?![A-Za-z0-9_])"] if words else []
    for text in short:
        form = b"(?:" + _forms([text]) + b")"
        if text.isdecimal():
            parts.append(rb"(?<=[\"'])" + form + rb"(?=\\*[\"'])")
            parts.append(rb"(?<![^,;\t\r\n])" + form + rb"(?![^,;\t\r\n])")
        else:
            parts.append(rb"(?<![A-Za-z0-9_.\x80-\xff-])" + form + rb"(?![A-Za-z0-9_\x80-\xff-])")
    return re.compile(b"|".join(parts))


def _forms(texts: Sequence[str]) -> bytes:
    written = {text.encode() for text in texts} | {json.dumps(text)[1:-1].encode() for text in texts}
    return b"|".join(re.escape(form) for form in sorted(written))
