"""The quality benchmark on a project of one's own: small, stamped by day, and left as it is."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from benchmarks import paired, quality


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Purchases by day of 2024, the last on 31 December; half of the customers come less and less."""
    folder, rng = tmp_path_factory.mktemp("shop"), np.random.default_rng(0)
    lines = ["customer_id,day,amount", "last,2024-12-31,10"]
    for customer in range(200):
        day, pause = date(2024, 1, 1) + timedelta(days=int(rng.integers(60))), 12.0
        while day <= date(2024, 12, 31):
            lines.append(f"c{customer:03},{day},{rng.integers(5, 50)}")
            pause *= 1.25 if customer % 2 else 1.0
            day += timedelta(days=1 + int(rng.exponential(pause)))
    (folder / "purchases.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "kizuna.toml").write_text(
        """
[churn]
active_days = 60
horizon_days = 30

[[sources]]
name = "purchases"
query = "select customer_id, day as occurred_at, 'purchase' as kind, amount as value from 'purchases.csv'"
""",
        encoding="utf-8",
    )
    return folder


def test_a_project_is_judged_up_to_the_end_of_its_last_day_and_left_as_it_is(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {file: file.stat().st_mtime_ns for file in folder.rglob("*")}
    kept = tmp_path / "kept"
    quality.main(["--project", str(folder), "--as-of", "2024-12-02", "--json", "--predictions", str(kept)])
    found = json.loads(capsys.readouterr().out)["sets"][folder.name]
    assert found["by_date"]["2024-12-02"]["auc"] == found["mean"]["auc"] > 0.6
    assert {file: file.stat().st_mtime_ns for file in folder.rglob("*")} == before
    same = paired.differences(kept / "2024-12-02.parquet", kept / "2024-12-02.parquet")
    assert set(same.values()) == {0.0}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--as-of", "2024-12-02"], "name either --data"),
        (["--project", "."], "--project needs --as-of"),
        (["--project", "{folder}", "--as-of", "2024-12-03"], "cannot label 2024-12-03"),
    ],
)
def test_what_cannot_be_judged_is_refused_in_one_line(
    folder: Path, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        quality.main([one.format(folder=folder) for one in arguments])
    assert says in capsys.readouterr().err
