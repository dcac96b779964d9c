"""The list in the columns of another system, such as a CRM."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from features.errors import UsageError
from serving.lists.uplift_reason import UPLIFT, risk_reasons
from serving.project.integration_settings import ColumnMap
from serving.schemas.lifetime_responses import LifetimeValue
from serving.schemas.lifetime_words import shows_value
from serving.schemas.plan_responses import PlannedAction
from serving.schemas.responses import ListedCustomer, Provenance

Cell = str | int | None


def _rounded(value: float | None, digits: int, factor: float = 1) -> str | None:
    return None if value is None else f"{value * factor:.{digits}f}"


def _reason(place: int) -> Callable[[ListedCustomer, Provenance], Cell]:
    def cell(one: ListedCustomer, _: Provenance) -> Cell:
        reasons = risk_reasons(one.reasons)
        return reasons[place].sentence if place < len(reasons) else ""

    return cell


def _uplift_sentence(one: ListedCustomer, _: Provenance) -> Cell:
    return "".join(reason.sentence for reason in one.reasons if reason.feature == UPLIFT)


def _hook(place: int) -> Callable[[ListedCustomer, Provenance], Cell]:
    def cell(one: ListedCustomer, _: Provenance) -> Cell:
        sentences = () if one.plan is None else one.plan.hook_sentences
        return sentences[place] if place < len(sentences) else ""

    return cell


def _of_plan(part: Callable[[PlannedAction], Cell]) -> Callable[[ListedCustomer, Provenance], Cell]:
    return lambda one, _: None if one.plan is None else part(one.plan)


def _lifetime(part: Callable[[LifetimeValue], Cell]) -> Callable[[ListedCustomer, Provenance], Cell]:
    """A part of the lifetime value over the fewest months; empty where there is none."""
    return lambda one, _: part(one.lifetime_value[0]) if one.lifetime_value else None


CELLS: dict[str, Callable[[ListedCustomer, Provenance], Cell]] = {
    "rank": lambda one, _: one.rank,
    "customer_id": lambda one, _: one.customer_id,
    "churn_probability": lambda one, _: _rounded(one.churn_probability, 4),
    "churn_percent": lambda one, _: _rounded(one.churn_probability, 2, factor=100),
    "tier": lambda one, _: one.tier,
    "predicted_tier": lambda one, _: one.predicted_tier,
    "expected_value": lambda one, _: _rounded(one.expected_value, 2),
    "value_at_risk": lambda one, _: _rounded(one.value_at_risk, 2),
    "lifetime_value": _lifetime(lambda one: _rounded(one.value, 2) if shows_value(one.evidence) else None),
    "lifetime_value_low": _lifetime(lambda one: _rounded(one.low, 2)),
    "lifetime_value_high": _lifetime(lambda one: _rounded(one.high, 2)),
    "lifetime_evidence": _lifetime(lambda one: one.evidence),
    "lifetime_months": _lifetime(lambda one: one.months),
    "uplift": lambda one, _: _rounded(one.uplift, 4),
    "incremental_value": lambda one, _: _rounded(one.incremental_value, 2),
    "uplift_reason": _uplift_sentence,
    "reason_1": _reason(0),
    "reason_2": _reason(1),
    "reason_3": _reason(2),
    "stage": _of_plan(lambda plan: plan.stage_words),
    "outcome": lambda one, _: one.outcome,
    "left_out_because": lambda one, _: one.left_out_because,
    "refused_channels": lambda one, _: ";".join(one.refused_channels),
    "touch": _of_plan(lambda plan: plan.touch_words),
    "action": _of_plan(lambda plan: plan.action_words),
    "action_channel": _of_plan(lambda plan: plan.action_channel_words),
    "owner": _of_plan(lambda plan: plan.owner),
    "deadline": _of_plan(lambda plan: plan.deadline),
    "hook_1": _hook(0),
    "hook_2": _hook(1),
    "hook_3": _hook(2),
    "as_of": lambda _, source: source.as_of[:10],
    "model_version": lambda _, source: source.model_version,
}
"""Our fields, and what each holds: numbers rounded, tiers by their names, the plan in the chosen language."""
READY = {
    "salesforce": ColumnMap(
        columns={
            "Kizuna_Customer_Id__c": "customer_id",
            "Kizuna_Churn_Probability__c": "churn_percent",
            "Kizuna_Engagement__c": "tier",
            "Kizuna_Next_Engagement__c": "predicted_tier",
            "Kizuna_Expected_Value__c": "expected_value",
            "Kizuna_Value_at_Risk__c": "value_at_risk",
            "Kizuna_Reason_1__c": "reason_1",
            "Kizuna_Reason_2__c": "reason_2",
            "Kizuna_Reason_3__c": "reason_3",
            "Kizuna_Stage__c": "stage",
            "Kizuna_Outcome__c": "outcome",
            "Kizuna_Left_Out_Because__c": "left_out_because",
            "Kizuna_Refused_Channels__c": "refused_channels",
            "Kizuna_Action__c": "action",
            "Kizuna_Action_Channel__c": "action_channel",
            "Kizuna_Action_Owner__c": "owner",
            "Kizuna_Action_Deadline__c": "deadline",
            "Kizuna_As_Of__c": "as_of",
            "Kizuna_Model__c": "model_version",
        }
    ),
    "hubspot": ColumnMap(
        columns={
            "kizuna_customer_id": "customer_id",
            "kizuna_churn_probability": "churn_probability",
            "kizuna_engagement": "tier",
            "kizuna_next_engagement": "predicted_tier",
            "kizuna_expected_value": "expected_value",
            "kizuna_value_at_risk": "value_at_risk",
            "kizuna_reason_1": "reason_1",
            "kizuna_reason_2": "reason_2",
            "kizuna_reason_3": "reason_3",
            "kizuna_stage": "stage",
            "kizuna_outcome": "outcome",
            "kizuna_left_out_because": "left_out_because",
            "kizuna_refused_channels": "refused_channels",
            "kizuna_action": "action",
            "kizuna_action_channel": "action_channel",
            "kizuna_action_owner": "owner",
            "kizuna_action_deadline": "deadline",
            "kizuna_as_of": "as_of",
            "kizuna_model": "model_version",
        }
    ),
}
"""Maps that are there without a word in kizuna.toml; docs/crm says how the other side is made ready."""
READY_UPLIFT = {
    "salesforce": {
        "Kizuna_Uplift__c": "uplift",
        "Kizuna_Incremental_Value__c": "incremental_value",
        "Kizuna_Uplift_Reason__c": "uplift_reason",
    },
    "hubspot": {
        "kizuna_uplift": "uplift",
        "kizuna_incremental_value": "incremental_value",
        "kizuna_uplift_reason": "uplift_reason",
    },
}
"""What follows in the ready maps where an uplift model was in use."""
READY_LIFETIME = {
    "salesforce": {
        "Kizuna_Lifetime_Value__c": "lifetime_value",
        "Kizuna_Lifetime_Value_Low__c": "lifetime_value_low",
        "Kizuna_Lifetime_Value_High__c": "lifetime_value_high",
        "Kizuna_Lifetime_Evidence__c": "lifetime_evidence",
        "Kizuna_Lifetime_Months__c": "lifetime_months",
    },
    "hubspot": {
        "kizuna_lifetime_value": "lifetime_value",
        "kizuna_lifetime_value_low": "lifetime_value_low",
        "kizuna_lifetime_value_high": "lifetime_value_high",
        "kizuna_lifetime_evidence": "lifetime_evidence",
        "kizuna_lifetime_months": "lifetime_months",
    },
}
"""What follows in the ready maps, before uplift, where the scores tell lifetime value."""


def column_map(name: str, own: Mapping[str, ColumnMap], source: Provenance | None = None) -> ColumnMap:
    """The map of this name, of the project or a ready one; a ready one has the columns of what the scores of
    `source` tell besides."""
    known = {**READY, **own}
    if name not in known:
        raise UsageError(
            f"cannot write the columns '{name}': there is no such map. There are {', '.join(sorted(known))}; "
            "add one to kizuna.toml as [crm.NAME].",
            field="columns",
        )
    if name in own or source is None:
        return known[name]
    lifetime = READY_LIFETIME[name] if source.lifetime_months else {}
    uplift = {} if source.uplift is None else READY_UPLIFT[name]
    return ColumnMap(columns=known[name].columns | lifetime | uplift)


def lines(customers: Iterable[ListedCustomer], mapped: ColumnMap, source: Provenance) -> Iterator[str]:
    """A heading and one line per customer, UTF-8 without a byte order mark and without apostrophes before
    formulas: machines read it."""
    yield _line(list(mapped.columns))
    cells = [CELLS[ours] for ours in mapped.columns.values()]
    for customer in customers:
        yield _line([cell(customer, source) for cell in cells])


def _line(cells: Sequence[Cell]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    return text.getvalue()
