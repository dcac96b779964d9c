"""Effects of a campaign within groups of customers, as they were on the day of assignment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from serving.experiments.assignment import DECILES, TREATMENT
from serving.experiments.campaign_file import TOUCH, Assignment
from serving.experiments.outcomes import CampaignOutcomes
from serving.experiments.results import COVARIATES, covariates, outcome_effect
from serving.schemas.campaign_responses import GroupDifference, GroupEffect, OutcomeEffect
from serving.schemas.terms import SEGMENT
from training.causal.effect import Effect
from training.causal.groups import compare_groups, difference_between_groups

COMPARED = ("retained", "churned_value", "spend")
"""Outcomes that are compared within groups."""


@dataclass(frozen=True, eq=False)
class CustomerGroups:
    """One way to put the customers of a campaign into groups."""

    by: str
    labels: tuple[str, ...]
    codes: NDArray[np.int64]
    """int64[customers]: the place of each customer's label, −1 for none."""
    declared: tuple[bool, ...]
    """Of each label, whether its effect was to be told before the campaign was started."""


def customer_groups(
    assignment: Assignment,
    touch_models: Sequence[str],
    exploratory: Mapping[str, pa.ChunkedArray | pa.Array],
) -> list[CustomerGroups]:
    """The groups by tier, risk decile, touch model and segment, without those that do not split anybody.

    Tier and risk decile are what the arms were drawn within, so they count as declared; so do attributes of
    the campaign file and touch models that were. `exploratory` has further attributes, a value a customer.
    """
    tier = assignment.column("tier").astype(np.int64)
    decile = assignment.column("risk_decile").astype(np.int64)
    names = assignment.facts.tiers
    groups = [
        CustomerGroups("tier", names, tier, (True,) * len(names)),
        CustomerGroups("risk_decile", tuple(str(n + 1) for n in range(DECILES)), decile, (True,) * DECILES),
        _of_texts("touch", assignment.table.column(TOUCH), touch_models),
        *(_of_texts(SEGMENT + name, assignment.segment(name), None) for name in assignment.facts.segments),
        *(_of_texts(SEGMENT + name, values, ()) for name, values in exploratory.items()),
    ]
    return [one for one in groups if len(np.unique(one.codes[one.codes >= 0])) > 1]


def effects_of_groups(
    assignment: Assignment, outcomes: CampaignOutcomes, groups: Sequence[CustomerGroups], dates: Sequence[int]
) -> dict[int, tuple[list[GroupEffect], list[GroupDifference]]]:
    """By review date, the effects within each group and whether they differ between the groups of one kind.

    Intervals are of each group and date alone.
    """
    treated = assignment.arm == TREATMENT
    names = [name for name in COMPARED if name in outcomes.values]
    at = [outcomes.dates.index(date) for date in dates]
    matrix = np.column_stack([outcomes.values[name][:, place] for place in at for name in names])
    known = covariates(assignment)
    found: dict[int, tuple[list[GroupEffect], list[GroupDifference]]] = {date: ([], []) for date in dates}
    for one in groups:
        compared = compare_groups(matrix, treated, one.codes, one.labels, known, COVARIATES)
        by_column: dict[tuple[int, str], list[Effect]] = {}
        for of_group, declared in zip(compared, one.declared, strict=True):
            if not of_group.treatment and not of_group.control:
                continue
            size = of_group.treatment + of_group.control
            for number, date in enumerate(dates):
                effects: list[OutcomeEffect] = []
                for column, name in enumerate(names, start=number * len(names)):
                    if of_group.comparison is not None:
                        effects.append(
                            outcome_effect(of_group.comparison, name, column, size, plain_interval=False)
                        )
                        of_column = by_column.setdefault((date, name), [])
                        of_column.append(of_group.comparison.effect(column))
                found[date][0].append(
                    GroupEffect(
                        one.by, of_group.group, declared, of_group.treatment, of_group.control, effects
                    )
                )
        for (date, name), effects_of_column in by_column.items():
            p_value = difference_between_groups(effects_of_column)
            if p_value is not None:
                found[date][1].append(GroupDifference(one.by, name, p_value))
    return found


def _of_texts(by: str, values: pa.ChunkedArray | pa.Array, declared: Sequence[str] | None) -> CustomerGroups:
    """Groups of a text column, the most frequent first; `declared` None stands for all of them."""
    texts = values.cast(pa.string())
    texts = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    coded = texts.dictionary_encode()
    codes = np.asarray(coded.indices.fill_null(-1).to_numpy(zero_copy_only=False), dtype=np.int64)
    names = coded.dictionary.to_pylist()
    counts = np.bincount(codes[codes >= 0], minlength=len(names))
    order = np.argsort(-counts, kind="stable")
    place = np.append(np.argsort(order), -1)
    labels = tuple(names[number] for number in order.tolist())
    return CustomerGroups(
        by, labels, place[codes], tuple(declared is None or name in declared for name in labels)
    )
