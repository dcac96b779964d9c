"""Avro files as JSON lines, for `read_json('avro://exports/**/*.avro', …)`: DuckDB has no reader for them."""

from __future__ import annotations

from pathlib import Path

import orjson


def to_json_lines(outside: Path, inside: Path) -> None:
    """Write the records of an Avro file as JSON lines; raises `OSError` where it is none.

    Moments become ISO texts with their zone, decimals texts, and bytes hexadecimal texts.
    """
    import fastavro

    try:
        with outside.open("rb") as source, inside.open("wb") as target:
            for record in fastavro.reader(source):
                target.write(orjson.dumps(record, default=_as_text, option=orjson.OPT_APPEND_NEWLINE))
    # What fastavro raises on a file that is cut short or is no Avro file, and on a codec that it lacks.
    except (ValueError, EOFError, IndexError, KeyError, TypeError) as error:
        raise OSError(f"'{outside.name}' cannot be read as an Avro file: {error}") from None


def _as_text(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
