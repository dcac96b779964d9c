"""The uplift model in use: scores that have it, days that must not, and models that no longer fit."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from features.errors import ModelError, UsageError
from serving.application.campaigns.learn import learn_uplift, stop_using_uplift
from serving.application.campaigns.list_campaigns import read_campaign
from serving.application.data.erase import erase
from serving.application.models.score import score
from serving.application.operation.backup import backup
from serving.application.operation.restore import restore
from serving.application.permissions import COMMAND_LINE
from serving.application.workspace import ProjectFolder, Workspace
from serving.experiments.uplift_rows import CampaignCustomers, uplift_rows
from serving.integrations.bento import lay_out
from serving.integrations.training import tracking
from serving.integrations.uplift_scores import contact_effect, predicted_uplift
from serving.scoring.batch import score as score_customers
from serving.state.active_model import load as load_bundle
from serving.state.audit_log import audit_entries
from serving.state.campaigns import uplift_index
from serving.state.campaigns.uplift_index import (
    UpliftFacts,
    UpliftRecord,
    load_texts,
    uplift_in_use,
    use_uplift,
)
from serving.state.database import Database
from serving.state.scores.score_file import Scores, load
from serving.state.scores.score_index import current_scores
from tests.inputs.services import answer, kizuna
from tests.serving.application.campaigns.test_learn import live_on, start
from tests.serving.application.campaigns.test_start import opened
from tests.serving.campaign_shop import at
from tests.serving.uplift_shop import END
from training.bundle.model_bundle import Bundle
from training.causal.uplift_text import MODEL, TREES, of_texts


@pytest.fixture
def place(uplifted_template: Path, tmp_path: Path) -> Workspace:
    """A copy of the shop, to do with as one likes."""
    return at(opened(Path(shutil.copytree(uplifted_template, tmp_path / "shop"))), END)


def in_use(place: Workspace) -> UpliftRecord:
    record = uplift_in_use(place.database)
    assert record is not None
    return record


def scores(place: Workspace) -> Scores:
    current = current_scores(place.database)
    assert current is not None
    return load(place.project.scores / current.file)


def change_facts(place: Workspace, **changed: object) -> None:
    """Put the same model in use with other facts."""
    record = in_use(place)
    use_uplift(place.database, replace(record, facts=replace(record.facts, **changed)))


def test_everybody_who_can_still_leave_has_an_uplift_and_what_it_is_worth(place: Workspace) -> None:
    record, found = in_use(place), scores(place)
    answers, inside = found.answers, found.cohort
    assert found.facts.uplift is not None
    assert (found.facts.uplift.outcome, found.facts.uplift.campaigns) == ("retained", ("spring",))
    assert 0 < record.facts.low < record.facts.qini < record.facts.high
    assert f"-uplift{record.fingerprint}.arrow" in current_scores(place.database).file  # type: ignore[union-attr]
    assert answers.uplift is not None
    assert answers.incremental_value is not None
    assert len(inside) > 50
    assert (np.abs(answers.uplift[inside]) <= 1).all()
    assert answers.uplift[inside].std() > 0.05
    outside = np.setdiff1d(np.arange(len(answers)), inside)
    assert np.isnan(answers.uplift[outside]).all()
    expected = answers.uplift * answers.expected_value
    assert np.array_equal(answers.incremental_value, expected, equal_nan=True)


def test_a_campaign_s_own_rows_have_the_same_uplift_from_the_assignment_and_from_scores(
    place: Workspace,
) -> None:
    record = in_use(place)
    campaign = read_campaign(place, COMMAND_LINE, "spring")
    assert campaign.assignment is not None
    model = of_texts(load_texts(place.project.state, record.fingerprint))
    nobody = np.zeros(len(campaign.assignment))
    rows = uplift_rows([CampaignCustomers("spring", 0.5, campaign.assignment, nobody)])
    learned = model.model.predict(model.book.encode(rows.features))

    drawn_on = load(place.project.scores / campaign.record.score_file)
    bundle = load_bundle(place.project.state, drawn_on.facts.model_version, drawn_on.facts.fingerprint)
    now = Scores(*score_customers(place.store, bundle, drawn_on.facts.as_of, place.clock()))
    scored = predicted_uplift(place.store, model, now, bundle.bundle.churn)
    places = np.searchsorted(now.answers.key[now.cohort], campaign.assignment.keys)
    assert np.array_equal(scored[places], learned)
    assert len(learned) > 50


def test_scores_of_a_day_before_the_model_was_learned_have_no_uplift_and_say_so(place: Workspace) -> None:
    found = score(place, COMMAND_LINE, as_of="2025-03-01")
    assert found.uplift is None
    assert found.warnings[-1] == (
        "the uplift model is not used, so nobody has an uplift: it was learned from what was known until "
        f"{place.project.timeline.name(in_use(place).facts.known_from)}, which is later than the as-of date. "
        "Score a later day."
    )
    assert scores(place).answers.uplift is None
    assert "uplift" not in found.file


def test_scores_without_an_uplift_model_are_the_same_bytes_as_before_it_was_learned(place: Workspace) -> None:
    stop_using_uplift(place, COMMAND_LINE)
    without = score(place, COMMAND_LINE)
    plain = (place.project.scores / without.file).read_bytes()
    current = load(place.project.scores / without.file)
    assert without.uplift is None
    assert without.warnings == ()
    assert (current.answers.uplift, current.facts.uplift) == (None, None)
    assert b"uplift" not in plain
    assert b"incremental" not in plain


def test_learning_without_evidence_takes_a_model_of_the_same_outcome_out_of_use(own_shop: Path) -> None:
    place = opened(own_shop)
    start(place, "spring")
    place = live_on(place, helped=False)
    facts = UpliftFacts(
        "spend", 1, ("winter",), 0, ("tenure_days",), (), "{}", qini=9.0, low=5.0, high=13.0, run=""
    )
    use_uplift(place.database, UpliftRecord("0123456789ab", facts, 0, "hanako"))
    nobody = learn_uplift(place, COMMAND_LINE)
    assert not nobody.assessment.used
    assert nobody.effect == "other_outcome"
    assert in_use(place).facts == facts
    change_facts(place, outcome="retained")
    assert learn_uplift(place, COMMAND_LINE).effect == "taken_out"
    assert uplift_in_use(place.database) is None


def test_the_model_is_taken_out_of_use_by_hand_and_the_audit_log_says_who(
    place: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = place.project.folder
    assert kizuna(folder, "campaign", "learn", "spring", "--stop-using") == 2
    assert "`--stop-using` learns nothing" in capsys.readouterr().err
    assert answer(capsys, folder, "campaign", "learn", "--stop-using")["outcome"] == "retained"
    assert uplift_in_use(place.database) is None
    entry = audit_entries(place.database)[0]
    assert (entry.action, entry.details) == ("uplift model", "none in use")
    with pytest.raises(UsageError, match="none is in use"):
        stop_using_uplift(place, COMMAND_LINE)


@pytest.mark.parametrize("damage", ["changed", "missing", "gone"])
def test_a_damaged_model_stops_scoring_and_leaves_the_scores_in_use(place: Workspace, damage: str) -> None:
    before = current_scores(place.database)
    folder = place.project.state / uplift_index.FOLDER / in_use(place).fingerprint
    assert {file.name for file in folder.iterdir()} == {MODEL, TREES}
    if damage == "changed":
        trees = folder / TREES
        trees.write_text(trees.read_text("utf-8").replace("leaf_value=", "leaf_value=9"), "utf-8")
    elif damage == "missing":
        (folder / MODEL).unlink()
    else:
        shutil.rmtree(folder)
    with pytest.raises(ModelError, match="its files are missing or damaged"):
        score(place, COMMAND_LINE)
    assert current_scores(place.database) == before
    stop_using_uplift(place, COMMAND_LINE)
    assert score(place, COMMAND_LINE).uplift is None


def test_a_model_that_reads_what_is_known_of_nobody_is_not_used(place: Workspace) -> None:
    change_facts(place, features=("churn_probability", "attribute.colour"))
    found = score(place, COMMAND_LINE)
    assert found.uplift is None
    assert "it reads attribute.colour, which is known of nobody any more" in found.warnings[-1]


def test_another_champion_with_the_same_definition_and_tiers_goes_on_and_with_others_does_not(
    place: Workspace,
) -> None:
    registry = tracking(place.project)
    bundle = replace(load_bundle_in_use(place), code_version="another", base_rate=0.5)
    with registry.run("training") as run:
        registry.promote(registry.register(run, bundle))
    found = score(place, COMMAND_LINE)
    assert (found.model_version, found.uplift) == ("2", "retained")
    change_facts(place, tiers=("gone", "here"), features=(*in_use(place).facts.features, "tier"))
    assert "it was learned with the tiers gone, here" in score(place, COMMAND_LINE).warnings[-1]
    change_facts(place, churn=json.dumps({"type": "contract"}))
    assert "under another definition of churn" in score(place, COMMAND_LINE).warnings[-1]


def load_bundle_in_use(place: Workspace) -> Bundle:
    facts = scores(place).facts
    return load_bundle(place.project.state, facts.model_version, facts.fingerprint).bundle


def test_a_backup_carries_the_model_and_an_erased_customer_is_not_in_it(
    place: Workspace, tmp_path: Path
) -> None:
    campaign = read_campaign(place, COMMAND_LINE, "spring")
    assert campaign.assignment is not None
    name = str(place.store.customers.names(campaign.assignment.keys[:1])[0])
    erased = erase(place, COMMAND_LINE, name)
    assert erased.left_in == ()
    assert erased.campaigns == ("spring",)
    texts = {f"{uplift_index.FOLDER}/{in_use(place).fingerprint}/{file}" for file in (MODEL, TREES)}
    assert texts <= {"/".join(Path(one).parts[-3:]) for one in erased.checked}
    backup(place, COMMAND_LINE, tmp_path / "backup.tar.gz")
    restore(ProjectFolder(tmp_path / "restored", place.clock), COMMAND_LINE, tmp_path / "backup.tar.gz")
    restored = at(opened(tmp_path / "restored"), END)
    assert in_use(restored) == in_use(place)
    assert load_texts(restored.project.state, in_use(restored).fingerprint)
    assert score(restored, COMMAND_LINE).uplift == "retained"


def test_an_uplift_of_money_is_itself_the_gain_and_less_of_a_loss_is_a_gain() -> None:
    difference, expected = np.array([0.5, -2.0, np.nan]), np.array([100.0, 10.0, 5.0])
    same = {"equal_nan": True}
    uplift, value = contact_effect("retained", difference, expected)
    assert np.array_equal(uplift, [0.5, -1.0, np.nan], **same)
    assert np.array_equal(value, [50.0, -10.0, np.nan], **same)
    uplift, value = contact_effect("spend", difference, expected)
    assert np.array_equal(uplift, difference, **same)
    assert np.array_equal(value, difference, **same)
    uplift, value = contact_effect("churned_value", difference, expected)
    assert np.array_equal(uplift, [-0.5, 2.0, np.nan], **same)
    assert np.isnan(contact_effect("active_days", difference, expected)[1]).all()


def test_a_package_carries_the_model_in_use(place: Workspace, tmp_path: Path) -> None:
    record = in_use(place)
    facts = scores(place).facts
    model = load_bundle(place.project.state, facts.model_version, facts.fingerprint)
    lay_out(place.project, model, [], [], place.clock(), tmp_path / "bento", record)
    inside = tmp_path / "bento" / "project" / "state"
    with Database(f"sqlite:///{inside / 'kizuna.db'}") as database:
        assert uplift_in_use(database) == record
    assert load_texts(inside, record.fingerprint) == load_texts(place.project.state, record.fingerprint)
