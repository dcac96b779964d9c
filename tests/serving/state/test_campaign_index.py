"""Campaigns in the database: one name, one start, and who holds back when."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from features.errors import UsageError
from serving.state.audit_log import audit_entries
from serving.state.campaigns.campaign_index import (
    DRAFT,
    RUNNING,
    CampaignRecord,
    campaign,
    campaigns,
    global_control_seed,
    holding_back,
    newest_result,
    save_draft,
    save_result,
    save_start,
    save_stop,
)
from serving.state.database import Database

DRAFTED = CampaignRecord("spring", DRAFT, "list", "{}", 0.1, 90, (1, 3), (), ("plan",), False, "ann", 10)
STARTED = replace(
    DRAFTED, state=RUNNING, file="a.arrow", started_at=20, hold_until=100, seed="0f", treatment=9, control=1
)


def let_it(other: CampaignRecord) -> None:
    """Has no customers in common."""


@pytest.fixture
def records(tmp_path: Path) -> Database:
    return Database(f"sqlite:///{tmp_path / 'kizuna.db'}")


def test_a_draft_can_be_drawn_up_again_and_started_once(records: Database) -> None:
    save_draft(records, DRAFTED)
    save_draft(records, replace(DRAFTED, control_share=0.2))
    assert campaign(records, "spring").control_share == 0.2
    save_start(records, STARTED, (), let_it, 20)
    assert campaigns(records) == [STARTED]
    for attempt in (
        lambda: save_start(records, STARTED, (), let_it, 20),
        lambda: save_draft(records, DRAFTED),
    ):
        with pytest.raises(
            UsageError, match=r"a campaign of that name was started already. Give another name"
        ):
            attempt()
    assert audit_entries(records)[0].action == "campaign start"


def test_a_campaign_that_was_started_meanwhile_is_checked_before_the_commit(records: Database) -> None:
    save_start(records, replace(STARTED, name="first"), (), let_it, 20)

    def refuse(other: CampaignRecord) -> None:
        raise UsageError(f"overlaps {other.name}")

    with pytest.raises(UsageError, match=r"overlaps first"):
        save_start(records, replace(STARTED, name="second"), (), refuse, 20)
    assert [one.name for one in campaigns(records)] == ["first"]
    save_start(records, replace(STARTED, name="second"), ("first",), refuse, 20)
    assert [one.name for one in holding_back(records, 99)] == ["first", "second"]


def test_the_hold_ends_by_itself_or_by_stop(records: Database) -> None:
    save_draft(records, replace(DRAFTED, name="later"))
    save_start(records, STARTED, (), let_it, 20)
    assert [one.name for one in holding_back(records, 99)] == ["spring"]
    assert holding_back(records, 100) == []
    save_stop(records, "spring", "ann", 50)
    assert holding_back(records, 60) == []
    with pytest.raises(UsageError, match=r"cannot stop the campaign 'spring': it was stopped before."):
        save_stop(records, "spring", "ann", 50)
    with pytest.raises(UsageError, match=r"cannot stop the campaign 'later': it was only drafted."):
        save_stop(records, "later", "ann", 50)
    with pytest.raises(UsageError, match=r"cannot find the campaign 'nobody'"):
        save_stop(records, "nobody", "ann", 50)


def test_the_key_of_the_standing_control_group_is_made_once(records: Database, tmp_path: Path) -> None:
    seed = global_control_seed(records)
    save_start(records, STARTED, (), let_it, 20)
    assert global_control_seed(Database(f"sqlite:///{tmp_path / 'kizuna.db'}")) == seed
    assert seed > 0


def test_the_newest_report_is_the_one_shown(records: Database) -> None:
    assert newest_result(records, "spring") is None
    for number in (1, 2):
        save_result(records, "spring", f'{{"number": {number}}}', number)
    result = newest_result(records, "spring")
    assert result is not None
    assert (result.report, result.computed_at) == ('{"number": 2}', 2)
