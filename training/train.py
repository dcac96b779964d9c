"""The recipe: from a store of events to a judged, registered and perhaps promoted bundle.

calendar → snapshots → labels → fit → calibrate → test → compare with baselines → log → register → promote
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from features.catalog.defaults import catalog
from features.catalog.definitions import Catalog, Indicator
from features.catalog.settings import FeatureSettings
from features.errors import DataError
from features.event_store import EventStore
from features.timeline import Timeline
from training.bundle.calibration import Calibration
from training.bundle.model_bundle import Bundle
from training.bundle.tiers import TierSettings
from training.data.dataset import LabelledRows, dataset
from training.data.extent import DataExtent, data_extent
from training.data.priors import learn_priors
from training.data.splits import TemporalSplits, a_year_before, temporal_splits
from training.evaluation.evaluate import Evaluation, calibrate_for_delivery, evaluate_models
from training.evaluation.metrics import METRICS
from training.fitting.lightgbm import TreeParameters
from training.fitting.pipeline import TrainingPipeline
from training.fitting.tiers import tier_scale
from training.labels.settings import Churn, ChurnSettings
from training.registry.champion import compare_with_champion
from training.registry.gates import decide_promotion
from training.registry.model_card.card import summary
from training.registry.promotion_log import PROMOTIONS, log_promotion
from training.registry.run_artifacts import upload_run_artifacts, upload_tuning_trials

if TYPE_CHECKING:
    from training.registry.mlflow_tracking import Tracking
    from training.tuning import Tuning

Progress = Callable[[str, float], None]

FEW = 25
"""Churners, and stayers, that each role needs; with fewer the roles are cross-fitted and evidence is low."""


@dataclass(frozen=True)
class TrainingConfig:
    """What a project wants learned."""

    timeline: Timeline
    indicators: tuple[Indicator, ...]
    features: FeatureSettings
    churn: ChurnSettings
    tiers: TierSettings
    contacts: int
    seed: int = 0
    models: TreeParameters = field(default_factory=TreeParameters)


@dataclass(frozen=True)
class TrainingResult:
    """What became of a training: the model's version, and whether it earned to be the champion."""

    promoted: bool
    version: str | None
    run_id: str | None
    refusals: tuple[str, ...]
    warnings: tuple[str, ...]
    figures: Mapping[str, float]
    """The headline figures; `bundle.figures` has all."""
    bundle: Bundle
    unchanged: bool = False
    """Whether this is a version again, byte for byte: the champion, which keeps its place, or a refused one.
    Then nothing was registered."""


def train(
    store: EventStore,
    plan: TrainingConfig,
    tracking: Tracking,
    *,
    now: int,
    until: int | None = None,
    tuning: Tuning | None = None,
    progress: Progress | None = None,
) -> TrainingResult:
    """Learn from what was known before `until`; keep the run, and promote the bundle if it earns it.

    `now` is the moment that the promotion log names. The log is written first: the alias never moves
    without a line that says why. Data and settings that give the champion again, byte for byte, leave
    everything as it is.
    """
    tell = progress or silent
    bundle, evidence = learn(
        store, plan, until=until, tuning=tuning, progress=lambda words, share: tell(words, 0.7 * share)
    )
    tell("asking the gates", 0.7)
    champion = compare_with_champion(store, tracking, bundle, evidence, until)
    if champion is not None and champion.same:
        tell("trained", 1.0)
        run_id = tracking.run_of(champion.version)
        return TrainingResult(
            False, champion.version, run_id, (), (), _headline(bundle), bundle, unchanged=True
        )
    decision = decide_promotion(bundle, evidence, champion)
    again = None if decision.promoted else tracking.version_of(bundle.fingerprint)
    if again is not None:  # refused before, and now once more
        tell("trained", 1.0)
        told = (decision.refusals, decision.warnings)
        return TrainingResult(
            False, again, tracking.run_of(again), *told, _headline(bundle), bundle, unchanged=True
        )
    tell("keeping the run", 0.8)
    until_day = plan.timeline.local(bundle.trained_until).date()
    with tracking.run(f"until {until_day}{'' if tuning is None else ', tuned'}") as run:
        upload_run_artifacts(run, bundle, evidence, decision, store_version=store.version)
        if tuning is not None:
            upload_tuning_trials(tracking, run, tuning)
        number = tracking.register(run, bundle, description=summary(bundle, decision))
    log_promotion(
        store.folder / PROMOTIONS,
        decision,
        decided_at=plan.timeline.name(now),
        version=number,
        run=run.id,
        fingerprint=bundle.fingerprint,
        trained_until=plan.timeline.name(bundle.trained_until),
    )
    if decision.promoted:
        tracking.promote(number)
    tell("trained", 1.0)
    return TrainingResult(
        promoted=decision.promoted,
        version=number,
        run_id=run.id,
        refusals=decision.refusals,
        warnings=decision.warnings,
        figures=_headline(bundle),
        bundle=bundle,
    )


