"""The effect of everything together: everybody against the standing control group."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from features.errors import DataError, UsageError
from serving.application.campaigns.global_report import global_report
from serving.application.campaigns.report import campaign_report
from serving.application.operation.backup import backup
from serving.application.operation.restore import restore
from serving.application.permissions import COMMAND_LINE
from serving.application.workspace import ProjectFolder, Workspace
from serving.experiments.held_back import global_control_group
from serving.schemas.campaign_results import GlobalResultReply
from tests.inputs.services import change, kizuna
from tests.serving import shop
from tests.serving.api.test_campaigns import get
from tests.serving.application.campaigns.test_report import contact
from tests.serving.application.campaigns.test_start import opened
from tests.serving.campaign_shop import NOW, START, at
from tests.serving.shapes import published


@pytest.fixture
def standing(own_shop: Path) -> Path:
    change(own_shop, lambda text: text + '\n[campaigns]\nglobal_control = "30%"\n')
    shop.score_all(own_shop, own_shop / "bundle", dates=(START,))
    return own_shop


def test_the_arms_are_those_of_the_hash_and_every_customer_of_the_day_is_in_one(standing: Path) -> None:
    now = at(opened(standing), NOW)
    report = global_report(now, COMMAND_LINE, "2024-10-05")
    scores = now.scores.current().scores
    held = global_control_group(now.database, now.project).globally(scores.answers.key[scores.cohort])
    assert report.started_at == START
    assert [arm.counted for arm in report.arms] == [int((~held).sum()), int(held.sum())]
    assert 0.15 < np.mean(held) < 0.45
    assert [review.months for review in report.reviews] == [1, 3]
    assert not any(review.after_hold for review in report.reviews)


def test_the_last_report_is_kept_for_the_api_and_one_by_other_groups_is_not(standing: Path) -> None:
    assert get(standing, "/v1/campaigns/global") == (200, {"report": None})
    now = at(opened(standing), NOW)
    report = global_report(now, COMMAND_LINE, "2024-10-05")
    global_report(now, COMMAND_LINE, "2024-10-05", by=("plan",))
    status, answer = get(standing, "/v1/campaigns/global")
    assert status == 200
    assert published(GlobalResultReply, answer).report == report
    assert get(standing, "/v1/campaigns")[1] == {"campaigns": []}


def test_every_contact_counts_whatever_campaign_it_names(spring: Workspace) -> None:
    folder = spring.project.folder
    names = contact(spring, "treatment")
    change(folder, lambda text: text + '\n[campaigns]\nglobal_control = "30%"\n')
    report = global_report(at(opened(folder), NOW), COMMAND_LINE, START)
    assert sum(arm.reached for arm in report.arms) == len(names)
    assert report.contaminated == report.arms[1].reached > 0


def test_without_a_standing_group_or_scores_of_that_time_it_is_refused(
    standing: Path,
    spring: Workspace,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(UsageError, match=r"cannot report on the standing control group: there is none"):
        global_report(spring, COMMAND_LINE, START)
    with pytest.raises(DataError, match=r"there are no scores of that day or before"):
        global_report(at(opened(standing), NOW), COMMAND_LINE, "2024-01-01")
    assert kizuna(standing, "campaign", "report") == 2
    assert kizuna(standing, "campaign", "report", "spring", "--global", "--since", START) == 2
    assert "give the NAME of a campaign, or --global with --since DATE" in capsys.readouterr().err


def test_a_restored_campaign_reports_the_same(spring: Workspace, tmp_path: Path) -> None:
    before = campaign_report(spring, COMMAND_LINE, "spring")
    archive = tmp_path / "backup.tar"
    backup(spring, COMMAND_LINE, archive)
    restore(ProjectFolder(tmp_path / "again", spring.clock), COMMAND_LINE, archive)
    after = campaign_report(at(opened(tmp_path / "again"), NOW), COMMAND_LINE, "spring")
    assert after.reviews == before.reviews
    assert after.arms == before.arms
