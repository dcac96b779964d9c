"""Handing out the treatment arm of a campaign; who must not be contacted by now stays out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.errors import UsageError
from serving.actions.contact_rules import consent_rules
from serving.actions.contact_state import ContactRegister
from serving.actions.control_group import Held
from serving.application.permissions import Actor, use_case
from serving.application.workspace import Workspace
from serving.experiments.held_back import assignment_today, held_back
from serving.integrations.crm_columns import column_map, lines
from serving.integrations.webhooks import TreatedCustomers, enlist_treated
from serving.lists.score_reader import ScoreReader
from serving.presentation.csv import list_csv
from serving.project.settings import Project
from serving.schemas.responses import ListedCustomer, Provenance
from serving.schemas.terms import ASKED_NOT_TO, COOLING_DOWN, OUTCOMES
from serving.state.campaigns.campaign_index import (
    CampaignRecord,
    campaign,
    missing_assignment,
    record_export,
)
from serving.state.database import Database
from serving.state.outbox import Outbox

CSV = "csv"
"""The columns of `kizuna at-risk`, for people."""
WEBHOOK = "webhook"
"""To the webhooks of kizuna.toml, instead of a file."""


@dataclass(frozen=True, eq=False)
class ExportedCampaign:
    """The treatment arm as it may be contacted now."""

    source: Provenance
    customers: Iterator[ListedCustomer]
    planned: bool
    """Whether there is a plan, so that rows say what to do."""
    exported: int
    left_out: Mapping[str, int]
    """Customers of the treatment arm who are not handed out, by reason; they stay in their arm."""

    keys: NDArray[np.int64]
    """Those handed out."""
    contacted_lately: int
    """Those of them whom the plan leaves a pause (`cool_down`): it has no action for them."""

    def file_lines(self, columns: str, workspace: Workspace, language: str) -> Iterator[str]:
        """The lines of a CSV file: for people in a language (`CSV`), or in the columns of another system."""
        uplifted = self.source.uplift is not None
        if columns == CSV:
            return list_csv(
                self.customers,
                language,
                with_plan=self.planned,
                with_uplift=uplifted,
                lifetime_months=self.source.lifetime_months,
                spreadsheet=True,
            )
        mapped = column_map(columns, workspace.project.settings.crm, self.source)
        return lines(self.customers, mapped, self.source)


@dataclass(frozen=True)
class ExportPreview:
    """How many customers of a treatment arm an export would hand out now, and why not the others."""

    customers: int
    """Of the arm, with those erased since the start."""
    exported: int
    left_out: Mapping[str, int]


@use_case("contact")
def preview_export(workspace: Workspace, actor: Actor, name: str) -> ExportPreview:
    """What `export_campaign` would hand out, from the scores, the consent and the holds that a service keeps.

    It reads no event, so that a page can show it. Raises `UsageError` for no campaign, `DataError` for a
    draft.
    """
    reader = workspace.scores.current()
    record = _started(workspace.database, name)
    arm = _arm_now(workspace.project, reader, record, reader.held.held, reader.refuse)
    left_out = sum(arm.left_out.values())
    return ExportPreview(len(arm.keys) + left_out, len(arm.keys), arm.left_out)


@dataclass(frozen=True, eq=False)
class _ArmNow:
    """Who of a treatment arm may be contacted now; `left_out` counts the others by reason."""

    keys: NDArray[np.int64]
    left_out: Mapping[str, int]
    contacted_lately: int


def _started(database: Database, name: str) -> CampaignRecord:
    record = campaign(database, name)
    if not record.file:
        raise missing_assignment(name, record.state)
    return record


def _arm_now(
    project: Project,
    reader: ScoreReader,
    record: CampaignRecord,
    held: Held,
    refuse: Callable[[NDArray[np.int64], str], NDArray[np.bool_]],
) -> _ArmNow:
    """Who of the treatment arm may be contacted now and has a score, and why the others are left out."""
    assignment = assignment_today(project, record, reader.customers.aliases).assignment
    keys = assignment.treated
    outcome = np.full(len(keys), -1)
    if reader.plan is not None:
        outcome = np.append(reader.plan.table.column("outcome").to_numpy(), -1)[reader.plan.rows(keys)]
    refused = outcome == ASKED_NOT_TO
    free = np.ones(len(keys), np.bool_)
    left_out = {"erased": assignment.facts.erased.get("treatment", 0)}
    for reason, gone in (
        (OUTCOMES[ASKED_NOT_TO], refused | refuse(keys, record.channel)),
        ("control_group", held(keys)),
        ("without_score", reader.scores.rows(keys) < 0),
    ):
        left_out[reason] = int((free & gone).sum())
        free &= ~gone
    return _ArmNow(keys[free], left_out, int((outcome[free] == COOLING_DOWN).sum()))


@use_case("contact")
def export_campaign(
    workspace: Workspace,
    actor: Actor,
    name: str,
    columns: str,
    language: str | None = None,
    *,
    export_id: str | None = None,
) -> ExportedCampaign:
    """The treatment arm of a campaign: `csv`, `salesforce`, `hubspot`, a map of kizuna.toml, or `webhook`.

    For `webhook` it is put into the outbox, and `kizuna notify` sends it, leaving out who must not be
    contacted by then; once for each `export_id`, so that a form that is sent twice contacts nobody twice.
    Consent is read anew, for the campaign's channel where it has one. Raises `UsageError` for no campaign and
    for columns that nobody declared, `DataError` for a draft. The audit log says who took it.
    """
    workspace = workspace.pinned()
    project, database, now = workspace.project, workspace.database, workspace.clock()
    if columns not in (CSV, WEBHOOK):
        column_map(columns, project.settings.crm)
    webhooks = project.webhooks() if columns == WEBHOOK else ()
    if columns == WEBHOOK and not webhooks:
        raise UsageError(
            f"cannot send the campaign '{name}': kizuna.toml names no webhook. Add one under [[webhooks]].",
            field="format",
        )
    record = _started(database, name)
    reader = workspace.scores.current()
    rules = consent_rules(project, None if reader.plan is None else reader.plan.playbook)
    contacts = ContactRegister(rules, ()).state(workspace.store, now)
    held = held_back(database, project, reader.customers.aliases, now).held
    handed_out = _arm_now(project, reader, record, held, contacts.refuse)
    taken = handed_out.keys
    source = reader.provenance
    arm = TreatedCustomers(name, source.as_of, source.model_version, taken.tolist(), record.channel)
    export_id = str(now) if export_id is None else export_id
    new = [enlist_treated(Outbox(database), webhook, arm, export_id, now) for webhook in webhooks]
    details = f"{len(taken)} customers as {columns}"
    if not webhooks or any(new):
        record_export(database, name, actor.name, now, details)
    workspace.record_access(actor.name, "campaign export", taken)
    return ExportedCampaign(
        source,
        reader.of_keys(taken, workspace.language(language)),
        reader.plan is not None,
        len(taken),
        handed_out.left_out,
        taken,
        handed_out.contacted_lately,
    )
