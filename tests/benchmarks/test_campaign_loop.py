"""The closed loop on a small simulated service: the report's intervals hold the truth written apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.campaign_loop import (
    MEASURES,
    REVIEW_MONTHS,
    assigned,
    kizuna,
    reviewed,
    true_effects,
    write_calls,
)
from serving.application.campaigns.list_campaigns import read_campaign
from serving.application.campaigns.start import start_campaign
from serving.application.permissions import COMMAND_LINE
from serving.lists.campaign_draw import CampaignDeclaration
from serving.lists.filters import ListFilter
from tests.inputs.services import simulated
from tests.serving.application.campaigns.test_start import opened

pytestmark = pytest.mark.slow


def test_the_effects_on_retention_and_spend_are_within_their_intervals_of_the_truth(tmp_path: Path) -> None:
    service = simulated(tmp_path / "service", customers=1_500)
    place = opened(service)
    declaration = CampaignDeclaration(ListFilter(limit=5_000), control_share=0.5, review_months=REVIEW_MONTHS)
    with place.database:
        start_campaign(place, COMMAND_LINE, "spring", declaration, seed=3)
        assignment = read_campaign(place, COMMAND_LINE, "spring").assignment
        assert assignment is not None
        treated = place.store.customers.names(assignment.treated).to_pylist()
    assert len(assigned(service)) == len(assignment)
    calls = write_calls(tmp_path / "calls.csv", treated)
    truths = true_effects(tmp_path, service)
    kizuna("simulate", str(service), "--advance", str(max(REVIEW_MONTHS)), "--contacts", str(calls))
    kizuna("-C", str(service), "ingest")
    recorded = kizuna("-C", str(service), "campaign", "contacts", "spring", str(calls))
    assert recorded["stored"] + recorded["already_there"] == recorded["read"] == 4 * len(treated)
    assert recorded["already_there"] > 0.85 * recorded["read"]
    report = kizuna("-C", str(service), "campaign", "report", "spring")
    assert [review["months"] for review in report["reviews"]] == list(REVIEW_MONTHS)
    treatment, control = report["arms"]
    assert treatment["reached"] > 0.95 * treatment["counted"]
    assert control["reached"] == report["contaminated"] == 0
    found = reviewed(report, truths)
    assert [(one.months, one.measure) for one in found] == [
        (months, measure) for months in REVIEW_MONTHS for measure in MEASURES
    ]
    assert [one for one in found if not one.holds] == []
    for one in found:
        if one.hazard_effect is not None:
            assert one.low <= one.hazard_effect <= one.high
            # Two lives of everybody differ by the contact alone, so both ways to tell it agree closely.
            assert one.truth == pytest.approx(one.hazard_effect, abs=0.02)
