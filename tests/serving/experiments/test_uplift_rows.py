"""Customers of several campaigns in one table for the uplift models."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from features.errors import UsageError
from serving.experiments.assignment import CONTROL, TREATMENT
from serving.experiments.campaign_file import ASSIGNMENT_SCHEMA, Assignment, AssignmentFacts
from serving.experiments.uplift_rows import CampaignCustomers, uplift_rows


def customers(name: str, keys: list[int], *segments: str, share: float = 0.5) -> CampaignCustomers:
    """Customers whose key is their spend and their outcome; those with an even key are control."""
    columns = {one.name: np.zeros(len(keys), one.type.to_pandas_dtype()) for one in ASSIGNMENT_SCHEMA}
    columns["key"], columns["past_spend"] = np.array(keys), np.array(keys, np.float64)
    columns["arm"] = np.where(np.array(keys) % 2 == 0, CONTROL, TREATMENT).astype(np.int8)
    columns["tier"] = np.where(np.array(keys) > 5, -1, 2).astype(np.int8)
    values = {segment: pa.array([f"{segment} of {name}"] * len(keys)) for segment in segments}
    facts = AssignmentFacts(name, ("low", "middle", "high"), segments)
    assignment = Assignment.of(columns, facts, [None] * len(keys), values)
    return CampaignCustomers(name, share, assignment, np.array(sorted(keys), np.float64))


def test_a_customer_of_two_campaigns_counts_in_the_earlier() -> None:
    rows = uplift_rows(
        [customers("spring", [1, 2, 3], "plan"), customers("summer", [3, 4, 6], "plan", "town")]
    )
    assert rows.outcome.tolist() == [1, 2, 3, 4, 6]
    assert rows.treated.tolist() == [True, False, True, False, False]
    assert rows.probability.tolist() == [0.5] * 5
    assert rows.features["past_spend"].to_pylist() == [1, 2, 3, 4, 6]
    assert rows.features["attribute.plan"].to_pylist() == ["plan of spring"] * 3 + ["plan of summer"] * 2
    assert "attribute.town" not in rows.features.column_names


def test_an_unknown_tier_is_missing_and_not_the_lowest() -> None:
    rows = uplift_rows([customers("spring", [4, 6])])
    tiers = rows.features["tier"].to_numpy()
    assert tiers[0] == 2
    assert np.isnan(tiers[1])


def test_the_probability_of_treatment_is_what_the_control_group_leaves() -> None:
    assert uplift_rows([customers("spring", [1, 2], share=0.1)]).probability.tolist() == [0.9, 0.9]


def test_campaigns_of_different_control_shares_are_refused() -> None:
    with pytest.raises(UsageError, match=r"their control shares differ \('spring' 10.0%, 'summer' 50.0%\)"):
        uplift_rows([customers("spring", [1, 2], share=0.1), customers("summer", [3])])
