"""Types that DuckDB's readers guess from the first 20,480 rows, and the values that they bend.

A later value is cast to the guessed type without a word: customer 000123 becomes 123, 99.5 becomes 100, 23:00
midnight, `15:30:00 UTC` loses its zone. So a column that a query only passes through is read as text: the
same query, in which the call that reads the file names the type VARCHAR for these columns alone; rows and
their order stay. A column that the query works with keeps its guessed type, if no value of the files is bent
by it: the files are read as text beside the query, and a source where one is, is refused.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

import duckdb

from features.errors import DataError
from features.ingestion.nested_guesses import nested_as_text
from features.ingestion.query_tree import FileRead, QueryTree, parse_query

_WHOLE = (
    "TINYINT",
    "SMALLINT",
    "INTEGER",
    "BIGINT",
    "HUGEINT",
    "UTINYINT",
    "USMALLINT",
    "UINTEGER",
    "UBIGINT",
)
_NUMBERS = (*_WHOLE, "FLOAT", "DOUBLE")
_GIVEN = frozenset({"columns", "types", "dtypes", "column_types", "all_varchar", "auto_detect"})
"""Options of a reader by which the query says the types itself."""
_ZONE = r"[0-9]\s*([zZ]|[+-][0-9]{2}(:?[0-9]{2})?|[A-Za-z]{2,}.*)\s*$"
_BENT = {
    **dict.fromkeys(
        _WHOLE, "not regexp_full_match(trim({t}), '[+-]?(0|[1-9][0-9]*)(\\.0*)?([eE]\\+?[0-9]+)?')"
    ),
    **dict.fromkeys(
        ("FLOAT", "DOUBLE"),
        "not regexp_full_match(trim({t}), '[+-]?(0|[1-9][0-9]*)?(\\.[0-9]*)?([eE][+-]?[0-9]+)?"
        "|[+-]?(nan|inf.*)', 'i')"
        " or length({t}) > 17 and length(regexp_replace({t}, '[^0-9]', '', 'g')) > 17",
    ),
    "DATE": "contains({t}, ':') or regexp_matches({t}, '[0-9][T ][0-9]')",
    "TIMESTAMP": "regexp_matches({t}, ':.*[-+A-Za-z]')",
    "TIMESTAMP WITH TIME ZONE": f"not regexp_matches({{t}}, '{_ZONE}')",
    "UUID": "{t} <> lower({t})",
}
"""Whether a type guessed by the reader says less or something else than the text, by type."""
_ODD = {
    **dict.fromkeys(_WHOLE, "not regexp_full_match({t}, '-?[1-9][0-9]*|0?')"),
    **dict.fromkeys(
        ("FLOAT", "DOUBLE"),
        "length({t}) > 17 or not regexp_full_match({t}, '-?(0|[1-9][0-9]*)?(\\.[0-9]*)?')",
    ),
}
"""A cheaper test that is true of all those texts and of a few others, by type."""
_CAST = {
    **dict.fromkeys(_NUMBERS, "cast({c} as double)"),
    "DATE": "cast({c} as timestamp)",
    "TIMESTAMP": "cast({c} as timestamptz)",
    "TIMESTAMP WITH TIME ZONE": "cast({c} as timestamp)",
}


@dataclass(frozen=True)
class TextQuery:
    """A source's query with the columns that pass through as text, and what it writes for each column."""

    query: str
    expressions: dict[str, str]


def read_as_text(
    database: duckdb.DuckDBPyConnection,
    query: str,
    source: str,
    folder: Path,
    kept: Collection[str],
    numbers: Collection[str],
) -> TextQuery:
    """The query with its passed columns as text; raises `DataError` where a used column was bent.

    `kept` are results that keep their guessed type (a watermark), `numbers` those that keep it as long as no
    value is bent (an attribute's value).
    """
    tree = parse_query(database, query)
    if tree is None:
        return TextQuery(query, {})
    used = tree.used(*kept)
    as_number = tree.becoming(*numbers) - used
    changes: list[tuple[FileRead, str]] = []
    for read in tree.reads:
        if read.options & _GIVEN:
            continue
        passes = not tree.all_used and (read.is_named or not tree.qualified)
        call = _changed(database, query, read, source, folder, None if not passes else used, as_number, tree)
        if call is not None:
            changes.append((read, call))
    text = _replaced(query, changes)
    if text != query and _columns(database, f"({text})") != _columns(database, f"({query})"):
        whole = [(read, read.call(query)) for read in tree.reads if read.format == "json"]
        text = _replaced(query, [one for one in whole if not one[0].options & _GIVEN])
    return TextQuery(text, tree.expressions)


def _changed(
    database: duckdb.DuckDBPyConnection,
    query: str,
    read: FileRead,
    source: str,
    folder: Path,
    used: set[str] | None,
    as_number: set[str],
    tree: QueryTree,
) -> str | None:
    """The call that reads the passed columns as text, None where nothing is to change."""
    guessed = _types(database, read.call(query))
    if not guessed:
        return None
    plain = {name: kind for name, kind in guessed.items() if kind != "VARCHAR" and not _is_nested(kind)}
    if read.format == "json":
        # A number of JSON is one already: only where it names something its digits are taken as they are.
        amounts = tree.becoming("value", "occurred_at", "recorded_at", "known_at")
        stay = {name for name, kind in plain.items() if name.lower() in amounts and kind in _NUMBERS}
        plain = {name: kind for name, kind in plain.items() if name not in stay}
    works = {name: kind for name, kind in plain.items() if used is None or name.lower() in used}
    passed = {name: "VARCHAR" for name in plain if name not in works}
    numeric = {name: plain[name] for name in passed if name.lower() in as_number and plain[name] in _NUMBERS}
    bent = _bent(database, query, read, {**works, **numeric}, guessed)
    for name, found in bent.items():
        if name in works:
            text, became, file = found
            file = file.removeprefix(f"{folder}/")
            raise _refusal(source, query, read, guessed, name, works[name], text, became, file)
    for name in numeric:
        # A number stays a number; 01 and 02 are none.
        if name not in bent:
            del passed[name]
        elif not _has_leading_zero(database, query, read, name):
            passed[name] = "DOUBLE"
    if read.format == "json":
        nested = nested_as_text(database, query, read, guessed, source)
        return read.call(query, f"columns = {_listed({**guessed, **nested, **passed})}")
    return read.call(query, f"types = {_listed(passed)}") if passed else None


