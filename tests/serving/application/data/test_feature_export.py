"""The use case `export_features` computes with the model that scores."""

from __future__ import annotations

from pathlib import Path

from serving.application.data.feature_export import export_features
from serving.cli.context import CliContext
from serving.state.active_model import in_use
from tests.serving.shop import DATES
from training.bundle.pyfunc import Model


def test_the_exported_features_give_the_stored_scores_to_the_last_digit(scored_shop: Path) -> None:
    call = CliContext(scored_shop)
    with call.workspace() as workspace:
        table = export_features(workspace, call.actor, DATES[-1]).table.to_pandas()
        champion = in_use(workspace.database, workspace.project.state)
        scores = workspace.scores.current().scores
        keys = workspace.store.customers.names(scores.answers.key[scores.cohort]).to_pylist()
    predictions = Model(champion.bundle).predict(table)
    assert dict(zip(table["customer_id"], predictions["churn_probability"], strict=True)) == dict(
        zip(keys, scores.answers.churn_probability[scores.cohort], strict=True)
    )
