"""Comparison of a candidate's settings with the champion's: fitted on one role, on the same test rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from training.evaluation.metrics import METRICS, HeldOutOutcomes, WeightedMetrics, calibration_noise
from training.evaluation.refitted import ModelSettings
from training.statistics import cluster_resamples, percentile_interval

if TYPE_CHECKING:
    from training.bundle.model_bundle import Bundle
    from training.evaluation.evaluate import Evaluation

Floats = NDArray[np.float64]

COMPARED = ("auc", "log_loss", "expected_calibration_error")
"""What is compared with the champion on the same dates."""


Basis = Literal["", "same_settings", "as_tested", "refitted"]
"""What a candidate and the champion are compared by; empty where they are not compared."""


class NotComparable(Enum):
    """Why a candidate is not compared with the champion: what the champion is, in English and Japanese."""

    LOST = "is lost", "ファイルがない"
    UNREADABLE = "cannot be read", "ファイルを読めない"
    OTHER_CHURN = "decides churn by another rule", "離反の判定方法が違う"
    WITHOUT_CONTACT = "learned the risk without contact", "接触なしのリスクを学習している"
    WITH_CONTACTS = "learned the risk with contacts as they were", "接触を含むリスクを学習している"

    @property
    def english(self) -> str:
        return self.value[0]

    @property
    def japanese(self) -> str:
        return self.value[1]


@dataclass(frozen=True)
class ChampionComparison:
    """The settings of the model that holds the place, as far as a candidate can be compared with them."""

    version: str
    columns: tuple[str, ...]
    figures: Mapping[str, float]
    """Its metrics on the candidate's test rows; empty where the two are not compared."""
    candidate: Mapping[str, float] = field(default_factory=dict)
    """The candidate's on the same rows, with `expected_calibration_error_noise` and `rows`; where both were
    tested on the same rows, also the difference in log loss (candidate − champion) with its 95 % interval."""
    not_comparable: NotComparable | None = None
    """Why it cannot be compared; None where it can."""
    same: bool = False
    """Whether it is the candidate, byte for byte."""
    basis: Basis = ""
    features: Mapping[str, Any] = field(default_factory=dict)
    """The settings `[features]` it was trained with."""


def champion_on(
    evidence: Evaluation,
    candidate: Bundle,
    champion: Bundle,
    version: str,
    refit: Callable[[], Floats],
) -> ChampionComparison:
    """The champion's settings on the candidate's test rows; `refit` gives their probabilities of those rows.

    A champion as delivered has learned from later dates, and at a later level, than the model whose test a
    candidate shows: that is an advantage of age, not of settings. So its settings are refitted on the same
    role as the candidate's. One that was tested on the same dates of the same data is held to what was found
    then; the same settings on newer data are no other model to compare with. One that decides churn by
    another rule answers another question.
    """
    columns = champion.catalog.columns
    features = champion.settings.get("features", {})

    def answer(figures: Mapping[str, float], ours: Mapping[str, float], basis: Basis) -> ChampionComparison:
        return ChampionComparison(version, columns, figures, ours, basis=basis, features=features)

    def incomparable(reason: NotComparable) -> ChampionComparison:
        return ChampionComparison(version, columns, {}, not_comparable=reason, features=features)

    if champion.fingerprint == candidate.fingerprint:
        return ChampionComparison(version, columns, {}, same=True)
    if champion.churn != candidate.churn:
        return incomparable(NotComparable.OTHER_CHURN)
    if champion.contacts != candidate.contacts:
        without = champion.contacts == "without_contact"
        return incomparable(NotComparable.WITHOUT_CONTACT if without else NotComparable.WITH_CONTACTS)
    if champion.data_version == candidate.data_version and _calendar(champion) == _calendar(candidate) != {}:
        return answer(_recorded(champion), _recorded(candidate), "as_tested")
    rows, mine = evidence.rows, evidence.probability
    same = ModelSettings.of(champion).same_as(ModelSettings.of(candidate))
    theirs = mine if same else refit()
    customers = np.unique(rows.keys, return_inverse=True)[1].astype(np.int64)
    outcomes = HeldOutOutcomes(rows.churned, customers, rows.as_of, len(rows), rows.weight)
    return answer(
        _figures(theirs, outcomes),
        _against(mine, theirs, outcomes),
        "same_settings" if same else "refitted",
    )


def _calendar(bundle: Bundle) -> Mapping[str, Any]:
    """The as-of dates of each role."""
    dates: Mapping[str, Any] = bundle.settings.get("calendar", {})
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
