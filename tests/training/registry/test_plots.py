"""Figures are drawn from arrays, show what they claim, and leave no state behind."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure

from tests.training.trained import bundle, outcome, rows
from training.registry.plots import beeswarm, gains, precision_recall, reliability, tier_confusion

MATRIX = rows(2_000, seed=31)
CHURNED = outcome(MATRIX, seed=32)
PROBABILITY = bundle().predict(MATRIX).churn_probability
RIVALS = {"base_rate": np.full(2_000, 0.3), "recency": np.random.default_rng(0).random(2_000)}
ACTUAL = np.random.default_rng(1).integers(0, 5, 2_000).astype(np.int8)


def png(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=50)
    return file.getvalue()


def words(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(lambda part: hasattr(part, "get_text")))


def all_figures() -> dict[str, Figure]:
    sample = MATRIX[:400]
    return {
        "reliability": reliability(PROBABILITY, CHURNED, np.arange(2_000) // 2),
        "gains": gains(PROBABILITY, CHURNED, RIVALS),
        "precision_recall": precision_recall(PROBABILITY, CHURNED, RIVALS),
        "shap_beeswarm": beeswarm(bundle().contributions(sample), sample, bundle().catalog),
        "tier_confusion": tier_confusion(ACTUAL, ACTUAL[::-1], bundle().tiers.names),
    }


@pytest.fixture(scope="module")
def figures() -> dict[str, Figure]:
    return all_figures()


def test_every_figure_becomes_a_picture_and_pyplot_knows_of_none(figures: dict[str, Figure]) -> None:
    for figure in figures.values():
        assert png(figure).startswith(b"\x89PNG")
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or pyplot.get_fignums() == []


def test_the_reliability_plot_shows_what_was_said_and_what_happened(figures: dict[str, Figure]) -> None:
    upper = figures["reliability"].axes[0]
    line = next(line for line in upper.lines if len(line.get_xdata()) == 10)
    said, happened = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
    assert (np.diff(said) > 0).all()
    assert said.mean() == pytest.approx(PROBABILITY.mean(), rel=0.01)
    assert happened.mean() == pytest.approx(CHURNED.mean(), rel=0.01)
    assert f"{CHURNED.mean():.1%} left" in words(figures["reliability"])


def test_the_gains_of_a_perfect_order_reach_all_leavers_at_once() -> None:
    drawn = gains(CHURNED + 0.0, CHURNED, {})
    curve = next(line for line in drawn.axes[0].lines if line.get_label() == "Kizuna")
    depth, reached = np.asarray(curve.get_xdata()), np.asarray(curve.get_ydata())
    assert reached[depth >= CHURNED.mean()] == pytest.approx(1.0)
    assert reached[-1] == 1.0


def test_rows_that_tie_are_reached_evenly() -> None:
    drawn = gains(np.full(2_000, 0.3), CHURNED, {})
    curve = next(line for line in drawn.axes[0].lines if line.get_label() == "Kizuna")
    assert np.asarray(curve.get_ydata()) == pytest.approx(np.asarray(curve.get_xdata()))


def test_baselines_are_named_and_a_constant_one_draws_no_line(figures: dict[str, Figure]) -> None:
    said = words(figures["gains"])
    assert "recency" in said
    assert "base rate" not in said


def test_the_beeswarm_names_features_by_their_meaning(figures: dict[str, Figure]) -> None:
    said = " ".join(words(figures["shap_beeswarm"]).split())
    assert "number of purchases in the last 30 days" in said
    assert "purchase_count_30d" not in said


def test_the_shares_of_each_tier_sum_to_the_whole(figures: dict[str, Figure]) -> None:
    (image,) = figures["tier_confusion"].axes[0].images
    assert np.asarray(image.get_array()).sum(axis=1) == pytest.approx(1.0)


def test_tiers_named_in_japanese_are_numbered_on_the_picture() -> None:
    drawn = tier_confusion(ACTUAL, ACTUAL, ("休眠", "低調", "ライト", "アクティブ", "ファン"))
    assert "tier 1" in words(drawn)
    png(drawn)


@pytest.mark.parametrize("churned", [np.zeros(30, bool), np.ones(30, bool), np.arange(30) == 3])
def test_figures_survive_tiny_and_one_sided_tests(churned: np.ndarray) -> None:
    probability = np.linspace(0.1, 0.2, 30)
    png(reliability(probability, churned, np.arange(30)))
    png(reliability(np.full(30, 0.2), churned, np.arange(30)))
    png(gains(probability, churned, {"recency": probability[::-1]}))
    png(precision_recall(probability, churned, {}))
