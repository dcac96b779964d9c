"""The shape of what the plan has in mind for one customer: the action, and what it can take up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, NamedTuple

from pydantic import Field, with_config

from serving.schemas.report_responses import CONFIG


@with_config(CONFIG)
@dataclass(frozen=True)
class Inquiry:
    """A customer's newest inquiry."""

    topic: str | None
    on: str | None
    answered: Annotated[
        bool | None, Field(description="null where nobody says, or where no answer was noted for long")
    ]


@with_config(CONFIG)
@dataclass(frozen=True)
class SurveyAnswer:
    """A customer's newest answer to a survey."""

    kind: str
    score: float | None
    about: str | None
    on: str | None


@with_config(CONFIG)
@dataclass(frozen=True)
class Anniversary:
    """The next anniversary of a customer's first event."""

    on: str | None
    years: int


@with_config(CONFIG)
@dataclass(frozen=True)
class Loyalty:
    """A customer's place in a loyalty programme."""

    programme: str
    level: str | None
    level_words: str | None
    purchases: int | None
    amount: float | None
    next_level: str | None
    next_level_words: str | None
    purchases_to_next: int | None
    amount_to_next: float | None
    lasts_until: Annotated[str | None, Field(description="when the level is lost without another purchase")]
    in_two_programmes: bool


@with_config(CONFIG)
@dataclass
class Hooks:
    """What a personal approach can take up; null where the history says nothing."""

    favourite_category: str | None
    stopped_category: str | None
    next_category: str | None
    unused_feature: str | None
    preferred_channel: str | None
    preferred_hour: int | None
    anniversary: Anniversary | None
    birthday: str | None
    last_inquiry: Inquiry | None
    last_survey: SurveyAnswer | None
    loyalty: Loyalty | None
    today: str


@with_config(CONFIG)
@dataclass
class PlannedAction:
    """What the playbook has in mind for a customer."""

    stage: str
    stage_words: str
    attitude: str
    attitude_words: str
    rule: Annotated[str | None, Field(description="the rule that decided")]
    rule_words: Annotated[str | None, Field(description="its words, the name where it has none")]
    touch: Annotated[
        str | None,
        Field(
            description="touch model; like action, channel, owner and deadline null unless the outcome is "
            "`planned`"
        ),
    ]
    touch_words: str | None
    action: str | None
    action_words: str | None
    action_channel: str | None
    action_channel_words: str | None
    owner: str | None
    deadline: str | None
    outcome: Annotated[str, Field(description="`planned`, or why the customer is left out")]
    left_out_because: Annotated[str | None, Field(description="the same in words; null where planned")]
    hooks: Hooks
    hook_sentences: list[str]


Plan = Annotated[
    PlannedAction | None,
    Field(description="what `kizuna plan` has in mind; null before it was run for these scores"),
]


@with_config(CONFIG)
@dataclass(frozen=True)
class TouchUse:
    """How the places of a touch model are used."""

    touch: str
    touch_words: str
    capacity: Annotated[int | None, Field(description="places for each plan; null without a limit")]
    given: Annotated[int, Field(description="customers who got a place when the plan was made")]
    planned: Annotated[int, Field(description="customers who are planned for now")]
    no_room: Annotated[int, Field(description="customers left out because no place was left")]
    left_since: Annotated[
        dict[str, int],
        Field(description="those given a place who are left out by now, by outcome: their places are free"),
    ]
    joined_since: Annotated[
        int, Field(description="customers planned for now who were held back when the plan was made")
    ]

    @property
    def change(self) -> int:
        """By how many customers fewer (or more) are planned for than when the plan was made."""
        return self.planned - self.given


class CustomerOutcome(NamedTuple):
    """Whether somebody should act on a customer now."""

    outcome: str | None
    """`planned`, or why nobody should; None where no plan was made and nothing forbids contact."""
    left_out_because: str | None
    """The same in words; None where planned."""
    refused_channels: tuple[str, ...]
    """Over which channels nobody may contact the customer; `all` for all of them."""
