"""The shop six weeks after a campaign that kept half of those at high risk and drove others away."""

from __future__ import annotations

from pathlib import Path

from serving.application.campaigns.learn import learn_uplift
from serving.application.models.score import score
from serving.application.permissions import COMMAND_LINE
from serving.application.workspace import Workspace
from serving.integrations.training import tracking
from serving.state.campaigns.uplift_index import uplift_in_use
from tests.serving.application.campaigns.test_learn import live_on, start
from tests.serving.application.campaigns.test_start import opened
from tests.serving.campaign_shop import at
from training.bundle.model_bundle import Bundle

START = "2025-02-05"
"""The start of the campaign, after the last of the shop's own orders."""
END = "2025-03-20"
"""The day until which the record goes on."""


def learn_spring(folder: Path) -> Workspace:
    """Start a campaign, let the customers live on, learn from it and score: the model is in use."""
    place = at(opened(folder), START)
    start(place, "spring", "plan")
    live_on(place, helped=True)
    registry = tracking(place.project)
    with registry.run("training") as run:
        registry.promote(registry.register(run, Bundle.load(folder / "bundle")))
    place = at(opened(folder), END)
    assert learn_uplift(place, COMMAND_LINE).effect == "used"
    assert uplift_in_use(place.database) is not None
    score(place, COMMAND_LINE)
    return place