def _bent(
    database: duckdb.DuckDBPyConnection,
    query: str,
    read: FileRead,
    kinds: dict[str, str],
    guessed: dict[str, str],
) -> dict[str, tuple[str, str, str]]:
    """The first text of each column that its guessed type bends, what it became, and its file."""
    tests = {name: _BENT[kind] for name, kind in kinds.items() if kind in _BENT}
    if not tests:
        return {}
    as_text = _text_call(query, read, guessed, with_file=True)
    # Nearly always nothing is bent: one pass with cheap tests costs half of one that names the values.
    odd = [
        f"bool_or({_ODD.get(kinds[name], _BENT[kinds[name]]).replace('{t}', f'{_quoted(name)}::varchar')})"
        for name in tests
    ]
    (found,) = _rows(database, f"select {', '.join(odd)} from {as_text}")  # noqa: S608 (columns are quoted)
    tests = {name: test for (name, test), is_odd in zip(tests.items(), found, strict=True) if is_odd}
    if not tests:
        return {}
    parts = []
    for name, test in tests.items():
        cell = f"trim({_quoted(name)}::varchar)"
        parts.append(
            f"first({{'text': {cell}, 'file': filename, "
            f"'became': try_cast({cell} as {kinds[name]})::varchar}}) "
            f"filter ({cell} <> '' and ({test.replace('{t}', cell)}) "
            f"and try_cast({cell} as {kinds[name]}) is not null)"  # else the reader itself stops there
        )
    (row,) = _rows(database, f"select {', '.join(parts)} from {as_text}")  # noqa: S608 (columns are quoted)
    return {
        name: (str(found["text"]), str(found["became"]), str(found["file"]))
        for name, found in zip(tests, row, strict=True)
        if isinstance(found, dict)
    }


def _has_leading_zero(database: duckdb.DuckDBPyConnection, query: str, read: FileRead, name: str) -> bool:
    guessed = _types(database, read.call(query))
    call = _text_call(query, read, guessed)
    plain = r"[+-]?(0|[1-9][0-9]*)?(\.[0-9]*)?"
    test = f"not regexp_full_match(trim({_quoted(name)}), '{plain}')"
    return bool(_rows(database, f"select 1 from {call} where {test} limit 1"))  # noqa: S608 (columns are quoted)


def _text_call(query: str, read: FileRead, guessed: dict[str, str], *, with_file: bool = False) -> str:
    """The call that reads the same files as text."""
    files = ("filename = true",) if with_file and "filename" not in read.options else ()
    if read.format == "csv":
        return read.call(query, "all_varchar = true", *files)
    kinds = {name: kind if _is_nested(kind) else "VARCHAR" for name, kind in guessed.items()}
    return read.call(query, f"columns = {_listed(kinds)}", *files)


def _refusal(
    source: str,
    query: str,
    read: FileRead,
    guessed: dict[str, str],
    name: str,
    kind: str,
    text: str,
    became: str,
    file: str,
) -> DataError:
    cast = _CAST.get(kind, "{c}").replace("{c}", _quoted(name) if not name.isidentifier() else name)
    zeros = (
        kind in _NUMBERS
        and len(text) > 1
        and text.lstrip("+-")[:1] == "0"
        and text.lstrip("+-")[1:2].isdigit()
    )
    if zeros:
        cast = cast.removeprefix("cast(").partition(" as ")[0]
    changed = f"types = {_listed({name: 'VARCHAR'})}"
    if read.format == "json":  # it reads the columns that are listed, and no other
        changed = f"columns = {_listed({**guessed, name: 'VARCHAR'})}"
    call = read.call(query, changed)
    return DataError(
        f"cannot ingest source '{source}': its query works with the column {name} of {file}, which the "
        f"reader takes for {kind} by its first rows; so '{text}' becomes {became}. Read it as text, with "
        f"`{call}`, and write `{cast}` for {name}.",
        field=name,
    )


def _replaced(query: str, changes: Iterable[tuple[FileRead, str]]) -> str:
    text = query.encode()
    for read, call in sorted(changes, key=lambda change: -change[0].start):
        text = text[: read.start] + call.encode() + text[read.end :]
    return text.decode()


def _types(database: duckdb.DuckDBPyConnection, call: str) -> dict[str, str]:
    try:
        described = _rows(database, f"describe select * from {call}")  # noqa: S608 (a part of the query)
        return {str(name): str(kind) for name, kind, *_ in described}
    except duckdb.Error:
        return {}


def _columns(database: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    return list(_types(database, table))


def _rows(database: duckdb.DuckDBPyConnection, query: str) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = database.execute(query).fetchall()
    return rows


def _is_nested(kind: str) -> bool:
    return kind.startswith(("STRUCT", "MAP", "UNION")) or kind.endswith("]") or kind == "JSON"


def _listed(kinds: dict[str, str]) -> str:
    pairs = (f"{_text(name)}: {_text(kind)}" for name, kind in kinds.items())
    return "{" + ", ".join(pairs) + "}"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
