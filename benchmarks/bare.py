"""The rival that does the least: Starlette under uvicorn, answers from a dictionary, LightGBM called plainly.

Started by `benchmarks.serving`; the folder with what it needs comes in KIZUNA_BENCH.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


class Model:
    """The champion's models and one ready row; three reasons are its largest contributions."""

    def __init__(self, folder: Path) -> None:
        self.answers: dict[str, Any] = json.loads((folder / "answers.json").read_text())
        self.row = np.load(folder / "row.npy")
        texts = {name: folder / f"{name}.txt" for name in ("churn", "tier", "value")}
        self.boosters = {
            name: lightgbm.Booster(model_file=str(file)) for name, file in texts.items() if file.exists()
        }
        self.names = self.boosters["churn"].feature_name()

    def stored(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"customers": [self.answers[name] for name in asked["customer_ids"]]}

    def live(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The LightGBM calls of a live score; the events are read and no feature is made of them."""
        events = len(asked["customers"][0]["events"])
        said = {
            name: booster.predict(self.row, raw_score=name == "churn", num_threads=1)[0]
            for name, booster in self.boosters.items()
        }
        parts = self.boosters["churn"].predict(self.row, pred_contrib=True, num_threads=1)[0, :-1]
        most = np.argsort(-np.abs(parts))[:3]
        return {
            "churn": float(said["churn"]),
            "tier": int(np.argmax(said["tier"])),
            "value": float(said.get("value", 0.0)),
            "reasons": [{"feature": self.names[at], "contribution": float(parts[at])} for at in most],
            "events": events,
        }


def application() -> Starlette:
    model = Model(Path(os.environ["KIZUNA_BENCH"]))

    async def stored(request: Request) -> JSONResponse:
        return JSONResponse(model.stored(await request.json()))

    async def live(request: Request) -> JSONResponse:
        return JSONResponse(model.live(await request.json()))

    return Starlette(
        routes=[Route("/v1/score", stored, methods=["POST"]), Route("/v1/predict", live, methods=["POST"])]
    )
