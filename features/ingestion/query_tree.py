"""A query as DuckDB's own parser reads it: which files it reads, which columns it works with, what it names.

A column is *used* where its value decides something: in an expression, a filter, a join, a group, a distinct
or a limited order. One that is only selected, under its own or another name, passes through.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import duckdb

Node: TypeAlias = "dict[str, Node] | list[Node] | str | int | float | bool | None"

_CSV = frozenset({"read_csv", "read_csv_auto"})
_JSON = frozenset({"read_json", "read_json_auto", "read_ndjson", "read_ndjson_auto"})
_CSV_FILES = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".csv.zst", ".tsv.zst")
_JSON_FILES = (".json", ".jsonl", ".ndjson", ".json.gz", ".jsonl.gz", ".ndjson.gz", ".json.zst", ".jsonl.zst")
_FOREIGN = re.compile(r'"([^\W\d_a-zA-Z]+)"')
_NAME = re.compile(r"'(?:[^']|'')*'")
_INSIDE = r"(?:[^()'\"]|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\")"
_CALL = re.compile(rf"read_\w+\s*\((?:{_INSIDE}|\({_INSIDE}*\))*\)", re.IGNORECASE)

_SAMPLE = re.compile(r",\s*sample_size\s*(?:=>|:=|=)\s*-?\d+", re.IGNORECASE)


@dataclass(frozen=True)
class FileRead:
    """A place in a query where files are read with guessed types."""

    format: str
    """"csv" or "json"."""
    start: int
    end: int
    """Bytes of the query (UTF-8): the whole call, or the file's name in quotes."""
    is_call: bool
    is_named: bool
    """Whether the table's name in the query stays when the file's name becomes a call."""
    options: frozenset[str]
    """Names of the options that the query gives, in lower case."""

    def call(self, query: str, *added: str) -> str:
        """The call with further options; JSON is read whole, whatever sample the query asks for."""
        text = query.encode()[self.start : self.end].decode()
        if not self.is_call:
            text = f"read_{self.format}({text})"
        if self.format == "json":
            text, added = _SAMPLE.sub("", text), (*added, "sample_size = -1")
        return (
            text[: text.rindex(")")].rstrip().rstrip(",") + "".join(f", {option}" for option in added) + ")"
        )


@dataclass
class QueryTree:
    """What a query does with columns; names in lower case."""

    reads: list[FileRead] = field(default_factory=list)
    expressions: dict[str, str] = field(default_factory=dict)
    """What the outermost select writes before `as`, by the name of the column."""
    all_used: bool = False
    """Whether any column may be used in a way that cannot be told apart."""
    qualified: bool = False
    """Whether a column is named with its table."""
    _used: set[str] = field(default_factory=set)
    _renamed: set[tuple[str, str]] = field(default_factory=set)

    def used(self, *results: str) -> set[str]:
        """The columns that are used, and those that become one of `results`."""
        found = self._used | {name.lower() for name in results}
        while more := {source for source, name in self._renamed if name in found} - found:
            found |= more
        return found

    def becoming(self, *results: str) -> set[str]:
        """The columns that become one of `results`, whatever their names in between."""
        found = {name.lower() for name in results}
        while more := {source for source, name in self._renamed if name in found} - found:
            found |= more
        return found


def parse_query(database: duckdb.DuckDBPyConnection, query: str) -> QueryTree | None:
    """The tree of a query; None where DuckDB's parser gives none."""
    try:
        (text,) = database.execute("select json_serialize_sql($1)", [query]).fetchall()[0]
    except duckdb.Error:
        return None
    parsed = json.loads(text)
    if parsed.get("error") or len(parsed.get("statements", [])) != 1:
        return None
    tree = QueryTree()
    root = parsed["statements"][0]["node"]
    _select(root, tree, query)
    for item in root.get("select_list", []):
        name = item.get("alias") or (item.get("column_names") or [""])[-1]
        if name:
            tree.expressions[name] = _written(database, item)
    return tree


def _select(node: Node, tree: QueryTree, query: str) -> None:
    """Take in a select, a union or a table expression."""
    if not isinstance(node, dict):
        return
    for entry in _dicts(_child(node, "cte_map").get("map")):
        _select(_child(entry, "value").get("query_node"), tree, query)
    _modifiers(node, tree, query)
    kind = node.get("type")
    if kind == "SET_OPERATION_NODE":
        together = node.get("setop_type") in ("UNION", "UNION_BY_NAME") and node.get("setop_all")
        tree.all_used |= not together
        for side in ("left", "right"):
            _select(node.get(side), tree, query)
        for child in _dicts(node.get("children")):
            _select(child, tree, query)
        return
    if kind != "SELECT_NODE":
        tree.all_used = True
        return
    tree.all_used |= node.get("aggregate_handling") != "STANDARD_HANDLING"
    for item in _dicts(node.get("select_list")):
        _item(item, tree, query)
    for part in ("where_clause", "group_expressions", "having", "qualify", "sample"):
        _uses(node.get(part), tree, query)
    _table(node.get("from_table"), tree, query)


