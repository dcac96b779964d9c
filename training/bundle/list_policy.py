"""Who is on the at-risk list: the order of its customers, and how many of them it holds.

The list that people see and the evaluation of a model both take the order from here, so that the list's
metrics describe the list that is shown. Where events carry amounts the default list is by value at risk
(churn probability × expected value), else by churn probability.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ListOrder = Literal["value_at_risk", "churn_probability", "lifetime_value", "uplift", "incremental_value"]
"""What the list can be ordered by, the highest first; the last two need an uplift model in use."""


def list_metric(order: ListOrder, *metric: str) -> str:
    """The name of a metric of the list in this order, such as `list_by_value_at_risk/precision_at_capacity`;
    without a metric, where all of them begin."""
    return "/".join((f"list_by_{order}", *metric))


LARGE_SHARE = 1 / 3
"""The share of customers above which a list hardly chooses: nearly as many of it leave as of everybody."""


def large_list_warning(contacts: int, cohort: float) -> tuple[str, str] | None:
    """What to know of a list that holds over `LARGE_SHARE` of the average cohort, in English and Japanese;
    None of a smaller one."""
    if not cohort or contacts <= LARGE_SHARE * cohort:
        return None
    held = f"all {cohort:,.0f}" if contacts >= cohort else f"{contacts:,} of {cohort:,.0f}"
    held_ja = f"{cohort:,.0f}名の全員" if contacts >= cohort else f"{cohort:,.0f}名のうち{contacts:,}名"
    return (
        f"one list holds {held} customers who can leave ([capacity] contacts = {contacts}), so it can hardly "
        "do better than chance, however good the model is. Write how many can be approached per list",
        f"1回のリストが、離反しうる顧客{held_ja}を占めるため（[capacity] contacts = {contacts}）、"
        "モデルの良し悪しにかかわらず、リスト内の離反率は全体とほとんど変わらない。"
        "1回に対応できる人数を書いてください。",
    )


def default_order(*, amounts: bool) -> ListOrder:
    """The order of a list that names no order."""
    return "value_at_risk" if amounts else "churn_probability"


def value_at_risk(churn_probability: Floats, expected_value: Floats) -> Floats:
    """float64[n]: the spend over the horizon that is expected to be lost; NaN where a part is unknown."""
    risk: Floats = churn_probability * expected_value
    return risk


def ranking(measure: Floats) -> NDArray[np.int64]:
    """int64[n]: rows by falling measure, ties in the order of the rows, NaN last."""
    return np.argsort(-measure, kind="stable")


def on_list(
    measure: Floats, as_of: NDArray[np.int64], contacts: int, weight: Floats | None = None
) -> NDArray[np.bool_]:
    """bool[n]: whether a row is among the first `contacts` of its as-of date by this measure.

    With `weight` (float64[n]) each row takes as many places as it counts for, and the last one the rest.
    """
    listed = np.zeros(len(measure), dtype=np.bool_)
    for date in np.unique(as_of):
        rows = np.flatnonzero(as_of == date)
        order = rows[ranking(measure[rows])]
        if weight is None:
            listed[order[:contacts]] = True
        else:
            places_before = np.cumsum(weight[order]) - weight[order]
            listed[order[places_before < contacts]] = True
    return listed
