"""A project with trained versions in its registry, made without training."""

from __future__ import annotations

from pathlib import Path

from serving.cli.context import CliContext
from serving.integrations.training import tracking as project_tracking
from tests.experiments import prepare
from tests.training.trained import bundle, like
from training.bundle.promotions import PROMOTIONS
from training.registry.gates import GateDecision
from training.registry.promotion_log import log_promotion


def three_versions(folder: Path) -> None:
    """Register three versions: the first two were champions, the third was refused."""
    prepare(folder)
    call = CliContext(folder)
    tracking = project_tracking(call.project)
    for number, refusals in ((1, ()), (2, ()), (3, ("leak: 'x' knows the future",))):
        made = like(bundle(), data_version=f"events-{number}")
        with tracking.run(f"run {number}") as run:
            run.log_metrics(
                {"auc": [0.81, 0.82, 0.83][number - 1], "log_loss": 0.41, "lift_at_capacity": 4.0}
            )
            run.tag(
                {"trained_until": f"2024-0{number}-01", "evidence": "normal", "data_version": f"d{number}"}
                | ({"contacts": "without_contact"} if number == 3 else {})
            )
            version = tracking.register(run, made)
        decision = GateDecision(not refusals, refusals, (), {})
        log_promotion(
            call.project.state / PROMOTIONS, decision, decided_at="2024-05-01", version=version, run=run.id
        )
        if decision.promoted:
            tracking.promote(version)
