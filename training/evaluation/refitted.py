"""Churn probabilities of the test rows by other settings, refitted on the same role and calibrated alike."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from features.catalog.definitions import Catalog
from features.event_store import EventStore
from features.timeline import Timeline
from training.bundle.tiers import TierScale
from training.data.columns.level_counts import level_counts
from training.data.columns.populations import dated_numbers
from training.data.customer_hashes import shuffled_by_customer
from training.data.dataset import matrix_of
from training.data.priors import learn_priors
from training.data.rows.labelled_rows import LabelledRows
from training.data.splits import TemporalSplits
from training.evaluation.calibrated import calibrated_in_time, cross_calibrated, regression_helps
from training.evaluation.evaluate import with_shape
from training.evaluation.role_rows import RoleRows
from training.fitting.level import DatedPredictions, years_before
from training.fitting.lightgbm import TreeParameters
from training.fitting.pipeline import FOLDS, TrainingPipeline
from training.labels.settings import Churn

if TYPE_CHECKING:
    from training.bundle.model_bundle import Bundle

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ModelSettings:
    """What a churn model is made with: which features, which trees, and what churn is."""

    catalog: Catalog
    trees: TreeParameters
    churn: Churn
    tiers: TierScale

    @classmethod
    def of(cls, bundle: Bundle) -> ModelSettings:
        """The settings that made a bundle."""
        return cls(bundle.catalog, _trees(bundle.settings.get("models", {})), bundle.churn, bundle.tiers)

    def same_as(self, other: ModelSettings) -> bool:
        """Whether the same rows give the same churn model."""
        mine, theirs = (
            json.dumps([one.catalog.to_json(), one.trees.to_json(), one.churn.to_json()], sort_keys=True)
            for one in (self, other)
        )
        return mine == theirs


def refitted_probability(
    settings: ModelSettings, store: EventStore, roles: RoleRows, timeline: Timeline, until: int | None
) -> Floats:
    """float64[n]: the probabilities of the test rows by a model of these settings, fitted on the fit role.

    The code books and the population's numbers are learned anew as well, from before the first date.
    """
    catalog, splits = settings.catalog, roles.splits
    priors = learn_priors(store, catalog, timeline, splits.every[0], until=until)
    every, customers = splits.every, roles.customers
    levels = level_counts(store, catalog, settings.churn, timeline, every, customers, until)
    dated = dated_numbers(store, catalog, timeline, every, priors, customers, until, levels)
    matrix = matrix_of(store, catalog, timeline, priors, roles.rows, until, dated)
    rows = replace(roles.rows, stored=matrix.astype(np.float32), places=None, columns=catalog.columns)
    pipeline = TrainingPipeline(
        settings.trees, catalog, settings.churn, settings.tiers, books=priors.code_book
    )
    with threadpool_limits(limits=1, user_api="blas"):  # as in the training itself
        return tested_probability(pipeline, rows, splits)


def tested_probability(pipeline: TrainingPipeline, rows: LabelledRows, splits: TemporalSplits) -> Floats:
    """float64[n]: the calibrated churn probabilities of the test rows, as `evaluate_models` gives them."""
    known = rows.on(splits.fit)
    pipeline, _ = with_shape(pipeline, known)
    if splits.cross_fitted:
        fold = shuffled_by_customer(known.hashes) % np.uint64(FOLDS)
        predicted = np.empty(len(known))
        for one in range(FOLDS):
            held_out = fold == one
            others = known.where(~held_out)
            predicted[held_out] = pipeline.with_columns_of(others).fit_churn(others)(known.where(held_out))
        return cross_calibrated(DatedPredictions.of(known, predicted)).probability
    pipeline = pipeline.with_columns_of(known)
    season = years_before(splits.test, splits, pipeline.churn)
    later = rows.on({*season, *splits.calibrate, *splits.test})
    blend, trees = pipeline.held_out_churn(known, later)
    middle = np.isin(later.as_of, splits.calibrate)
    if not regression_helps(later.bare.where(middle), blend[middle], trees[middle]):
        pipeline, blend = replace(pipeline, blended=False), trees
    return calibrated_in_time(pipeline, rows, splits, DatedPredictions.of(later, blend)).probability


def _trees(recorded: Mapping[str, Any]) -> TreeParameters:
    """The parameters of trees as a bundle recorded them; those it does not name have their defaults."""
    known = {field.name for field in fields(TreeParameters)}
    return TreeParameters(**{name: value for name, value in recorded.items() if name in known})
