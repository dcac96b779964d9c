"""How MLflow loads a bundle: `mlflow.pyfunc.load_model("models:/churn@champion")`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from training.bundle.model_bundle import Bundle

if TYPE_CHECKING:
    import pandas as pd


class Model:
    """A bundle as MLflow calls it: a table of features in, a table of answers out."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle

    def predict(self, table: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:  # noqa: ARG002
        """Churn probability, probability of each tier, and expected value of each row."""
        import pandas as pd

        matrix = table[list(self.bundle.catalog.columns)].to_numpy(dtype=np.float64, na_value=np.nan)
        said = self.bundle.predict(matrix)
        answers = {"churn_probability": said.churn_probability}
        for at, name in enumerate(self.bundle.tiers.names):
            answers[f"tier_{name}"] = said.tier_probabilities[:, at]
        if said.expected_value is not None:
            answers["expected_value"] = said.expected_value
        return pd.DataFrame(answers, index=table.index)


def _load_pyfunc(path: str) -> Model:
    return Model(Bundle.load(Path(path)))
