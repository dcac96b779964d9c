"""Types that DuckDB's JSON reader guesses for fields of structs, lists and maps, and the values they bend.

Read whole, three guesses still bend values without a word: UUID (written in small letters), JSON for a field
that holds numbers and texts (texts get quotes), and DOUBLE for a field with whole numbers beyond 2^53 (ids
become other ids). The first two are read as text; a query that names a field of the third kind is refused.
Dates, times and numbers that fit none of the first rows stop the reader itself, or come as text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import duckdb

from features.errors import DataError
from features.ingestion.query_tree import FileRead

_LIST = re.compile(r"\[\d*\]$")
_TEXT_INSTEAD = ("UUID", "JSON")
_HELD = 38
"""Digits of the largest whole number that is compared."""


@dataclass(frozen=True)
class _Leaf:
    """A field without fields of its own: its column, its JSON path, its name and the guessed type."""

    column: str
    path: str
    name: str
    kind: str


def nested_as_text(
    database: duckdb.DuckDBPyConnection, query: str, read: FileRead, guessed: dict[str, str], source: str
) -> dict[str, str]:
    """Other types for the columns of a JSON file whose nested guesses would bend values.

    Raises `DataError` where a field that the query names holds whole numbers that a DOUBLE cannot hold.
    """
    text = query.casefold()
    everything = "*" in text or "unnest" in text
    concerned = [
        leaf
        for column, kind in guessed.items()
        for leaf in _leaves(column, kind)
        if leaf.kind in (*_TEXT_INSTEAD, "DOUBLE")
        and (leaf.path != "$" or leaf.kind == "JSON")
        and (everything or leaf.name.casefold() in text)
    ]
    to_look_at = [leaf for leaf in concerned if leaf.kind != "UUID"]
    found = _looked_at(database, query, read, to_look_at)
    for leaf in to_look_at:
        if leaf.kind == "DOUBLE" and isinstance(bent := found[leaf], str):
            raise _refusal(source, query, read, guessed, leaf, bent)
    as_text = {leaf for leaf in concerned if leaf.kind == "UUID"}
    as_text |= {leaf for leaf in to_look_at if leaf.kind == "JSON" and found[leaf] is None}
    return {
        column: _retyped(guessed[column], "$", {leaf.path for leaf in as_text if leaf.column == column})
        for column in dict.fromkeys(leaf.column for leaf in concerned if leaf in as_text)
    }


def _looked_at(
    database: duckdb.DuckDBPyConnection, query: str, read: FileRead, leaves: list[_Leaf]
) -> dict[_Leaf, object]:
    """Of each leaf a value that decides, or None: a whole number that DOUBLE bends, an object or a list."""
    if not leaves:
        return {}
    columns = ", ".join(f"{_text(name)}: 'JSON'" for name in dict.fromkeys(leaf.column for leaf in leaves))
    parts = []
    for leaf in leaves:
        taken, path = _quoted(leaf.column), _text(leaf.path)
        values = (
            f"json_extract({taken}, {path})"
            if any(wild in leaf.path for wild in ("[*]", ".*"))
            else f"[json_extract({taken}, {path})]"
        )
        if leaf.kind == "JSON":
            test = "json_type(x) in ('OBJECT', 'ARRAY')"
        else:
            test = (
                f"regexp_full_match(x::varchar, '-?[0-9]{{16,{_HELD}}}') and "
                "try_cast(try_cast(x::varchar as double) as hugeint) "
                "is distinct from try_cast(x::varchar as hugeint)"
            )
        parts.append(f"first(list_filter({values}, lambda x: {test})[1]::varchar) "
                     f"filter (len(list_filter({values}, lambda x: {test})) > 0)")  # fmt: skip
    call = read.call(query, f"columns = {{{columns}}}")
    (row,) = database.execute(f"select {', '.join(parts)} from {call}").fetchall()  # noqa: S608 (quoted)
    return dict(zip(leaves, row, strict=True))


def _refusal(
    source: str, query: str, read: FileRead, guessed: dict[str, str], leaf: _Leaf, text: str
) -> DataError:
    kinds = {**guessed, leaf.column: _retyped(guessed[leaf.column], "$", {leaf.path})}
    listed = ", ".join(f"{_text(name)}: {_text(kind)}" for name, kind in kinds.items())
    place = leaf.path.replace('"', "").replace("$", leaf.column, 1)
    return DataError(
        f"cannot ingest source '{source}': its query names the field {place}, which the reader takes for "
        f"DOUBLE; so '{text}' becomes {int(float(text))}. Read it as text, with "
        f"`{read.call(query, f'columns = {{{listed}}}')}`, and write "
        f"`cast({_written(leaf)} as double)` where it is an amount.",
        field=leaf.name,
    )


def _written(leaf: _Leaf) -> str:
    """A leaf as a query names it: `u.id`, of the elements of a list `unnest(ids).no`."""
    if ".*" in leaf.path:  # the values of a map have no name
        return leaf.name
    names = [*re.findall(r'"([^"]*)"', leaf.path), leaf.column]
    plain = all(name.isidentifier() for name in names)
    path = leaf.path.replace("$", leaf.column if plain else _quoted(leaf.column), 1)
    whole, *steps = (path.replace('"', "") if plain else path).split("[*]")
    for step in steps:
        whole = f"unnest({whole}){step}"
    return whole


def _leaves(column: str, kind: str, path: str = "$", name: str = "") -> Iterator[_Leaf]:
    for step, inner_name, inner in _inside(kind):
        yield from _leaves(column, inner, path + step, inner_name or name or column)
    if not _inside(kind):
        yield _Leaf(column, path, name or column, kind)


def _retyped(kind: str, path: str, as_text: set[str]) -> str:
    """The type with the leaves of these paths as VARCHAR."""
    if path in as_text:
        return "VARCHAR"
    inside = _inside(kind)
    if not inside:
        return kind
    inner = [_retyped(one, path + step, as_text) for step, _, one in inside]
    if _LIST.search(kind):
        return f"{inner[0]}[]"
    if kind.startswith("MAP("):
        key, _ = _split(kind[4:-1])
        return f"MAP({key}, {inner[0]})"
    names = [_quoted(name) for _, name, _ in inside]
    return f"STRUCT({', '.join(f'{name} {one}' for name, one in zip(names, inner, strict=True))})"


def _inside(kind: str) -> list[tuple[str, str, str]]:
    """The step of the path, the name and the type of each part of a nested type."""
    if _LIST.search(kind):
        return [("[*]", "", _LIST.sub("", kind))]
    if kind.startswith("MAP("):
        _, value = _split(kind[4:-1])
        return [(".*", "", value)]
    if not kind.startswith("STRUCT("):
        return []
    found = []
    for part in _split(kind[7:-1]):
        name, inner = _name_and_type(part)
        found.append((f'."{name}"', name, inner))
    return found


def _name_and_type(part: str) -> tuple[str, str]:
    if part.startswith('"'):
        end = part.index('" ', 1)
        return part[1:end].replace('""', '"'), part[end + 2 :]
    name, _, kind = part.partition(" ")
    return name, kind


def _split(parts: str) -> list[str]:
    """The parts of a type between commas that stand in no parentheses and no quotes."""
    found, depth, quoted, start = [], 0, False, 0
    for place, letter in enumerate(parts):
        if letter == '"':
            quoted = not quoted
        elif not quoted:
            depth += {"(": 1, ")": -1}.get(letter, 0)
            if letter == "," and depth == 0:
                found.append(parts[start:place].strip())
                start = place + 1
    return [*found, parts[start:].strip()]


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
