"""The definition of churn is read against the indicators of the project."""

from __future__ import annotations

import pytest

from features.errors import ConfigurationError
from training.labels.settings import Churn, ChurnSettings


def test_a_company_indicator_cannot_decide_churn() -> None:
    from features.catalog.defaults import indicators

    with pytest.raises(ConfigurationError, match="it is what the company does, not the customer"):
        Churn.of(ChurnSettings(indicators=("campaign",)), indicators({}))
    with pytest.raises(ConfigurationError, match="there is none of that name"):
        Churn.of(ChurnSettings(indicators=("purchases",)), indicators({}))


def test_churn_read_from_settings_survives_json() -> None:
    from features.catalog.defaults import indicators

    for settings in (ChurnSettings(), ChurnSettings(type="contract")):
        churn = Churn.of(settings, indicators({}))
        assert Churn.from_json(churn.to_json()) == churn
    assert Churn.of(ChurnSettings(), indicators({})).started_by == ("purchase",)
    assert Churn.of(ChurnSettings(), indicators({})).amounts == ("purchase", "refund")
