"""An uplift model as text is the same model when it is read back."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from features.errors import ModelError
from training.causal.uplift_features import code_book
from training.causal.uplift_models import UpliftParameters, fit_uplift
from training.causal.uplift_text import MODEL, TREES, StoredUplift, of_texts, to_texts


@pytest.fixture(scope="module")
def table() -> pa.Table:
    draw = np.random.default_rng(0)
    risk = np.where(draw.random(600) < 0.2, np.nan, draw.normal(0, 1, 600))
    return pa.table({"risk": risk, "plan": draw.choice(["light", "プレミアム"], 600)})


@pytest.fixture(scope="module")
def stored(table: pa.Table) -> StoredUplift:
    draw = np.random.default_rng(1)
    book = code_book(table)
    treated, outcome = draw.random(600) < 0.5, (draw.random(600) < 0.4).astype(np.float64)
    model = fit_uplift(book.encode(table), treated, outcome, np.full(600, 0.5), UpliftParameters(trees=10))
    return StoredUplift("retained", book, model)


def test_a_model_read_back_predicts_the_same_to_the_bit(stored: StoredUplift, table: pa.Table) -> None:
    again = of_texts(to_texts(stored))
    assert (again.outcome, again.book) == (stored.outcome, stored.book)
    before = stored.model.predict(stored.book.encode(table))
    assert again.model.predict(again.book.encode(table)).tobytes() == before.tobytes()
    assert to_texts(again)[MODEL] == to_texts(stored)[MODEL]


@pytest.mark.parametrize(
    "damage",
    [
        {MODEL: "{}"},
        {MODEL: "not JSON"},
        {TREES: "no trees"},
    ],
)
def test_a_damaged_model_is_refused(stored: StoredUplift, damage: dict[str, str]) -> None:
    with pytest.raises(ModelError) as refused:
        of_texts(to_texts(stored) | damage)
    assert str(refused.value) == (
        f"cannot read the uplift model: {MODEL} or {TREES} is missing, damaged or of another version. "
        "Run `kizuna campaign learn` again."
    )


def test_trees_of_another_model_are_refused(stored: StoredUplift) -> None:
    draw = np.random.default_rng(1)
    treated, outcome = draw.random(600) < 0.5, (draw.random(600) < 0.4).astype(np.float64)
    other = fit_uplift(draw.random((600, 7)), treated, outcome, np.full(600, 0.5), UpliftParameters(trees=10))
    texts = to_texts(StoredUplift("retained", stored.book, other))
    with pytest.raises(ModelError):
        of_texts(to_texts(stored) | {TREES: texts[TREES]})
