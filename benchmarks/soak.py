"""Minutes of load at a given rate with new scores every few seconds, every answer checked against the batch.

`python -m benchmarks.soak --project . --minutes 10 --every 60 --rate 500` prints one JSON object. The version
changes with every swap, so that an answer that mixes two is seen.
"""

from __future__ import annotations

import argparse
import http.client
import json
import shutil
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.serving import kizuna, memory, started
from serving.cli.context import CliContext
from serving.lists.score_reader import ScoreReader
from serving.schemas.json_text import to_json
from serving.scoring.batch import score
from serving.state.active_model import import_bundle, in_use
from serving.state.scores.score_file import save
from serving.state.scores.score_index import ScoreFile, use_scores

VISITORS = 4
ASKED = 60
"""Different customers asked for."""


class Truth:
    """What the batch says, for each version that was ever in use."""

    def __init__(self, folder: Path) -> None:
        self.call = CliContext(folder)
        self.right: dict[tuple[str, str], dict[str, Any]] = {}
        self.swaps = 0
        with self.call.records() as records:
            self.champion = in_use(records, self.call.project.state)
            current = ScoreReader.current(records, self.call.project, self.call.store)
        keys = current.scores.answers.key[:: max(1, len(current.scores.answers) // ASKED)]
        self.names = current.customers.names(keys).to_pylist()
        self.as_of = current.scores.facts.as_of
        self._note(current)

    def swap(self) -> None:
        """Another version and another as-of date: what was right before stays right until it is in use."""
        self.swaps += 1
        version, as_of = f"soak-{self.swaps}", self.as_of - self.swaps % 5 * 86_400_000_000
        project, call = self.call.project, self.call
        bundle = project.state / "bundles" / f"{self.champion.version}-{self.champion.bundle.fingerprint}"
        with call.records() as records:
            champion = import_bundle(project.state, version, bundle)
            answers, facts = score(call.store, champion, as_of, call.now)
            name = save(project.scores, answers, facts)
            score_file = ScoreFile(name, as_of, version, facts.data_version, len(answers), call.now)
            self._note(ScoreReader.of_file(records, project, call.store, score_file))
            use_scores(records, score_file, champion.pointer)

    def _note(self, replies: ScoreReader) -> None:
        for one in self.names:
            said = json.loads(to_json(replies.of([one], "en")))
            self.right[said["model_version"], one] = said


def visitor(
    port: int, truth: Truth, pause: float, over: threading.Event, seen: Counter[str], times: list[float]
) -> None:
    connection, turn = http.client.HTTPConnection("127.0.0.1", port, timeout=30), 0
    while not over.is_set():
        name = truth.names[turn % len(truth.names)]
        turn += 1
        begun = time.perf_counter()
        try:
            body = json.dumps({"customer_ids": [name]})
            connection.request("POST", "/v1/score", body, {"content-type": "application/json"})
            answer = connection.getresponse()
            status, said = answer.status, json.loads(answer.read())
        except OSError:
            seen["errors"] += 1
            connection.close()
            continue
        took = time.perf_counter() - begun
        times.append(took)
        seen["answers"] += 1
        seen["errors"] += status != 200
        seen["wrong"] += status == 200 and truth.right.get((said["model_version"], name)) != said
        time.sleep(max(0.0, pause - took))


def main() -> None:
    """Soak and print."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--project", type=Path, default=Path())
    asked.add_argument("--port", type=int, default=38200)
    asked.add_argument("--minutes", type=float, default=10.0)
    asked.add_argument("--every", type=float, default=60.0, help="seconds between two swaps")
    asked.add_argument("--rate", type=float, default=200.0, help="requests a second")
    how = asked.parse_args()
    with tempfile.TemporaryDirectory(prefix="kizuna-soak-") as place:
        folder = Path(place) / "project"
        folder.mkdir()
        shutil.copy(how.project / "kizuna.toml", folder)
        shutil.copytree(how.project / "state", folder / "state")
        truth, seen, times, over = Truth(folder), Counter[str](), list[float](), threading.Event()
        with started(kizuna(folder, how.port), how.port, Path(place) / "log") as server:
            crowd = [
                threading.Thread(
                    target=visitor, args=(how.port, truth, VISITORS / how.rate, over, seen, times)
                )
                for _ in range(VISITORS)
            ]
            for one in crowd:
                one.start()
            begun, held = time.monotonic(), []
            while time.monotonic() - begun < 60 * how.minutes:
                time.sleep(how.every)
                truth.swap()
                held.append(memory(server.pid))
            time.sleep(2)
            over.set()
            for one in crowd:
                one.join()
    p50, p99 = np.percentile(np.array(times) * 1000, [50, 99])
    said: dict[str, Any] = {name: seen[name] for name in ("answers", "wrong", "errors")}
    said |= {"swaps": truth.swaps, "p50_ms": p50, "p99_ms": p99, "memory_mb": [round(one) for one in held]}
    print(json.dumps(said))


if __name__ == "__main__":
    main()