def learn(
    store: EventStore,
    plan: TrainingConfig,
    *,
    until: int | None,
    tuning: Tuning | None = None,
    progress: Progress | None = None,
) -> tuple[Bundle, Evaluation]:
    """Learn from what was known before `until`, and judge it on dates later than those that taught.

    The data counts as covered until its newest event before `until`, not until `until` itself: deleting
    the future and hiding it give the same bundle. The delivered models are refitted on every labelled date
    with the settings that were judged; their calibration comes from what models fitted on earlier dates
    said about later ones, because a model's own dates flatter it.
    """
    tell = progress or silent
    tell("looking through the events", 0.0)
    store = store.pinned()  # an ingest meanwhile changes nothing here
    churn = Churn.of(plan.churn, plan.indicators)
    past = data_extent(store, until, churn, plan.timeline, company_kinds(plan.indicators))
    dates = temporal_splits(past.first, past.newest, churn, plan.timeline)
    features = catalog(plan.indicators, plan.features, past.kinds, horizon_days=churn.horizon.reach)

    tell("computing features", 0.05)
    priors = learn_priors(store, features, plan.timeline, dates.every[0], until=until)
    rows = dataset(store, features, churn, plan.timeline, priors, dates.every, past, until)
    dates = _settled(dates, rows, churn, plan.timeline)
    scale = tier_scale(plan.tiers, rows.on(dates.fit).now, features, churn)

    tell("fitting, calibrating and testing", 0.2)
    settings = replace(plan.models, seed=plan.seed)
    if tuning is not None:
        settings = tuning(settings, rows.on(dates.fit), churn, lambda words, _: tell(words, 0.2))
    recipe = TrainingPipeline(settings, features, churn, scale, books=priors.code_book)
    with threadpool_limits(limits=1, user_api="blas"):  # on small vectors threads only wait for each other
        recipe, evidence = evaluate_models(recipe, rows, dates, plan.contacts)

    tell("fitting on every labelled date", 0.6)
    models, calibration = calibrate_for_delivery(recipe, evidence, rows, dates)
    bundle = Bundle(
        timezone=plan.timeline.timezone,
        catalog=features,
        priors=priors,
        churn=churn,
        tiers=scale,
        models=models,
        calibration=calibration,
        typical=_typical(rows.on(dates.test), features),
        base_rate=evidence.base_rate,
        value_scale=evidence.value_scale,
        evidence=evidence.level,
        trained_until=past.newest,
        labelled_until=dates.labelled[-1],
        data_version=past.digest,
        code_version=version("kizuna"),
        settings=_described(plan, recipe, dates, past, calibration),
        figures=evidence.figures,
    )
    tell("learned", 1.0)
    return bundle, evidence


def _headline(bundle: Bundle) -> dict[str, float]:
    return {name: bundle.figures[name] for name in METRICS if name in bundle.figures}


def silent(_words: str, _share: float) -> None:
    """Progress that nobody watches."""


def _settled(dates: TemporalSplits, rows: LabelledRows, churn: Churn, timeline: Timeline) -> TemporalSplits:
    """The calendar, cross-fitted by customer instead when a role has too few churners or stayers.

    Raises `DataError` when nobody could leave, nobody left, or everybody did.
    """
    span = f"between {timeline.name(dates.labelled[0])} and {timeline.name(dates.labelled[-1])}"
    if not len(rows):
        raise DataError(
            f"cannot train: no customer could still leave on any as-of date {span}. "
            "Check [churn]: do the kinds of event it names exist, and is active_days long enough?"
        )
    if rows.churned.all() or not rows.churned.any():
        who = "every one" if rows.churned.all() else "none"
        raise DataError(
            f"cannot train: {who} of the {len(np.unique(rows.keys)):,} customers who could leave {span} "
            f"did so within {churn.horizon.reach} days, so there is nothing to tell apart. "
            "Write another horizon_days in [churn], or check the kinds of event it names."
        )
    for role in (dates.fit, dates.calibrate, dates.test):
        mine = rows.on(role)
        left = len(np.unique(mine.keys[mine.churned]))
        if min(left, len(np.unique(mine.keys[~mine.churned]))) < FEW:
            every = dates.labelled
            return replace(dates, fit=every, calibrate=every, test=every, evidence="low")
    return dates


def company_kinds(indicators: Sequence[Indicator]) -> frozenset[str]:
    """The kinds of event that are the company's doing and no customer's."""
    own = {kind for one in indicators if one.origin == "customer" for kind in one.kinds}
    return frozenset(kind for one in indicators for kind in one.kinds) - own


def _typical(rows: LabelledRows, features: Catalog) -> dict[str, float]:
    """The cohort's median of each feature on the newest dates; of details, the most frequent."""
    typical = {}
    for place, column in enumerate(features.columns):
        known = rows.matrix[:, place][~np.isnan(rows.matrix[:, place])]
        if len(known):
            typical[column] = _mode(known) if column in features.detail_columns else float(np.median(known))
    return typical


def _mode(x: NDArray[np.float64]) -> float:
    values, counts = np.unique(x, return_counts=True)
    return float(values[counts.argmax()])


def _described(
    plan: TrainingConfig,
    recipe: TrainingPipeline,
    dates: TemporalSplits,
    past: DataExtent,
    calibration: Calibration,
) -> dict[str, Any]:
    """How this bundle was made, in plain data."""
    name = plan.timeline.name
    before = a_year_before(dates.answers, dates.every, recipe.churn)
    return {
        "churn": plan.churn.model_dump(mode="json"),
        "label": recipe.churn.definition,
        "features": plan.features.model_dump(mode="json"),
        "tiers": plan.tiers.model_dump(mode="json"),
        "contacts": plan.contacts,
        "models": recipe.settings.to_json(),
        "shape": recipe.shape,
        "value_power": recipe.value_power,
        "calendar": {
            role: [name(date) for date in getattr(dates, role)] for role in ("fit", "calibrate", "test")
        },
        "calibration": {
            "method": calibration.method,
            "season": [name(date) for date in before] if calibration.season else [],
        },
        "customers_until": name(past.acted),
        "events": past.events,
        "customers": past.customers,
    }
