"""Starting a campaign: who is drawn, what is kept, and what a kill or a second start leaves behind."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from features.errors import DataError, Forbidden, UsageError
from features.storage.customer_ids import CustomerAliases
from serving.application.campaigns.draft import draft_campaign
from serving.application.campaigns.list_campaigns import list_campaigns, read_campaign, replay_assignment
from serving.application.campaigns.start import start_campaign
from serving.application.campaigns.stop import stop_campaign
from serving.application.permissions import COMMAND_LINE, person
from serving.application.workspace import Workspace, open_workspace
from serving.cli.context import CliContext
from serving.experiments import campaign_file
from serving.experiments.held_back import held_back
from serving.lists.campaign_draw import CampaignDeclaration
from serving.lists.filters import ListFilter
from serving.project.clock import project_clock
from serving.state.audit_log import audit_entries
from tests.inputs.services import answer, change, kizuna
from tests.serving import shop

EVERYONE = CampaignDeclaration(ListFilter(limit=1_000), control_share=0.5)


def opened(folder: Path) -> Workspace:
    project = CliContext(folder).project
    return open_workspace(project, project_clock(project))


@pytest.fixture
def place(own_shop: Path) -> Workspace:
    return opened(own_shop)


def test_a_started_campaign_keeps_its_arms_and_can_be_drawn_again_from_its_record(place: Workspace) -> None:
    drawn = start_campaign(
        place, COMMAND_LINE, "spring", CampaignDeclaration(ListFilter(limit=1_000), segments=("plan",)),
        accept_few=True,
    )  # fmt: skip
    kept = read_campaign(place, COMMAND_LINE, "spring")
    assert kept.record == drawn.record
    assert kept.assignment is not None
    assert (len(kept.assignment.treated), len(kept.assignment.control)) == (
        kept.record.treatment,
        kept.record.control,
    )
    listed = place.scores.current().scores
    assert len(kept.assignment) == len(listed.cohort)
    assert abs(kept.record.control - 0.1 * len(listed.cohort)) <= 1
    assert set(kept.assignment.segment("plan").to_pylist()) == {"gold", "basic", None}
    assert (kept.assignment.floats("past_spend") >= 0).all()
    assert (kept.assignment.floats("tenure_days") > 0).all()
    replay = replay_assignment(place, COMMAND_LINE, "spring")
    assert (replay.customers, replay.different, replay.erased) == (len(listed.cohort), 0, 0)
    held = held_back(place.database, place.project, CustomerAliases(), place.clock())
    assert held.held(kept.assignment.control).all()
    assert not held.held(kept.assignment.treated).any()
    assert audit_entries(place.database)[0].action == "campaign start"


def test_too_few_customers_are_refused_unless_they_are_accepted(
    own_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert kizuna(own_shop, "campaign", "start", "small", "--limit", "30") == 2
    assert "its control group would have 3 customers, fewer than 50" in capsys.readouterr().err
    assert answer(capsys, own_shop, "campaign", "list")["campaigns"] == []
    assert not list((own_shop / "state" / "campaigns").glob("*"))
    shown = answer(capsys, own_shop, "campaign", "start", "small", "--limit", "30", "--dry-run")
    assert shown["dry_run"] is True
    assert shown["too_few"]
    assert answer(capsys, own_shop, "campaign", "list")["campaigns"] == []
    started = answer(capsys, own_shop, "campaign", "start", "small", "--limit", "30", "--yes")
    assert started["arms"] == {"treatment": 27, "control": 3}
    assert [one["months"] for one in started["smallest_effects"]] == [1, 3, 6, 12]
    assert {one["covariate"] for one in started["balance"]} == {"risk", "value", "tier", "tenure"}


def test_too_few_customers_are_said_in_japanese(own_shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(own_shop, lambda text: f'language = "ja"\n{text}')
    assert kizuna(own_shop, "campaign", "start", "small", "--limit", "30") == 2
    refused = capsys.readouterr().err
    assert "施策群が27名、対照群が3名で、どちらも50名より少なくなります" in refused
    assert "customers" not in refused
    assert kizuna(own_shop, "campaign", "start", "small", "--limit", "30", "--yes") == 0
    shown = capsys.readouterr().out
    assert "人数不足：対照群が3名で、50名より少なくなります" in shown
    assert "customers" not in shown


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--control", "0"), "cannot draw a control group of 0%"),
        (("--control", "100%"), "cannot draw a control group of 100%"),
        (("--control", "many"), "`--control` cannot be many: write a share such as 10% or 0.1."),
        (("--review", "0,3"), "`--review` cannot be 0,3"),
        (("--limit", "1"), "of 1 customers a control group of 10% leaves one of the arms empty"),
        (("--min-probability", "1"), "nobody is on this list who may be contacted now"),
        (("--by", "colour"), "cannot report by the attribute 'colour'"),
        (("--plan",), "cannot draw from the plan: no plan was made"),
    ],
)
def test_what_cannot_be_drawn_is_refused_and_leaves_nothing(
    scored_shop: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], says: str
) -> None:
    assert kizuna(scored_shop, "campaign", "start", "odd", "--yes", *words) in (2, 4)
    assert says in capsys.readouterr().err
    assert not (scored_shop / "state" / "campaigns").exists()


def test_a_draft_holds_nobody_back_and_is_drawn_on_the_scores_in_use_at_the_start(own_shop: Path) -> None:
    place = opened(own_shop)
    drafted = draft_campaign(place, COMMAND_LINE, "later", EVERYONE)
    assert drafted.record.state == "draft"
    assert not held_back(place.database, place.project, CustomerAliases(), place.clock()).anybody
    with pytest.raises(DataError, match=r"it was drafted, but not started"):
        replay_assignment(place, COMMAND_LINE, "later")
    with pytest.raises(UsageError, match=r"its draft lays them down"):
        start_campaign(place, COMMAND_LINE, "later", EVERYONE)
    shop.score_all(own_shop, own_shop / "bundle", dates=("2025-02-05",))
    started = start_campaign(place, COMMAND_LINE, "later")
    assert started.record.control_share == 0.5
    assert started.record.score_file != drafted.record.score_file
    assert "the scores are newer than those of the draft" in started.warnings[0]
    shop.score_all(own_shop, own_shop / "bundle", dates=("2025-02-10",))
    assert replay_assignment(place, COMMAND_LINE, "later").different == 0


def test_nobody_is_in_two_campaigns_unless_asked_and_a_control_customer_never(place: Workspace) -> None:
    first = start_campaign(
        place, COMMAND_LINE, "first", CampaignDeclaration(ListFilter(limit=40), control_share=0.5),
        accept_few=True,
    )  # fmt: skip
    second = start_campaign(place, COMMAND_LINE, "second", EVERYONE, accept_few=True, dry_run=True)
    assert not set(first.assignment.keys.tolist()) & set(second.assignment.keys.tolist())
    assert (second.left_out["control_elsewhere"], second.left_out["in_another_campaign"]) == (20, 20)
    both = CampaignDeclaration(ListFilter(limit=1_000), control_share=0.5, overlap=True)
    third = start_campaign(place, COMMAND_LINE, "third", both, accept_few=True)
    assert set(first.assignment.treated.tolist()) < set(third.assignment.keys.tolist())
    assert not set(first.assignment.control.tolist()) & set(third.assignment.keys.tolist())
    stop_campaign(place, COMMAND_LINE, "first")
    stop_campaign(place, COMMAND_LINE, "third")
    assert not held_back(place.database, place.project, CustomerAliases(), place.clock()).anybody


def test_the_standing_control_group_is_in_no_campaign(own_shop: Path) -> None:
    change(own_shop, lambda text: f'{text}\n[campaigns]\nglobal_control = "20%"\n')
    place = opened(own_shop)
    drawn = start_campaign(place, COMMAND_LINE, "spring", EVERYONE, accept_few=True)
    held = held_back(place.database, place.project, CustomerAliases(), place.clock())
    keys = place.scores.current().scores.answers.key
    assert not held.globally(drawn.assignment.keys).any()
    assert drawn.left_out["global_control"] > 5
    assert 20 < held.globally(keys).sum() < 80
    again = held_back(opened(own_shop).database, place.project, CustomerAliases(), place.clock())
    assert (again.held(keys) == held.held(keys)).all()


def test_of_two_starts_at_once_one_wins_and_the_other_is_refused_in_words(
    own_shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, other = opened(own_shop), opened(own_shop)
    save = campaign_file.save

    def save_late(file: Path, assignment: campaign_file.Assignment) -> None:
        monkeypatch.undo()
        start_campaign(other, COMMAND_LINE, "rival", EVERYONE, accept_few=True)
        save(file, assignment)

    monkeypatch.setattr(campaign_file, "save", save_late)  # the rival starts after the other was drawn
    with pytest.raises(
        DataError, match=r"'rival' was started at the same moment and has \d+ of its customers"
    ):
        start_campaign(place, COMMAND_LINE, "mine", EVERYONE, accept_few=True)
    assert [one.name for one in list_campaigns(place, COMMAND_LINE)] == ["rival"]
    assert len(list((own_shop / "state" / "campaigns").iterdir())) == 1
    with pytest.raises(UsageError, match=r"a campaign of that name was started already"):
        start_campaign(place, COMMAND_LINE, "rival", EVERYONE, accept_few=True)


KILLED = """
import os, signal, sys
from pathlib import Path
from serving.application.campaigns.start import start_campaign
from serving.application.permissions import COMMAND_LINE
from serving.lists.campaign_draw import CampaignDeclaration
from serving.lists.filters import ListFilter
from serving.state import atomic_write
from serving.state.campaigns import campaign_index
from tests.serving.application.campaigns.test_start import opened

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

