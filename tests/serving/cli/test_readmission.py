"""Whoever was erased stays out, says the command line, until they are readmitted."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.cli.main import main

QUERY = "select c as customer_id, t as occurred_at, 'visit' as kind from 'visits.csv'"


def test_an_ingest_says_how_many_rows_of_the_erased_it_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "visits.csv").write_text("c,t\nann,2024-05-01\nbob,2024-05-02\n")
    (tmp_path / "kizuna.toml").write_text(f'[[sources]]\nname = "visits"\nquery = """{QUERY}"""\n')

    def said(*words: str) -> str:
        capsys.readouterr()
        with pytest.raises(SystemExit):
            main(["-C", str(tmp_path), *words])
        return capsys.readouterr().out

    assert said("ingest") == "visits: 2 read, 2 new, 0 already there, 0 corrected, 0 quarantined\n"
    stays_out = "Rows of theirs in any source stay out of every ingest, until `kizuna readmit bob`.\n"
    assert said("erase", "bob").endswith(stays_out)
    assert said("ingest") == (
        "visits: 2 read, 0 new, 1 already there, 0 corrected, 0 quarantined, 1 of erased customers left out\n"
    )
    assert said("readmit", "bob") == (
        "bob may come back: the next `kizuna ingest` takes their rows as a new customer's.\n"
    )
    assert said("ingest").startswith("visits: 2 read, 1 new,")
