"""How MLflow loads a bundle: `mlflow.pyfunc.load_model("models:/churn@champion")`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from features.catalog.definitions import level_key
from features.errors import DataError
from training.bundle.model_bundle import Bundle

if TYPE_CHECKING:
    import pandas as pd


class Model:
    """A bundle as MLflow calls it: a table of features in, a table of predictions out.

    The table is what `kizuna features` writes: numbers as double, details as text. The bundle's own code
    book turns each text into the number that the models learned from.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle

    def predict(self, table: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:  # noqa: ARG002
        """Churn probability, probability of each tier, and expected value of each row."""
        import pandas as pd

        predictions = self.bundle.predict(self._matrix(table))
        columns = {"churn_probability": predictions.churn_probability}
        for at, name in enumerate(self.bundle.tiers.names):
            columns[f"tier_{name}"] = predictions.tier_probabilities[:, at]
        if predictions.expected_value is not None:
            columns["expected_value"] = predictions.expected_value
        return pd.DataFrame(columns, index=table.index)

    def _matrix(self, table: pd.DataFrame) -> NDArray[np.float64]:
        """float64[n, f]: the columns of the catalogue in its order, whatever the order of the table."""
        catalog = self.bundle.catalog
        missing = [column for column in catalog.columns if column not in table.columns]
        if missing:
            raise DataError(
                f"cannot predict from this table: {len(missing)} of the {len(catalog.columns)} features are "
                f"missing, such as '{missing[0]}'. Write the table with `kizuna features`."
            )
        matrix = np.empty((len(table), len(catalog.columns)))
        for place, column in enumerate(catalog.columns):
            values = table[column]
            if column in catalog.detail_columns:
                matrix[:, place] = self._codes(column, values)
            elif (detail := catalog.detail_of_level(column)) in table.columns:
                matrix[:, place] = self._levels(column, table[detail])
            else:
                matrix[:, place] = values.to_numpy(dtype=np.float64, na_value=np.nan)
        return matrix

    def _codes(self, column: str, details: pd.Series[Any]) -> NDArray[np.float64]:
        """float64[n]: the place of each detail in the code book, one past its end where it is not known."""
        book = self.bundle.priors.code_book.get(column, ())
        place = {detail: number for number, detail in enumerate(book)}
        codes: NDArray[np.float64] = details.map(
            lambda detail: place.get(detail, len(book)), na_action="ignore"
        ).to_numpy(dtype=np.float64, na_value=np.nan)
        return codes

    def _levels(self, column: str, details: pd.Series[Any]) -> NDArray[np.float64]:
        """float64[n]: what this bundle knows of each detail, whatever model the table was written with."""
        numbers = self.bundle.priors.numbers
        known: NDArray[np.float64] = details.map(
            lambda detail: numbers.get(level_key(column, detail), 0.0), na_action="ignore"
        ).to_numpy(dtype=np.float64, na_value=np.nan)
        return known


def example_row(bundle: Bundle) -> dict[str, float | str | None]:
    """One row as `Model` takes it: the typical value of each feature, and no customer's."""
    row: dict[str, float | str | None] = {}
    for column in bundle.catalog.columns:
        typical = bundle.typical.get(column)
        if column in bundle.catalog.detail_columns:
            book = bundle.priors.code_book.get(column, ())
            row[column] = None if typical is None or int(typical) >= len(book) else book[int(typical)]
        else:
            row[column] = np.nan if typical is None else typical
    return row


def _load_pyfunc(path: str) -> Model:
    return Model(Bundle.load(Path(path)))
