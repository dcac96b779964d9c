"""The tier scale is fitted to a cohort: equal shares of it fall into each tier."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from features.errors import ModelError
from tests.training.bundle.test_tiers import CHURN, SCALE, SHOP, SNAPSHOT
from training.bundle.tiers import TierSettings
from training.fitting.tiers import tier_scale


def test_each_tier_holds_an_equal_share_of_the_cohort_it_was_frozen_on() -> None:
    counts = np.bincount(SCALE.tier(SCALE.index(SNAPSHOT)), minlength=5)
    assert counts.tolist() == [100] * 5


def test_a_cohort_in_which_all_behave_alike_is_refused() -> None:
    alike = replace(SNAPSHOT, matrix=np.ones_like(SNAPSHOT.matrix))
    with pytest.raises(ModelError, match="cannot place customers in tiers: all of the cohort behave alike"):
        tier_scale(TierSettings(), alike, SHOP, CHURN)
