"""How long the report of a large campaign takes, and how much memory.

    python -m benchmarks.campaign_report --events 20_000_000 --customers 1_000_000 --json

Every customer of the store is assigned a year before its events end, a tenth of them to the control group,
so that the review dates 1, 3, 6 and 12 are all reached, with twelve monthly looks between. What is measured
is the use case behind `kizuna campaign report`, from the store to the kept report: outcomes, effects, groups,
and the confidence sequence. The scores of the start are drawn, the model is that of a small shop.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.engagement import INDICATORS, TIERS, drawn_scores
from benchmarks.events import START, made
from benchmarks.machine import machine
from features.catalog.settings import FeatureSettings
from features.event_store import EventStore
from features.timeline import DAY, Timeline
from serving.application.campaigns.report import campaign_report
from serving.application.permissions import COMMAND_LINE
from serving.application.workspace import Workspace, open_workspace
from serving.cli.warmup import LAST, _purchases
from serving.experiments import campaign_file
from serving.experiments.assignment import assign_arms, risk_deciles, strata
from serving.experiments.campaign_file import Assignment, AssignmentFacts
from serving.experiments.held_back import assignment_file
from serving.project.settings import read
from serving.schemas.campaign_responses import CampaignReport
from serving.state.active_model import import_bundle
from serving.state.campaigns.campaign_index import CampaignRecord, save_start
from serving.state.scores import score_file
from serving.state.scores.score_table import ScoreTable
from training.bundle.model_bundle import Bundle
from training.bundle.tiers import TierSettings
from training.fitting.lightgbm import TreeParameters
from training.labels.settings import ChurnSettings
from training.train import learn
from training.training_config import TrainingConfig

UTC = Timeline()
BEGIN = UTC.instant("2023-01-01")


def small_model(folder: Path) -> Bundle:
    """A bundle learned from a made-up shop of 150 customers."""
    store = EventStore(folder, buckets=1)
    store.add(_purchases(0), source="made up", timeline=UTC, now=LAST)
    plan = TrainingConfig(
        timeline=UTC,
        indicators=INDICATORS,
        features=FeatureSettings.model_validate({"windows": [7, 30, 90]}),
        churn=ChurnSettings.model_validate({"active_days": 40, "horizon_days": 20}),
        tiers=TierSettings.model_validate({}),
        contacts=10,
        models=TreeParameters(trees=5, threads=1),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return learn(EventStore(folder), plan, until=None)[0]


def project(folder: Path, store: Path) -> Workspace:
    """A project on the store, with a campaign of all its customers that was started a year before the end."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "kizuna.toml").write_text(
        f'state = "{store.resolve()}"\n[[sources]]\nname = "shop"\nquery = "select 1"\n'
        '[churn]\nhorizon_days = 90\n[simulated]\nnow = "now.txt"\n'
    )
    (folder / "now.txt").write_text("2024-01-01T00:00:00+00:00")
    settings = read(folder)
    (settings.state / "kizuna.db").unlink(missing_ok=True)
    workspace = open_workspace(settings, lambda: UTC.instant("2024-01-02"))
    small_model(folder / "small").save(folder / "bundle")
    model = import_bundle(settings.state, "1", folder / "bundle")
    scores = drawn_scores(len(workspace.store.customers), BEGIN)
    facts = replace(scores.facts, fingerprint=model.bundle.fingerprint, tiers=model.bundle.tiers.names)
    file = score_file.save(settings.scores, scores.answers, facts)
    start(workspace, scores.answers, file)
    return workspace


def start(workspace: Workspace, answers: ScoreTable, file: str) -> None:
    """Assign everybody, a tenth to the control group."""
    draw, count = np.random.default_rng(1), len(answers)
    decile = risk_deciles(answers.churn_probability)
    stratum = strata(decile, answers.tier, len(TIERS))
    arm = assign_arms(answers.key, stratum, 0.1, 1)
    columns: dict[str, np.ndarray] = {
        "key": answers.key, "arm": arm, "stratum": stratum, "risk_decile": decile,
        "churn_probability": answers.churn_probability, "expected_value": answers.expected_value,
        "value_at_risk": answers.value_at_risk, "tier": answers.tier,
        "tenure_days": draw.random(count) * 365, "past_spend": draw.lognormal(6, 1, count),
    }  # fmt: skip
    assignment = Assignment.of(columns, AssignmentFacts("all", TIERS), [None] * count, {})
    record = CampaignRecord(
        "all", "running", "list", "{}", 0.1, 90, (1, 3, 6, 12), (), (), overlap=False, who="benchmark",
        created_at=BEGIN, file="all.arrow", started_at=BEGIN, hold_until=BEGIN + 90 * DAY, seed="1",
        score_file=file, model_version="1", as_of=BEGIN, treatment=int((arm == 0).sum()),
        control=int((arm == 1).sum()),
    )  # fmt: skip
    campaign_file.save(assignment_file(workspace.project, record), assignment)
    save_start(workspace.database, record, (), lambda _: None, BEGIN)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20_000_000)
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    assert START < "2023-01-01"
    store = made(options.events, options.customers)
    with (workspace := project(Path("build/benchmarks/campaign"), store)).database:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        clock, used = time.perf_counter(), time.process_time()
        report: CampaignReport = campaign_report(workspace, COMMAND_LINE, "all")
        found = {
            "events": workspace.store.events,
            "customers": sum(arm.counted for arm in report.arms),
            "report_s": round(time.perf_counter() - clock, 2),
            "report_cpu_s": round(time.process_time() - used, 2),
            "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            "memory_before_mb": before // 1024,
            "reviews": [review.months for review in report.reviews],
            "outcomes": [effect.outcome for effect in report.reviews[-1].effects],
            "looks": len(report.sequence),
            "groups": len(report.reviews[-1].groups),
            "machine": machine(),
        }
    print(
        json.dumps(found) if options.json else "\n".join(f"{name}: {value}" for name, value in found.items())
    )


if __name__ == "__main__":
    main()
