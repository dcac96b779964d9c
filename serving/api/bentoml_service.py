"""The prediction service on BentoML; the one module that imports it.

Start it with `kizuna serve`. The project folder comes in the environment variable KIZUNA_PROJECT.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NoReturn, get_type_hints

import bentoml
from pydantic import BaseModel, create_model

from serving.api.app import Application
from serving.api.routes import ENDPOINTS
from serving.api.startup import service_state
from serving.lists.list_requests import AtRiskPageRequest
from serving.schemas.requests import (
    ExplainRequest,
    PredictRequest,
    ReportRequest,
    ScoreRequest,
)
from serving.schemas.responses import Answer


def endpoint(path: str) -> Callable[[Callable[..., Any]], Any]:
    """A call of the API as BentoML's client knows it: its schema alone, as `Application` answers the call."""

    def decorate(method: Callable[..., None]) -> Any:
        @functools.wraps(method)
        def unreachable(_: PredictionService, __: Any, /) -> NoReturn:
            raise RuntimeError(f"{path} is answered by the application before BentoML, which checks the key")

        return bentoml.api(unreachable, route=path, output_spec=_as_model(ENDPOINTS[path].reply))

    return decorate


def _as_model(shape: type[Answer]) -> type[BaseModel]:
    """The same fields as a pydantic model: the only shape that BentoML publishes."""
    fields: dict[str, Any] = {
        name: (hint, ...) for name, hint in get_type_hints(shape, include_extras=True).items()
    }
    return create_model(shape.__name__, **fields)


class PredictionService:
    """Who is drifting away, how sure we are, and why."""

    @endpoint("/v1/score")
    def score(self, request: ScoreRequest, /) -> None:
        """The stored scores of these customers at the newest as-of date."""

    @endpoint("/v1/at_risk")
    def at_risk(self, request: AtRiskPageRequest, /) -> None:
        """Whom to approach first, and why."""

    @endpoint("/v1/explain")
    def explain(self, request: ExplainRequest, /) -> None:
        """One customer's score and reasons, and what changed since the scores before."""

    @endpoint("/v1/report")
    def report(self, request: ReportRequest, /) -> None:
        """How customers are engaged: every metric with its interval, against before and last year."""

    @endpoint("/v1/predict")
    def predict(self, request: PredictRequest, /) -> None:
        """Scores from the events sent, or with `append` from all that is stored with them."""


SERVICE: Any = bentoml.service(
    name="kizuna",
    threads=4,
    traffic={"timeout": 60},
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
)(PredictionService)
SERVICE.add_asgi_middleware(Application, state=service_state)
