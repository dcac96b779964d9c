"""What a customer will be worth, as answers of the API and of `kizuna --json` hold it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, with_config

from serving.schemas.report_responses import CONFIG

Evidence = Literal["normal", "low"]


@with_config(CONFIG)
@dataclass
class LifetimeValue:
    """What a customer is expected to spend within so many months of the as-of date."""

    months: int
    value: Annotated[
        float,
        Field(
            description="expected spend, refunds taken off; where evidence is low show people `low` and "
            "`high` instead, as every page and file does"
        ),
    ]
    low: Annotated[
        float | None,
        Field(
            description="where an 80 % interval begins; outside the cohort there is none but where evidence "
            "is low, and then it is the range of the level"
        ),
    ]
    high: float | None
    evidence: Annotated[
        Evidence,
        Field(
            description="low: no earlier customers' spend over so many months is known yet, so the level of "
            "all values may lie off by more"
        ),
    ]


LifetimeValueList = Annotated[
    list[LifetimeValue],
    Field(
        description="lifetime value (LTV) over each number of months of `[value] months`; empty without "
        "amounts and for who never bought"
    ),
]
