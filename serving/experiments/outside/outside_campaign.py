"""The effects of a campaign that was run elsewhere: each treated arm of its table against the control arm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features.errors import UsageError
from serving.experiments.outside.experiment_table import ExperimentTable, read_experiment
from serving.experiments.outside.outside_uplift import LoadedUplift, loaded_uplift, refuse_unclear_uplift
from training.causal.effect import Effect, compare_arms

POOLED = "all"
"""The treated arms of an experiment with several, taken together."""


@dataclass(frozen=True)
class TableColumns:
    """Which columns of an outside table say what."""

    customer: str
    """A column, or `row` where each row is a customer."""
    arm: str
    outcomes: tuple[str, ...]
    covariates: tuple[str, ...] = ()
    uplift: str | None = None
    """The outcome of which is asked whom contact helps."""
    features: tuple[str, ...] = ()
    """What the uplift models read: known before the campaign."""


@dataclass(frozen=True)
class LoadedEffect:
    """The effect of one treatment on one outcome."""

    outcome: str
    treated: str
    """The arm, or `all` for several taken together."""
    rate: bool
    """Whether the outcome is yes or no."""
    adjusted: Effect
    plain: Effect


@dataclass(frozen=True)
class LoadedCampaign:
    """A campaign that was run elsewhere: its arms, and what the treatments did."""

    campaign: str
    control: str
    arms: dict[str, int]
    """Customers of every arm in the table."""
    effects: tuple[LoadedEffect, ...]
    notes: tuple[str, ...]
    uplift: LoadedUplift | None = None


def outside_campaign(
    name: str, file: Path, columns: TableColumns, *, control: str, treated: Sequence[str] = ()
) -> LoadedCampaign:
    """Read the table of a campaign and compare its treated arms with its control arm.

    Without `treated`, all other arms are. Of several, the first effects are those of all together (`all`),
    then come those of each; whom contact helps is asked of the first. Raises `UsageError` for columns and
    arms that are not there, `DataError` for a table that cannot be used.
    """
    _refuse_double_roles(columns)
    refuse_unclear_uplift(
        columns.uplift, columns.features, (columns.customer, columns.arm, *columns.outcomes)
    )
    asked = () if columns.uplift is None or columns.uplift in columns.outcomes else (columns.uplift,)
    table = read_experiment(
        file,
        customer=columns.customer,
        arm=columns.arm,
        outcomes=(*columns.outcomes, *asked),
        covariates=columns.covariates,
        features=columns.features,
    )
    groups = _treatments(table, file, columns.arm, control, tuple(dict.fromkeys(treated)))
    effects: list[LoadedEffect] = []
    notes: list[str] = []
    for treatment, members in groups.items():
        of_treatment, said = _effects(table, columns.outcomes, treatment, members, table.arms[control])
        effects += of_treatment
        notes += said
    uplift = None
    if columns.uplift is not None:
        treatment, members = next(iter(groups.items()))
        uplift = loaded_uplift(table, columns.uplift, treatment, members, table.arms[control])
        notes += uplift.notes
    arms = {arm: int(members.sum()) for arm, members in table.arms.items()}
    return LoadedCampaign(name, control, arms, tuple(effects), tuple(dict.fromkeys(notes)), uplift)


def _refuse_double_roles(columns: TableColumns) -> None:
    roles = [columns.arm, *columns.outcomes, *columns.covariates]
    for column in dict.fromkeys(roles):
        if roles.count(column) > 1:
            raise UsageError(
                f"cannot load a campaign in which the column '{column}' has several roles. "
                "Name it once: as the arm, as an outcome, or as a covariate, which was known before."
            )


def _treatments(
    table: ExperimentTable, file: Path, column: str, control: str, treated: tuple[str, ...]
) -> dict[str, NDArray[np.bool_]]:
    """Who was treated, by the name of the treatment: all together first where there are several."""
    known = ", ".join(f"'{arm}'" for arm in table.arms)
    for option, arm in (("--control", control), *(("--treated", arm) for arm in treated)):
        if arm not in table.arms:
            raise UsageError(
                f"cannot load {file}: {option} names the arm '{arm}', which nobody has. "
                f"The arms in '{column}' are {known}."
            )
    if control in treated:
        raise UsageError(f"cannot load {file}: '{control}' is named as control and as treated. Name it once.")
    treated = treated or tuple(arm for arm in table.arms if arm != control)
    if not treated:
        raise UsageError(
            f"cannot load {file}: everybody is in the arm '{control}', "
            "so there is nothing to compare it with."
        )
    if len(treated) == 1:
        return {treated[0]: table.arms[treated[0]]}
    if POOLED in table.arms:
        raise UsageError(
            f"cannot load {file}: an arm is called '{POOLED}', which stands for several arms together. "
            "Rename it, or compare one arm with --treated."
        )
    together = np.logical_or.reduce([table.arms[arm] for arm in treated])
    return {POOLED: together, **{arm: table.arms[arm] for arm in treated}}


def _effects(
    table: ExperimentTable,
    names: Sequence[str],
    treatment: str,
    members: NDArray[np.bool_],
    controls: NDArray[np.bool_],
) -> tuple[list[LoadedEffect], list[str]]:
    rows = members | controls
    outcomes = np.column_stack([table.outcomes[name] for name in names])[rows]
    covariates = np.column_stack(list(table.covariates.values()))[rows] if table.covariates else None
    comparison = compare_arms(outcomes, members[rows], covariates, list(table.covariates))
    notes = list(comparison.notes)
    for name, values in zip(names, outcomes.T, strict=True):
        unknown = int(np.isnan(values).sum())
        if unknown:
            notes.append(f"outcome '{name}' is not known of {unknown} customers, who are left out of it.")
    effects = [
        LoadedEffect(
            name,
            treatment,
            bool(comparison.rates[place]),
            comparison.effect(place),
            comparison.effect(place, adjusted=False),
        )
        for place, name in enumerate(names)
    ]
    notes += [
        f"outcome '{one.outcome}' has no interval: an arm has one customer of whom it is known."
        for one in effects
        if one.adjusted.low is None
    ]
    notes += [
        f"outcome '{one.outcome}' is rare or nearly sure in an arm: its interval is Newcombe's, not adjusted."
        for one in effects
        if one.adjusted.method == "newcombe"
    ]
    return effects, notes
