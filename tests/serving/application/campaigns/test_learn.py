"""Learning from a project's own campaigns whom contact helps, and what MLflow keeps of it."""

from __future__ import annotations

from pathlib import Path

import mlflow
import numpy as np
import pyarrow as pa
import pytest

from features.errors import DataError, UsageError
from features.events.schema import EVENT_SCHEMA
from features.timeline import Timeline
from serving.application.campaigns.draft import draft_campaign
from serving.application.campaigns.learn import learn_uplift
from serving.application.campaigns.list_campaigns import read_campaign
from serving.application.campaigns.start import start_campaign
from serving.application.permissions import COMMAND_LINE
from serving.application.workspace import Workspace
from serving.integrations.training import tracking
from serving.lists.campaign_draw import CampaignDeclaration
from serving.lists.filters import ListFilter
from serving.presentation.campaign_report.uplift import learn_reply, show_learned
from tests.inputs.services import kizuna
from tests.serving.application.campaigns.test_export_and_contacts import later
from tests.serving.application.campaigns.test_start import opened
from training.causal.uplift_text import MODEL, TREES, of_texts

DAY = 86_400_000_000
EVERYONE = ListFilter(limit=1_000)


@pytest.fixture
def place(own_shop: Path) -> Workspace:
    return opened(own_shop)


def start(place: Workspace, name: str, *segments: str) -> None:
    declared = CampaignDeclaration(EVERYONE, control_share=0.5, review_months=(1, 3), segments=segments)
    start_campaign(place, COMMAND_LINE, name, declared, accept_few=True, seed=7)


def live_on(place: Workspace, *, helped: bool) -> Workspace:
    """Six weeks later: contact kept half of high risk and drove half of low risk away, or did nothing."""
    found = read_campaign(place, COMMAND_LINE, "spring").assignment
    assert found is not None
    draw, now = np.random.default_rng(0), place.clock()
    risk = found.floats("churn_probability")
    chance = np.where(risk > np.median(risk), 0.05, 0.95) if helped else np.full(len(found), 0.5)
    stays = draw.random(len(found)) < np.where(found.arm == 0, 0.5, chance)
    names = np.array(place.store.customers.names(found.keys).to_pylist())
    rows = [(name, now + day * DAY) for day in range(1, 43) for name in names[stays][day % 3 :: 3]]
    events = {
        "customer_id": [name for name, _ in rows],
        "occurred_at": [when for _, when in rows],
        "kind": ["purchase"] * len(rows),
        "value": [10.0] * len(rows),
    }
    columns = [pa.array(events.get(one.name, [None] * len(rows)), one.type) for one in EVENT_SCHEMA]
    afterwards = later(place, 43)
    table = pa.table(columns, schema=EVENT_SCHEMA)
    afterwards.store.add(table, source="orders", timeline=Timeline(), now=afterwards.clock())
    return afterwards


def test_a_campaign_that_helped_some_is_learned_and_logged_with_its_model(
    place: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start(place, "spring", "plan")
    afterwards = live_on(place, helped=True)
    learned = learn_uplift(afterwards, COMMAND_LINE)
    assert (learned.campaigns, learned.outcome, learned.months) == (("spring",), "retained", 1)
    assert learned.assessment.used
    assert learned.deciles[0].predicted > 0.2 > -0.2 > learned.deciles[-1].predicted
    client = mlflow.MlflowClient(tracking(place.project).uri)
    run = client.get_run(learned.run)
    assert run.info.status == "FINISHED"
    assert run.data.params["campaigns"] == "spring"
    assert run.data.tags["uplift.used"] == "true"
    figures = run.data.metrics
    assert 0 < figures["low"] < figures["qini"] < figures["high"]
    assert figures["difference"] == pytest.approx(figures["qini"] - figures["response_qini"])
    artifacts = {
        one.path for folder in (None, "figures") for one in client.list_artifacts(run.info.run_id, folder)
    }
    kept = {MODEL, TREES, "uplift_by_decile.json", "figures/qini_curve.png", "figures/uplift_by_decile.png"}
    assert kept <= artifacts
    texts = {
        name: Path(client.download_artifacts(learned.run, name, str(tmp_path))).read_text("utf-8")
        for name in (MODEL, TREES)
    }
    stored = of_texts(texts)
    assert {"churn_probability", "tenure_days"} <= set(stored.book.numbers)
    assert any(text.name == "attribute.plan" for text in stored.book.texts)
    again = learn_uplift(afterwards, COMMAND_LINE, ["spring"], months=1)
    assert learn_reply(again).uplift == learn_reply(learned).uplift
    capsys.readouterr()
    show_learned(learned, "en")
    assert "Uplift by decile" in capsys.readouterr().out


def test_a_campaign_that_did_nothing_is_no_evidence(place: Workspace) -> None:
    start(place, "spring")
    learned = learn_uplift(live_on(place, helped=False), COMMAND_LINE, ["spring"])
    reply = learn_reply(learned)
    assert reply.uplift.used is False
    assert reply.uplift.reason.startswith("no evidence that contact helps some more than others: ")


def test_what_cannot_be_learned_is_refused_in_words(place: Workspace) -> None:
    with pytest.raises(UsageError, match="there is no such outcome"):
        learn_uplift(place, COMMAND_LINE, outcome="happiness")
    with pytest.raises(UsageError, match="cannot find the campaign 'spring'"):
        learn_uplift(place, COMMAND_LINE, ["spring"])
    with pytest.raises(DataError, match="no campaign has reached a review date"):
        learn_uplift(place, COMMAND_LINE)
    draft_campaign(place, COMMAND_LINE, "spring", CampaignDeclaration(EVERYONE))
    with pytest.raises(DataError, match="it was drafted, but not started"):
        learn_uplift(place, COMMAND_LINE, ["spring"])
    start_campaign(place, COMMAND_LINE, "summer", CampaignDeclaration(EVERYONE), accept_few=True)
    with pytest.raises(DataError, match=r"its review date .* is not reached"):
        learn_uplift(place, COMMAND_LINE, ["summer"])
    assert not (place.project.folder / "mlruns" / "mlflow.db").exists()


def test_campaigns_with_other_control_shares_are_not_pooled(place: Workspace) -> None:
    start(place, "spring")
    declaration = CampaignDeclaration(EVERYONE, control_share=0.2, review_months=(1,), overlap=True)
    start_campaign(place, COMMAND_LINE, "summer", declaration, accept_few=True)
    afterwards = live_on(place, helped=False)
    with pytest.raises(UsageError) as refused:
        learn_uplift(afterwards, COMMAND_LINE)
    assert str(refused.value) == (
        "cannot learn from these campaigns together: their control shares differ "
        "('spring' 50.0%, 'summer' 20.0%). Name campaigns with one control share."
    )


def test_the_command_says_in_japanese_why_nothing_was_learned(
    place: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = place.project.folder / "kizuna.toml"
    settings.write_text('language = "ja"\n' + settings.read_text("utf-8"), "utf-8")
    assert kizuna(place.project.folder, "campaign", "learn") == 4
    assert "評価日に達した施策がありません" in "".join(capsys.readouterr().err.split())
