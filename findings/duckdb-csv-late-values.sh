#!/usr/bin/env bash
# DuckDB 2.0.1, read_csv: values after row 20,480 are bent to the types of the first rows, without a word.
#
# One expects: types are detected from a sample, and a later value that does not fit its type is an error, or the
# column becomes text. That is what happens to a word among numbers.
# What happens: a value that can be cast is cast. Customer 000123 becomes 123, and is one customer with the real
# 123; 99.5 becomes 100; 23:00 of a day becomes its midnight; ` UTC` after a moment is dropped. No error, no
# warning, no rejected row. Small files are read right, so a test on a small export does not show it. A cast looks
# like a cure and is none: `customer::varchar` alone gives 000123, as the cast is moved into the reader; with the
# plain `customer` in the same select list, both are 123.
# Why it matters to churn scoring: two people are one history, amounts are rounded, and events move to another
# day, all of them in the newest rows of an export in order of time: those that a prediction hangs on.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet --disable-pip-version-check "duckdb==2.0.1" 2>/dev/null
cat > "$place/look.py" <<'PY'
import sys
from pathlib import Path

import duckdb

place = Path(sys.argv[1])
late = [
    "000123,99.5,2024-03-01 23:00:00,2024-03-01 15:30:00 UTC",
    "123,7,2024-03-02,2024-03-01 15:30:00",
]


def read(early: int, options: str = "") -> list[tuple[str, ...]]:
    rows = [f"{n},5,2024-01-01,2024-01-01 10:00:00" for n in range(early)]
    file = place / "orders.csv"
    file.write_text("\n".join(["customer,amount,day,stamp", *rows, *late]) + "\n")
    table = f"read_csv('{file}'{options})"
    return [tuple(map(str, row)) for row in duckdb.sql(f"select * from {table}").fetchall()[-2:]]


def cast(names: str) -> str:
    return str(duckdb.sql(f"select {names} from read_csv('{place / 'orders.csv'}')").fetchall()[-2][0])


small, large, text = read(100), read(30_000), read(30_000, ", all_varchar = true")
print("the two last rows of 102:    ", *small, sep="\n  ")
print("the same after 30,000 others:", *large, sep="\n  ")
print("the same, all_varchar:       ", *text, sep="\n  ")
alone, twice = cast("customer::varchar"), cast("customer::varchar, customer")
print("customer::varchar:            ", alone)
print("the same beside customer:     ", twice)
bent = large[0] == ("123", "100", "2024-03-01", "2024-03-01 15:30:00") and large[1][0] == "123"
kept = small[0][0] == "000123" and small[0][1] == "99.5" and text[0] == tuple(late[0].split(","))
sys.exit(0 if bent and kept and (alone, twice) == ("000123", "123") else 1)
PY
"$place/venv/bin/python" "$place/look.py" "$place"
