"""Training is handed the assignments of campaigns, and answers say which risk was learned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from features.errors import DataError
from serving.application.campaigns.draft import draft_campaign
from serving.application.campaigns.start import start_campaign
from serving.application.campaigns.stop import stop_campaign
from serving.application.permissions import COMMAND_LINE
from serving.application.workspace import Workspace
from serving.experiments.held_back import assignment_file
from serving.experiments.training_assignments import training_assignments
from serving.integrations.training import training_config
from serving.state.campaigns.campaign_index import campaign
from serving.state.scores.score_metadata import ScoreMetadata
from tests.inputs.services import answer, change, refusal
from tests.serving.application.campaigns.test_start import EVERYONE, opened
from training.data.contact_weights import ContactAssignments


def without_contact(text: str) -> str:
    return text.replace("[churn]", '[churn]\ncontacts = "without_contact"')


def handed(place: Workspace) -> ContactAssignments:
    return training_assignments(place.database, place.project, place.store.customers.aliases)


def test_each_campaign_has_its_arms_its_times_and_its_probability_of_control(own_shop: Path) -> None:
    place = opened(own_shop)
    draft_campaign(place, COMMAND_LINE, "only a draft", EVERYONE)
    assert not len(handed(place))
    drawn = start_campaign(place, COMMAND_LINE, "spring", EVERYONE, accept_few=True)
    table, record = handed(place), campaign(place.database, "spring")
    assert table.keys.tolist() == drawn.assignment.keys.tolist()
    assert np.array_equal(table.keys[table.treated], drawn.assignment.treated)
    assert set(table.start.tolist()) == {record.started_at}
    assert set(table.end.tolist()) == {record.hold_until}
    assert set(table.control_probability.tolist()) == {0.5}


def test_a_stopped_campaign_ends_when_it_was_stopped(own_shop: Path) -> None:
    place = opened(own_shop)
    start_campaign(place, COMMAND_LINE, "spring", EVERYONE, accept_few=True)
    stop_campaign(place, COMMAND_LINE, "spring")
    stopped = campaign(place.database, "spring")
    assert set(handed(place).end.tolist()) == {stopped.stopped_at}
    assert stopped.hold_until is not None
    assert stopped.stopped_at is not None
    assert stopped.stopped_at < stopped.hold_until


def test_a_missing_campaign_file_is_refused_because_nobody_knows_whose_label_was_changed(
    own_shop: Path,
) -> None:
    place = opened(own_shop)
    start_campaign(place, COMMAND_LINE, "spring", EVERYONE, accept_few=True)
    assignment_file(place.project, campaign(place.database, "spring")).unlink()
    with pytest.raises(DataError, match=r"cannot read the assignment in .* Restore it from a backup"):
        handed(place)


def test_assignments_are_read_only_where_contact_is_to_be_left_out(own_shop: Path) -> None:
    place = opened(own_shop)
    start_campaign(place, COMMAND_LINE, "spring", EVERYONE, accept_few=True)
    assert training_config(place.project, place.database).assignments is None
    change(own_shop, without_contact)
    there = opened(own_shop)
    found = training_config(there.project, there.database).assignments
    assert found is not None
    assert len(found) == len(handed(place))


def test_train_refuses_without_a_campaign_and_says_what_to_do(
    own_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(own_shop, without_contact)
    said = refusal(capsys, own_shop, "train")
    assert "no campaign with a control group had been started by then" in said
    assert 'write contacts = "as_they_were" in [churn]' in said
    change(own_shop, lambda text: 'language = "ja"\n' + text.replace('language = "en"\n', ""))
    assert "対照群のある施策が始まっていない" in refusal(capsys, own_shop, "train")


def test_answers_say_which_risk_the_model_learned_also_those_of_older_score_files(
    own_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert answer(capsys, own_shop, "at-risk")["contacts"] == "as_they_were"
    facts = opened(own_shop).scores.current().scores.facts
    older = {name: value for name, value in vars(facts).items() if name != "contacts"}
    assert ScoreMetadata(**older) == facts
