"""The outcome of customers at this moment: by the plan, else by control groups and refusals of contact."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from features.catalog.display_names import in_language
from features.events.consent import ALL_BY_NAME, refuses_channel
from serving.actions.plan_file import StoredPlan
from serving.schemas.plan_responses import CustomerOutcome, PlannedAction
from serving.schemas.terms import ASKED_NOT_TO, IN_CONTROL, OUTCOME_WORDS, OUTCOMES

REFUSED, CONTROL_GROUP = OUTCOMES[ASKED_NOT_TO], OUTCOMES[IN_CONTROL]
OfKeys = Callable[[NDArray[np.int64]], NDArray[np.bool_]]


def outcomes_now(
    plans: Sequence[PlannedAction | None],
    held: Sequence[bool],
    refused: Sequence[tuple[str, ...]],
    language: str,
) -> list[CustomerOutcome]:
    """By the plan; for a customer without one, whether they are held back or refuse all channels."""
    refusal, control = (in_language(language, *OUTCOME_WORDS[one]) for one in (REFUSED, CONTROL_GROUP))
    return [
        CustomerOutcome(plan.outcome, plan.left_out_because, channels)
        if plan is not None
        else CustomerOutcome(CONTROL_GROUP, control, channels)
        if is_held
        else CustomerOutcome(REFUSED, refusal, channels)
        if channels == ALL_BY_NAME
        else CustomerOutcome(None, None, channels)
        for plan, is_held, channels in zip(plans, held, refused, strict=True)
    ]


def outcome_codes(
    plan: StoredPlan | None, keys: NDArray[np.int64], refuse: OfKeys, held: OfKeys
) -> NDArray[np.int8]:
    """int8[n]: the same as places in `OUTCOMES`, -1 for none; `refuse` and `held` say it without a plan."""
    codes = np.full(len(keys), -1, np.int8)
    if plan is not None:
        codes = np.append(plan.table.column("outcome").to_numpy(), -1).astype(np.int8)[plan.rows(keys)]
    without = np.flatnonzero(codes < 0)
    if len(without):
        codes[without[refuse(keys[without])]] = ASKED_NOT_TO
        codes[without[held(keys[without])]] = IN_CONTROL
    return codes


def refuse_by_name(refused: Sequence[tuple[str, ...]], channel: str) -> NDArray[np.bool_]:
    """bool[n]: whether channels that customers refuse, by name, forbid one; all, where none is given."""
    forbidden = {one: refuses_channel(one, channel) for one in set(refused)}
    return np.array([forbidden[one] for one in refused], np.bool_)
