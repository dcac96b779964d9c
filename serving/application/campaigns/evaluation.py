"""A campaign with what its report is computed from, and the report put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from features.errors import DataError, UsageError
from features.events.consent import ALL_CHANNELS
from serving.actions.contact_rules import consent_rules
from serving.actions.contact_state import ContactRegister
from serving.actions.playbook import chosen_playbook, default_kind
from serving.application.workspace import Progress, Workspace
from serving.experiments.assignment import ARMS, CONTROL
from serving.experiments.campaign_file import Assignment, load
from serving.experiments.group_results import customer_groups, effects_of_groups
from serving.experiments.held_back import assignment_file
from serving.experiments.merged_customers import CurrentAssignment, current_assignment
from serving.experiments.outcomes import CampaignOutcomes, OutcomeRules, campaign_outcomes
from serving.experiments.results import CampaignComparison, campaign_gain, compare_campaign, needed_customers
from serving.experiments.review_dates import review_dates
from serving.schemas.campaign_responses import (
    ArmSummary,
    CampaignReport,
    PendingReview,
    ReviewResult,
    SampleRatioResult,
    SequenceLook,
)
from serving.state.active_model import in_use
from serving.state.active_model import load as load_model
from serving.state.campaigns.campaign_index import CampaignRecord
from serving.state.scores import score_file
from serving.state.scores.score_index import current_champion
from training.bundle.model_bundle import Bundle
from training.causal.sample_ratio import check_sample_ratio
from training.data.coverage import DataCoverage
from training.data.coverage_findings import silence_sentence

CONTACTED_CONTROL = 0.01
"""A share of contacted control customers above which the report warns."""


@dataclass(frozen=True, eq=False)
class CampaignEvaluation:
    """A started campaign with what its report is computed from."""

    workspace: Workspace
    record: CampaignRecord
    started_at: int
    current: CurrentAssignment
    assigned: tuple[int, int]
    """Customers by arm at the start, those erased since included."""
    bundle: Bundle | None
    coverage: DataCoverage | None
    now: int
    every_contact: bool = False
    """Whether every contact by the company counts, whatever it names."""

    @staticmethod
    def open(workspace: Workspace, record: CampaignRecord, started_at: int) -> CampaignEvaluation:
        """A started campaign; raises `DataError` where its assignment cannot be read."""
        assignment = load(assignment_file(workspace.project, record))
        return CampaignEvaluation.of(workspace, record, started_at, assignment)

    @staticmethod
    def of(
        workspace: Workspace,
        record: CampaignRecord,
        started_at: int,
        assignment: Assignment,
        *,
        every_contact: bool = False,
    ) -> CampaignEvaluation:
        """An assignment with the coverage of the data and the model of its scores."""
        now = workspace.clock()
        sizes = [
            int((assignment.arm == code).sum()) + assignment.facts.erased.get(arm, 0)
            for code, arm in enumerate(ARMS)
        ]
        coverage = workspace.coverage(now)
        current = current_assignment(assignment, workspace.store.customers.aliases)
        model = _model(workspace, record)
        return CampaignEvaluation(
            workspace, record, started_at, current, (sizes[0], sizes[1]), model, coverage, now, every_contact
        )

    @property
    def until(self) -> int:
        """Until when the data say what customers did: as-of dates up to it can be judged."""
        return self.started_at if self.coverage is None else self.coverage.as_of(self.now)

    def report(self, by: Sequence[str], hold_ends: int, progress: Progress | None) -> CampaignReport:
        """The whole report; `by` names attributes for exploratory groups."""
        project, timeline = self.workspace.project, self.workspace.project.timeline
        dates = review_dates(self.started_at, self.record.review_months, timeline)
        reached = {months: date for months, date in dates.items() if date <= self.until}
        looks = self._looks()
        assignment = self.current.assignment
        every = tuple(sorted({*reached.values(), *looks}))
        rules = OutcomeRules(
            self.record.name,
            self.started_at,
            project.churn,
            project.indicators,
            timeline,
            self.bundle,
            every_contact=self.every_contact,
            service=self._service_rules(),
        )
        outcomes = campaign_outcomes(
            self.workspace.store,
            rules,
            assignment,
            every,
            tier_dates=tuple(reached.values()),
            progress=progress,
            engine=self.workspace.engine,
        )
        comparison = compare_campaign(
            assignment,
            outcomes,
            review_dates=tuple(reached.values()),
            looks=tuple(looks),
            declared_dates=len(dates),
        )
        arms = self._arms(outcomes)
        contaminated = self._contaminated(outcomes)
        ratio = check_sample_ratio(arms[0].counted, arms[1].counted, self.record.control_share)
        sequence = {} if comparison is None else comparison.sequence()
        day = timeline.name
        return CampaignReport(
            campaign=self.record.name,
            state=self.record.state,
            started_at=day(self.started_at),
            hold_ends=day(hold_ends),
            as_of=day(self.until),
            computed_at=timeline.local(self.now).isoformat(timespec="seconds"),
            data_version=self.workspace.store.version,
            model_version=self.record.model_version,
            currency=project.settings.currency,
            horizon_days=project.churn.horizon.days,
            tiers=list(assignment.facts.tiers),
            arms=arms,
            contaminated=contaminated,
            sample_ratio=SampleRatioResult(ratio.declared, ratio.share, ratio.p_value, ratio.mismatch),
            review_months=list(dates),
            reviews=self._reviews(outcomes, comparison, reached, hold_ends, by),
            pending=[
                PendingReview(months, day(date)) for months, date in dates.items() if months not in reached
            ],
            sequence=[SequenceLook(looks[date], day(date), effects) for date, effects in sequence.items()],
            covariates=[] if comparison is None else list(comparison.comparison.covariates),
            notes=self._notes(arms, contaminated, mismatch=ratio.mismatch, comparison=comparison),
            method_notes=[] if comparison is None else list(comparison.comparison.notes),
        )

    def _service_rules(self) -> frozenset[str]:
        """The names of the playbook's rules for service, as they are today."""
        churn = self.workspace.project.churn
        kind = default_kind(churn.type, amounts=bool(churn.amounts))
        rules = chosen_playbook(self.workspace.project.folder, kind=kind).playbook.rules
        return frozenset(rule.name for rule in rules if rule.service)

    def _looks(self) -> dict[int, int | None]:
        """Every whole month after the start that the data reach, and the newest day that they do."""
        timeline, looks = self.workspace.project.timeline, dict[int, int | None]()
        months = 1
        while (date := timeline.months_after(self.started_at, months)) <= self.until:
            looks[date] = months
            months += 1
        if self.until > self.started_at and self.until not in looks:
            looks[self.until] = None
        return looks

    def _reviews(
        self,
        outcomes: CampaignOutcomes,
        comparison: CampaignComparison | None,
        reached: dict[int, int],
        hold_ends: int,
        by: Sequence[str],
    ) -> list[ReviewResult]:
        if comparison is None or not reached:
            return []
        assignment = self.current.assignment
        exploratory = {name: self._attribute(name) for name in by}
        groups = customer_groups(assignment, self.record.touch_models, exploratory)
        of_groups = effects_of_groups(assignment, outcomes, groups, tuple(reached.values()))
        reviews = []
        for months, date in reached.items():
            place = outcomes.dates.index(date)
            effects = comparison.effects(date)
            gain = campaign_gain(
                effects,
                len(assignment.treated),
                float(outcomes.cost[:, place].sum()),
                int(outcomes.contacts[:, place].sum()),
                int(outcomes.unpriced[:, place].sum()),
            )
            reviews.append(
                ReviewResult(
                    months,
                    self.workspace.project.timeline.name(date),
                    date > hold_ends,
                    effects,
                    comparison.reached(date),
                    gain,
                    *of_groups[date],
                    needed=needed_customers(effects, self.record.control_share, self.record.review_months),
                )
            )
        return reviews

    def _attribute(self, name: str) -> pa.Array:
        """The value of an attribute for each customer in the scores that the campaign was drawn from."""
        file = self.workspace.project.scores / self.record.score_file
        if not file.is_file():
            raise DataError(
                f"cannot report the campaign '{self.record.name}' by '{name}': the scores that it was drawn "
                "from are not kept any more. Declare attributes at the start with --by."
            )
        scores = score_file.load(file)
        values = scores.facts.attributes.get(name)
        if values is None:
            there = ", ".join(sorted(scores.facts.attributes)[:20]) or "none"
            raise UsageError(
                f"cannot report by the attribute '{name}': the scores of the campaign do not have it. "
                f"There are: {there}.",
                field="by",
            )
        rows = scores.rows(self.current.assignment.keys)
        codes = np.where(rows >= 0, scores.answers.attributes[name][rows], -1)
        return pa.array(values, pa.string()).take(pa.array(codes, mask=codes < 0))

    def _arms(self, outcomes: CampaignOutcomes) -> list[ArmSummary]:
        workspace, assignment = self.workspace, self.current.assignment
        register = ContactRegister(consent_rules(workspace.project), ())
        state = register.state(workspace.store, self.now, engine=workspace.engine)
        withdrawn = state.masks(assignment.keys) == ALL_CHANNELS
        last = outcomes.contacts[:, -1:].sum(axis=1)
        others = outcomes.other_contacts[:, -1:].sum(axis=1)
        service = outcomes.service_contacts[:, -1:].sum(axis=1)
        arms = []
        for code, arm in enumerate(ARMS):
            mine = assignment.arm == code
            counted, erased = int(mine.sum()), assignment.facts.erased.get(arm, 0)
            arms.append(
                ArmSummary(
                    "treatment" if arm == "treatment" else "control",
                    self.assigned[code],
                    erased,
                    self.assigned[code] - erased - counted,
                    counted,
                    int((last[mine] > 0).sum()),
                    int(last[mine].sum()),
                    int(others[mine].sum()),
                    int(withdrawn[mine].sum()),
                    int(service[mine].sum()),
                )
            )
        return arms

    def _contaminated(self, outcomes: CampaignOutcomes) -> int:
        assignment = self.current.assignment
        contacted = outcomes.contacts[:, -1:].sum(axis=1) > 0
        both = np.isin(assignment.keys, self.current.contaminated)
        return int((both | (contacted & (assignment.arm == CONTROL))).sum())

    def _notes(
        self,
        arms: Sequence[ArmSummary],
        contaminated: int,
        *,
        mismatch: bool,
        comparison: CampaignComparison | None,
    ) -> list[str]:
        day = self.workspace.project.timeline.name
        notes = []
        if self.coverage is None:
            notes.append(
                "there are no events, so there is nothing to compare. Ingest them with `kizuna ingest`."
            )
        elif self.until <= self.started_at:
            notes.append(
                f"what customers did is known until {day(self.until)}, and the campaign was started on "
                f"{day(self.started_at)}: there is nothing to compare yet. Ingest newer events with "
                "`kizuna ingest`."
            )
        elif comparison is None:
            notes.append("nobody is left in one of the arms, so there is nothing to compare.")
        if self.coverage is not None and (ended := silence_sentence(self.coverage)):
            notes.append(ended)
        if mismatch:
            notes.append(
                "the sizes of the arms differ from the declared share by more than chance: no figure of this "
                "report can be trusted before it is known why."
            )
        control = arms[CONTROL].counted
        if control and contaminated > CONTACTED_CONTROL * control:
            notes.append(
                f"{contaminated} of {control} control customers were contacted all the same, or are persons "
                "of both arms: the effect of contact is larger than the difference of the arms shows."
            )
        erased = sum(one.erased for one in arms)
        if erased:
            notes.append(f"{erased} customers were erased since the start: they are in no figure.")
        return notes


def _model(workspace: Workspace, record: CampaignRecord) -> Bundle | None:
    """The model that the campaign was drawn with, else the champion, for their tiers."""
    project = workspace.project
    file = project.scores / record.score_file
    if record.score_file and file.is_file():
        fingerprint = score_file.load(file).facts.fingerprint
        return load_model(project.state, record.model_version, fingerprint).bundle
    if current_champion(workspace.database) is None:
        return None
    return in_use(workspace.database, project.state).bundle
