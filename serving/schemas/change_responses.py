"""What changed of a customer's risk, as answers of the API and of `kizuna --json` hold it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, with_config

from serving.schemas.report_responses import CONFIG


@with_config(CONFIG)
@dataclass(frozen=True)
class ChangeEvent:
    """An event behind a change."""

    role: Annotated[
        Literal["entered", "left", "last"],
        Field(
            description="`entered` counts now and did not before, `left` has fallen out of the window, "
            "`last` is the newest one where none entered and none left"
        ),
    ]
    occurred_at: str
    kind: str
    value: float | None
    channel: str | None
    place: str | None
    detail: str | None


@with_config(CONFIG)
@dataclass(frozen=True)
class Change:
    """What moved a customer's risk between two as-of dates."""

    feature: str
    indicator: str
    before: float | str | None
    after: float | str | None
    direction: Literal["raised", "lowered"]
    actionable: bool
    sentence: str
    entered: Annotated[int, Field(description="how many events count now and did not before")]
    left: Annotated[int, Field(description="how many events have fallen out of the window")]
    events: Annotated[list[ChangeEvent], Field(description="the newest of them, at most five of each role")]
