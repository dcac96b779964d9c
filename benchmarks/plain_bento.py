"""The rival as installed: the plainest BentoML service of the same models, run by `bentoml serve`."""

# Annotations stay objects here: BentoML reads them when the class is made.

import os
from pathlib import Path
from typing import Any

import bentoml

from benchmarks.bare import Model


@bentoml.service
class Plain:
    def __init__(self) -> None:
        self.model = Model(Path(os.environ["KIZUNA_BENCH"]))

    @bentoml.api(route="/v1/score")
    def score(self, customer_ids: list[str]) -> dict[str, Any]:
        return self.model.stored({"customer_ids": customer_ids})

    @bentoml.api(route="/v1/predict")
    def predict(self, customers: list[dict[str, Any]], as_of: str) -> dict[str, Any]:  # noqa: ARG002
        return self.model.live({"customers": customers})
