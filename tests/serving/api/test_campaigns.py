"""Campaigns over the API: stored records and the last stored report, never a computation."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from serving.api.openapi_examples import ANSWERS
from serving.application.campaigns.report import campaign_report
from serving.application.permissions import COMMAND_LINE
from serving.project.settings import read
from serving.schemas.campaign_responses import CampaignsReply
from serving.schemas.campaign_results import CampaignResultReply, GlobalResultReply
from serving.schemas.json_text import to_json
from serving.state.api_keys import add_key
from serving.state.database import Database
from tests.serving.api.test_errors import NOW as LATER
from tests.serving.api.test_errors import call
from tests.serving.application.campaigns.test_start import opened
from tests.serving.campaign_shop import NOW, at
from tests.serving.shapes import published


@pytest.fixture
def folder(started_template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(started_template, tmp_path / "shop"))


def get(folder: Path, path: str, key: str | None = None) -> tuple[int, Any]:
    return call(folder, path, None, method="GET", key=key)


def test_a_campaign_is_answered_without_a_report_before_the_first_and_with_the_last_one_after(
    folder: Path,
) -> None:
    (one,) = published(CampaignsReply, get(folder, "/v1/campaigns")[1]).campaigns
    assert (one.name, one.state, one.computed_at) == ("spring", "running", None)
    assert published(CampaignResultReply, get(folder, "/v1/campaigns/spring")[1]).report is None
    report = campaign_report(at(opened(folder), NOW), COMMAND_LINE, "spring")
    status, answer = get(folder, "/v1/campaigns/spring")
    assert status == 200
    assert answer["report"] == json.loads(to_json(report))
    assert answer["campaign"]["computed_at"] == "2025-02-04T00:00:00+00:00"
    assert published(CampaignResultReply, answer).report == report


def test_an_unknown_campaign_is_404_and_names_the_field(folder: Path) -> None:
    status, answer = get(folder, "/v1/campaigns/nowhere")
    assert status == 404
    assert answer["error"]["code"] == "unknown_campaign"
    assert answer["error"]["field"] == "name"


def test_a_key_without_the_scope_read_is_refused(folder: Path) -> None:
    with Database(read(folder).records) as records:
        keys = {scope: add_key(records, scope, (scope,), LATER, who="me") for scope in ("read", "score")}
    for path in ("/v1/campaigns", "/v1/campaigns/spring", "/v1/campaigns/global"):
        assert get(folder, path)[0] == 401
        assert {scope: get(folder, path, key)[0] for scope, key in keys.items()} == {
            "read": 200,
            "score": 403,
        }


def test_the_examples_are_answers_of_their_call() -> None:
    published(CampaignsReply, ANSWERS["get_campaigns"])
    published(GlobalResultReply, ANSWERS["get_global_result"])
    published(CampaignResultReply, ANSWERS["get_campaign"])
