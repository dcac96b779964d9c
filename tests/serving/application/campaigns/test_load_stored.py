"""A campaign that was run elsewhere is kept with its result: in the list, in the report and over the API."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from features.errors import DataError, UsageError
from serving.application.campaigns.export import export_campaign
from serving.application.campaigns.list_campaigns import list_campaigns, replay_assignment
from serving.application.campaigns.report import campaign_report
from serving.application.campaigns.stop import stop_campaign
from serving.application.campaigns.stored_results import stored_campaign
from serving.application.permissions import COMMAND_LINE
from serving.application.workspace import open_workspace
from serving.cli.main import main
from serving.project.settings import read
from serving.schemas.campaign_results import CampaignResultReply
from serving.schemas.json_text import to_json
from serving.state.audit_log import audit_entries
from serving.state.campaigns.campaign_index import save_draft, save_start
from serving.state.database import Database
from tests.serving.api.test_campaigns import get
from tests.serving.application.campaigns.test_load import campaign_table, load
from tests.serving.shapes import published
from tests.serving.state.test_campaign_index import DRAFTED, STARTED, let_it

OPTIONS = ("--control", "none", "--outcome", "visit", "--outcome", "spend")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "kizuna.toml").write_text("", encoding="utf-8")
    return tmp_path


def kizuna(folder: Path, *words: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(["-C", str(folder), *words])
    return int(end.value.code or 0)


def kept(folder: Path, name: str = "spring") -> CampaignResultReply:
    place = open_workspace(read(folder), lambda: 0)
    with place.database:
        return stored_campaign(place, COMMAND_LINE, name)


def test_the_list_the_report_and_the_api_show_what_was_loaded(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert load(folder, campaign_table(), *OPTIONS) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert kizuna(folder, "--json", "campaign", "report", "spring") == 0
    assert capsys.readouterr().out == printed.out
    assert kizuna(folder, "campaign", "report", "spring") == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("visit", "spend", "mail", "post", "Difference"))
    assert kizuna(folder, "campaign", "list") == 0
    listed = capsys.readouterr().out
    assert listed.startswith("spring  [run elsewhere]  treatment 600, control group 300  loaded ")
    assert get(folder, "/v1/campaigns")[1]["campaigns"][0]["state"] == "loaded"
    status, answer = get(folder, "/v1/campaigns/spring")
    assert status == 200
    assert answer["loaded"] == json.loads(printed.out)
    assert answer["report"] is None
    assert answer["campaign"]["review_months"] == []
    assert answer["campaign"]["computed_at"] is not None
    assert published(CampaignResultReply, answer) == kept(folder)
    with Database(read(folder).records) as records:
        (entry,) = [one for one in audit_entries(records) if one.action == "campaign load"]
    assert entry.details == "spring"


def test_the_uplift_that_was_asked_is_kept_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    uplift = ("--uplift", "visit", "--feature", "history", "--feature", "town")
    assert load(folder, campaign_table(), *OPTIONS, "--treated", "post", *uplift) == 0
    printed = json.loads(capsys.readouterr().out)
    loaded = kept(folder).loaded
    assert loaded is not None
    assert loaded.uplift is not None
    assert json.loads(to_json(loaded)) == printed


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_report_is_written_as_page_csv_and_json(
    folder: Path, language: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert load(folder, campaign_table(), *OPTIONS, "--covariate", "history") == 0
    printed = json.loads(capsys.readouterr().out)
    files = [folder / f"spring.{ending}" for ending in ("html", "csv", "json")]
    for file in files:
        words = ("campaign", "report", "spring", "--output", str(file), "--language", language)
        assert kizuna(folder, *words) == 0
    page, table, answer = (file.read_text(encoding="utf-8-sig") for file in files)
    assert f'<html lang="{language}">' in page
    assert page.count("<tr>") == 1 + len(printed["effects"])
    assert len(list(csv.reader(table.splitlines()))) == 1 + len(printed["effects"])
    assert json.loads(answer) == printed


def test_text_of_the_table_is_text_in_the_page(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = campaign_table().rename_columns(
        ["id", "arm", "visit", "spend", "<script>alert(1)</script>", "town", "nothing"]
    )
    options = ("--control", "none", "--outcome", "<script>alert(1)</script>")
    assert load(folder, table, *options) == 0
    page = folder / "spring.html"
    assert kizuna(folder, "campaign", "report", "spring", "--output", str(page)) == 0
    assert "<script>" not in page.read_text(encoding="utf-8")
    assert "&lt;script&gt;" in page.read_text(encoding="utf-8")


def test_loading_twice_keeps_the_first_and_says_so_unless_it_is_to_be_replaced(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert load(folder, campaign_table(), *OPTIONS) == 0
    first = json.loads(capsys.readouterr().out)
    assert load(folder, campaign_table(600), *OPTIONS) == 0
    answer = capsys.readouterr()
    second = json.loads(answer.out)
    assert (
        answer.err == "'spring' was loaded before, and its result stays. Give --replace to keep this one.\n"
    )
    assert second["arms"] != first["arms"]
    assert json.loads(to_json(kept(folder).loaded)) == first
    assert load(folder, campaign_table(600), *OPTIONS, "--replace") == 0
    assert capsys.readouterr().err == ""
    result = kept(folder)
    assert json.loads(to_json(result.loaded)) == second
    assert result.campaign.treatment == 400


@pytest.mark.parametrize(("state", "words"), [("draft", "drafted"), ("running", "started")])
def test_the_name_of_a_campaign_of_this_project_is_refused_and_nothing_is_changed(
    state: str, words: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Database(read(folder).records) as records:
        if state == "draft":
            save_draft(records, DRAFTED)
        else:
            save_start(records, STARTED, (), let_it, 20)
    before = kept(folder)
    for options in (OPTIONS, (*OPTIONS, "--replace")):
        assert load(folder, campaign_table(), *options, as_json=False) == 2
        assert capsys.readouterr().err == (
            f"cannot use the name 'spring': a campaign of that name was {words} already. Give another name.\n"
        )
    assert kept(folder) == before


def test_what_needs_an_assignment_says_that_it_was_run_elsewhere(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert load(folder, campaign_table(), *OPTIONS) == 0
    place = open_workspace(read(folder), lambda: 0)
    attempts: list[Any] = [
        lambda: campaign_report(place, COMMAND_LINE, "spring"),
        lambda: export_campaign(place, COMMAND_LINE, "spring", "csv"),
        lambda: replay_assignment(place, COMMAND_LINE, "spring"),
    ]
    with place.database:
        for attempt in attempts:
            with pytest.raises(DataError, match=r"it was run elsewhere and loaded from a table"):
                attempt()
        with pytest.raises(UsageError, match=r"cannot stop the campaign 'spring': it was run elsewhere"):
            stop_campaign(place, COMMAND_LINE, "spring")
        with pytest.raises(UsageError, match=r"was loaded from a table already. Give another name"):
            save_draft(place.database, DRAFTED)
        assert [one.state for one in list_campaigns(place, COMMAND_LINE)] == ["loaded"]


def test_without_a_project_the_result_is_printed_and_one_line_says_that_nothing_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for as_json in (True, False):
        assert load(tmp_path, campaign_table(), *OPTIONS, as_json=as_json) == 0
        answer = capsys.readouterr()
        assert answer.err == f"'spring' is not kept: there is no kizuna.toml in {tmp_path}.\n"
        assert "visit" in answer.out
    assert [file.name for file in tmp_path.iterdir()] == ["table.parquet"]


@pytest.mark.parametrize("name", [" ", "x" * 81, "global"])
def test_a_name_that_cannot_be_used_is_refused(
    name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert load(folder, campaign_table(), *OPTIONS) == 0
    capsys.readouterr()
    words = ("--customer", "id", "--arm", "arm", *OPTIONS)
    assert kizuna(folder, "campaign", "load", name, str(folder / "table.parquet"), *words) == 2
    assert capsys.readouterr().err.startswith(("cannot load a campaign without a name", "cannot name a"))
