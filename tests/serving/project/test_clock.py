"""The clock of a project: the system's, unless the project is simulated."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from features.errors import ConfigurationError
from serving.cli.context import CliContext
from serving.cli.main import main
from serving.project.clock import project_clock
from serving.project.settings import read
from tests.serving.running import serving

ROOT = Path(__file__).parents[3]


@pytest.fixture
def simulated_shop(own_shop: Path) -> Path:
    """The scored shop with its time standing still on the day after its newest scores."""
    with (own_shop / "kizuna.toml").open("a") as file:
        file.write('\n[simulated]\nnow = "now.txt"\n')
    (own_shop / "now.txt").write_text("2025-02-05T00:00:00Z\n")
    return own_shop


def said(capsys: pytest.CaptureFixture[str], folder: Path, *words: str, as_json: bool = True) -> str:
    capsys.readouterr()
    with pytest.raises(SystemExit):
        main(["-C", str(folder), *(["--json"] if as_json else []), *words])
    return capsys.readouterr().out


def answer(capsys: pytest.CaptureFixture[str], folder: Path, *words: str) -> Any:
    return json.loads(said(capsys, folder, *words))


def test_a_project_has_the_clock_of_the_system(own_shop: Path) -> None:
    before = time.time_ns() // 1_000
    assert before <= project_clock(read(own_shop))() <= time.time_ns() // 1_000


def test_a_simulated_project_has_the_instant_that_its_file_names(simulated_shop: Path) -> None:
    clock = project_clock(read(simulated_shop))
    assert clock() == read(simulated_shop).timeline.instant("2025-02-05T00:00:00Z")
    (simulated_shop / "now.txt").write_text("2025-02-06T09:00:00+09:00")
    assert clock() == read(simulated_shop).timeline.instant("2025-02-06T00:00:00Z"), "it is read every time"


@pytest.mark.parametrize("content", [None, "", "tomorrow", "2025-13-01"])
def test_a_file_that_holds_no_instant_is_refused(simulated_shop: Path, content: str | None) -> None:
    file = simulated_shop / "now.txt"
    file.unlink() if content is None else file.write_text(content)
    with pytest.raises(ConfigurationError) as refused:
        project_clock(read(simulated_shop))()
    assert refused.value.message == (
        f"cannot tell the simulated time: `simulated.now` in {simulated_shop / 'kizuna.toml'} names {file}, "
        "which holds no instant. Write one into it, such as 2025-01-01T00:00:00+09:00."
    )


def test_every_answer_of_a_simulated_project_says_so(
    simulated_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (
        ("at-risk", "--limit", "2"),
        ("explain", "c0003"),
        ("keys", "list"),
        ("audit",),
        ("plan", "--limit", "2"),
        ("report",),
    ):
        assert answer(capsys, simulated_shop, *words)["simulated_time"] is True, words
    assert said(capsys, simulated_shop, "at-risk", "--limit", "2", as_json=False).startswith(
        "simulated time: 2025-02-05T00:00:00+00:00\n"
    )
    japanese = said(capsys, simulated_shop, "explain", "c0003", "--language", "ja", as_json=False)
    assert japanese.startswith("模擬時刻: 2025-02-05")


def test_no_answer_of_another_project_says_so(own_shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "simulated_time" not in answer(capsys, own_shop, "at-risk", "--limit", "2")
    assert "simulated" not in said(capsys, own_shop, "at-risk", "--limit", "2", as_json=False)


def test_a_date_after_the_simulated_present_has_not_come_yet(
    simulated_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    error = answer(capsys, simulated_shop, "features", "--as-of", "2025-02-06", "--output", "x.parquet")[
        "error"
    ]
    assert error["message"].startswith("cannot use the date 2025-02-06: it has not come yet.")


def test_the_service_answers_at_the_simulated_present(simulated_shop: Path) -> None:
    live = {"customers": [{"customer_id": "x", "events": []}]}
    with serving(simulated_shop) as running:
        status, said = running.post("/v1/predict", live)
        assert (status, said["as_of"][:10], said["simulated_time"]) == (200, "2025-02-05", True)
        assert running.post("/v1/score", {"customer_ids": ["c0003"]})[1]["simulated_time"] is True


def test_simulate_writes_a_project_whose_time_is_the_end_of_its_record(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["simulate", str(tmp_path / "shop"), "--customers", "20", "--months", "2"])
    capsys.readouterr()
    call = CliContext(tmp_path / "shop")
    assert call.day(call.now) == "2025-01-01T00:00:00+09:00"
    assert call.project.simulated


def test_one_module_alone_reads_the_clock_of_the_system() -> None:
    readers = [
        file.relative_to(ROOT).as_posix()
        for room in ("features", "training", "serving")
        for file in sorted((ROOT / room).rglob("*.py"))
        if re.search(r"time\.time(_ns)?\(|datetime\.(utc)?now\(|date\.today\(", file.read_text("utf-8"))
    ]
    assert readers == ["serving/project/clock.py"]
