"""Examining a project's data: is there enough of it, is it sound, and what churn should mean on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from features.catalog.definitions import company_kinds
from features.profiling.checks import run_checks
from features.profiling.finding import CheckFinding
from features.profiling.profile import DataProfile, profile_events
from serving.actions.contact_rules import consent_rules
from serving.actions.playbook import chosen_playbook
from serving.application.permissions import Actor, use_case
from serving.application.workspace import Progress, Workspace
from training.data.attribute_dates import attribute_findings
from training.data.coverage_findings import coverage_findings
from training.diagnosis.candidates import Diagnosis, diagnose
from training.diagnosis.contract_findings import contract_findings
from training.diagnosis.recommendation import ChurnRecommendation, recommend


@dataclass(frozen=True, eq=False)
class Examination:
    """The data profile, what its checks found, the churn definitions tried, and the one recommended."""

    profile: DataProfile
    findings: Sequence[CheckFinding]
    diagnosis: Diagnosis
    recommendation: ChurnRecommendation


@use_case("analyse")
def doctor(
    workspace: Workspace, actor: Actor, *, until: str | None = None, progress: Progress | None = None
) -> Examination:
    """Examine the events before a day; raises `DataError` where there are none."""
    workspace = workspace.pinned()
    project, timeline = workspace.project, workspace.project.timeline
    end = None if until is None else workspace.instant(until)
    profile = profile_events(
        workspace.store,
        project.indicators,
        timeline,
        until=end,
        consent=chosen_playbook(project.folder).playbook.do_not_contact,
        consent_entries=project.settings.consent,
        progress=progress,
    )
    diagnosis = diagnose(
        workspace.store,
        profile,
        project.indicators,
        project.settings.churn,
        timeline,
        until=end,
        now=workspace.clock(),
        closed=project.closed_sources,
        progress=progress,
    )
    ended = () if diagnosis.coverage is None else coverage_findings(diagnosis.coverage)
    contracts = contract_findings(
        workspace.store, project.churn, profile.newest, until=end, progress=progress
    )
    dated: tuple[CheckFinding, ...] = ()
    if diagnosis.coverage is not None:
        dated = attribute_findings(
            workspace.store,
            project.churn,
            timeline,
            diagnosis.coverage.day_after,
            until=end,
            consent=consent_rules(project).names,
            company=company_kinds(project.indicators),
        )
    findings = (*ended, *dated, *run_checks(profile, timeline, project.survey_scales), *contracts)
    return Examination(profile, findings, diagnosis, recommend(diagnosis, profile))
