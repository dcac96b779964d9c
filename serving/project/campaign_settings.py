"""The settings of campaigns: how customers are drawn into treatment and control, and when one looks."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from serving.schemas.shares import Share


class CampaignSettings(BaseModel):
    """`[campaigns]`: how customers are drawn into treatment and control."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    global_control: Share = Field(
        default=0.0,
        description='the share of all customers, such as "2%", who are in no campaign: the control group '
        "of everything together",
    )
    control: Share = Field(default=0.1, description='the control group of a campaign, such as "10%"')
    hold_days: int = Field(
        default=90, ge=1, le=3650, description="how long a campaign holds its control group back"
    )
    review_months: tuple[Annotated[int, Field(ge=1, le=60)], ...] = Field(
        default=(1, 3, 6, 12),
        min_length=1,
        description="when the effect of a campaign is looked at, in months after its start",
    )

    @field_validator("review_months")
    @classmethod
    def _ascending(cls, months: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(sorted(set(months)))
