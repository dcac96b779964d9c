"""The first commands of a new project: its currency, and what is said while its files are read."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.project.settings import read
from tests.serving.cli.command import run

ORDERS = """order_no,customer,ordered_at,amount
1,ann,2024-01-05 10:00,12.50
2,bob,2024-01-06 11:00,8.00
3,ann,2024-02-07 12:00,9.90
"""


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("files", [False, True])
def test_a_new_project_has_the_currency_that_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], language: str, files: bool
) -> None:
    if files:
        (tmp_path / "shop" / "data").mkdir(parents=True)
        (tmp_path / "shop" / "data" / "orders.csv").write_text(ORDERS, encoding="utf-8")
    options = ("--language", language, "--currency", "eur")
    assert run(capsys, tmp_path, "init", str(tmp_path / "shop"), *options)[0] == 0
    project = read(tmp_path / "shop")
    assert (project.settings.currency, project.settings.language) == ("EUR", language)
    assert (project.folder / "kizuna.toml").read_text(encoding="utf-8").count("currency = ") == 1


def test_what_is_no_currency_is_refused_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, error = run(capsys, tmp_path, "init", str(tmp_path / "shop"), "--currency", "euro")
    assert code == 2
    assert error.startswith("cannot write a project with the currency 'euro': a currency has three letters.")
    assert not (tmp_path / "shop").exists()


def test_a_source_of_which_nothing_is_read_yet_is_not_said_to_have_0_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    (tmp_path / "kizuna.toml").write_text(
        "[[sources]]\nname = 'orders'\nquery = \"select customer as customer_id, ordered_at as occurred_at, "
        "'purchase' as kind, amount as value, order_no as event_id from 'orders.csv'\"\n",
        encoding="utf-8",
    )
    code, _, error = run(capsys, tmp_path, "ingest")
    assert code == 0
    assert error.startswith("reading orders (0%)\n")
    assert "0 rows" not in error
