"""What wants attention today: old or refused data, scores and plans out of date, review dates, trouble."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from features.errors import ConfigurationError
from features.ingestion.session.guards import MOST_QUARANTINED
from serving.actions.playbook import chosen_playbook, default_kind
from serving.application.lists.last_report import LastReport, last_report
from serving.application.permissions import Actor, use_case
from serving.application.workspace import Workspace
from serving.experiments.review_dates import campaign_review_due, review_dates
from serving.lists.score_age import old_data
from serving.lists.score_reader import ScoreReader
from serving.state import examination_file, monitor_file
from serving.state.campaigns.campaign_index import DRAFT, CampaignRecord, campaigns
from serving.state.ingest_log import IngestRecord, ingests
from serving.state.job_index import DONE, newest_jobs
from serving.state.run_index import FAILED, HELD, newest_runs
from serving.state.scores.score_index import only_noted_since

LAST_JOBS = 30
"""Of so many newest jobs a failed one is named, unless one of its kind was done since."""

Severity = Literal["bad", "warn", "info"]
"""Something does not work; something will be wrong if nobody acts; something could be better."""
Subject = Literal[
    "trouble",
    "job_failed",
    "run_failed",
    "run_held",
    "arrivals",
    "source_refused",
    "source_ended",
    "quarantine",
    "scores_old",
    "scores_behind",
    "plan_missing",
    "playbook_changed",
    "playbook_broken",
    "review_due",
    "findings",
    "evidence_low",
    "calibration",
    "drift",
]


@dataclass(frozen=True)
class Attention:
    """One thing to look at; `values` are its names and figures."""

    subject: Subject
    severity: Severity
    values: Mapping[str, str | int | float] = field(default_factory=dict)


@dataclass(frozen=True)
class OpenCampaign:
    """A campaign that holds its control group back, or with a review to come. Microseconds UTC."""

    name: str
    started_at: int
    treatment: int
    control: int
    holds_back: bool
    next_review: int | None
    review_due: int | None
    """The newest review date that was reached and of which no effect was computed since."""


@dataclass(frozen=True)
class Overview:
    """What to look at, the most urgent first, and the campaigns that are under way."""

    attention: tuple[Attention, ...]
    campaigns: tuple[OpenCampaign, ...]
    report: LastReport | None
    """The report that the overview was made with (`last_report`)."""


@use_case("read_report")
def overview(
    workspace: Workspace, actor: Actor, trouble: str | None = None, language: str | None = None
) -> Overview:
    """What wants attention; `trouble` is why a running service does not use what is new.

    It reads stored results alone: the last ingest, report and examination, the scores and the plan in use.
    Raises `ModelError` before anything was scored.
    """
    workspace = workspace.pinned()
    reader, now = workspace.scores.current(), workspace.clock()
    running = _open_campaigns(workspace, now)
    report = last_report(workspace, actor, language=language)
    last = next(iter(ingests(workspace.project.state)), None)
    found = [
        *([Attention("trouble", "bad", {"why": trouble})] if trouble else ()),
        *_of_runs(workspace),
        *_of_jobs(workspace),
        *_of_ingest(last),
        *_of_sources(report),
        *_of_scores(workspace, reader, now),
        *_of_plan(workspace, reader),
        *(
            Attention("review_due", "warn", {"name": one.name, "on": one.review_due})
            for one in running
            if one.review_due is not None
        ),
        *_of_monitoring(workspace),
        *_of_examination(workspace),
    ]
    order = ("bad", "warn", "info")
    found.sort(key=lambda one: order.index(one.severity))
    return Overview(tuple(found), tuple(running), report)


def _of_runs(workspace: Workspace) -> Iterator[Attention]:
    """How the newest run of the schedule ended, and what its checks of what arrived found."""
    run = next(iter(newest_runs(workspace.database, 1)), None)
    if run is None:
        return
    unwell = [step.step for step in run.steps if step.state in (FAILED, HELD)]
    values: dict[str, str | int | float] = {"id": run.id, "day": run.day, "steps": ", ".join(unwell)}
    if run.state == FAILED:
        yield Attention("run_failed", "bad", values)
    elif unwell:
        why = next(step.error for step in run.steps if step.state == HELD)
        yield Attention("run_held", "bad", values | {"why": why})
    checks = run.step("checks")
    if checks is not None and checks.warnings:
        first = checks.warnings[0]
        yield Attention(
            "arrivals", "warn", {"id": run.id, "count": len(checks.warnings), "day": run.day, "why": first}
        )


def _of_jobs(workspace: Workspace) -> Iterator[Attention]:
    seen = set()
    for job in newest_jobs(workspace.database, LAST_JOBS):
        if job.is_finished and job.kind not in seen:
            seen.add(job.kind)
            if job.state != DONE:
                yield Attention("job_failed", "bad", {"kind": job.kind, "id": job.id})


def _of_ingest(last: IngestRecord | None) -> Iterator[Attention]:
    for receipt in last.receipts if last else ():
        if receipt.refused is not None:
            yield Attention("source_refused", "bad", {"source": receipt.source})
        elif max(receipt.quarantined_share, receipt.quarantined_amount) > MOST_QUARANTINED:
            share = receipt.quarantined_share
            values: dict[str, str | int | float] = {
                "source": receipt.source,
                "rows": receipt.quarantined,
                "share": share,
            }
            yield Attention("quarantine", "warn", values)


def _of_sources(report: LastReport | None) -> Iterator[Attention]:
    """Sources that are silent while others are not; where all are, the age of the data says it."""
    if report is not None and not report.all_silent:
        for source, day in report.silent.items():
            yield Attention("source_ended", "warn", {"source": source, "day": day})


def _of_scores(workspace: Workspace, reader: ScoreReader, now: int) -> Iterator[Attention]:
    facts = reader.scores.facts
    old = old_data(facts, now)
    if old is not None:
        yield Attention("scores_old", "warn", {"on": old.ended_at, "days": old.days})
    if not only_noted_since(workspace.database, facts.data_version, workspace.store.version):
        yield Attention("scores_behind", "warn")
    if facts.evidence == "low":
        yield Attention("evidence_low", "info")


def _of_plan(workspace: Workspace, reader: ScoreReader) -> Iterator[Attention]:
    if reader.plan is None:
        yield Attention("plan_missing", "warn")
        return
    kind = default_kind(reader.bundle.churn.type, amounts=reader.scores.facts.amounts)
    try:
        playbook = chosen_playbook(workspace.project.folder, None, kind)
    except ConfigurationError as error:
        yield Attention("playbook_broken", "bad", {"why": error.message})
        return
    if playbook.text != reader.plan.origin.playbook:
        yield Attention("playbook_changed", "warn")


def _of_monitoring(workspace: Workspace) -> Iterator[Attention]:
    """The most severe alarm of wrong probabilities that stands, and columns that drifted."""
    found = monitor_file.load(workspace.project.state)
    if found is None:
        return
    if found.alarms:
        first = found.alarms[0]
        values: dict[str, str | int | float] = {
            "count": len(found.alarms),
            "model": first.model_version,
            "ratio": f"{first.observed_to_expected:.2f}",
            "since": first.since,
        }
        yield Attention("calibration", "bad" if first.severity == "high" else "warn", values)
    moved = () if found.drift is None else [one for one in found.drift.drifted if not one.seasonal]
    if found.drift is not None and moved:
        effect = f"{sum(one.contribution for one in moved):+.3f}"
        values = {"count": len(moved), "first": moved[0].column, "effect": effect}
        yield Attention("drift", "info", values)


def _of_examination(workspace: Workspace) -> Iterator[Attention]:
    examined = examination_file.load(workspace.project.state)
    findings = () if examined is None else next(iter(examined.texts.values())).findings
    if findings:
        yield Attention("findings", "info", {"count": len(findings)})


def _open_campaigns(workspace: Workspace, now: int) -> Sequence[OpenCampaign]:
    every = (_open_campaign(workspace, one, now) for one in campaigns(workspace.database))
    return [one for one in every if one is not None]


def _open_campaign(workspace: Workspace, record: CampaignRecord, now: int) -> OpenCampaign | None:
    if record.state == DRAFT or record.started_at is None or record.source == "table":
        return None
    dates = review_dates(record.started_at, record.review_months, workspace.project.timeline).values()
    ahead, due = (
        [day for day in dates if day > now],
        campaign_review_due(workspace.database, record, workspace.project.timeline, now),
    )
    if not record.holds_back(now) and not ahead and due is None:
        return None
    return OpenCampaign(
        record.name,
        record.started_at,
        record.treatment,
        record.control,
        record.holds_back(now),
        min(ahead, default=None),
        due,
    )
