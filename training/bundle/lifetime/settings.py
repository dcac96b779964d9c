"""The `[value]` part of `kizuna.toml`: over how many months lifetime value is told."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

MOST_HORIZONS = 6


class ValueSettings(BaseModel):
    """`[value]`: the horizons of lifetime value."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    months: tuple[Annotated[int, Field(ge=1, le=120)], ...] = Field(
        (12, 24, 36),
        max_length=MOST_HORIZONS,
        description="over how many months from the as-of date the lifetime value of customers is told, "
        "shortest first; none when empty",
    )

    @field_validator("months")
    @classmethod
    def _ascending(cls, months: tuple[int, ...]) -> tuple[int, ...]:
        if list(months) != sorted(set(months)):
            raise ValueError("write each number of months once, the shortest first, such as [12, 24, 36]")
        return months
