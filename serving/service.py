"""The prediction service on BentoML; the one module that imports it.

Start it with `kizuna serve`. The project folder comes in the environment variable KIZUNA_PROJECT.
"""

from __future__ import annotations

import functools
import logging
import os
import time
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import bentoml
import orjson
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from features.errors import KizunaError
from serving.at_risk import Choice
from serving.desk import Desk
from serving.gate import Gate, body, invalid
from serving.listing import csv_lines
from serving.live import predict
from serving.replies import Reply
from serving.schema import (
    AtRiskReply,
    AtRiskRequest,
    ExplainReply,
    ExplainRequest,
    PredictReply,
    PredictRequest,
    ScoreReply,
    ScoreRequest,
    Shape,
    WholeListRequest,
)
from training.imports import without_scikit_learn

KEYS = "KIZUNA_KEYS"
PROJECT = "KIZUNA_PROJECT"


def now() -> int:
    """The present instant."""
    return time.time_ns() // 1_000


@functools.cache
def desk() -> Desk:
    """The project that this process serves."""
    return Desk(Path(os.environ.get(PROJECT, ".")), keys_needed=os.environ.get(KEYS) == "needed")


def endpoint(route: str, reply: type[Shape]) -> Callable[[Callable[..., Reply]], Any]:
    """An endpoint of the API: its reply goes out as JSON, a user's error in the one shape."""

    def decorated(method: Callable[..., Reply]) -> Any:
        @functools.wraps(method)
        def answered(self: Predictions, request: Any, /) -> Response:
            try:
                status, said = 200, method(self, request)
            except KizunaError as error:
                status, said = error.status, body(error.code, error.message, error.field)
            return Response(orjson.dumps(said), status, media_type="application/json")

        return bentoml.api(answered, route=route, output_spec=reply)

    return decorated


class Predictions:
    """Who is drifting away, how sure we are, and why."""

    def __init__(self) -> None:
        self.desk = desk()

    @endpoint("/v1/score", ScoreReply)
    def score(self, request: ScoreRequest, /) -> Reply:
        """The stored scores of these customers at the newest as-of date."""
        return self.desk.replies(now()).of(request.customer_ids, self._language(request.language))

    @endpoint("/v1/at_risk", AtRiskReply)
    def at_risk(self, request: AtRiskRequest, /) -> Reply:
        """Whom to approach first, and why."""
        choice = Choice(
            limit=request.limit or self.desk.project.settings.capacity.contacts,
            min_probability=request.min_probability,
            tiers=request.tiers,
            order_by=request.order_by,
        )
        return self.desk.replies(now()).at_risk(choice, self._language(request.language))

    @endpoint("/v1/explain", ExplainReply)
    def explain(self, request: ExplainRequest, /) -> Reply:
        """One customer's score and reasons, and what changed since the scores before."""
        replies = self.desk.replies(now())
        return replies.explain(request.customer_id, self._language(request.language), self.desk.store())

    @endpoint("/v1/predict", PredictReply)
    def predict(self, request: PredictRequest, /) -> Reply:
        """Scores from the events sent, by the same kernel as the stored ones."""
        return predict(self.desk.champion(now()), request, now(), self._language(request.language))

    def _language(self, asked: str | None) -> str:
        return language(asked)


def language(asked: str | None) -> str:
    """The language asked for, or the project's."""
    return asked or desk().project.settings.language


def at_risk_csv(request: Request) -> Response:
    """The list as a file, streamed; asked for in the query, as in `?tiers=casual&language=ja`."""
    asked: dict[str, Any] = dict(request.query_params)
    if "tiers" in asked:
        asked["tiers"] = request.query_params.getlist("tiers")
    try:
        wanted = WholeListRequest.model_validate(asked)
        choice = Choice(wanted.limit, wanted.min_probability, wanted.tiers, wanted.order_by)
        lines = csv_lines(
            desk().replies(now()).listed(choice, language(wanted.language)), language(wanted.language)
        )
        first = next(lines) + next(lines, "")  # so that what cannot be is refused before anything is sent
    except ValidationError as error:
        return Response(orjson.dumps(invalid(dict(error.errors()[0]))), 422, media_type="application/json")
    except KizunaError as error:
        said = body(error.code, error.message, error.field)
        return Response(orjson.dumps(said), error.status, media_type="application/json")
    headers = {"content-disposition": 'attachment; filename="at_risk.csv"'}
    return StreamingResponse(chain([first], lines), media_type="text/csv; charset=utf-8", headers=headers)


SERVICE: Any = bentoml.service(
    name="kizuna",
    threads=4,
    traffic={"timeout": 60},
    metrics={"enabled": True, "namespace": "kizuna"},
    logging={"access": {"enabled": False}},
)(Predictions)
SERVICE.mount_asgi_app(Starlette(routes=[Route("/v1/at_risk.csv", at_risk_csv)]), path="/")
SERVICE.add_asgi_middleware(Gate, desk=desk, clock=now)


class _Expected(logging.Filter):
    """Keeps refused input out of the log: it is the caller's to put right, and may name customers."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        return not isinstance(error, ValidationError)


def application() -> Any:
    """The service as an ASGI application, for uvicorn."""
    with without_scikit_learn():
        import lightgbm  # noqa: F401 (the first request shall not wait for it)
    logging.getLogger("bentoml._internal.server.http_app").addFilter(_Expected())
    return SERVICE.to_asgi()