def _item(item: dict[str, Node], tree: QueryTree, query: str) -> None:
    """One column of a select list."""
    if item.get("class") == "COLUMN_REF":
        names = [str(name).lower() for name in _list(item.get("column_names"))]
        tree.qualified |= len(names) > 1
        tree._used.update(names[:-1])  # a table, or a struct whose field is taken
        tree._renamed.add((names[-1], str(item.get("alias") or names[-1]).lower()))
    elif item.get("class") == "STAR":
        tree.all_used |= bool(item.get("columns")) or bool(item.get("expr")) or bool(item.get("rename_list"))
        _uses(item.get("replace_list"), tree, query)
    else:
        _uses(item, tree, query)


def _modifiers(node: dict[str, Node], tree: QueryTree, query: str) -> None:
    kinds = {str(one.get("type")): one for one in _dicts(node.get("modifiers"))}
    tree.all_used |= "DISTINCT_MODIFIER" in kinds
    if any(kind.startswith("LIMIT") for kind in kinds) and "ORDER_MODIFIER" in kinds:
        for order in _dicts(kinds["ORDER_MODIFIER"].get("orders")):
            expression = _child(order, "expression")
            tree.all_used |= expression.get("class") in ("CONSTANT", "STAR")
            _uses(expression, tree, query)


def _table(node: Node, tree: QueryTree, query: str) -> None:
    """What a select reads from."""
    if not isinstance(node, dict):
        return
    kind = node.get("type")
    if kind == "JOIN":
        _uses(node.get("condition"), tree, query)
        tree._used.update(str(name).lower() for name in _list(node.get("using_columns")))
        tree.all_used |= node.get("ref_type") == "NATURAL"
        _table(node.get("left"), tree, query)
        _table(node.get("right"), tree, query)
    elif kind == "SUBQUERY":
        _select(_child(node, "subquery").get("node"), tree, query)
    elif kind == "TABLE_FUNCTION":
        function = _child(node, "function")
        name = str(function.get("function_name")).lower()
        if name in _CSV or name in _JSON:
            _file(node, tree, query, "csv" if name in _CSV else "json", _options(function))
        else:
            _uses(function, tree, query)
    elif kind == "BASE_TABLE":
        name = str(node.get("table_name")).lower()
        if name.endswith(_CSV_FILES) or name.endswith(_JSON_FILES):
            _file(node, tree, query, "csv" if name.endswith(_CSV_FILES) else "json", None)
    elif kind not in ("EMPTY", "EMPTY_FROM", "EXPRESSION_LIST"):
        tree.all_used = True


def _file(
    node: dict[str, Node], tree: QueryTree, query: str, form: str, options: frozenset[str] | None
) -> None:
    start = _whole(node.get("query_location"))
    # The parser says where it found the file; an alias may follow it.
    found = (_NAME if options is None else _CALL).match(query.encode()[start:].decode(errors="replace"))
    if found is None:
        tree.all_used = True
    else:
        end = start + len(found[0].encode())
        named = options is not None or bool(node.get("alias"))
        tree.reads.append(FileRead(form, start, end, options is not None, named, options or frozenset()))


def _options(function: dict[str, Node]) -> frozenset[str]:
    found = set()
    for argument in _dicts(function.get("arguments")):
        if argument.get("name"):
            found.add(str(argument["name"]).lower())
        expression = _child(argument, "expression")
        left = _child(expression, "left")
        if expression.get("type") == "COMPARE_EQUAL" and left.get("class") == "COLUMN_REF":
            found.add(str(_list(left.get("column_names"))[-1]).lower())
    return frozenset(found)


def _uses(node: Node, tree: QueryTree, query: str) -> None:
    """Every column within an expression is used; a query within it is taken in too."""
    if isinstance(node, list):
        for child in node:
            _uses(child, tree, query)
    elif isinstance(node, dict):
        if node.get("class") == "COLUMN_REF":
            names = [str(name).lower() for name in _list(node.get("column_names"))]
            tree.qualified |= len(names) > 1
            tree._used.update(names)
        elif node.get("type") in ("SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE"):
            tree.all_used = True  # a query in an expression: compared with, or in a list
            _select(node, tree, query)
            return
        elif node.get("class") == "STAR" and node.get("columns"):
            tree.all_used = True
        for child in node.values():
            _uses(child, tree, query)


def _written(database: duckdb.DuckDBPyConnection, item: dict[str, Node]) -> str:
    """An expression as SQL."""
    if item.get("class") == "COLUMN_REF":
        return ".".join(_quoted(str(name)) for name in _list(item.get("column_names")))
    (template,) = database.execute("select json_serialize_sql('select 1')").fetchall()[0]
    whole = json.loads(template)
    whole["statements"][0]["node"]["select_list"] = [{**item, "alias": ""}]
    try:
        (text,) = database.execute("select json_deserialize_sql($1)", [json.dumps(whole)]).fetchall()[0]
    except duckdb.Error:
        return ""
    # Japanese names need no quotes in DuckDB, and people write them without.
    return _FOREIGN.sub(lambda found: found[1], str(text).removeprefix("SELECT "))


def _quoted(name: str) -> str:
    return name if name.isidentifier() else '"' + name.replace('"', '""') + '"'


def _child(node: dict[str, Node], name: str) -> dict[str, Node]:
    found = node.get(name)
    return found if isinstance(found, dict) else {}


def _list(node: Node) -> list[Node]:
    return node if isinstance(node, list) else []


def _dicts(node: Node) -> Iterator[dict[str, Node]]:
    return (child for child in _list(node) if isinstance(child, dict))


def _whole(node: Node) -> int:
    return node if isinstance(node, int) else 0
