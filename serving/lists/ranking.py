"""Who is on the list, and in what order: by value at risk, or by probability where there are no amounts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from features.errors import UsageError
from serving.actions.plan_file import StoredPlan
from serving.lists.filters import FilterMatcher, ListFilter, Mask, Rows
from serving.schemas.lifetime_words import NO_LIFETIME_VALUE
from serving.schemas.terms import PLANNED
from serving.state.scores.score_file import Scores
from training.bundle.list_policy import ListOrder, default_order

AT_ONCE = 50_000
"""Customers looked at together: enough for NumPy, few enough that a short page stops early."""


def at_risk(
    scores: Scores, choice: ListFilter, subjects: Sequence[str] = (), plan: StoredPlan | None = None
) -> Rows:
    """The rows of the list, the first to approach first; ties go by customer key.

    `subjects` says what each feature is about: a list by indicators needs it.
    """
    return page(scores, choice, subjects, plan=plan)[0]


def page(
    scores: Scores,
    choice: ListFilter,
    subjects: Sequence[str] = (),
    start: int = 0,
    plan: StoredPlan | None = None,
) -> tuple[Rows, int | None]:
    """As `at_risk`, from a place of the ranking on; also the place where the next page begins."""
    ranking = ranking_of(scores, choice.order_by)
    matches = FilterMatcher(scores, choice, subjects, plan)
    parts: list[Rows] = []
    missing = choice.limit if choice.limit is not None else len(ranking)
    place = start
    while place < len(ranking) and missing > 0:
        rows = ranking[place : place + AT_ONCE]
        fits = np.flatnonzero(matches(rows))
        if len(fits) >= missing:
            place += int(fits[missing - 1]) + 1
            parts.append(rows[fits[:missing]])
            missing = 0
        else:
            place += len(rows)
            parts.append(rows[fits])
            missing -= len(fits)
    more = place if missing == 0 and place < len(ranking) else None
    return np.concatenate([np.empty(0, np.int64), *parts]), more


def plan_rows(scores: Scores, choice: ListFilter, subjects: Sequence[str], plan: StoredPlan) -> Rows:
    """The rows of the plan that a filter lets through, in the order of the plan."""
    matches = FilterMatcher(scores, choice, subjects, plan)
    order = plan.order
    rows = scores.rows(plan.keys[order])
    known = rows >= 0
    matching: Rows = order[known][matches(rows[known])]
    return matching


def left_out(plan: StoredPlan, keys: Rows) -> Mask:
    """bool[n]: whom the plan leaves out, for customers by key; nobody whom it does not have."""
    outcomes = np.append(plan.table.column("outcome").to_numpy(), PLANNED)
    mask: Mask = outcomes[plan.rows(keys)] != PLANNED
    return mask


def planned_rows_first(plan: StoredPlan, rows: Rows) -> Rows:
    """Rows of the plan with something to do before those left out, each in their order."""
    left_out = plan.table.column("outcome").to_numpy()[rows] != PLANNED
    return rows[np.argsort(left_out, kind="stable")]


def ranking_of(scores: Scores, order_by: ListOrder | None) -> Rows:
    """The rows of everyone who can leave, in an order; raises `UsageError` where it cannot be had."""
    amounts = scores.facts.amounts
    if order_by == "value_at_risk" and not amounts:
        raise UsageError(
            "cannot order by value_at_risk: the events carry no amounts, so nobody's value is known. "
            "Order by churn_probability.",
            field="order_by",
        )
    if order_by == "lifetime_value" and scores.answers.lifetime is None:
        raise UsageError(
            f"cannot order by lifetime_value: {NO_LIFETIME_VALUE}. Choose another order.",
            field="order_by",
        )
    if order_by in ("uplift", "incremental_value"):
        if scores.facts.uplift is None:
            raise UsageError(
                f"cannot order by {order_by}: no uplift model was in use when these scores were made. Run "
                "`kizuna campaign learn` after a campaign has reached a review date, then `kizuna score`.",
                field="order_by",
            )
        if not scores.knows(order_by):
            raise UsageError(
                f"cannot order by {order_by}: it is known of nobody, because the events carry no amounts or "
                f"the uplift is about '{scores.facts.uplift.outcome}'. Order by uplift.",
                field="order_by",
            )
    return scores.ranked(order_by or default_order(amounts=amounts))
