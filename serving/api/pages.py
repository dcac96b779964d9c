"""Routes besides the hot calls: the list as a file, health, metrics, the published document, the page."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import orjson
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from serving.api.live_state import ServiceState
from serving.api.openapi import document
from serving.api.process.metrics import ServiceMetrics
from serving.api.routes import (
    CAMPAIGN,
    CAMPAIGNS,
    CSV,
    GLOBAL_RESULT,
    MONITOR,
    campaign,
    campaigns,
    global_result,
    list_file,
    monitor,
)
from serving.api.streaming import csv_response
from serving.api.worker_pool import WorkerPools
from serving.lists.list_address import list_request
from serving.schemas.campaign_responses import CampaignsReply
from serving.schemas.campaign_results import CampaignResultReply, GlobalResultReply
from serving.schemas.json_text import to_json
from serving.schemas.monitor_responses import LastMonitorReply


def page_routes(state: ServiceState, pools: WorkerPools, metrics: ServiceMetrics) -> list[BaseRoute]:
    """The routes of a service's router."""

    async def at_risk_csv(request: Request) -> Response:
        chosen = list_request(request.scope["query_string"].decode("latin-1"))
        lines = await pools.short.run(lambda: list_file(state, request.user, chosen))
        return await csv_response(lines, "at_risk.csv", pools.short)

    async def all_campaigns(request: Request) -> Response:
        return _reply(await pools.short.run(lambda: campaigns(state, request.user)))

    async def everything_together(request: Request) -> Response:
        return _reply(await pools.short.run(lambda: global_result(state, request.user)))

    async def earlier_scores(request: Request) -> Response:
        return _reply(await pools.short.run(lambda: monitor(state, request.user)))

    async def one_campaign(request: Request) -> Response:
        name = str(request.path_params["name"])
        return _reply(await pools.short.run(lambda: campaign(state, request.user, name)))

    def _reply(
        reply: CampaignsReply | CampaignResultReply | GlobalResultReply | LastMonitorReply,
    ) -> Response:
        marks = {"simulated_time": True} if state.project.simulated else {}
        return _json(to_json(reply, **marks).encode())

    async def alive(_: Request) -> Response:
        return _json(b'{"alive": true}')

    async def ready(_: Request) -> Response:
        return _json(orjson.dumps(readiness(state)))

    async def metrics_text(_: Request) -> Response:
        text = await pools.short.run(lambda: metrics.text(state))
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    async def docs(_: Request) -> Response:
        return _json(document())

    async def index(_: Request) -> Response:
        return HTMLResponse(index_page())

    return [
        Route(CSV, at_risk_csv),
        Route(CAMPAIGNS, all_campaigns),
        Route(GLOBAL_RESULT, everything_together),
        Route(CAMPAIGN, one_campaign),
        Route(MONITOR, earlier_scores),
        Route("/healthz", alive),
        Route("/livez", alive),
        Route("/readyz", ready),
        Route("/metrics", metrics_text),
        Route("/docs.json", docs),
        Route("/api", index),
    ]


def readiness(state: ServiceState) -> dict[str, str | bool | None]:
    """The scores and the model in use, and why newer ones were refused; raises `ModelError` without any."""
    scores, model = state.current(), state.active_model()
    body: dict[str, str | bool | None] = {"ready": True, **vars(scores.provenance), "champion": model.version}
    return body if state.trouble is None else body | {"trouble": state.trouble}


@cache
def index_page() -> str:
    """The page at `/api`: every call, to read and to try."""
    return files("serving.api").joinpath("static", "index.html").read_text(encoding="utf-8")


def _json(content: bytes) -> Response:
    return Response(content, media_type="application/json")
