"""A campaign as it would be drawn at one moment: arms, balance, what could be seen, and what was left out."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from features.errors import DataError, UsageError
from features.event_store import EventStore
from features.timeline import DAY
from serving.actions.contact_notes import checked_channel
from serving.actions.contact_rules import consent_rules
from serving.experiments.balance import CovariateBalance, covariate_balance
from serving.experiments.campaign_file import Assignment
from serving.experiments.held_back import assignment_today, global_control_group
from serving.experiments.review_dates import review_dates
from serving.experiments.visible_effects import VisibleEffect, reach_text, too_few, visible_effects
from serving.lists.campaign_draw import (
    CampaignDeclaration,
    CampaignSource,
    Exclusions,
    candidates,
    draw,
    require_segments,
)
from serving.lists.drawing_memory import DrawingMemory
from serving.lists.filter_values import PLAN_COUNTS, ValueCounts
from serving.lists.filters import DEFAULTS, ListFilter
from serving.lists.score_age import old_data_warnings
from serving.lists.score_reader import ScoreReader
from serving.project.settings import Project
from serving.schemas.shares import share_text
from serving.state.campaigns.campaign_index import DRAFT, CampaignRecord, holding_back, refuse_reserved_name
from serving.state.database import Database

NAME = re.compile(r"\w[\w .\-]{0,79}")


@dataclass(frozen=True, eq=False)
class CampaignPreview:
    """What a campaign would be if it were started now; nothing is kept."""

    record: CampaignRecord
    """As it would stand in the index; a draft until it is started."""
    assignment: Assignment
    left_out: Mapping[str, int]
    """Customers of the list who may not be drawn, by reason."""
    balance: tuple[CovariateBalance, ...]
    effects: tuple[VisibleEffect, ...]
    """The smallest effects that could be seen, by review date."""
    too_few: tuple[str, ...]
    """Why it can say little; empty where it can."""
    holding_back: tuple[str, ...]
    """The campaigns that held back when it was drawn."""
    channels: ValueCounts
    """How many of its customers each channel is planned for; those without an action are not in it."""
    warnings: tuple[str, ...] = ()

    @property
    def hard_to_reach(self) -> tuple[str, ...]:
        """A sentence for each review date at which only more than half of the churn prevented is seen."""
        return tuple(reach_text(one) for one in self.effects if one.is_hard_to_reach)

    @property
    def reach(self) -> str:
        """What the smallest visible effect asks of contact at the first review date."""
        return reach_text(self.effects[0]) if self.effects else ""


@dataclass(frozen=True, eq=False)
class CampaignDrawing:
    """The open project as far as drawing needs it."""

    project: Project
    store: EventStore
    database: Database
    reader: ScoreReader
    now: int
    memory: DrawingMemory = field(default_factory=DrawingMemory)

    def preview(self, name: str, declaration: CampaignDeclaration, who: str, seed: int) -> CampaignPreview:
        """Draw a campaign. Raises `UsageError` and `DataError` for what cannot be drawn."""
        settings, reader, facts = self.project.settings.campaigns, self.reader, self.reader.scores.facts
        share = settings.control if declaration.control_share is None else declaration.control_share
        _require_name(name)
        if not 0 < share < 1:
            raise UsageError(
                f"cannot draw a control group of {share_text(share)}: with nobody or everybody in it there "
                "is nothing to compare. Give a share between the two, such as --control 10%.",
                field="control",
            )
        require_segments(reader, declaration.segments)
        declaration = replace(declaration, channel=_channel(declaration))
        running = holding_back(self.database, self.now)
        limit = declaration.choice.limit or self.project.settings.capacity.contacts
        drawn = candidates(reader, declaration, self._exclusions(running), limit)
        keys = reader.scores.answers.key[drawn.rows]
        if not len(keys):
            raise DataError(
                f"cannot draw the campaign '{name}': nobody is on this list who may be contacted now and is "
                f"in no other campaign ({counts_text(drawn.left_out)}). Give wider filters."
            )
        if len(keys) * min(share, 1 - share) < 1:
            raise DataError(
                f"cannot draw the campaign '{name}': of {len(keys)} customers a control group of "
                f"{share_text(share)} leaves one of the arms empty. Give wider filters or another share."
            )
        baseline = self.memory.baseline(reader, self.store, drawn.rows)
        assignment = draw(reader, drawn.rows, baseline, declaration, name, share, seed)
        sizes = len(assignment.treated), len(assignment.control)
        months = declaration.review_months or settings.review_months
        dates = review_dates(self.now, months, self.project.timeline)
        hold_days = declaration.hold_days or settings.hold_days
        effects = visible_effects(
            sizes,
            assignment.floats("churn_probability"),
            assignment.floats("past_spend") if facts.amounts else None,
            reader.bundle.churn,
            self.now,
            dates,
            self.now + hold_days * DAY,
        )
        record = CampaignRecord(
            name=name,
            state=DRAFT,
            source=declaration.source,
            filters=filters_text(declaration.choice),
            control_share=share,
            hold_days=hold_days,
            review_months=tuple(dates),
            touch_models=declaration.choice.touch_models,
            segments=declaration.segments,
            overlap=declaration.overlap,
            who=who,
            created_at=self.now,
            score_file=reader.file,
            model_version=facts.model_version,
            data_version=facts.data_version,
            as_of=facts.as_of,
            treatment=sizes[0],
            control=sizes[1],
            channel=declaration.channel,
        )
        return CampaignPreview(
            record,
            assignment,
            drawn.left_out,
            covariate_balance(
                assignment.arm,
                {
                    "risk": assignment.floats("churn_probability"),
                    "value": assignment.floats("expected_value"),
                    "tier": np.where(assignment.floats("tier") < 0, np.nan, assignment.floats("tier")),
                    "tenure": assignment.floats("tenure_days"),
                },
            ),
            effects,
            too_few(sizes, effects),
            tuple(one.name for one in running),
            self._channels(keys),
            old_data_warnings(facts, self.now, self.project.timeline),
        )

    def _channels(self, keys: NDArray[np.int64]) -> ValueCounts:
        """How many of these customers each channel is planned for; empty without a plan."""
        plan = self.reader.plan
        if plan is None:
            return {}
        rows = plan.rows(keys)
        counts = PLAN_COUNTS["channels"](plan, rows[rows >= 0])
        return {name: count for name, count in counts.items() if count}

    def _exclusions(self, running: list[CampaignRecord]) -> Exclusions:
        plan = self.reader.plan
        rules = consent_rules(self.project, None if plan is None else plan.playbook)
        aliases = self.reader.customers.aliases
        assignments = [assignment_today(self.project, one, aliases).assignment for one in running]
        none = np.empty(0, np.int64)
        return Exclusions(
            self.memory.contacts(rules, self.store, self.now),
            global_control_group(self.database, self.project).globally,
            np.concatenate([none, *(one.control for one in assignments)]),
            np.concatenate([none, *(one.treated for one in assignments)]),
        )


def _channel(declaration: CampaignDeclaration) -> str:
    """The channel of a campaign: the one given, else the only one that its filter names."""
    filtered = declaration.choice.channels
    return checked_channel(declaration.channel or (filtered[0] if len(filtered) == 1 else ""))


def started(preview: CampaignPreview, seed: int, now: int, file: str) -> CampaignPreview:
    """The same as a campaign that runs from now on."""
    record = replace(
        preview.record,
        state="running",
        file=file,
        started_at=now,
        hold_until=now + preview.record.hold_days * DAY,
        seed=f"{seed:016x}",
    )
    return replace(preview, record=record)


def declared(record: CampaignRecord) -> CampaignDeclaration:
    """What a draft lays down."""
    source: CampaignSource = "plan" if record.source == "plan" else "list"
    return CampaignDeclaration(
        ListFilter.model_validate_json(record.filters),
        source,
        record.control_share,
        record.hold_days,
        record.review_months,
        record.segments,
        record.overlap,
        record.channel,
    )


def filters_text(choice: ListFilter) -> str:
    """The filters that are set, as JSON."""
    values = choice.model_dump(mode="json")
    given = {name: value for name, value in values.items() if getattr(choice, name) != DEFAULTS[name]}
    return json.dumps(given, ensure_ascii=False)


def counts_text(left_out: Mapping[str, int]) -> str:
    """Why customers were left out and how many, such as `do_not_contact 12`."""
    return (
        ", ".join(f"{reason} {count}" for reason, count in left_out.items() if count) or "the list is empty"
    )


def _require_name(name: str) -> None:
    refuse_reserved_name(name)
    if not NAME.fullmatch(name):
        raise UsageError(
            f"cannot name a campaign '{name}': a name begins with a letter or a digit and has up to 80 "
            "letters, digits, spaces, `.`, `-` and `_`.",
            field="name",
        )