moment = sys.argv[2]
if moment == "in the file":
    atomic_write._sync = die
    os.fsync = die
elif moment == "before the row":
    campaign_index._lock = die
elif moment == "before the commit":
    campaign_index.record_action = die
place = opened(Path(sys.argv[1]))
start_campaign(place, COMMAND_LINE, "spring", CampaignDeclaration(ListFilter(limit=50)), accept_few=True)
"""


def test_a_start_that_is_killed_leaves_no_half_campaign(own_shop: Path, tmp_path: Path) -> None:
    for moment in ("in the file", "before the row", "before the commit"):
        folder = Path(shutil.copytree(own_shop, tmp_path / moment.replace(" ", "-")))
        command = [sys.executable, "-c", KILLED, str(folder), moment]
        assert subprocess.run(command, check=False, cwd=Path(__file__).parents[4]).returncode == -9
        place = opened(folder)
        assert list_campaigns(place, COMMAND_LINE) == []
        assert not held_back(place.database, place.project, CustomerAliases(), place.clock()).anybody
        started = start_campaign(place, COMMAND_LINE, "spring", EVERYONE, accept_few=True)
        assert read_campaign(place, COMMAND_LINE, "spring").record == started.record


def test_who_may_draft_may_not_start(place: Workspace) -> None:
    draft_campaign(place, person("ann", "analyst"), "spring", EVERYONE)
    with pytest.raises(Forbidden, match=r"takes the permission 'start_campaign'"):
        start_campaign(place, person("ann", "analyst"), "spring")
    started = start_campaign(place, person("bob", "marketer"), "spring", accept_few=True)
    assert started.record.who == "bob"
    assert json.loads(started.record.filters) == {"limit": 1000}
