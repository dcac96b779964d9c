"""A small shop: 240 customers, orders for 400 days, and a bundle with real LightGBM models."""

from __future__ import annotations

import csv
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from features.catalog.defaults import catalog
from features.engine.snapshot import Snapshot, snapshot
from features.timeline import DAY
from serving.cli.context import CliContext
from serving.scoring.batch import score
from serving.state.active_model import import_bundle
from serving.state.scores.score_file import save
from serving.state.scores.score_index import ScoreFile, use_scores
from tests.training import trained
from training.bundle.calibration import Calibration
from training.bundle.level_uncertainty import LevelUncertainty
from training.bundle.lifetime.lifetime_model import EXPECTED, spending_catalog
from training.bundle.lightgbm_models import LightGBMModels
from training.bundle.model_bundle import Bundle, canonical
from training.data.priors import learn_priors
from training.fitting.lightgbm import BinnedRows, TreeParameters, fit_churn, fit_tier, fit_value
from training.fitting.tiers import tier_scale
from training.labels.cohort import cohort
from training.labels.labelling import label

TOML = '''
[[sources]]
name = "orders"
query = """
select customer as customer_id, ordered_at as occurred_at, kind, amount as value, shop as place,
       category as detail, number as event_id
from read_csv('data/orders.csv')
"""

[[attributes]]
name = "plan"
query = "select customer as customer_id, since as known_at, plan as value from read_csv('data/plans.csv')"

[features]
windows = [14, 30, 90]

[churn]
active_days = 60
horizon_days = 30

[capacity]
contacts = 20
'''

START = datetime(2024, 1, 1)  # noqa: DTZ001 (the project's zone is UTC)
DATES = ("2025-01-01", "2025-02-01")
"""As-of dates that are scored, the older first."""


def lay_out(folder: Path, seed: int = 1) -> None:
    """Write the shop's kizuna.toml and tables."""
    chance = np.random.default_rng(seed)
    (folder / "data").mkdir(parents=True)
    (folder / "kizuna.toml").write_text(TOML, encoding="utf-8")
    with (folder / "data" / "orders.csv").open("w", newline="", encoding="utf-8") as file:
        orders = csv.writer(file)
        orders.writerow(["customer", "ordered_at", "kind", "amount", "shop", "category", "number"])
        number = 0
        for customer in range(240):
            gap = chance.gamma(2, 6) + 2
            day = chance.uniform(0, 60)
            end = 400.0 if chance.random() < 0.5 else chance.uniform(60, 400)
            while day < end:
                moment = (START + timedelta(days=float(day))).isoformat(timespec="seconds")
                amount = round(float(chance.gamma(2, 20)), 2)
                what = ["food", "toys", "books"][int(chance.integers(3))]
                name, where = f"c{customer:04d}", f"s{customer % 3}"
                orders.writerow([name, moment, "purchase", amount, where, what, f"o{number}"])
                if chance.random() < 0.03:
                    orders.writerow([name, moment, "refund", -amount, where, what, f"r{number}"])
                number += 1
                day += chance.exponential(gap)
        for customer in range(5):  # known, but never active
            orders.writerow([f"n{customer}", START.isoformat(), "visit", "", "", "", f"v{customer}"])
    with (folder / "data" / "plans.csv").open("w", newline="", encoding="utf-8") as file:
        plans = csv.writer(file)
        plans.writerow(["customer", "since", "plan"])
        for customer in range(0, 240, 3):
            plans.writerow([f"c{customer:04d}", "2024-01-01", ["gold", "basic"][customer % 2]])


def ingest(folder: Path) -> None:
    """Read the shop's tables into its store."""
    call = CliContext(folder)
    settings = call.project.settings
    call.store.ingest(
        settings.sources, settings.attributes, folder=folder, timeline=call.project.timeline, now=call.now
    )


def learned(folder: Path) -> Bundle:
    """A bundle fitted on five as-of dates, in about a second."""
    call = CliContext(folder)
    project, store = call.project, call.store
    churn, timeline = project.churn, project.timeline
    dates = [timeline.instant(f"2024-{month:02d}-01") for month in (7, 8, 9, 10, 11)]
    kinds = {"purchase", "refund", "visit", "attribute.plan"}
    features = catalog(project.indicators, project.settings.features, kinds)
    priors = learn_priors(store, features, timeline, dates[0])
    rows, gone, spent = [], [], []
    for history in store.histories():
        for date in dates:
            keys = cohort(history, churn, date)
            rows.append(snapshot(history, features, timeline, keys, np.full(len(keys), date), priors))
            facts = label(history, churn, keys, date, date + 40 * DAY, timeline)
            gone.append(facts.churned)
            spent.append(facts.value)
    matrix = np.concatenate([part.matrix for part in rows])
    churned, spend = np.concatenate(gone), np.maximum(np.concatenate(spent), 0)
    keys, instants = (np.concatenate([getattr(part, name) for part in rows]) for name in ("keys", "as_of"))
    whole = Snapshot(keys, instants, features.columns, matrix)
    scale = tier_scale(project.settings.tiers, whole, features, churn)
    tiers = scale.tier(scale.index(whole))
    grown = TreeParameters(trees=30, rate=0.1, threads=1)
    names = features.columns
    binned = BinnedRows.of_matrix(grown, matrix, names)
    return Bundle(
        timezone=timeline.timezone,
        catalog=features,
        priors=priors,
        churn=churn,
        tiers=scale,
        models=LightGBMModels(
            fit_churn(grown, binned, churned).model_to_string(),
            fit_tier(grown, binned, tiers, len(scale.names)).model_to_string(),
            fit_value(grown, 1.5, binned, spend).model_to_string(),
        ),
        calibration=Calibration("logistic", 0.9, 0.9, -0.1),
        level=LevelUncertainty(0.2, 5.0, 2),
        typical=dict(zip(names, np.median(np.nan_to_num(matrix), axis=0).tolist(), strict=True)),
        base_rate=float(churned.mean()),
        value_scale=1.0,
        evidence="normal",
        trained_until=dates[-1],
        labelled_until=dates[-1],
        data_version=store.version,
        code_version="0.1.0",
        settings={"features": project.settings.features.model_dump(mode="json")},
        figures={},
        lifetime=replace(
            trained.lifetime(),
            catalog=spending_catalog(features, churn),
            learned=canonical(
                fit_value(
                    grown,
                    1.5,
                    BinnedRows.of_matrix(grown, np.column_stack([matrix, spend]), (*names, EXPECTED)),
                    spend,
                ).model_to_string()
            ),
        ),
    )


def score_all(folder: Path, bundle: Path, version: str = "1", dates: tuple[str, ...] = DATES) -> None:
    """Adopt a bundle and score on these dates, the last one being current."""
    call = CliContext(folder)
    project = call.project
    with call.records() as records:
        champion = import_bundle(project.state, version, bundle)
        for date in dates:
            as_of = project.timeline.instant(date)
            answers, facts = score(call.store, champion, as_of, call.now)
            name = save(project.scores, answers, facts)
            file = ScoreFile(name, as_of, version, facts.data_version, len(answers), call.now)
            use_scores(records, file, champion.pointer)
