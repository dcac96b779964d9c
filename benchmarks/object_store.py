"""Features from S3 against the same store on disk: `python -m benchmarks.object_store [EVENTS] [ROUNDS]`.

SeaweedFS runs on this machine and shares its cores: what is measured is the cost of ranges, not of a network.
Rounds alternate; the files of feature rows are compared byte by byte.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from pathlib import Path
from statistics import median

from benchmarks import events
from benchmarks.scale import stream
from features.engine.evaluate import warm
from features.event_store import EventStore
from features.storage.backends.storage import open_storage
from tests.object_server import object_server


def upload(folder: Path, url: str) -> None:
    """Copy a store into an object store: its tables name their files relative to themselves."""
    storage = open_storage(url)
    for table in ("events", "customers", "aliases", "quarantine"):
        for file in sorted((folder / table).rglob("*")):
            if file.is_file():
                storage.upload(file.relative_to(folder).as_posix(), file)


def digest(folder: Path) -> str:
    """Of all files of a folder, by their names."""
    found = hashlib.sha256()
    for file in sorted(folder.iterdir()):
        found.update(file.name.encode() + file.read_bytes())
    return found.hexdigest()


def main() -> None:
    number, rounds = ([int(word) for word in sys.argv[1:]] + [20_000_000, 3])[:2]
    folder = events.made(number, number // 100)
    out = folder / "rows"
    warm()
    with object_server() as server:
        os.environ.update(server.environment())
        url = server.place()
        upload(folder, url)
        seconds: dict[str, list[float]] = {"local": [], "s3": []}
        rows: set[str] = set()
        for _ in range(rounds):
            for name, place in (("local", folder), ("s3", url)):
                shutil.rmtree(out, ignore_errors=True)
                figures = stream(EventStore(place), events.as_of_dates(1), out, events.rich_features())
                seconds[name].append(round(figures["seconds"], 2))
                rows.add(digest(out))
        shutil.rmtree(out)
        medians = {name: median(times) for name, times in seconds.items()}
        ratio = round(medians["s3"] / medians["local"], 2)
        answer = {"events": number, "seconds": seconds, "s3_over_local": ratio, "equal": len(rows) == 1}
        print(json.dumps(answer))


if __name__ == "__main__":
    main()
