"""Comparison of a candidate with the champion on the same test rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from training.data.dataset import LabelledRows, customers_by_outcome
from training.evaluation.evaluate import FEWEST_OUTCOMES
from training.evaluation.metrics import METRICS, HeldOutOutcomes, WeightedMetrics, calibration_noise
from training.statistics import cluster_resamples, percentile_interval

if TYPE_CHECKING:
    from training.bundle.model_bundle import Bundle
    from training.evaluation.evaluate import Evaluation

Floats = NDArray[np.float64]

COMPARED = ("auc", "log_loss", "expected_calibration_error")
"""What is compared with the champion on the same dates."""


@dataclass(frozen=True)
class ChampionComparison:
    """The model that holds the place, as far as a candidate can be compared with it."""

    version: str
    columns: tuple[str, ...]
    figures: Mapping[str, float]
    """Its metrics on the test dates after everything it learned from; empty where there are none."""
    candidate: Mapping[str, float] = field(default_factory=dict)
    """The candidate's on the same rows, with `expected_calibration_error_noise` and `rows`; where both were
    tested on the same rows, also the difference in log loss (candidate − champion) with its 95 % interval."""
    not_comparable_reason: str = ""
    """Why it cannot be compared; empty where it can."""
    same: bool = False
    """Whether it is the candidate, byte for byte."""


def champion_on(
    evidence: Evaluation,
    candidate: Bundle,
    champion: Bundle,
    version: str,
    says: Callable[[LabelledRows], Floats],
) -> ChampionComparison:
    """The champion on the test rows after everything it learned from; `says` gives its probabilities of rows.

    Where it learned from the test dates it has seen the answers, and one that decides churn by another rule
    answers another question: neither is compared. One that was tested on the same dates of the same data is
    held to what was found then, when its models, too, had learned from earlier dates alone.
    """
    columns = champion.catalog.columns
    if champion.fingerprint == candidate.fingerprint:
        return ChampionComparison(version, columns, {}, same=True)
    if champion.churn != candidate.churn:
        return ChampionComparison(version, columns, {}, not_comparable_reason="decides churn by another rule")
    if champion.contacts != candidate.contacts:
        reason = "learned the risk " + (
            "without contact" if champion.contacts == "without_contact" else "with contacts as they were"
        )
        return ChampionComparison(version, columns, {}, not_comparable_reason=reason)
    if champion.data_version == candidate.data_version and _test(champion) == _test(candidate) is not None:
        return ChampionComparison(version, columns, _recorded(champion), candidate=_recorded(candidate))
    later = evidence.rows.as_of >= champion.trained_until
    if not later.any():
        return ChampionComparison(version, columns, {}, not_comparable_reason="learned from the test dates")
    rows, mine = evidence.rows.where(later), evidence.probability[later]
    left, stayed = customers_by_outcome(rows)
    if min(left, stayed) < FEWEST_OUTCOMES:
        return ChampionComparison(
            version,
            columns,
            {},
            not_comparable_reason="learned from the test dates but for those on which "
            f"{left} left and {stayed} stayed",
        )
    customers = np.unique(rows.keys, return_inverse=True)[1].astype(np.int64)
    outcomes = HeldOutOutcomes(rows.churned, customers, rows.as_of, len(rows), rows.weight)
    theirs = says(rows)
    return ChampionComparison(
        version, columns, _figures(theirs, outcomes), candidate=_against(mine, theirs, outcomes)
    )


def _test(bundle: Bundle) -> list[str] | None:
    """The as-of dates of the test."""
    dates: list[str] | None = bundle.settings.get("calendar", {}).get("test")
    return dates


def _recorded(bundle: Bundle) -> dict[str, float]:
    """What its own test found."""
    found = {name: bundle.figures[name] for name in (*COMPARED, "expected_calibration_error_noise")}
    return found | {"rows": bundle.figures["test_rows"]}


def _figures(probability: Floats, outcomes: HeldOutOutcomes) -> dict[str, float]:
    metrics = dict(
        zip(METRICS, WeightedMetrics(probability, outcomes)(outcomes.weight_or_ones).tolist(), strict=True)
    )
    return {name: metrics[name] for name in COMPARED}


def _against(mine: Floats, theirs: Floats, outcomes: HeldOutOutcomes) -> dict[str, float]:
    """The candidate's figures, and how much its log loss differs; customers are resampled."""
    gap = WeightedMetrics(mine, outcomes).loss - WeightedMetrics(theirs, outcomes).loss
    sums = np.bincount(outcomes.customers, gap * outcomes.weight_or_ones)
    sizes = np.bincount(outcomes.customers, outcomes.weight)
    weights = np.stack([*cluster_resamples(outcomes.people)])
    low, high = percentile_interval((weights @ sums) / (weights @ sizes))
    return _figures(mine, outcomes) | {
        "expected_calibration_error_noise": calibration_noise(mine, outcomes),
        "rows": float(len(mine)),
        "log_loss_difference": float(np.average(gap, weights=outcomes.weight)),
        "log_loss_difference_low": low,
        "log_loss_difference_high": high,
    }
