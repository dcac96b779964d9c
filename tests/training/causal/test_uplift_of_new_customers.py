"""An uplift model that was learned from one campaign, on new customers whose hidden response is known."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.campaign_uplift import CONTROL, simulated_campaign
from training.causal.uplift_evidence import assess_uplift
from training.causal.uplift_models import UpliftParameters, fit_uplift
from training.causal.uplift_text import StoredUplift, of_texts, to_texts

WORLD = "persuadables and sleeping dogs"


@pytest.mark.slow
def test_the_top_decile_holds_more_of_the_helped_and_the_bottom_one_more_of_those_driven_away() -> None:
    past, now = simulated_campaign(WORLD, 0), simulated_campaign(WORLD, 1)
    found = assess_uplift(past.features, past.treated, past.retained, 1 - CONTROL)
    assert found.used
    assert found.book is not None
    matrix = found.book.encode(past.features)
    chances = np.full(len(matrix), 1 - CONTROL)
    model = fit_uplift(matrix, past.treated, past.retained, chances, UpliftParameters())
    stored = of_texts(to_texts(StoredUplift("retained", found.book, model)))
    uplift = stored.model.predict(stored.book.encode(now.features))
    order, tenth = np.argsort(-uplift), len(uplift) // 10
    helped, driven = now.effect > 0, now.effect < 0
    shares = {
        name: (float(kind[order[:tenth]].mean()), float(kind.mean()), float(kind[order[-tenth:]].mean()))
        for name, kind in (("helped", helped), ("driven away", driven))
    }
    print(shares)  # the figures of docs/campaigns.md
    top, everybody, _ = shares["helped"]
    assert top > 1.3 * everybody
    _, everybody, bottom = shares["driven away"]
    assert bottom > 1.3 * everybody


def test_an_uplift_is_the_same_number_whoever_else_is_scored_with_the_customer() -> None:
    past = simulated_campaign(WORLD, 2, customers=600)
    found = assess_uplift(past.features, past.treated, past.retained, 1 - CONTROL, resamples=20)
    assert found.book is not None
    matrix = found.book.encode(past.features)
    chances = np.full(len(matrix), 1 - CONTROL)
    model = fit_uplift(matrix, past.treated, past.retained, chances, UpliftParameters(trees=5))
    together = model.predict(matrix)
    for some in (slice(0, 1), slice(3, 10), slice(100, 531)):
        assert np.array_equal(model.predict(np.ascontiguousarray(matrix[some])), together[some])
