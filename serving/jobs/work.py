"""What a job of each kind does: one use case, and a few figures of what came of it.

Imported by the process of a job alone. Each kind imports its use case when it begins, because MLflow takes
seconds to load and half of them do without.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from serving.application.permissions import Actor
from serving.application.workspace import Progress, Workspace
from serving.jobs.kinds import (
    CampaignReportArguments,
    CheckArguments,
    IngestArguments,
    LearnArguments,
    NoArguments,
    NotifyArguments,
    PlaybookPreviewArguments,
    PromoteArguments,
    ReportArguments,
    RollBackArguments,
    ScoreArguments,
)
from serving.schemas.requests import Shape

Arguments = TypeVar("Arguments", bound=Shape)
JobResult = Mapping[str, str | int | float | bool | None]
"""What came of a job; it names no customer."""


@dataclass(frozen=True)
class JobWork(Generic[Arguments]):
    """How a job of one kind is done."""

    arguments: type[Arguments]
    run: Callable[[Workspace, Actor, Arguments, Progress], JobResult]
    use_case: str
    """Its use case, below `serving.application`."""

    def __call__(self, workspace: Workspace, actor: Actor, arguments: str, progress: Progress) -> JobResult:
        """Do it, with the arguments as JSON."""
        return self.run(workspace, actor, self.arguments.model_validate_json(arguments), progress)


def _ingest(workspace: Workspace, actor: Actor, arguments: IngestArguments, progress: Progress) -> JobResult:
    from features.ingestion.session.guards import IngestOptions
    from serving.application.data.ingest import ingest

    options = IngestOptions(**{name: frozenset(chosen) for name, chosen in arguments.model_dump().items()})
    done = ingest(workspace, actor, options, progress)
    return {
        "sources": len(done.sources),
        "read": sum(one.read for one in done.sources),
        "new": sum(one.new for one in done.sources),
        "corrected": sum(one.corrected for one in done.sources),
        "quarantined": sum(one.quarantined for one in done.sources),
        "refused": sum(one.refused is not None for one in done.sources),
        "warnings": "\n".join(one.refused for one in done.sources if one.refused is not None),
    }


def _checks(workspace: Workspace, actor: Actor, arguments: CheckArguments, progress: Progress) -> JobResult:
    from serving.application.data.check_arrivals import check_arrivals

    done = check_arrivals(workspace, actor, day=arguments.day, progress=progress)
    return {
        "whole_until": done.whole_until,
        "held": done.held or "",
        "delays": json.dumps(dict(done.delays)),
        "findings": len(done.findings),
        "warnings": "\n".join(
            (*(one.message for one in done.findings), *(() if done.earlier is None else (done.earlier,)))
        ),
    }


def _score(workspace: Workspace, actor: Actor, arguments: ScoreArguments, progress: Progress) -> JobResult:
    from serving.application.models.score import score

    done = score(workspace, actor, **dict(arguments), progress=progress)
    return {
        "as_of": done.as_of,
        "model_version": done.model_version,
        "customers": done.customers,
        "cohort": done.cohort,
        "warnings": "\n".join(done.warnings),
    }


def _plan(workspace: Workspace, actor: Actor, _: NoArguments, progress: Progress) -> JobResult:
    from serving.application.lists.make_plan import make_plan
    from serving.schemas.terms import PLANNED

    made = make_plan(workspace, actor, progress=progress)
    planned = int((made.plan.table.column("outcome").to_numpy() == PLANNED).sum())
    return {"customers": len(made.plan.keys), "planned": planned}


def _notify(workspace: Workspace, actor: Actor, arguments: NotifyArguments, _: Progress) -> JobResult:
    from serving.application.lists.notify import notify

    done = notify(workspace, actor, wait=arguments.wait)
    troubles = [
        f"webhook '{one.webhook}': {one.trouble}" for one in (*done.waiting, *done.dead) if one.trouble
    ]
    return {
        "changes": done.changes,
        "sent": done.sent,
        "waiting": len(done.waiting),
        "dead": len(done.dead),
        "warnings": "\n".join(dict.fromkeys(troubles)),
    }


def _campaign_reviews(workspace: Workspace, actor: Actor, _: NoArguments, progress: Progress) -> JobResult:
    from serving.application.campaigns.review import review_campaigns

    done = review_campaigns(workspace, actor, progress)
    return {"campaigns": len(done.reviewed), "ahead": len(done.ahead), "warnings": "\n".join(done.ahead)}


def _train(workspace: Workspace, actor: Actor, _: NoArguments, progress: Progress) -> JobResult:
    from serving.application.models.train import train

    done = train(workspace, actor, progress=progress)
    return {
        "version": done.version or "",
        "promoted": done.promoted,
        "unchanged": done.unchanged,
        "warnings": "\n".join((*done.refusals, *done.warnings)),
    }


def _playbook_preview(
    workspace: Workspace, actor: Actor, arguments: PlaybookPreviewArguments, progress: Progress
) -> JobResult:
    from serving.application.playbook.preview import PREVIEWS, preview_without_names

    found = preview_without_names(workspace, actor, arguments.text, progress)
    changed = 0 if found is None else found["en"].changed
    return {"changed": changed, "preview": PREVIEWS.dump_json(found).decode()}


def _promote(workspace: Workspace, actor: Actor, arguments: PromoteArguments, _: Progress) -> JobResult:
    from serving.application.models.registry import promote

    return {"version": promote(workspace, actor, arguments.version).version}


def _roll_back(workspace: Workspace, actor: Actor, arguments: RollBackArguments, _: Progress) -> JobResult:
    from serving.application.models.registry import rollback

    return {"version": rollback(workspace, actor, arguments.champion).version}


def _campaign_report(
    workspace: Workspace, actor: Actor, arguments: CampaignReportArguments, progress: Progress
) -> JobResult:
    from serving.application.campaigns.report import campaign_report

    report = campaign_report(workspace, actor, arguments.campaign, progress=progress)
    return {"campaign": report.campaign, "reviews": len(report.reviews), "pending": len(report.pending)}


def _report(workspace: Workspace, actor: Actor, arguments: ReportArguments, progress: Progress) -> JobResult:
    from serving.application.lists.report import refresh_report

    data = refresh_report(workspace, actor, int(arguments.months), progress)
    return {"period": data.periods.period.name}


def _doctor(workspace: Workspace, actor: Actor, _: NoArguments, progress: Progress) -> JobResult:
    from serving.application.data.doctor import doctor

    found = doctor(workspace, actor, progress=progress)
    return {"events": found.profile.events, "findings": len(found.findings)}


def _monitor(workspace: Workspace, actor: Actor, _: NoArguments, progress: Progress) -> JobResult:
    from serving.application.operation.monitor import monitor

    found = monitor(workspace, actor, progress)
    return {"dates": len(found.dates), "alarms": len(found.alarms)}


def _learn(workspace: Workspace, actor: Actor, arguments: LearnArguments, progress: Progress) -> JobResult:
    from serving.application.campaigns.learn import learn_uplift

    learned = learn_uplift(
        workspace,
        actor,
        arguments.campaigns,
        outcome=arguments.outcome,
        months=arguments.months,
        progress=progress,
    )
    return {
        "campaigns": len(learned.campaigns),
        "months": learned.months,
        "used": learned.assessment.used,
        "reason": learned.assessment.reason,
    }


WORK: dict[str, Callable[[Workspace, Actor, str, Progress], JobResult]] = {
    "ingest": JobWork(IngestArguments, _ingest, "data.ingest.ingest"),
    "checks": JobWork(CheckArguments, _checks, "data.check_arrivals.check_arrivals"),
    "score": JobWork(ScoreArguments, _score, "models.score.score"),
    "plan": JobWork(NoArguments, _plan, "lists.make_plan.make_plan"),
    "notify": JobWork(NotifyArguments, _notify, "lists.notify.notify"),
    "campaign_reviews": JobWork(NoArguments, _campaign_reviews, "campaigns.review.review_campaigns"),
    "train": JobWork(NoArguments, _train, "models.train.train"),
    "playbook_preview": JobWork(
        PlaybookPreviewArguments, _playbook_preview, "playbook.preview.preview_without_names"
    ),
    "promote": JobWork(PromoteArguments, _promote, "models.registry.promote"),
    "roll_back": JobWork(RollBackArguments, _roll_back, "models.registry.rollback"),
    "campaign_report": JobWork(CampaignReportArguments, _campaign_report, "campaigns.report.campaign_report"),
    "report": JobWork(ReportArguments, _report, "lists.report.refresh_report"),
    "monitor": JobWork(NoArguments, _monitor, "operation.monitor.monitor"),
    "doctor": JobWork(NoArguments, _doctor, "data.doctor.doctor"),
    "learn": JobWork(LearnArguments, _learn, "campaigns.learn.learn_uplift"),
}
"""What does the work, by the name of its kind."""
