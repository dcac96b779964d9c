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
from serving.presentation.doctor_reply import reply
from serving.project.language import LANGUAGES
from serving.state import examination_file
from serving.state.examination_file import ExaminationFinding, ExaminationText, StoredExamination
from training.data.attribute_dates import attribute_findings
from training.data.coverage_findings import coverage_findings
from training.data.given_names import given_name_findings, gives_names
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
    """Examine the events before a day; raises `DataError` where there are none.

    An examination of everything is kept in words for pages. Raises `ConfigurationError` for an object store
    without conditional writes.
    """
    workspace.store.place.storage.probe()
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
        names=gives_names(project.words),
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
    named = given_name_findings(project.words, profile.names)
    findings = (*ended, *dated, *named, *run_checks(profile, timeline, project.survey_scales), *contracts)
    advice = recommend(diagnosis, profile, project.settings.capacity.contacts)
    examination = Examination(profile, findings, diagnosis, advice)
    if until is None:
        examination_file.save(project.state, _in_words(workspace, examination))
    return examination


def _in_words(workspace: Workspace, found: Examination) -> StoredExamination:
    """The examination as it is kept: its sentences in both languages, and its counts."""
    replies = {
        language: reply(
            found.profile,
            found.findings,
            found.diagnosis,
            found.recommendation,
            workspace.project.timeline,
            language,
        )
        for language in LANGUAGES
    }
    data = next(iter(replies.values())).data
    return StoredExamination(
        workspace.clock(),
        data.data_version,
        data.events,
        data.customers,
        data.first,
        data.newest,
        data.quarantined,
        data.quarantined_share,
        {
            language: ExaminationText(
                tuple(ExaminationFinding(one.name, one.sentence) for one in answer.findings),
                tuple(answer.recommendation.sentences),
                answer.recommendation.block,
            )
            for language, answer in replies.items()
        },
    )
