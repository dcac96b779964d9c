"""A bundle freezes what is known of each value of an attribute, and batch, live and pyfunc read that."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.catalog.definitions import codes_of_levels, level_key
from features.engine.snapshot import snapshot, snapshot_with_texts
from features.event_store import EventStore
from tests.training.simulated import NOW, UTC, plan, shop_with_regions
from training.bundle.model_bundle import Bundle
from training.bundle.pyfunc import Model
from training.data.columns.level_counts import level_counts
from training.data.extent import data_extent
from training.data.splits import temporal_splits
from training.explanation.reasons import rank_reasons, reason_of, sentence
from training.train import learn

LEVEL, DETAIL = "profile_region_detail_log_odds", "profile_region_last_detail"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> EventStore:
    folder: Path = tmp_path_factory.mktemp("regions")
    return shop_with_regions(250, 220).store(folder)


@pytest.fixture(scope="module")
def bundle(store: EventStore) -> Bundle:
    return learn(store, plan(), until=None, now=NOW)[0]


def known(store: EventStore, bundle: Bundle) -> tuple[np.ndarray, dict[str, list[str | None]], np.ndarray]:
    """Everybody's row at the newest date, the texts of details, and the rows one by one."""
    matrix, alone, details = list[np.ndarray](), list[np.ndarray](), dict[str, list[str | None]]()
    for past in store.histories():
        dates = np.full(len(past.keys), bundle.trained_until + 1)
        made, texts = snapshot_with_texts(past, bundle.catalog, UTC, past.keys, dates, bundle.priors)
        matrix.append(made.matrix)
        for name, of in texts.items():
            details.setdefault(name, []).extend(of.to_pylist())
        alone += [
            snapshot(past, bundle.catalog, UTC, past.keys[n : n + 1], dates[:1], bundle.priors).matrix
            for n in range(len(past.keys))
        ]
    return np.concatenate(matrix), details, np.concatenate(alone)


def test_the_bundle_freezes_the_levels_of_its_last_date(store: EventStore, bundle: Bundle) -> None:
    config = plan()
    extent = data_extent(store, None, bundle.churn, UTC, config.indicators)
    splits = temporal_splits(extent.first, extent.coverage.covered_until, bundle.churn, UTC)
    counts = level_counts(store, bundle.catalog, bundle.churn, UTC, splits.every, extent.customers, None)
    frozen = {name: n for name, n in bundle.priors.numbers.items() if name.startswith("detail_log_odds.")}
    assert frozen == counts.numbers(splits.answers)
    assert frozen[level_key(LEVEL, "north")] > 0 > frozen[level_key(LEVEL, "south")]


def test_batch_live_and_pyfunc_read_the_same_levels(store: EventStore, bundle: Bundle) -> None:
    matrix, details, alone = known(store, bundle)
    np.testing.assert_array_equal(alone, matrix)
    columns = dict(zip(bundle.catalog.columns, matrix.T, strict=True))
    expected = [bundle.priors.numbers[level_key(LEVEL, region or "")] for region in details[DETAIL]]
    np.testing.assert_array_equal(columns[LEVEL], expected)
    elsewhere = np.zeros(len(matrix))  # a table that was written with another model
    table = pd.DataFrame(columns | details | {LEVEL: elsewhere})
    found = Model(bundle).predict(table)["churn_probability"]
    np.testing.assert_array_equal(found, bundle.predict(matrix).churn_probability)


def test_nothing_is_learned_from_the_code_of_a_level(store: EventStore, bundle: Bundle) -> None:
    matrix, _, _ = known(store, bundle)
    (code,) = codes_of_levels(bundle.catalog.columns)
    assert bundle.catalog.columns[code] == DETAIL
    other = matrix.copy()
    other[:, code] = 1 - other[:, code]
    for before, after in zip(
        (bundle.predict(matrix).margin, bundle.predict(matrix).tier_probabilities),
        (bundle.predict(other).margin, bundle.predict(other).tier_probabilities),
        strict=True,
    ):
        np.testing.assert_array_equal(before, after)


def test_a_reason_names_the_level_and_says_how_its_customers_leave(store: EventStore, bundle: Bundle) -> None:
    matrix, details, _ = known(store, bundle)
    contributions = np.zeros((len(matrix), matrix.shape[1] + 1))
    level, code = (bundle.catalog.columns.index(name) for name in (LEVEL, DETAIL))
    contributions[:, level] = matrix[:, level]
    ranked = rank_reasons(bundle, matrix, contributions, top=1)
    assert {*ranked.columns[:, 0]} == {code}
    found = {
        region: sentence(
            bundle.catalog,
            reason_of(bundle, code, float(ranked.values[row, 0]), float(ranked.contributions[row, 0])),
            language,
        )
        for language in ("en", "ja")
        for row, name in enumerate(details[DETAIL])
        if (region := f"{name} {language}")
    }
    assert found == {
        "north en": "The region is “north”, and customers of the same region leave more often than others, "
        "which raises the risk.",
        "south en": "The region is “south”, and customers of the same region leave less often than others, "
        "which lowers the risk.",
        "north ja": "regionは「north」で、同じregionの顧客は離反が多い傾向にあり、離反リスクを高めています。",
        "south ja": "regionは「south」で、同じregionの顧客は離反が少ない傾向にあり、"
        "離反リスクを抑えています。",
    }
