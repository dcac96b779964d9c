#!/usr/bin/env bash
# DuckDB 2.0.1, read_json: late numbers are rounded; read whole, one decimal makes other ids of large ids.
#
# One expects: JSON says the type of each value, so that a number stays the number that it is, whatever stands in
# the rows before it; and that `sample_size = -1`, which looks at all rows, heals what a sample may get wrong.
# What happens: after 20,480 rows of whole numbers 1.7 is read as 2 and `true` as 1, inside structs and lists as
# well, while the text "000123" is an error. With `sample_size = -1` the field is DOUBLE, so that the 1.7 is
# right, and 9007199254740993 becomes 9007199254740992, the id of somebody else. No error, no warning; a type of
# one's own (`columns = {…}`) is the way out.
# Why it matters to churn scoring: exports of events are JSON lines with nested users and lines of orders. Amounts
# are rounded to whole units, and customers with ids of 16 digits or more are counted as one.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet --disable-pip-version-check "duckdb==2.0.1" 2>/dev/null
cat > "$place/look.py" <<'PY'
import json
import sys
from pathlib import Path

import duckdb

file = Path(sys.argv[1]) / "events.jsonl"
ids = [9007199254740992, 9007199254740993]


def write(*late: object) -> None:
    rows = [{"user": {"id": n}, "lines": [{"price": 5}]} for n in range(30_000)]
    rows += [{"user": {"id": one}, "lines": [{"price": one}]} for one in late]
    file.write_text("\n".join(map(json.dumps, rows)) + "\n")


def read(options: str = "", count: int = 3) -> list[tuple[object, ...]]:
    table = f"read_json('{file}'{options})"
    return duckdb.sql(f"select user.id::varchar, lines[1].price::varchar from {table}").fetchall()[-count:]


write(1.7, True)
sampled = read(count=2)
print("1.7 and true after 30,000 whole numbers:", sampled)
write("000123")
try:
    text = str(read(count=1))
except duckdb.Error as error:
    text = type(error).__name__
print("the text 000123 after them:             ", text)
write(1.7, *ids)
whole = read(", sample_size = -1")
print("1.7 and two ids, sample_size = -1:      ", whole)
own = read(", columns = {'user': 'STRUCT(id VARCHAR)', 'lines': 'STRUCT(price DOUBLE)[]'}")
print("the same with types of one's own:       ", own)
bent = sampled == [("2", "2"), ("1", "1")] and whole[1][0] == whole[2][0] and whole[0][0] == "1.7"
kept = [row[0] for row in own] == ["1.7", *map(str, ids)]
sys.exit(0 if bent and kept and text == "InvalidInputException" else 1)
PY
"$place/venv/bin/python" "$place/look.py" "$place"
