"""The answer of `kizuna doctor`: data, findings, churn definitions, recommendation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from features.catalog.display_names import in_language
from serving.presentation.i18n import finding_sentence
from serving.schemas.doctor import (
    ChurnDefinition,
    DataSummary,
    DateRange,
    DoctorReply,
    FeasibleHorizon,
    FindingEntry,
    IndicatorSummary,
    InfeasibleHorizon,
    KindSummary,
    LeadTimeFigure,
    RecommendedChurn,
    RefusedRows,
)

if TYPE_CHECKING:
    from features.profiling.finding import CheckFinding
    from features.profiling.profile import DataProfile
    from features.timeline import Timeline
    from training.diagnosis.candidate_measure import ChurnCandidate
    from training.diagnosis.candidates import Diagnosis
    from training.diagnosis.recommendation import ChurnRecommendation
    from training.labels.settings import Churn


def reply(
    profile: DataProfile,
    findings: Sequence[CheckFinding],
    diagnosis: Diagnosis,
    recommendation: ChurnRecommendation,
    timeline: Timeline,
    language: str,
) -> DoctorReply:
    """The whole examination, its sentences in one language."""
    candidate = recommendation.candidate
    return DoctorReply(
        data=_data(profile, timeline),
        findings=[
            FindingEntry(one.name, finding_sentence(one, profile, language), one.figures) for one in findings
        ],
        horizons=[
            *(_feasible(one, timeline) for one in diagnosis.candidates),
            *(
                InfeasibleHorizon(_definition(one.churn), one.configured, False, one.needed_days)
                for one in diagnosis.unfit
            ),
        ],
        customers_examined=diagnosis.customers,
        recommendation=RecommendedChurn(
            enough_data=candidate is not None,
            churn=None if candidate is None else _definition(candidate.churn),
            sentences=list(in_language(language, recommendation.english, recommendation.japanese)),
            block=recommendation.block,
        ),
    )


def _data(profile: DataProfile, timeline: Timeline) -> DataSummary:
    def day(instant: int) -> str:
        return timeline.local(instant).date().isoformat()

    return DataSummary(
        data_version=profile.version,
        rows=profile.events + profile.attributes,
        events=profile.events,
        attributes=profile.attributes,
        customers=profile.customers,
        customers_with_one_event=profile.once,
        first=day(profile.first),
        newest=day(profile.newest),
        days=profile.span,
        timezone=timeline.timezone,
        quarantined=profile.quarantined,
        quarantined_share=profile.share(profile.quarantined),
        without_customer=profile.without_customer,
        without_customer_share=profile.share(profile.without_customer),
        refused=[RefusedRows(one.source, one.reason, one.rows) for one in profile.refused],
        indicators=[
            IndicatorSummary(
                name=side.indicator.name,
                origin=side.indicator.origin,
                kinds=list(side.kinds),
                events=side.events,
                customers=side.customers,
                days_with_events=int((side.days > 0).sum()),
            )
            for side in profile.sides
        ],
        kinds=[
            KindSummary(
                name=kind.name,
                indicators=list(kind.indicators),
                events=kind.events,
                customers=kind.customers,
                with_value=kind.valued,
                negative=kind.negative,
                first=day(kind.first),
                newest=day(kind.newest),
            )
            for kind in profile.kinds
        ],
    )


def _definition(churn: Churn) -> ChurnDefinition:
    contract = churn.type == "contract"
    return ChurnDefinition(
        type=churn.type,
        indicators=None if contract else list(churn.indicators),
        started_by=list(churn.started_by) if contract else None,
        ended_by=list(churn.ended_by) if contract else None,
        completed_by=list(churn.completed_by) if contract else None,
        active_days=churn.active_days,
        horizon_days=churn.horizon.days,
        lead_days=churn.horizon.lead_days,
    )


def _feasible(one: ChurnCandidate, timeline: Timeline) -> FeasibleHorizon:
    def dates(instants: Sequence[int]) -> DateRange:
        days = [timeline.local(instant).date().isoformat() for instant in instants]
        return DateRange(len(days), days[0], days[-1])

    splits = one.calendar
    return FeasibleHorizon(
        definition=_definition(one.churn),
        configured=one.configured,
        fits=True,
        cohort=round(one.cohort),
        churned=round(one.churned),
        base_rate=one.base_rate,
        base_rate_lowest=one.lowest_rate,
        base_rate_highest=one.highest_rate,
        came_back=one.came_back,
        came_back_within_days=one.watched_days,
        foresight=[LeadTimeFigure(ahead.lead_days, ahead.auc) for ahead in one.foresight],
        evidence="low" if splits.cross_fitted else "normal",
        labelled=dates(splits.labelled),
        fit=dates(splits.fit),
        calibrate=dates(splits.calibrate),
        test=dates(splits.test),
    )
