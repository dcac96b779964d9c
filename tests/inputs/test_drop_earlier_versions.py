"""`kizuna ingest --drop-earlier-versions` leaves the files of the newest version alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.inputs.command_project import CommandProject

QUERY = (
    "select no as event_id, customer as customer_id, day as occurred_at, 'visit' as kind "
    "from read_csv('visits.csv', all_varchar = true)"
)


def lines(count: int) -> str:
    return "no,customer,day\n" + "".join(f"{n},c{n},2024-02-0{n % 9 + 1}\n" for n in range(count))


def files(shop: CommandProject) -> set[str]:
    return {file.name for file in (shop.path / "state" / "events").rglob("*.parquet")}


def test_files_of_earlier_versions_stay_for_their_readers_unless_they_are_dropped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = CommandProject(tmp_path, capsys)
    shop.source("visits", QUERY)
    shop.write("visits.csv", lines(40))
    shop.ingest()
    first = files(shop)
    shop.write("visits.csv", lines(90))
    shop.ingest()
    assert first <= files(shop)  # short runs were merged into new ones, and stay for a day
    shop.write("visits.csv", lines(120))
    shop.ingest("--drop-earlier-versions")
    assert not first & files(shop)
    assert len(shop.events()) == 120
    assert shop.ingest("--drop-earlier-versions")["visits"]["already_there"] == 120
    assert len(shop.events()) == 120
