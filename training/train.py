"""Training: from a store of events to an evaluated, registered and perhaps promoted bundle.

splits → snapshots → labels → fit → calibrate → test → compare with baselines → log → register → promote
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from threadpoolctl import threadpool_limits

from features import array_pool
from features.catalog.definitions import company_kinds
from features.event_store import EventStore
from features.execution.base import Engine
from features.execution.local import HERE
from training.bundle.calibration import Calibration
from training.bundle.model_bundle import Bundle
from training.bundle.model_card_file import load_model_card, save_model_card
from training.bundle.promotions import PROMOTIONS
from training.bundle.tiers import index_columns
from training.data.attribute_dates import OF_TOTALS, attribute_findings
from training.data.columns.churn_catalog import churn_catalog
from training.data.columns.indicator_details import indicator_details
from training.data.columns.level_counts import level_counts
from training.data.columns.populations import dated_numbers
from training.data.dataset import dataset
from training.data.extent import DataExtent, data_extent
from training.data.lead_labels import lead_labels
from training.data.lifetime.purchase_history import purchase_history
from training.data.outcome_checks import require_both_outcomes
from training.data.priors import learn_priors
from training.data.splits import TemporalSplits, temporal_splits
from training.data.typical_values import typical_values
from training.data.uncontacted_rows import uncontacted_rows
from training.evaluation.evaluate import (
    Evaluation,
    calibrate_for_delivery,
    cross_fitted_where_few,
    evaluate_models,
)
from training.evaluation.leaks import find_leaks, leaks_by_date
from training.evaluation.lifetime_value_metrics import judged_lifetime_value
from training.evaluation.metrics import headline
from training.evaluation.role_rows import role_rows
from training.fitting.churn_hold import held_to_churn
from training.fitting.level import level_dates
from training.fitting.pipeline import TrainingPipeline
from training.fitting.tiers import tier_scale
from training.labels.settings import Churn
from training.registry.champion import compare_with_champion
from training.registry.gates import GateDecision, decide_promotion
from training.registry.model_card.card import summary
from training.registry.promotion_log import log_promotion
from training.registry.run_artifacts import upload_run_artifacts, upload_tuning_trials
from training.registry.run_source import NO_SOURCE, RunSource
from training.registry.stored_card import stored_card
from training.training_config import TrainingConfig

if TYPE_CHECKING:
    from training.registry.mlflow_tracking import Tracking
    from training.tuning import Tuning

Progress = Callable[[str, float], None]
"""Called with the name of a step and the share of the whole that is done, 0 to 1."""


@dataclass(frozen=True)
class TrainingResult:
    """The outcome of a training: the registered version, whether it was promoted, and its metrics."""

    promoted: bool
    version: str | None
    run_id: str | None
    refusals: tuple[str, ...]
    warnings: tuple[str, ...]
    figures: Mapping[str, float]
    """The headline metrics; `bundle.figures` has all."""
    bundle: Bundle
    list_figures: Mapping[str, float]
    """The metrics of the at-risk list in each order; see `training.evaluation.list_metrics`."""
    unchanged: bool = False
    """Whether the version existed already, byte for byte (champion or refused): nothing was registered."""
    japanese: tuple[str, ...] = ()
    """The refusals, then the warnings, in Japanese."""
    compared: tuple[str, str] = ("", "")
    """How it was compared with the champion, in English and Japanese; empty where there was none."""


def train(
    store: EventStore,
    config: TrainingConfig,
    tracking: Tracking,
    *,
    now: int,
    until: int | None = None,
    tuning: Tuning | None = None,
    accept_leak: str = "",
    source: RunSource = NO_SOURCE,
    progress: Progress | None = None,
    engine: Engine = HERE,
) -> TrainingResult:
    """Train on what was known before `until`, register the run, and promote the bundle if the gates pass.

    `source` is what the run keeps of the project's files. `accept_leak` is the reason for which a suspected
    leak is taken for none; the promotion log and the model card keep it. `now` is the moment that the
    promotion log names. The log is written first: the alias never moves without a line that says why. Data
    and settings that give the champion again, byte for byte, leave everything as it is.
    """
    report = progress or silent
    store = store.pinned()  # all reads and the version that the run is tagged with are of one moment
    bundle, evaluation = learn(
        store,
        config,
        until=until,
        now=now,
        tuning=tuning,
        progress=lambda step, share: report(step, 0.7 * share),
        engine=engine,
    )

    report("asking the gates", 0.7)
    champion = compare_with_champion(store, tracking, bundle, evaluation, until)
    if champion is not None and champion.same:
        report("trained", 1.0)
        return _existing(store.folder, champion.version, None, bundle, evaluation, tracking)
    decision = decide_promotion(bundle, evaluation, champion, accept_leak=accept_leak)
    refused_before = None if decision.promoted else tracking.version_of(bundle.fingerprint)
    if refused_before is not None:
        report("trained", 1.0)
        return _existing(store.folder, refused_before, decision, bundle, evaluation, tracking)

    report("keeping the run", 0.8)
    until_day = config.timeline.local(bundle.trained_until).date()
    with tracking.run(f"until {until_day}{'' if tuning is None else ', tuned'}") as run:
        upload_run_artifacts(run, bundle, evaluation, decision, source, store_version=store.version)
        if tuning is not None:
            upload_tuning_trials(tracking, run, tuning)
        number = tracking.register(
            run, bundle, description=summary(bundle, decision, evaluation.list_figures)
        )
    card = stored_card(number, run.id, bundle, decision, evaluation, experiment=run.experiment)
    save_model_card(store.folder, card)
    log_promotion(
        store.folder / PROMOTIONS,
        decision,
        decided_at=config.timeline.name(now),
        version=number,
        run=run.id,
        fingerprint=bundle.fingerprint,
        trained_until=config.timeline.name(bundle.trained_until),
    )
    if decision.promoted:
        tracking.promote(number)
    report("trained", 1.0)
    return TrainingResult(
        promoted=decision.promoted,
        version=number,
        run_id=run.id,
        refusals=decision.refusals,
        warnings=decision.warnings,
        figures=headline(bundle.figures),
        bundle=bundle,
        list_figures=evaluation.list_figures,
        japanese=decision.japanese,
        compared=decision.compared,
    )


def learn(
    store: EventStore,
    config: TrainingConfig,
    *,
    until: int | None,
    now: int | None = None,
    tuning: Tuning | None = None,
    progress: Progress | None = None,
    engine: Engine = HERE,
) -> tuple[Bundle, Evaluation]:
    """Fit the models on what was known before `until`, and evaluate them on dates later than they learned.

    The data counts as covered until the newest event before `until` of what labels hang on, not until
    `until` itself: deleting the future and hiding it give the same bundle. A last day that is `now` is not
    over. The delivered models are refitted on every labelled date with the settings that were evaluated;
    their calibration is of models fitted on earlier dates, as predictions for own dates are too good.
    """
    report = progress or silent
    report("looking through the events", 0.0)
    store = store.pinned()  # an ingest meanwhile changes nothing here
    churn = Churn.of(config.churn, config.indicators, config.timeline.timezone)
    line, closed = config.timeline, config.closed
    extent = data_extent(store, until, churn, line, config.indicators, closed=closed, now=now, engine=engine)
    splits = temporal_splits(extent.first, extent.coverage.covered_until, churn, config.timeline)
    details = indicator_details(store, config.indicators, splits.every[0], until, engine=engine)
    features = churn_catalog(config.indicators, config.features, extent.kinds, churn, config.consent, details)

    report("computing features", 0.05)
    priors = learn_priors(store, features, line, splits.every[0], until=until, engine=engine)
    dates = (*splits.every, splits.answers)
    size = extent.customers
    levels = level_counts(store, features, churn, line, splits.every, size, until, engine=engine)
    numbers = dated_numbers(store, features, line, dates, priors, size, until, levels, engine=engine)
    array_pool.release()
    rows = dataset(store, features, churn, line, priors, splits.every, extent, until, numbers, engine=engine)
    priors = replace(priors, numbers=numbers[splits.answers])
    array_pool.release()
    require_both_outcomes(rows, splits, churn, config.timeline)
    cohort, weighting, company = rows, None, company_kinds(config.indicators)
    if config.churn.contacts == "without_contact":
        rows, weighting = uncontacted_rows(store, cohort, config.assignments, churn, company, until)
    splits = cross_fitted_where_few(splits, rows)
    # Tiers and typical values describe the whole cohort as it was; no label is in them.
    index = cohort.on(splits.fit).named(index_columns(features, churn))
    scale = tier_scale(config.tiers, index, features, churn)

    report("fitting, calibrating and testing", 0.2)
    parameters = replace(config.models, seed=config.seed)
    if tuning is not None:
        parameters = tuning(parameters, rows.on(splits.fit), churn, lambda step, _: report(step, 0.2))
    array_pool.release()
    pipeline = TrainingPipeline(parameters, features, churn, scale, books=priors.code_book)
    with threadpool_limits(limits=1, user_api="blas"):  # on small vectors threads only wait for each other
        pipeline, evaluation = evaluate_models(pipeline, rows, splits, config.contacts)

    array_pool.release()
    covered = extent.coverage.covered_until
    leads = lead_labels(store, rows, churn, covered, config.timeline, until)
    day_after = extent.coverage.day_after
    dated = attribute_findings(store, churn, line, day_after, until, config.consent, company, engine=engine)
    by_date = leaks_by_date(dated)
    found = find_leaks(evaluation.rows, features, leads)
    known = {column for leak in by_date for column in leak.columns}
    evaluation = replace(
        evaluation,
        leaks=(*by_date, *(leak for leak in found if not known & set(leak.columns))),
        notes=tuple(finding for finding in dated if finding.name != OF_TOTALS),
        roles=role_rows(rows, splits, extent.customers),
    )

    report("fitting on every labelled date", 0.6)
    array_pool.release()
    with threadpool_limits(limits=1, user_api="blas"):
        delivered = calibrate_for_delivery(pipeline, evaluation, rows, splits)
    typical = typical_values(cohort.on(splits.test), features)
    # Lifetime value reads other rows: those of churn make room for them.
    evaluation = replace(evaluation, rows=evaluation.rows.compact)
    del rows, cohort, index, leads
    array_pool.release()

    report("learning lifetime value", 0.9)
    months, day = config.value.months, splits.answers
    past = purchase_history(
        store, features, churn, line, priors, extent, day, months, until, levels, engine=engine
    )
    array_pool.release()
    lifetime, figures = judged_lifetime_value(past, parameters)
    evaluation = replace(evaluation, figures={**evaluation.figures, **figures})
    bundle = Bundle(
        timezone=config.timeline.timezone,
        catalog=features,
        priors=priors,
        churn=churn,
        tiers=scale,
        models=delivered.models,
        calibration=delivered.calibration,
        level=delivered.level,
        typical=typical,
        base_rate=evaluation.base_rate,
        value_scale=evaluation.value_scale,
        evidence=evaluation.level,
        trained_until=extent.newest,
        labelled_until=splits.labelled[-1],
        data_version=extent.digest,
        code_version=version("kizuna"),
        settings=_provenance(config, delivered.pipeline, splits, extent, delivered.calibration)
        | ({} if weighting is None else weighting.to_json(on_controls=evaluation.calibrated_on_controls)),
        figures=evaluation.figures,
        lifetime=lifetime,
    )
    bundle = held_to_churn(bundle, past)
    report("learned", 1.0)
    return bundle, evaluation


def silent(_step: str, _share: float) -> None:
    """A progress callback that does nothing."""


def _existing(
    state: Path,
    version: str,
    refused: GateDecision | None,
    bundle: Bundle,
    evaluation: Evaluation,
    tracking: Tracking,
) -> TrainingResult:
    """The result where the bundle is a version that exists already: the champion, or one refused again."""
    run = tracking.run_of(version)
    card = load_model_card(state, version)
    if card is None or card.list_figures is None:  # registered before cards, or these figures, were kept
        experiment = "" if run is None else tracking.experiment_of(run)
        save_model_card(
            state, stored_card(version, run or "", bundle, refused, evaluation, experiment=experiment)
        )
    return TrainingResult(
        promoted=False,
        version=version,
        run_id=run,
        refusals=() if refused is None else refused.refusals,
        warnings=() if refused is None else refused.warnings,
        figures=headline(bundle.figures),
        bundle=bundle,
        list_figures=evaluation.list_figures,
        unchanged=True,
        japanese=() if refused is None else refused.japanese,
        compared=("", "") if refused is None else refused.compared,
    )


def _provenance(
    config: TrainingConfig,
    pipeline: TrainingPipeline,
    splits: TemporalSplits,
    extent: DataExtent,
    calibration: Calibration,
) -> dict[str, Any]:
    """The settings, dates and data that made this bundle, in plain data."""
    name = config.timeline.name
    levels_from = level_dates(splits.answers, splits.every, splits.first, pipeline.churn).to_json(name)
    return {
        "churn": config.churn.model_dump(mode="json", exclude={"contacts"}),
        "label": pipeline.churn.definition,
        "features": config.features.model_dump(mode="json"),
        "tiers": config.tiers.model_dump(mode="json"),
        "contacts": config.contacts,
        "models": pipeline.settings.to_json(),
        "shape": pipeline.shape,
        "blended": pipeline.blended,
        "value_power": pipeline.value_power,
        **({} if pipeline.chosen is None else {"columns_chosen": len(pipeline.chosen)}),
        "calendar": {
            role: [name(date) for date in getattr(splits, role)] for role in ("fit", "calibrate", "test")
        },
        "calibration": {"method": calibration.method} | (levels_from if calibration.levelled else {}),
        "customers_until": name(extent.coverage.rest_until),
        "events": extent.events,
        "customers": extent.customers,
        **({"coverage": extent.coverage.to_json()} if extent.coverage.ends else {}),
    }
