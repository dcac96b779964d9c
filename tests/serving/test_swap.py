"""New scores and new models without a restart: nothing fails, nothing mixes, nothing damaged is used."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import subprocess
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from serving.cli.context import CliContext
from serving.lists.score_reader import ScoreReader
from serving.state.scores.score_index import current_champion, current_scores, use_champion, use_scores
from tests.serving.running import COMMAND, Server, serving
from tests.serving.shapes import as_json
from tests.serving.shop import DATES, score_all


def answers_of(folder: Path, names: list[str]) -> dict[str, Any]:
    """What the batch says of these customers, with where it came from."""
    call = CliContext(folder)
    with call.records() as records:
        return as_json(ScoreReader.current(records, call.project, call.store).of(names, "en"))


def listen(running: Server, names: list[str], heard: list[Any], over: threading.Event) -> None:
    while not over.is_set():
        heard.append(running.post("/v1/score", {"customer_ids": names}))


def test_under_load_no_answer_fails_or_mixes_two_models(own_shop: Path) -> None:
    names = [f"c{number:04d}" for number in range(0, 240, 12)]
    right = {json.dumps(answers_of(own_shop, names), sort_keys=True)}
    with serving(own_shop) as running:
        heard: list[Any] = []
        over = threading.Event()
        crowd = [threading.Thread(target=listen, args=(running, names, heard, over)) for _ in range(4)]
        for visitor in crowd:
            visitor.start()
        for version, date in (("2", "2025-01-10"), ("3", "2025-01-20"), ("4", DATES[-1])):
            score_all(own_shop, own_shop / "bundle", version, (date,))
            right.add(json.dumps(answers_of(own_shop, names), sort_keys=True))
            running.wait_for(lambda date=date: running.ready()["as_of"] == date)
        over.set()
        for visitor in crowd:
            visitor.join()
        assert {status for status, _ in heard} == {200}
        assert {json.dumps(said, sort_keys=True) for _, said in heard} <= right
        assert len({said["model_version"] for _, said in heard}) >= 3
        assert "kizuna_refusals_total 0.0" in running.send("GET", "/metrics")[1].decode()


def test_a_damaged_champion_is_refused_and_the_old_one_goes_on(own_shop: Path) -> None:
    live = {"customers": [{"customer_id": "x", "events": []}], "as_of": "2025-02-01"}
    with serving(own_shop) as running:
        assert running.post("/v1/predict", live)[1]["model_version"] == "1"
        call = CliContext(own_shop)
        with call.records() as records:
            version, fingerprint = current_champion(records) or ("", "")
            home = own_shop / "state" / "bundles" / f"9-{fingerprint}"
            subprocess.run(
                ["cp", "-r", own_shop / "state" / "bundles" / f"{version}-{fingerprint}", home], check=True
            )
            (home / "churn.txt").write_text("tree\n")
            use_champion(records, "9", fingerprint, call.now)
        running.wait_for(lambda: "trouble" in running.ready())
        said = running.ready()
        assert (said["champion"], said["ready"]) == ("1", True)
        assert said["trouble"].startswith(f"the bundle at {home} is damaged: churn.txt does not match")
        assert running.post("/v1/predict", live)[1]["model_version"] == "1"
        metrics = running.send("GET", "/metrics")[1].decode()
        assert "kizuna_trouble 1\n" in metrics
        assert "kizuna_refusals_total 1.0\n" in metrics
        with CliContext(own_shop).records() as records:
            use_champion(records, "1", fingerprint, call.now)
        running.wait_for(lambda: "trouble" not in running.ready())
        assert "kizuna_trouble 0\n" in running.send("GET", "/metrics")[1].decode()


def test_a_new_champion_waits_for_its_scores(own_shop: Path) -> None:
    """Live answers do not run ahead of the stored list: a model whose scores are damaged is not used."""
    live = {"customers": [{"customer_id": "x", "events": []}], "as_of": "2025-02-01"}
    with serving(own_shop) as running:
        with CliContext(own_shop).records() as records:
            current, champion = current_scores(records), current_champion(records)
            assert current is not None
            assert champion is not None
            bundles = own_shop / "state" / "bundles"
            shutil.copytree(bundles / f"{champion[0]}-{champion[1]}", bundles / f"2-{champion[1]}")
            (own_shop / "state" / "scores" / "half.arrow").write_bytes(b"half")
            use_scores(records, replace(current, file="half.arrow"), ("2", champion[1]))
        running.wait_for(lambda: "trouble" in running.ready())
        assert running.post("/v1/predict", live)[1]["model_version"] == "1"
        with CliContext(own_shop).records() as records:
            use_scores(records, replace(current, model_version="2"), ("2", champion[1]))
        running.wait_for(lambda: "trouble" not in running.ready())
        assert running.post("/v1/predict", live)[1]["model_version"] == "2"


def test_a_damaged_score_file_is_refused_and_the_old_one_goes_on(own_shop: Path) -> None:
    with serving(own_shop) as running:
        before = running.post("/v1/score", {"customer_ids": ["c0003"]})
        with CliContext(own_shop).records() as records:
            current, in_use = current_scores(records), current_champion(records)
            assert current is not None
            assert in_use is not None
            whole = (own_shop / "state" / "scores" / current.file).read_bytes()
            (own_shop / "state" / "scores" / "half.arrow").write_bytes(whole[: len(whole) // 2])
            use_scores(records, type(current)(**{**vars(current), "file": "half.arrow"}), in_use)
        running.wait_for(lambda: "trouble" in running.ready())
        assert running.ready()["trouble"].endswith("is missing or damaged. Run `kizuna score` again.")
        assert running.post("/v1/score", {"customer_ids": ["c0003"]}) == before


def test_a_damaged_run_of_the_store_is_named_and_the_stored_scores_go_on(own_shop: Path) -> None:
    with serving(own_shop) as running:
        before = running.post("/v1/score", {"customer_ids": ["c0003"]})
        for run in (own_shop / "state" / "events").glob("bucket=*/*.parquet"):
            run.write_bytes(run.read_bytes()[:1_000])
        status, answer = running.post("/v1/report", {"months": 3})
        assert (status, answer["error"]["code"]) == (500, "damaged_data")
        assert "is damaged (" in answer["error"]["message"]
        assert "ingest the sources again" in answer["error"]["message"]
        assert running.post("/v1/score", {"customer_ids": ["c0003"]}) == before


@pytest.mark.slow
def test_a_killed_worker_is_replaced_and_after_two_seconds_nothing_fails(own_shop: Path) -> None:
    with serving(own_shop, "--workers", "2") as running:
        workers = running.workers()
        if len(workers) != 2:
            pytest.skip("no /proc on this system")
        subprocess.run(["kill", "-9", str(workers[0])], check=True)
        time.sleep(2)
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline:
            assert running.post("/v1/score", {"customer_ids": ["c0003"]})[0] == 200
        running.wait_for(lambda: len(running.workers()) == 2, seconds=20)


def test_it_stops_gracefully_and_writes_down_who_asked(own_shop: Path) -> None:
    with serving(own_shop) as running:
        running.post("/v1/score", {"customer_ids": ["c0003", "nobody"]})
    assert running.process.returncode in (0, -15), "uvicorn ends by the signal that it was sent"
    assert ("local", "score", 2) in accesses(own_shop, "c0003")


def accesses(folder: Path, customer: str) -> list[tuple[str, str, int]]:
    """Who asked for a customer, as `kizuna audit` prints it."""
    done = subprocess.run(
        [*COMMAND, "-C", str(folder), "--json", "audit", customer],
        capture_output=True,
        check=True,
        text=True,
    )
    return [(one["who"], one["action"], one["customers"]) for one in json.loads(done.stdout)["asked"]]


def test_it_stops_only_after_a_slow_database_took_what_the_watcher_had_begun_to_write(
    own_shop: Path,
) -> None:
    with serving(own_shop) as running:
        database = sqlite3.connect(own_shop / "state" / "kizuna.db", isolation_level=None)
        database.execute("begin immediate")  # whoever writes now waits, ten seconds at most
        running.post("/v1/score", {"customer_ids": ["c0003", "nobody"]})
        time.sleep(2.5)  # the watcher has taken the call and waits for the database
        running.process.send_signal(signal.SIGTERM)
        time.sleep(1.5)
        database.execute("rollback")
        database.close()
        running.process.wait(timeout=60)
    assert ("local", "score", 2) in accesses(own_shop, "c0003")
