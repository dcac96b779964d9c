"""DuckDB's errors in words: the file, line, column and value, and what to write instead, tried first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa

from features.errors import DataError
from features.events.hints import LAST, Trouble, find_hints, first_of, reading_of
from features.events.parsing.source_text import plain
from features.ingestion.reader_guesses import read_as_text

_FILE = re.compile(r"^\s*file = (.+)$", re.MULTILINE)
_LINE = re.compile(r"CSV Error on Line: (\d+)")
_NO_COLUMN = re.compile(
    r'Binder Error: Referenced column "(.+?)" not found in FROM clause!(?:\s*Candidate bindings: (.+))?'
)
_NO_FILE = re.compile(r'No files found that match the pattern "(.+?)"')
_NOT_UTF_8 = re.compile(r"Invalid unicode|not utf-8", re.IGNORECASE)
_NO_ENCODING = re.compile(r'CSV Reader does not support the encoding: "(.+?)"')
_WITH_ENCODING = r"""read_\w+\s*\(\s*'([^']+)'[^()]*?encoding\s*=\s*'{encoding}'"""
_SAID = re.compile(r"^(Possible |Possible$|\* |Column .* is being converted|This type was|LINE \d)")
_ONE = r"(?:[^()']|'(?:[^']|'')*'|\([^()]*\))+?"
_CONVERSIONS = (
    re.compile(rf"to_timestamp\s*\(({_ONE})\)", re.IGNORECASE),
    re.compile(rf"(?:try_)?strptime\s*\(({_ONE})\s*,\s*'[^']*'\s*\)", re.IGNORECASE),
    re.compile(rf"(?:try_)?cast\s*\(({_ONE})\s+as\s+[a-z ]+\)", re.IGNORECASE),
    re.compile(r"(\w+)\s*::\s*(?:timestamptz|timestamp|date|double|float|integer|bigint)\b", re.IGNORECASE),
)
_SAMPLE = 1_000


def error_words(error: Exception, folder: Path) -> str:
    """A common fault in plain words, else what DuckDB says but for its advice: with file, line and value."""
    text = str(error).strip()
    if text.startswith("Traceback"):  # a file system's own error comes as a whole traceback
        return text.splitlines()[-1].removeprefix("OSError: ").rstrip(".")
    if no_column := _NO_COLUMN.match(text):
        near = f"; the nearest are {no_column[2].strip()}" if no_column[2] else ""
        return f'its tables have no column "{no_column[1]}"{near}'
    if no_encoding := _NO_ENCODING.search(text):
        return f"the reader knows no encoding '{no_encoding[1]}'"
    if no_file := _NO_FILE.search(text):
        return f"there is no file '{no_file[1]}'"
    lines = []
    for line in text.splitlines():
        if _SAID.match(line) or line.startswith("  file = "):
            break
        if line.strip():
            lines.append(line.strip().rstrip("."))
    words = ". ".join(lines) or text.splitlines()[0]
    file = _FILE.search(text)
    if file:
        name = file[1].strip().removeprefix(f"{folder}/")
        if _NOT_UTF_8.search(text):
            return f"'{name}' is not UTF-8 text"
        words = _LINE.sub(lambda line: f"CSV error in {name}, line {line[1]}", words, count=1)
        if name not in words:
            words += f" (in {name})"
    return words


def encoding_hint(error: Exception, query: str, folder: Path) -> str | None:
    """How to name the encoding of a file that is not UTF-8, after decoding its beginning; None for others.

    Also where the query names an encoding that the reader does not know.
    """
    text = str(error)
    no_encoding = _NO_ENCODING.search(text)
    if no_encoding:
        pattern = _WITH_ENCODING.format(encoding=re.escape(no_encoding[1]))
        file = re.search(pattern, query, re.IGNORECASE)
    elif _NOT_UTF_8.search(text):
        file = _FILE.search(text)
    else:
        return None
    path = folder / file[1].strip() if file else None
    if path is None or not path.is_file():
        return None
    name = str(path).removeprefix(f"{folder}/")
    data = path.read_bytes()[: 1 << 20]
    scheme = japanese_encoding(data)
    if scheme is not None:
        return (
            f"The file is {scheme} text: write its encoding before the path, as in "
            f"`read_csv('{scheme}://{name}')`."
        )
    if no_encoding and _is_utf8(data):
        return f"The file is UTF-8 text: leave the encoding out, as in `read_csv('{name}')`."
    return f"Name its encoding, as in `read_csv('{name}', encoding = 'latin-1')`."


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start >= len(data) - 4  # a letter that the end of the sample cut
    return True


def japanese_encoding(data: bytes) -> str | None:
    """cp932 or euc_jp, where the bytes are Japanese text in it."""
    best: tuple[float, str] | None = None
    for scheme in ("cp932", "euc_jp"):
        try:
            text = data.decode(scheme)
        except UnicodeDecodeError as error:
            if error.start < len(data) - 4:  # more than a letter that the end of the sample cut
                continue
            text = data[: error.start].decode(scheme)
        foreign = [letter for letter in text if ord(letter) > 0x7F]
        japanese = sum(0x3000 <= ord(letter) <= 0x9FFF for letter in foreign)
        if foreign and japanese / len(foreign) > 0.5 and (best is None or japanese / len(foreign) > best[0]):
            best = japanese / len(foreign), scheme
    return None if best is None else best[1]


def conversion_hint(
    database: duckdb.DuckDBPyConnection, query: str, source: str, folder: Path, now: int = LAST
) -> str | None:
    """What to write instead of a conversion that fails: the bare column, or another one, tried first."""
    for column, reads in (("occurred_at", "moment"), ("known_at", "moment"), ("value", "number")):
        for bare, inner in _without_conversion(query, column):
            try:
                text = read_as_text(database, bare, source, folder, (), ()).query
                sample = database.sql(f"select * from ({text}) limit {_SAMPLE}").to_arrow_table()  # noqa: S608
            except (duckdb.Error, OSError, DataError):
                continue
            if column not in sample.column_names:
                continue
            values = plain(sample.column(column)).drop_null()
            if not len(values):
                continue
            if (reading := reading_of(reads, values, now)) is not None:
                return _instead(inner, column, values, reading)
            if found := find_hints(reads, inner, values, Trouble.UNREADABLE, now):
                return _instead(found[0][0], column, values, found[0][1])
    return None


def _instead(sql: str, column: str, values: pa.Array, reading: str) -> str:
    return f"Write `{sql} as {column}` instead, which reads '{first_of(values)}' as {reading}."


def _without_conversion(query: str, column: str) -> Iterator[tuple[str, str]]:
    """The query with what a column converts in place of the conversion, and that alone."""
    for pattern in _CONVERSIONS:
        for match in re.finditer(rf"{pattern.pattern}(?=\s+as\s+{column}\b)", query, re.IGNORECASE):
            inner = match[1].strip()
            yield query[: match.start()] + inner + query[match.end() :], inner
