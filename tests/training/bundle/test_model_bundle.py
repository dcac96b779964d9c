"""A bundle freezes everything needed to score, and notices any damage."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import lightgbm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.catalog.defaults import catalog, indicators
from features.catalog.definitions import Catalog
from features.errors import ModelError
from tests.training.trained import KINDS, SETTINGS, bundle, like, outcome, rows
from training.bundle.lightgbm_models import LightGBMModels, column_slots
from training.bundle.model_bundle import Bundle, canonical
from training.bundle.path_lookup import PathTable
from training.bundle.shap_values import Explainer
from training.bundle.tree_inference import sample_rows
from training.fitting.lightgbm import BinnedRows, TreeParameters, fit_churn, fit_tier, fit_value

FILES = ("bundle.json", "churn.txt", "lifetime.txt", "tier.txt", "value.txt")
REMEDY = "Train again with `kizuna train`."


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_a_loaded_bundle_says_the_same_as_the_one_saved(tmp_path: Path) -> None:
    bundle().save(tmp_path / "1")
    loaded = Bundle.load(tmp_path / "1")
    matrix = rows(300, seed=5)
    before, after = bundle().predict(matrix), loaded.predict(matrix)
    assert loaded == bundle()
    assert loaded.catalog.columns == bundle().catalog.columns
    assert np.array_equal(before.churn_probability, after.churn_probability)
    assert np.array_equal(before.tier_probabilities, after.tier_probabilities)
    assert before.expected_value is not None
    assert after.expected_value is not None
    assert np.array_equal(before.expected_value, after.expected_value)
    assert np.array_equal(bundle().contributions(matrix), loaded.contributions(matrix))


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    bundle().save(tmp_path / "one")
    Bundle.load(tmp_path / "one").save(tmp_path / "two")
    assert content(tmp_path / "one") == content(tmp_path / "two")


def test_a_bundle_is_text_and_names_neither_machine_nor_moment(tmp_path: Path) -> None:
    bundle().save(tmp_path / "1")
    files = content(tmp_path / "1")
    assert sorted(files) == sorted([*FILES, "checksums.txt"])
    for text in files.values():
        decoded = text.decode("utf-8")
        assert "num_threads" not in decoded
        assert str(tmp_path) not in decoded


def test_the_checksums_are_those_that_sha256sum_reads(tmp_path: Path) -> None:
    bundle().save(tmp_path / "1")
    done = subprocess.run(
        ["sha256sum", "--check", "--quiet", "checksums.txt"], cwd=tmp_path / "1", check=False
    )
    assert done.returncode == 0


def test_the_model_text_is_the_same_whatever_the_threads_it_was_trained_with() -> None:
    matrix, target = rows(500), (np.arange(500) % 3 == 0).astype(float)
    texts = []
    for threads in (1, 2):
        parameters = {"objective": "binary", "num_threads": threads, "verbosity": -1, "deterministic": True}
        parameters["force_col_wise"] = True
        booster = lightgbm.train(parameters, lightgbm.Dataset(matrix, target), num_boost_round=3)
        texts.append(booster.model_to_string())
    assert texts[0] != texts[1]
    assert canonical(texts[0]) == canonical(texts[1])
    assert canonical(canonical(texts[0])) == canonical(texts[0])


def test_the_fingerprint_changes_with_any_part() -> None:
    assert len(bundle().fingerprint) == 12
    assert like(bundle()).fingerprint == bundle().fingerprint
    assert like(bundle(), value_scale=1.04).fingerprint != bundle().fingerprint
    assert like(bundle(), data_version="events-8") != bundle()


@pytest.mark.parametrize("name", FILES)
def test_one_changed_byte_is_found_and_named(tmp_path: Path, name: str) -> None:
    bundle().save(tmp_path / "1")
    path = tmp_path / "1" / name
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(ModelError) as refusal:
        Bundle.load(tmp_path / "1")
    assert str(refusal.value) == (
        f"the bundle at {tmp_path / '1'} is damaged: {name} does not match its checksum. {REMEDY}"
    )


@pytest.mark.parametrize("name", [*FILES, "checksums.txt"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    bundle().save(tmp_path / "1")
    (tmp_path / "1" / name).unlink()
    with pytest.raises(ModelError) as refusal:
        Bundle.load(tmp_path / "1")
    assert str(refusal.value) == f"the bundle at {tmp_path / '1'} is damaged: {name} cannot be read. {REMEDY}"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "checksums.txt does not name bundle.json"),
        ("rubbish\n", "checksums.txt holds a line that is not a checksum"),
        ("00  ../elsewhere\n", "checksums.txt holds a line that is not a checksum"),
    ],
)
def test_broken_checksums_are_named(tmp_path: Path, text: str, what: str) -> None:
    bundle().save(tmp_path / "1")
    (tmp_path / "1" / "checksums.txt").write_text(text)
    with pytest.raises(ModelError) as refusal:
        Bundle.load(tmp_path / "1")
    assert str(refusal.value) == f"the bundle at {tmp_path / '1'} is damaged: {what}. {REMEDY}"


@pytest.mark.parametrize(
    ("dropped", "what"),
    [
        ("value.txt", "checksums.txt does not name value.txt, and bundle.json does"),
        ("churn.txt", "checksums.txt does not name churn.txt, and bundle.json does"),
    ],
)
def test_a_model_that_the_checksums_leave_out_is_missed(tmp_path: Path, dropped: str, what: str) -> None:
    bundle().save(tmp_path / "1")
    checksums = tmp_path / "1" / "checksums.txt"
    lines = checksums.read_text().splitlines(keepends=True)
    checksums.write_text("".join(line for line in lines if not line.endswith(f"  {dropped}\n")))
    with pytest.raises(ModelError) as refusal:
        Bundle.load(tmp_path / "1")
    assert str(refusal.value) == f"the bundle at {tmp_path / '1'} is damaged: {what}. {REMEDY}"


def test_a_file_that_only_the_checksums_name_is_refused(tmp_path: Path) -> None:
    bundle().save(tmp_path / "1")
    (tmp_path / "1" / "more.txt").write_text("more\n")
    with (tmp_path / "1" / "checksums.txt").open("a") as file:
        file.write(f"{hashlib.sha256(b'more' + bytes([10])).hexdigest()}  more.txt\n")
    with pytest.raises(ModelError) as refusal:
        Bundle.load(tmp_path / "1")
    assert str(refusal.value) == (
        f"the bundle at {tmp_path / '1'} is damaged: bundle.json does not name more.txt, "
        f"and checksums.txt does. {REMEDY}"
    )


def test_the_remedy_is_that_of_whoever_keeps_the_folder(tmp_path: Path) -> None:
    bundle().save(tmp_path / "1")
    (tmp_path / "1" / "tier.txt").unlink()
    with pytest.raises(ModelError) as refusal:
        Bundle.load(tmp_path / "1", remedy="Copy it again.")
    assert str(refusal.value) == (
        f"the bundle at {tmp_path / '1'} is damaged: tier.txt cannot be read. Copy it again."
    )


def test_names_with_spaces_colons_and_other_scripts_are_kept(tmp_path: Path) -> None:
    odd = ("attribute.page view", "attribute.page_view", "attribute.app:open", "attribute.会員 ランク")
    wide = catalog(indicators({}), SETTINGS, (*KINDS, *odd))
    matrix = np.random.default_rng(4).poisson(4, (600, len(wide.columns))).astype(np.float64)
    grown, stayed = TreeParameters(trees=5, threads=1), matrix[:, 0] > 4
    tier = np.clip(matrix[:, 1], 0, 4).astype(np.int8)
    names, binned = bundle().tiers.names, BinnedRows.of_matrix(grown, matrix, wide.columns)
    models = LightGBMModels(
        fit_churn(grown, binned, ~stayed).model_to_string(),
        fit_tier(grown, binned, tier, len(names)).model_to_string(),
        fit_value(grown, 1.5, binned, matrix[:, 2]).model_to_string(),
    )
    given = like(bundle(), catalog=wide, models=models, lifetime=None)
    given.save(tmp_path / "1")
    loaded = Bundle.load(tmp_path / "1")
    assert {name for name in wide.columns if " " in name or ":" in name}
    assert loaded.catalog.columns == wide.columns
    assert np.array_equal(loaded.predict(matrix).margin, given.predict(matrix).margin)
    assert np.abs(loaded.explainer.gap(matrix, Explainer(loaded._boosters["churn"], large=1)(matrix))) < 1e-4


def test_no_bundle_is_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as refusal:
        Bundle.load(tmp_path / "1")
    assert str(refusal.value) == (
        f"there is no bundle at {tmp_path / '1'}: no such folder. Train one with `kizuna train`."
    )


def test_models_whose_features_stand_in_another_order_are_refused(tmp_path: Path) -> None:
    catalog = bundle().catalog
    swapped = Catalog(catalog.indicators, catalog.streams, (*catalog.features[1::-1], *catalog.features[2:]))
    like(bundle(), catalog=swapped).save(tmp_path / "1")
    with pytest.raises(ModelError) as refusal:
        Bundle.load(tmp_path / "1")
    assert str(refusal.value) == (
        f"the bundle at {tmp_path / '1'} is damaged: the features of churn.txt are not those of its "
        f"catalogue, in order. {REMEDY}"
    )


def test_a_failed_save_leaves_the_old_bundle(tmp_path: Path) -> None:
    bundle().save(tmp_path / "1")
    before = content(tmp_path / "1")
    with pytest.raises(TypeError):
        like(bundle(), settings={"folder": tmp_path}).save(tmp_path / "1")
    assert content(tmp_path / "1") == before
    assert [path.name for path in tmp_path.iterdir()] == ["1"]


def test_saving_replaces_an_older_bundle_whole(tmp_path: Path) -> None:
    bundle().save(tmp_path / "1")
    bundle(amounts=False).save(tmp_path / "1")
    assert "value.txt" not in os.listdir(tmp_path / "1")
    assert Bundle.load(tmp_path / "1") == bundle(amounts=False)
    assert [path.name for path in tmp_path.iterdir()] == ["1"]


def test_without_amounts_there_is_no_expected_value() -> None:
    assert bundle(amounts=False).predict(rows(3)).expected_value is None


@settings(max_examples=25, deadline=None)
@given(size=st.integers(1, 1_200), seed=st.integers(0, 2**16), threads=st.sampled_from([0, 1, 2]))
def test_a_row_alone_and_in_a_batch_get_the_same_bits(size: int, seed: int, threads: int) -> None:
    matrix = rows(size, seed)
    batch = bundle().predict(matrix, threads=threads)
    at = seed % size
    alone = bundle().predict(matrix[at : at + 1])
    assert alone.margin[0] == batch.margin[at]
    assert alone.churn_probability[0] == batch.churn_probability[at]
    assert np.array_equal(alone.tier_probabilities[0], batch.tier_probabilities[at])
    assert alone.expected_value is not None
    assert batch.expected_value is not None
    assert alone.expected_value[0] == batch.expected_value[at]


def test_probabilities_lie_strictly_between_0_and_1_and_tiers_sum_to_1() -> None:
    matrix = np.vstack(
        [rows(500), np.full((1, rows(1).shape[1]), np.nan), np.full((1, rows(1).shape[1]), 1e300)]
    )
    said = bundle().predict(matrix)
    assert (said.churn_probability > 0).all()
    assert (said.churn_probability < 1).all()
    assert said.tier_probabilities.shape == (502, 5)
    assert said.tier_probabilities.sum(axis=1) == pytest.approx(1.0)
    assert said.expected_value is not None
    assert (said.expected_value >= 0).all()


def test_a_matrix_of_another_width_is_refused() -> None:
    width = rows(1).shape[1]
    with pytest.raises(ModelError) as refusal:
        bundle().predict(np.zeros((4, 3)))
    assert str(refusal.value) == (
        f"cannot score a matrix of shape (4, 3): this bundle needs {width} columns. "
        "Make the rows with the catalogue of the bundle."
    )


@pytest.mark.parametrize("size", [1, 40, 4_000])
def test_contributions_sum_to_the_log_odds(size: int) -> None:
    matrix = rows(size, seed=8)
    contributions = bundle().contributions(matrix)
    assert contributions.shape == (size, matrix.shape[1] + 1)
    assert np.abs(contributions.sum(axis=1) - bundle().predict(matrix).margin).max() < 1e-4


def large_trees() -> lightgbm.Booster:
    """Of so many splits that their ways are too many to keep."""
    matrix = rows(2_000, seed=9)
    how = {"objective": "binary", "num_leaves": 15, "verbose": -1, "seed": 1, "num_threads": 1}
    return lightgbm.train(how, lightgbm.Dataset(matrix, outcome(matrix, seed=3)), num_boost_round=20)


@pytest.mark.parametrize("small", [True, False])
def test_fast_and_exact_contributions_agree_where_values_are_missing(small: bool) -> None:
    booster = lightgbm.Booster(model_str=bundle().models.churn) if small else large_trees()
    assert (PathTable.of(booster) is not None) == small
    matrix = rows(4_000, seed=9)
    matrix[:50] = np.nan
    matrix[50:60] = np.inf
    matrix[60:70] = -np.inf
    exact = booster.predict(matrix, pred_contrib=True, num_threads=1)
    for fast in (Explainer(booster, large=1)(matrix), Explainer(booster, large=10_000)(matrix)):
        assert np.abs(fast - exact).max() < (1e-12 if small else 1e-5)


def test_a_row_alone_is_explained_as_in_a_batch_on_any_number_of_threads() -> None:
    explainer, matrix = bundle().explainer, rows(9_000, seed=9)
    whole = explainer(matrix)
    assert explainer(matrix, threads=1).tobytes() == whole.tobytes()
    for row in (0, 4_500, 8_999):
        assert explainer(matrix[row : row + 1]).tobytes() == whole[row : row + 1].tobytes()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), missing=st.sampled_from([0.0, 0.2, 0.9]), leaves=st.integers(2, 9))
def test_every_way_through_a_tree_is_explained_as_lightgbm_does(
    seed: int, missing: float, leaves: int
) -> None:
    draw = np.random.default_rng(seed)
    matrix = np.round(draw.normal(0, 2, (400, 4)), 1)  # few values: the same features split again and again
    matrix[draw.random(matrix.shape) < missing] = np.nan
    left = draw.random(400) < 1 / (1 + np.exp(-np.nan_to_num(matrix[:, 0]) * np.nan_to_num(matrix[:, 1])))
    how = {
        "objective": "binary",
        "num_leaves": leaves,
        "min_data_in_leaf": 5,
        "verbose": -1,
        "num_threads": 1,
    }
    booster = lightgbm.train(how, lightgbm.Dataset(matrix, left), num_boost_round=10)
    table = PathTable.of(booster)
    assert table is not None
    rows = np.concatenate([matrix, sample_rows(table.arrays.features, table.arrays.thresholds, 400, 4)])
    exact = booster.predict(rows, pred_contrib=True, num_threads=1)
    assert np.abs(table(rows) - exact).max() < 1e-12


def test_a_fast_explanation_that_misses_falls_back_and_says_so(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    booster = lightgbm.Booster(model_str=bundle().models.churn)
    # No sum is nearer than this to the log-odds, so that the check must fail.
    monkeypatch.setattr("training.bundle.shap_values.TOLERANCE", -1.0)
    matrix = rows(20)
    values = Explainer(booster, large=1)(matrix)
    assert np.array_equal(values, Explainer(booster, large=10_000)(matrix))
    assert "explaining with LightGBM instead, which takes longer" in caplog.text


def test_a_contribution_given_to_another_feature_is_noticed_though_the_sum_is_right() -> None:
    explainer, matrix = bundle().explainer, rows(40)
    values = explainer(matrix)
    assert explainer.largest_difference(matrix, values) < 1e-9
    strongest = int(np.abs(values[:, :-1]).mean(axis=0).argmax())
    values[:, [strongest, strongest - 1]] = values[:, [strongest - 1, strongest]]
    assert explainer.gap(matrix, values) < 1e-9
    assert explainer.largest_difference(matrix, values) > 0.01


def test_a_constant_model_is_explained_by_its_base_value() -> None:
    names = list(column_slots(bundle().catalog.columns))
    matrix = rows(60)
    grown = lightgbm.train(
        {"objective": "binary", "verbosity": -1},
        lightgbm.Dataset(
            matrix, np.r_[np.ones(20), np.zeros(40)], feature_name=names, params={"min_data_in_leaf": 60}
        ),
        num_boost_round=2,
    )
    constant = like(
        bundle(), models=LightGBMModels(grown.model_to_string(), bundle().models.tier, bundle().models.value)
    )
    for size in (5, 3_200):
        contributions = constant.contributions(rows(size))
        assert (contributions[:, :-1] == 0).all()
        assert contributions[:, -1] == pytest.approx(constant.predict(rows(size)).margin)


def test_loading_a_bundle_needs_no_mlflow_shap_optuna_or_matplotlib() -> None:
    code = (
        "import sys, training.bundle.model_bundle, training.explanation.reasons\n"
        "print([m for m in ('mlflow', 'shap', 'optuna', 'matplotlib', 'woodelf') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
