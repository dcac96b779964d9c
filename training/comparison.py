"""Paired comparison of two models' settings or of two delivered models, with intervals over customers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from features.errors import UsageError
from features.event_store import EventStore
from features.timeline import Timeline
from training.data.dataset import dataset, matrix_of
from training.data.extent import data_extent
from training.data.rows.labelled_rows import LabelledRows, customers_by_outcome
from training.data.splits import temporal_splits
from training.evaluation.champion_comparison import COMPARED
from training.evaluation.evaluate import FEWEST_OUTCOMES, cross_fitted_where_few
from training.evaluation.metrics import METRICS, HeldOutOutcomes, WeightedMetrics
from training.evaluation.refitted import ModelSettings, refitted_probability
from training.evaluation.role_rows import RoleRows, role_rows
from training.evaluation.secondary_metrics import segments
from training.statistics import Verdict, bootstrap_intervals, finite, verdict

if TYPE_CHECKING:
    from training.bundle.model_bundle import Bundle
    from training.training_config import TrainingConfig

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

HIGHER_IS_BETTER = ("auc",)
DECIDING = ("auc", "log_loss")
"""What the verdict on all rows goes by: the interval of a calibration error is biased upwards."""

Basis = Literal["refitted", "as_delivered"]
"""Both fitted on the same role, or both as delivered on dates after everything they learned from."""


@dataclass(frozen=True)
class PairedDifference:
    """A metric of both models on the same rows, and second − first with its 95 % interval over customers."""

    metric: str
    first: float | None
    second: float | None
    difference: float | None
    low: float | None
    high: float | None
    verdict: Verdict


@dataclass(frozen=True)
class ComparedRows:
    """The differences on some of the rows: all, one as-of date, or one segment."""

    name: str
    """`all`, the date, or `segment_NAME.VALUE`."""
    rows: int
    churners: int
    differences: tuple[PairedDifference, ...]


@dataclass(frozen=True)
class PairedComparison:
    """What two models say of the same customers and dates."""

    basis: Basis
    verdict: Verdict | Literal["mixed"]
    """Of the second on all rows, by AUC and log loss; `mixed` where one is better and the other worse."""
    identical: bool
    """Whether both give every row the same probability."""
    all_rows: ComparedRows
    dates: tuple[ComparedRows, ...]
    segments: tuple[ComparedRows, ...]


def compare_bundles(
    store: EventStore, config: TrainingConfig, first: Bundle, second: Bundle, *, now: int | None = None
) -> PairedComparison:
    """Second against first: as delivered on labelled dates after both where enough customers left and stayed
    there, else with the settings of both refitted on the same role of the present data.

    Raises `UsageError` where the two decide churn by different rules or learned different risks.
    """
    if first.churn != second.churn or first.contacts != second.contacts:
        raise UsageError(
            "cannot compare the two: they decide churn by different rules, or one learned the risk without "
            "contact, so they answer different questions. Compare models of one [churn]."
        )
    if first.contacts == "without_contact":
        raise UsageError(
            "cannot compare the two: they learned the risk without contact, which the rows of a comparison "
            "do not hold. Compare models that learned from contacts as they were."
        )
    store = store.pinned()
    timeline, churn = config.timeline, first.churn
    extent = data_extent(store, None, churn, timeline, config.indicators, closed=config.closed, now=now)
    splits = temporal_splits(extent.first, extent.coverage.covered_until, churn, timeline)
    rows = dataset(store, first.catalog, churn, timeline, first.priors, splits.every, extent, None)
    splits = cross_fitted_where_few(splits, rows)
    learned = max(first.trained_until, second.trained_until)
    later = rows.where(rows.as_of >= learned)
    if min(customers_by_outcome(later)) >= FEWEST_OUTCOMES:
        probabilities = [
            bundle.predict(
                matrix_of(store, bundle.catalog, timeline, bundle.priors, later, None)
            ).churn_probability
            for bundle in (first, second)
        ]
        parts = segments(later, first.priors.code_book)
        return compared("as_delivered", later, probabilities[0], probabilities[1], parts, timeline)
    roles = role_rows(rows, splits, extent.customers)
    refitted = [_refitted(bundle, store, roles, timeline) for bundle in (first, second)]
    tested = rows.on(splits.test)
    parts = segments(tested, first.priors.code_book)
    return compared("refitted", tested, refitted[0], refitted[1], parts, timeline)


def _refitted(bundle: Bundle, store: EventStore, roles: RoleRows, timeline: Timeline) -> Floats:
    return refitted_probability(ModelSettings.of(bundle), store, roles, timeline, None)


def compared(
    basis: Basis,
    rows: LabelledRows,
    first: Floats,
    second: Floats,
    parts: Iterable[tuple[str, Flags]],
    timeline: Timeline,
) -> PairedComparison:
    """The paired differences of two probabilities of the same rows: on all, by date, and on each segment."""

    def of(name: str, mine: Flags) -> ComparedRows:
        return compared_rows(name, rows.where(mine), first[mine], second[mine])

    rows = rows.bare
    whole = of("all", np.ones(len(rows), np.bool_))
    return PairedComparison(
        basis,
        _verdict_on_all(whole),
        bool(np.array_equal(first, second)),
        whole,
        tuple(of(timeline.name(int(date)), rows.as_of == date) for date in np.unique(rows.as_of)),
        tuple(of(name, mine) for name, mine in parts),
    )


def _verdict_on_all(whole: ComparedRows) -> Verdict | Literal["mixed"]:
    verdicts = {one.verdict for one in whole.differences if one.metric in DECIDING}
    if {"better", "worse"} <= verdicts:
        return "mixed"
    ranked: tuple[Verdict, ...] = ("better", "worse", "no_difference")
    return next((one for one in ranked if one in verdicts), "unknown")


def compared_rows(name: str, rows: LabelledRows, first: Floats, second: Floats) -> ComparedRows:
    """The paired differences on these rows; the same resamples of customers measure both models."""
    customers = np.unique(rows.keys, return_inverse=True)[1].astype(np.int64)
    outcomes = HeldOutOutcomes(rows.churned, customers, rows.as_of, len(rows), rows.weight)
    metrics = [WeightedMetrics(probability, outcomes) for probability in (first, second)]
    chosen = [METRICS.index(metric) for metric in COMPARED]

    def measure(weight: Floats) -> dict[str, float]:
        of_rows = weight[customers] * outcomes.weight_or_ones
        one, other = (metric(of_rows)[chosen] for metric in metrics)
        return {
            f"{metric}{end}": float(value)
            for end, values in (("", other - one), ("/first", one), ("/second", other))
            for metric, value in zip(COMPARED, values, strict=True)
        }

    found = measure(np.ones(outcomes.people))
    ends = bootstrap_intervals(measure, outcomes.people)
    return ComparedRows(
        name,
        len(rows),
        int(rows.churned.sum()),
        tuple(
            PairedDifference(
                metric,
                finite(found[f"{metric}/first"]),
                finite(found[f"{metric}/second"]),
                finite(found[metric]),
                finite(ends[f"{metric}_low"]),
                finite(ends[f"{metric}_high"]),
                verdict(ends[f"{metric}_low"], ends[f"{metric}_high"], metric in HIGHER_IS_BETTER),
            )
            for metric in COMPARED
        ),
    )
