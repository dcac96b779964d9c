"""A project whose state lies in an object store: the same answers, shared by machines, erased there too."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.application.lists.at_risk import list_at_risk
from serving.application.lists.make_plan import make_plan
from serving.application.permissions import COMMAND_LINE
from serving.cli.context import CliContext
from serving.lists.filters import ListFilter
from serving.state.remote.state_files import StateFiles, open_state_files
from tests.postgres_server import PostgresServer, postgres_server
from tests.serving import shop


@pytest.fixture(scope="module")
def database() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


def machine(template: Path, folder: Path, url: str, records: str) -> Path:
    """A copy of a project that keeps its state at a URL."""
    shutil.copytree(template, folder, ignore=shutil.ignore_patterns("state"))
    toml = folder / "kizuna.toml"
    toml.write_text(f'state = "{url}"\nrecords = "{records}"\n' + toml.read_text())
    return folder


def test_a_state_on_s3_gives_the_same_list_and_plan_on_two_machines(
    scored_template: Path, tmp_path: Path, bucket: str, database: PostgresServer
) -> None:
    here, there = (machine(scored_template, tmp_path / name, bucket, database.url) for name in ("a", "b"))
    fill(here)
    with CliContext(here).workspace() as place:
        make_plan(place, COMMAND_LINE)
    with CliContext(scored_template).workspace() as place:
        expected = list_at_risk(place, COMMAND_LINE, ListFilter(limit=50))
        customers = list(expected.customers)
        version = place.store.version
    for folder in (here, there):
        with CliContext(folder).workspace() as place:
            assert place.store.version == version
            listed = list_at_risk(place, COMMAND_LINE, ListFilter(limit=50))
            assert listed.source == expected.source
            # The plan, which the shop on disk has not, adds what is planned for each.
            assert [(one.customer_id, one.churn_probability, one.reasons) for one in listed.customers] == [
                (one.customer_id, one.churn_probability, one.reasons) for one in customers
            ]
            assert listed.planned
    names = {name.rpartition("/")[2] for name in StateFiles(tmp_path / "none", bucket).names_in_store()}
    assert {path.name for path in (scored_template / "state").rglob("*.arrow")} <= names


def fill(folder: Path) -> None:
    """Ingest and score the shop in a state that others may read."""
    open_state_files(CliContext(folder).project)
    shop.ingest(folder)
    shop.score_all(folder, folder / "bundle")
