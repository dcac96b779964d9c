"""A running service follows campaigns: who is held back changes with start and stop, without a restart."""

from __future__ import annotations

from pathlib import Path

from serving.application.campaigns.start import start_campaign
from serving.application.campaigns.stop import stop_campaign
from serving.application.permissions import COMMAND_LINE
from tests.serving.application.campaigns.test_start import EVERYONE, opened
from tests.serving.running import Server, serving


def held_by(running: Server, names: list[str]) -> set[str]:
    """Who of these customers has the outcome `control_group` in the answers of the service."""
    scored = running.post("/v1/score", {"customer_ids": names})[1]["customers"]
    live = {"customers": [{"customer_id": name, "events": []} for name in names], "stored": True}
    predicted = running.post("/v1/predict", live)[1]["customers"]
    listed = running.post("/v1/at_risk", {"limit": 1_000})[1]["customers"]
    parts = [
        {one["customer_id"] for one in answer if one["outcome"] == "control_group"}
        for answer in (scored, predicted, listed)
    ]
    assert all(one["left_out_because"] for one in scored if one["outcome"])
    return parts[0] if parts[0] == parts[1] == parts[2] else {"the answers differ"}


def test_a_running_service_holds_the_control_group_back_from_start_to_stop(own_shop: Path) -> None:
    place = opened(own_shop)
    with serving(own_shop) as running:
        drawn = start_campaign(place, COMMAND_LINE, "spring", EVERYONE, accept_few=True)
        control = set(place.store.customers.names(drawn.assignment.control).to_pylist())
        everyone = place.store.customers.names(drawn.assignment.keys).to_pylist()
        running.wait_for(lambda: held_by(running, everyone) == control)
        stop_campaign(place, COMMAND_LINE, "spring")
        running.wait_for(lambda: held_by(running, everyone) == set())
        assert running.post("/v1/explain", {"customer_id": everyone[0]})[1]["customer"]["outcome"] is None
