"""The records on a real PostgreSQL: everything works, and its absence stops no score."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import insert

from features.errors import DataError, UsageError
from serving.application.campaigns.list_campaigns import list_campaigns, replay_assignment
from serving.application.campaigns.report import campaign_report
from serving.application.campaigns.start import start_campaign
from serving.application.campaigns.stop import stop_campaign
from serving.application.campaigns.stored_results import stored_campaign, stored_campaigns
from serving.application.permissions import COMMAND_LINE
from serving.application.workspace import Workspace
from serving.cli.context import CliContext
from serving.lists.cursor import Cursor
from serving.lists.filters import ListFilter
from serving.state.accounts import people
from serving.state.accounts.sessions import begin_session, end_sessions, find_session, open_sessions
from serving.state.accounts.sign_in_pace import FROM_ONE_ADDRESS, attempt, count_attempt, forget_attempt
from serving.state.api_keys import add_key, revoke_keys, rotate_key
from serving.state.audit_log import (
    AccessRecord,
    audit_entries,
    audit_page,
    newest_accesses,
    record_accesses,
    record_action,
)
from serving.state.campaigns.campaign_index import (
    CampaignRecord,
    campaigns,
    global_control_seed,
    newest_result,
    save_draft,
    save_start,
)
from serving.state.database import Database
from serving.state.outbox import Outbox
from serving.state.saved_filters import preference, set_preference
from serving.state.tables import CAMPAIGN_SECRET, PREFERENCES
from tests.postgres_server import PostgresServer, postgres_server
from tests.serving import campaign_shop
from tests.serving.application.campaigns.test_load import campaign_table, load
from tests.serving.application.campaigns.test_start import EVERYONE, KILLED, opened
from tests.serving.running import serving
from tests.serving.shop import score_all
from tests.serving.state.test_campaign_index import DRAFTED, STARTED, let_it


@pytest.fixture
def database() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.mark.slow
def test_accounts_sessions_and_the_pace_of_guesses_on_postgresql(database: PostgresServer) -> None:
    with Database(database.url) as records:
        for name in ("hanako", "taro"):
            people.add_account(records, name, "administrator", 1, who="test", password_hash="hash")
        with pytest.raises(UsageError, match="there is an account of that name"):
            people.add_account(records, "Hanako", "viewer", 1, who="test")
        together = threading.Barrier(2)

        def demote(name: str) -> bool:
            together.wait()
            try:
                people.change_role(records, name, "viewer", 2, who="test")
            except UsageError:
                return False
            return True

        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(demote, ("hanako", "taro"))) == [False, True]
        hanako = people.account(records, "hanako")
        token = begin_session(records, hanako.id, "hanako", 1, 1, 100, address="10.0.0.1", agent="")
        assert find_session(records, token, 2, 100) is not None
        assert open_sessions(records, 2, 100) == {hanako.id: 1}
        with records.writing() as connection:
            assert end_sessions(connection, hanako.id, 3) == 1
        assert find_session(records, token, 4, 100) is None
        one = attempt("hanako", "10.0.0.1", is_known_address=False)
        with ThreadPoolExecutor(8) as pool:
            waits = list(pool.map(lambda _: count_attempt(records, one, 10**15), range(40)))
        assert 1 <= waits.count(0) <= FROM_ONE_ADDRESS.free
        forget_attempt(records, one)
        page = audit_page(records, lookups=False, who="test", action="users", before=None, limit=2)
        assert [entry.action for entry in page.entries] == ["users role", "users add"]


def test_records_on_postgresql_survive_its_absence(own_shop: Path, database: PostgresServer) -> None:
    with Database(database.url) as records:
        key = add_key(records, "crm", ("read", "score"), 1, who="test")
        with records.writing() as connection:
            record_action(connection, "somebody", "erase", 2, customer=3)
        assert [entry.action for entry in audit_entries(records)] == ["erase", "keys add"]
        assert rotate_key(records, "crm", 3, grace=0, who="test") != key
        assert revoke_keys(records, "crm", 4, who="test") == 1
        key = add_key(records, "crm", ("read", "score"), 5, who="test")
        record_accesses(records, [AccessRecord(4, "crm", "score", np.array([5, -1]))])
        assert [one.keys.tolist() for one in newest_accesses(records, customer=5)] == [[5, -1]]
        assert Outbox(records).put("k", "crm", "{}", 0)
        assert not Outbox(records).put("k", "crm", "{}", 0)
        assert [one.key for one in Outbox(records).due(1)] == ["k"]
    toml = own_shop / "kizuna.toml"
    pace = "\n[service]\nrequests_per_second = 100000\n"
    toml.write_text(f'records = "{database.url}"\n' + toml.read_text() + pace)
    assert CliContext(own_shop).project.records == database.url
    score_all(own_shop, own_shop / "bundle", "2")
    bearer = {"authorization": f"Bearer {key}"}
    live = {"customers": [{"customer_id": "x", "events": []}], "as_of": "2025-02-01"}
    with serving(own_shop, "--host", "0.0.0.0", "--workers", "2") as running:

        def check_calls() -> None:
            asked = {"customer_ids": ["c0003"]}
            for path, body in (("/v1/score", asked), ("/v1/at_risk", {}), ("/v1/predict", live)):
                for _ in range(2):
                    status, said = running.post(path, body, bearer)
                    assert status == 200, said

        running.wait_for(lambda: "".join(running.log).count("new scores in use") == 2)  # in either worker
        check_calls()
        database.stop()
        back = time.monotonic() + 20
        try:
            words = "cannot read the records: the database does not answer. Stored scores go on meanwhile."
            told = [running.ready().get("trouble") for _ in range(4)]
            while None in told and time.monotonic() < back:  # either worker may answer
                told = [running.ready().get("trouble") for _ in range(4)]
            assert told == [words] * 4
            # Only what the database alone knows cannot be answered: which scores an older page was of.
            page = {"cursor": str(Cursor("older.arrow", 0, 0, ListFilter().fingerprint))}
            status, said = running.post("/v1/at_risk", page, bearer)
            assert (status, said["error"]["code"]) == (503, "unavailable")
            assert said["error"]["message"] == (
                "cannot answer now: the disk or the database does not. Try again in a moment."
            )
            while time.monotonic() < back:
                check_calls()
                time.sleep(0.05)
        finally:
            database.start()
        running.wait_for(lambda: all("trouble" not in running.ready() for _ in range(4)), seconds=20)
        check_calls()
        score_all(own_shop, own_shop / "bundle", "3")
        running.wait_for(lambda: all(running.ready()["model_version"] == "3" for _ in range(4)))
    with Database(database.url) as records:
        asked = [one for one in newest_accesses(records, limit=10_000) if one.action == "score"]
        assert len(asked) >= 6, "what was asked while the database was away is written down too"


def on(folder: Path, database: PostgresServer) -> Path:
    """The project with its records on the server."""
    toml = folder / "kizuna.toml"
    toml.write_text(f'records = "{database.url}"\n' + toml.read_text())
    return folder


@pytest.mark.slow
def test_a_campaign_is_started_reported_stopped_and_loaded_on_postgresql(
    own_shop: Path, database: PostgresServer, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = on(own_shop, database)
    campaign_shop.start_spring(folder)
    with opened(folder).database as records:
        place = replace(campaign_shop.at(opened(folder), campaign_shop.NOW), database=records)
        check_campaign(place, folder)
    capsys.readouterr()


def check_campaign(place: Workspace, folder: Path) -> None:
    assert [(one.name, one.state) for one in list_campaigns(place, COMMAND_LINE)] == [("spring", "running")]
    assert replay_assignment(place, COMMAND_LINE, "spring").different == 0
    report = campaign_report(place, COMMAND_LINE, "spring")
    assert stored_campaign(place, COMMAND_LINE, "spring").report == report
    assert stop_campaign(place, COMMAND_LINE, "spring").state == "stopped"
    assert load(folder, campaign_table(), "--control", "none", "--outcome", "visit") == 2  # its name is taken
    with place.database.writing() as connection:
        connection.exec_driver_sql("update campaigns set name = 'summer'")
    assert load(folder, campaign_table(), "--control", "none", "--outcome", "visit") == 0
    assert stored_campaign(place, COMMAND_LINE, "spring").loaded is not None
    assert [one.name for one in stored_campaigns(place, COMMAND_LINE).campaigns] == ["spring", "summer"]
    assert not (folder / "state" / "kizuna.db-wal").exists()


@pytest.mark.slow
def test_of_two_starts_at_once_on_postgresql_the_second_sees_the_first(database: PostgresServer) -> None:
    with Database(database.url) as records:
        save_draft(records, DRAFTED)
        save_start(records, replace(STARTED, name="other"), (), let_it, 20)
        inside, go_on = threading.Event(), threading.Event()
        refused: list[str] = []

        def wait_inside(_: CampaignRecord) -> None:
            inside.set()
            assert go_on.wait(20)

        def refuse(other: CampaignRecord) -> None:
            refused.append(other.name)
            raise DataError(f"overlaps {other.name}")

        def second_start() -> None:
            with pytest.raises(DataError, match=r"overlaps spring"):
                save_start(records, replace(STARTED, name="rival"), ("other",), refuse, 20)

        first = threading.Thread(target=save_start, args=(records, STARTED, (), wait_inside, 20))
        second = threading.Thread(target=second_start)
        first.start()
        assert inside.wait(20)
        second.start()
        second.join(0.5)
        assert second.is_alive(), "it waits for the first"
        go_on.set()
        for thread in (first, second):
            thread.join(20)
        assert refused == ["spring"]
        assert {one.name: one.state for one in campaigns(records)} == {
            "spring": "running",
            "other": "running",
        }
        assert newest_result(records, "spring") is None


@pytest.mark.slow
def test_of_two_choices_at_once_the_later_one_holds_and_neither_fails(database: PostgresServer) -> None:
    with Database(database.url) as records, ThreadPoolExecutor(1) as pool:
        with records.writing() as another:
            another.execute(insert(PREFERENCES).values(who="aki", name="list columns", value="rank"))
            later = pool.submit(set_preference, records, "aki", "list columns", "rank risk")
            with pytest.raises(TimeoutError):  # it waits for the other
                later.result(0.5)
        later.result(20)
        assert preference(records, "aki", "list columns") == "rank risk"
        set_preference(records, "aki", "list columns", "risk")
        assert preference(records, "aki", "list columns") == "risk"


@pytest.mark.slow
def test_the_very_first_start_waits_for_another_that_is_the_first_too(database: PostgresServer) -> None:
    with Database(database.url) as records:
        start = threading.Thread(target=save_start, args=(records, STARTED, (), let_it, 20))
        with records.writing() as another:
            row = {"id": 1, "global_control": "00000000000000ff", "draws": 0}
            another.execute(insert(CAMPAIGN_SECRET).values(row))
            start.start()
            start.join(0.5)
            assert start.is_alive(), "it waits for the other"
        start.join(20)
        assert [one.name for one in campaigns(records)] == ["spring"]
        assert global_control_seed(records) == 0xFF


@pytest.mark.slow
def test_a_start_that_is_killed_leaves_no_half_campaign_on_postgresql(
    own_shop: Path, database: PostgresServer
) -> None:
    folder = on(own_shop, database)
    score_all(folder, folder / "bundle", "2")
    for moment in ("before the row", "before the commit"):
        command = [sys.executable, "-c", KILLED, str(folder), moment]
        assert subprocess.run(command, check=False, cwd=Path(__file__).parents[2]).returncode == -9
        with Database(database.url) as records:
            assert campaigns(records) == []
    place = opened(folder)
    with place.database:
        started = start_campaign(place, COMMAND_LINE, "spring", EVERYONE, accept_few=True)
        assert list_campaigns(place, COMMAND_LINE) == [started.record]
