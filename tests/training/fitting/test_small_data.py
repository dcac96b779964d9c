"""Little data gets the model that its customers, told apart in folds, speak for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from lightgbm import Booster

from features.catalog.defaults import catalog, indicators
from features.catalog.settings import FeatureSettings
from features.timeline import Horizon
from tests.training.simulated import plan, shop
from tests.training.worlds import INACTIVITY
from training.bundle.shap_values import TOLERANCE, Explainer
from training.data.customer_hashes import shuffled_by_customer
from training.data.rows.labelled_rows import LabelledRows, customers_by_outcome
from training.fitting.baselines import rfm_margin, silence_margin
from training.fitting.lightgbm import BinnedRows, TreeParameters, fit_churn, fit_margin
from training.fitting.small_data import PARTS, SHAPES, choose_shape, fit_part, fit_shape_of
from training.train import learn

SHOP = catalog(indicators({}), FeatureSettings(windows=(30, 90)), ("purchase",), horizon_days=30)
CHURN = replace(INACTIVITY, horizon=Horizon(30))
SETTINGS = TreeParameters(threads=1)


def rows(n: int, seed: int, *, crossed: bool = False) -> LabelledRows:
    """Who leaves follows recency alone; or, crossed, whether recency and tenure are alike."""
    draw = np.random.default_rng(seed)
    matrix = draw.gamma(2.0, 3.0, (n, len(SHOP.columns)))
    days, tenure = draw.exponential(25, n), draw.exponential(200, n)
    matrix[:, SHOP.columns.index("purchase_days_since_last")] = days
    matrix[:, SHOP.columns.index("purchase_days_since_first")] = tenure
    margin = 4.0 * np.where((days > 17) == (tenure > 140), 1, -1) if crossed else 1.5 * np.log1p(days) - 5.0
    churned = draw.random(n) < 1 / (1 + np.exp(-margin))
    keys = np.arange(n)
    hashes, zeros = shuffled_by_customer(keys.astype(np.uint64)), np.zeros(n, dtype=np.int64)
    return LabelledRows(
        keys, hashes, zeros, matrix, churned, zeros.astype(float), np.zeros((n, 0)), SHOP.columns, ()
    )


def test_trees_of_one_split_repeat_the_regression() -> None:
    few = rows(300, 1)
    margin, read = rfm_margin(few, SHOP, CHURN)
    model = fit_margin(SETTINGS, few.matrix, margin, read, few.columns)
    said = model.predict(few.matrix, raw_score=True, num_threads=1)
    assert np.corrcoef(said, margin)[0, 1] > 0.99
    assert np.abs(model.predict(few.matrix, num_threads=1) - 1 / (1 + np.exp(-margin))).mean() < 0.02
    splits = model.feature_importance("split")
    assert set(np.flatnonzero(splits)) <= set(read)


def test_a_shape_is_the_mean_of_its_parts() -> None:
    few, asked = rows(400, 9), rows(100, 10)
    for shape, parts in PARTS.items():
        margins = [
            model.predict(asked.matrix, raw_score=True, num_threads=1)
            for part in parts
            if (model := fit_part(part, SETTINGS, few, SHOP, CHURN)) is not None
        ]
        whole = fit_shape_of(shape, SETTINGS, few, SHOP, CHURN)
        said = whole.predict(asked.matrix, raw_score=True, num_threads=1)
        assert np.allclose(said, np.mean(margins, axis=0), rtol=0, atol=1e-12)


def test_buy_till_you_die_is_a_part_where_customers_have_a_chance_of_silence() -> None:
    few = rows(300, 12)
    silence = [at for at, column in enumerate(SHOP.columns) if "_silence_" in column]
    few.stored[:, silence] = np.random.default_rng(1).random((300, len(silence)))
    margin, read = silence_margin(few, SHOP, CHURN) or (None, [])
    assert read == silence
    assert margin is not None
    few.stored[:, silence] = np.nan
    assert silence_margin(few, SHOP, CHURN) is None
    assert fit_part("silence", SETTINGS, few, SHOP, CHURN) is None


def test_asked_without_levels_of_dates_trees_tell_the_dates_apart() -> None:
    dates = np.arange(600) % 3
    drawn = rows(600, 11)
    known = replace(drawn, as_of=dates, churned=drawn.churned | (dates == 2))
    levelled, bare = (
        fit_shape_of("trees", SETTINGS, known, SHOP, CHURN, levels=levels).model_to_string()
        for levels in (True, False)
    )
    assert (
        levelled
        == fit_churn(SETTINGS, BinnedRows.of(SETTINGS, known), known.churned, dates).model_to_string()
    )
    assert bare == fit_churn(SETTINGS, BinnedRows.of(SETTINGS, known), known.churned).model_to_string()
    assert levelled != bare


def test_every_shape_is_one_text_that_is_explained_exactly() -> None:
    few, asked = rows(200, 2), rows(50, 3)
    for shape in SHAPES:
        text = fit_shape_of(shape, SETTINGS, few, SHOP, CHURN).model_to_string()
        explainer = Explainer(Booster(model_str=text))
        assert explainer.gap(asked.matrix, explainer(asked.matrix)) < TOLERANCE


def test_where_recency_decides_a_simple_shape_is_taken_and_is_better_than_trees() -> None:
    few, asked = rows(200, 4), rows(4_000, 5)
    shape, losses = choose_shape(SETTINGS, few, SHOP, CHURN)
    assert set(losses) == set(SHAPES)
    assert shape != "trees"
    assert log_loss(shape, few, asked) < log_loss("trees", few, asked) - 0.02


def test_where_columns_act_together_trees_are_taken() -> None:
    few, asked = rows(900, 6, crossed=True), rows(4_000, 7, crossed=True)
    shape, _ = choose_shape(SETTINGS, few, SHOP, CHURN)
    assert shape == "trees"
    assert log_loss(shape, few, asked) < log_loss("held", few, asked) - 0.05


def test_the_fewer_outcome_counts_each_customer_once() -> None:
    few = rows(40, 8)
    twice = replace(few, churned=np.arange(40) < 6, keys=np.arange(40) // 2)
    assert min(customers_by_outcome(twice)) == 3


def test_a_small_shop_says_low_evidence_and_what_it_chose(tmp_path: Path) -> None:
    bundle, evidence = learn(shop(70, 320).store(tmp_path / "state"), plan(), until=None)
    assert bundle.evidence == evidence.level == "low"
    assert bundle.settings["shape"] in SHAPES
    assert {f"shape/{shape}/log_loss" for shape in SHAPES} <= set(evidence.figures)
    assert evidence.figures["auc_high"] - evidence.figures["auc_low"] > 0.05


def log_loss(shape: str, known: LabelledRows, asked: LabelledRows) -> float:
    p = fit_shape_of(shape, SETTINGS, known, SHOP, CHURN).predict(asked.matrix, num_threads=1)  # type: ignore[arg-type]
    return float(-np.log(np.where(asked.churned, p, 1 - p)).mean())
