"""The made-up exports of `tests/inputs/recipes`, laid out as tools write them; the events of a project."""

from __future__ import annotations

import gzip
import json
import math
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fastavro

from features.event_store import EventStore
from features.events.history import customer_of_event
from features.timeline import ALWAYS

SAMPLES = Path(__file__).parent / "recipes"
Event = tuple[str, str, str, float | None, str | None]
"""Customer, moment (UTC), kind, value, detail."""


def lay_out(name: str, part: str, export: Path) -> None:
    """Copy a part of a sample; its names say what it is packed as: `.gz.jsonl`, `.avro.jsonl`."""
    root = SAMPLES / name / part
    for file in sorted(path for path in root.rglob("*") if path.is_file()):
        target = export / file.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        if file.name.endswith(".gz.jsonl"):
            target.with_name(file.name.removesuffix(".jsonl")).write_bytes(gzip.compress(file.read_bytes()))
        elif file.name.endswith(".avro.jsonl"):
            write_avro(target.with_name(file.name.removesuffix(".jsonl")), file.read_text(encoding="utf-8"))
        elif name == "futureshop":
            target.write_bytes(file.read_text(encoding="utf-8").replace("\n", "\r\n").encode("cp932"))
        else:
            shutil.copyfile(file, target)


def write_avro(file: Path, lines: str) -> None:
    """Write JSON lines as an Avro file whose fields may all be null."""
    records: list[dict[str, Any]] = [json.loads(line) for line in lines.splitlines()]
    types = {bool: "boolean", int: "long", float: "double", str: "string"}
    fields: dict[str, str] = {}
    for record in records:
        for field, value in record.items():
            if value is not None or field not in fields:
                fields[field] = types.get(type(value), "string")
    schema = {
        "type": "record",
        "name": "event",
        "fields": [{"name": name, "type": ["null", kind], "default": None} for name, kind in fields.items()],
    }
    with file.open("wb") as target:
        fastavro.writer(target, fastavro.parse_schema(schema), records)


def events(project: Path) -> list[Event]:
    """The events of a project's store, by moment."""
    return [event[:5] for event in events_with_recorded(project)]


def events_with_recorded(project: Path) -> list[tuple[str, str, str, float | None, str | None, str | None]]:
    """As `events`, with the moment at which the company learned of each, where it was not at once."""
    store = EventStore(project / "state")
    found = []
    for history in store.histories():
        names = store.customers.names(history.keys).to_pylist()
        for row, customer in enumerate(customer_of_event(history)):
            value, detail = float(history.values[row]), int(history.details[row])
            recorded = int(history.recorded[row]) if len(history.recorded) else ALWAYS
            found.append(
                (
                    names[customer],
                    _moment(int(history.instants[row])),
                    history.kind_names[history.kinds[row]],
                    None if math.isnan(value) else value,
                    None if detail < 0 else history.detail_names[detail],
                    None if recorded == ALWAYS else _moment(recorded),
                )
            )
    return sorted(found, key=lambda event: (event[1], event[0], event[2], str(event[4])))


def _moment(instant: int) -> str:
    return datetime.fromtimestamp(instant / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S")
