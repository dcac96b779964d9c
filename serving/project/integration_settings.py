"""The parts of `kizuna.toml` about other systems: column maps and webhooks."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

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
    "lifetime_value",
    "lifetime_value_low",
    "lifetime_value_high",
    "lifetime_evidence",
    "lifetime_months",
    "uplift",
    "incremental_value",
    "uplift_reason",
    "reason_1",
    "reason_2",
    "reason_3",
    "stage",
    "outcome",
    "left_out_because",
    "refused_channels",
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
"""What a column of another system can hold; `integrations.crm_columns.CELLS` says how each is written."""


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


class Webhook(BaseModel):
    """`[[webhooks]]`: which system gets which changes."""

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

    runs: Literal["never", "unwell", "always"] = Field(
        default="never",
        description="tell how `kizuna run` ended: `unwell` when a step failed or was held back, or `always`",
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
