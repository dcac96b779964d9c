"""What other systems are given: the list in their columns, and word of changes."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from features.errors import UsageError

LOOPBACK = ("127.0.0.1", "localhost", "::1")

FIELDS = (
    "rank",
    "customer_id",
    "churn_probability",
    "churn_percent",
    "tier",
    "predicted_tier",
    "expected_value",
    "value_at_risk",
    "reason_1",
    "reason_2",
    "reason_3",
    "stage",
    "touch",
    "action",
    "action_channel",
    "owner",
    "deadline",
    "hook_1",
    "hook_2",
    "hook_3",
    "as_of",
    "model_version",
)


PLANNED = {
    "stage": "stage_words",
    "touch": "touch_words",
    "action": "action_words",
    "action_channel": "action_channel_words",
    "owner": "owner",
    "deadline": "deadline",
}
"""Fields that `kizuna plan` fills, and where they stand in what it says."""


class ColumnMap(BaseModel):
    """`[crm.NAME]`: the columns of a file for another system."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    columns: dict[str, str] = Field(
        min_length=1, description=f"its column → ours, in order; ours are {', '.join(FIELDS)}"
    )

    @field_validator("columns")
    @classmethod
    def _known(cls, columns: dict[str, str]) -> dict[str, str]:
        for theirs, ours in columns.items():
            if ours not in FIELDS:
                raise ValueError(f"the column {theirs} cannot be {ours}: the fields are {', '.join(FIELDS)}")
        return columns


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


class Webhook(BaseModel):
    """`[[webhooks]]`: who is told of which changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=100, description="what deliveries to it are called")
    url: str = Field(description="where to POST; https, unless it is this machine")
    secret: str = Field(
        min_length=16, description='what signatures are made with; write "${NAME}" to read the environment'
    )
    tier_falls: bool = Field(default=True, description="tell when a customer's tier falls")
    probability: float | None = Field(
        None, gt=0, lt=1, description="tell when a churn probability reaches this from below"
    )

    @field_validator("url")
    @classmethod
    def _safe(cls, url: str) -> str:
        parts = urlsplit(url)
        if not parts.hostname or parts.scheme not in ("https", "http") or parts.username:
            raise ValueError("write an address such as https://crm.example.com/kizuna")
        if parts.scheme == "http" and parts.hostname not in LOOPBACK:
            raise ValueError("write https: customers' names go over this line")
        return url


def column_map(name: str, own: Mapping[str, ColumnMap]) -> ColumnMap:
    """The map of this name, of the project or a ready one."""
    known = {**READY, **own}
    if name not in known:
        raise UsageError(
            f"cannot write the columns '{name}': there is no such map. There are {', '.join(sorted(known))}; "
            "add one to kizuna.toml as [crm.NAME].",
            field="columns",
        )
    return known[name]


def lines(
    customers: Iterable[Mapping[str, Any]], mapped: ColumnMap, source: Mapping[str, Any]
) -> Iterator[str]:
    """A heading and one line per customer, UTF-8 without a mark: for machines, so nothing is disguised."""
    yield _line(list(mapped.columns))
    for customer in customers:
        cells = _cells(customer) | {"as_of": source["as_of"][:10], "model_version": source["model_version"]}
        yield _line(["" if cells[ours] is None else cells[ours] for ours in mapped.columns.values()])


def _cells(customer: Mapping[str, Any]) -> dict[str, Any]:
    probability = customer["churn_probability"]
    sentences = [*(reason["sentence"] for reason in customer["reasons"]), "", "", ""]
    plain = {name: customer[name] for name in ("rank", "customer_id", "tier", "predicted_tier")}
    plan = customer["plan"] or {}
    hooks = [*plan.get("hook_sentences", ()), "", "", ""]
    money = {name: _rounded(customer[name], 2) for name in ("expected_value", "value_at_risk")}
    return {
        **plain,
        **money,
        "churn_probability": _rounded(probability, 4),
        "churn_percent": None if probability is None else _rounded(100 * probability, 2),
        **{f"reason_{number}": sentences[number - 1] for number in (1, 2, 3)},
        **{f"hook_{number}": hooks[number - 1] for number in (1, 2, 3)},
        **{theirs: plan.get(ours) for theirs, ours in PLANNED.items()},
    }


def _rounded(value: float | None, digits: int) -> str | None:
    return None if value is None else f"{value:.{digits}f}"


def _line(cells: list[Any]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    return text.getvalue()
