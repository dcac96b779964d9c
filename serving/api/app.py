"""The service's ASGI application: middleware, the hot calls, a router for the other paths, then BentoML.

BentoML's middleware costs more than a stored score, and so do a router and `Request` objects. The calls of
`ENDPOINTS` are therefore looked up first and answered as raw ASGI; what BentoML serves itself (its client's
schema, the files of the page) is passed on. Why: docs/decisions.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import orjson
from pydantic import ValidationError
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Router
from starlette.types import ASGIApp, Receive, Scope, Send

from features.errors import BodyTooLarge, NotJson, WrongMethod
from serving.api.errors import internal_error
from serving.api.key_ring import header, is_from_this_machine
from serving.api.live_state import ServiceState
from serving.api.middleware import (
    BODY,
    PUBLIC_FILES,
    ErrorMiddleware,
    KeyMiddleware,
    RateLimitMiddleware,
    ReshapingMiddleware,
    error_language,
)
from serving.api.pages import page_routes
from serving.api.process.metrics import ServiceMetrics
from serving.api.routes import CAMPAIGN, CAMPAIGNS, CSV, ENDPOINTS, GLOBAL_RESULT, MONITOR, Endpoint
from serving.api.streaming import csv_response
from serving.api.worker_pool import PATIENCE, WorkerPools
from serving.console.app import Console
from serving.console.host import ConsoleHost
from serving.console.routes import ROUTES
from serving.schemas.problems import invalid_request
from serving.schemas.requests import Shape

PATHS = frozenset(
    {
        *(*ENDPOINTS, CAMPAIGN, CAMPAIGNS, GLOBAL_RESULT, MONITOR, CSV, "/api"),
        *("/docs.json", "/healthz", "/livez", "/metrics", "/readyz"),
    }
)
"""The paths of the API that are answered here."""
COUNTED = PATHS | {route.path for route in ROUTES}
"""Those and the pages of the console: each has its own counts."""
LONG_BODY = 8 * 2**20
"""Bytes of a body from which on a call is long work: such a one holds a thread for seconds."""
OTHER_PATHS = frozenset({"/v1", "/schema.json", PUBLIC_FILES.rstrip("/")})
"""Paths of the API besides, and what it begins with."""
API_PREFIXES = ("/v1/", PUBLIC_FILES)
PASSED_ON = "kizuna.passed_on"
"""Marks a request that an application like this one has let in and passed on to BentoML, which has this
application as a middleware of its own."""


class Application:
    """An ASGI application before another; `state` opens the project when it is first called."""

    def __init__(self, app: ASGIApp, state: Callable[[], ServiceState], patience: float = PATIENCE) -> None:
        self._app = app
        self._state = state
        self._patience = patience

    @cached_property
    def _http(self) -> ASGIApp:
        """What answers HTTP requests, made with the first of them."""
        state, pools, metrics = self._state(), WorkerPools(self._patience), ServiceMetrics.of_process()
        language = state.project.settings.language
        router = Router(
            page_routes(state, pools, metrics),
            redirect_slashes=False,
            default=ReshapingMiddleware(self._app, language),
        )
        hot = {path: HotCall(endpoint, state, pools, metrics) for path, endpoint in ENDPOINTS.items()}

        async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
            call = hot.get(scope["path"])
            await (router if call is None else call)(scope, receive, send)

        keyed = KeyMiddleware(RateLimitMiddleware(dispatch, state), state)
        console = Console(
            ConsoleHost(
                state,
                pools.short,
                pools.long,
                lambda scope: state.keys.is_open and is_from_this_machine(scope),
                lambda lines, name: csv_response(lines, name, pools.short),
            )
        )

        async def page_or_call(scope: Scope, receive: Receive, send: Send) -> None:
            path = scope["path"]
            is_page = path not in hot and (console.serves(path) or is_lost_browser(scope))
            await (console if is_page else keyed)(scope, receive, send)

        counted = ErrorMiddleware(page_or_call, metrics, COUNTED, state.response_headers, language)

        async def fault(request: Request, _: Exception) -> Response:
            if console.serves(request.url.path):
                return console.fault(request)
            return internal_error(error_language(request.scope, language))

        # A fault is answered in the one shape or as a page, then raised for the log of whoever runs it.
        return ServerErrorMiddleware(counted, handler=fault)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if PASSED_ON in scope:
            await self._app(scope, receive, send)
            return
        match scope.get("type"):
            case "http":
                scope.setdefault(PASSED_ON, True)
                scope.setdefault("app", self)  # so that Starlette's router raises its errors
                await self._http(scope, receive, send)
            case "lifespan":
                await self._app({**scope, PASSED_ON: True}, receive, send)
                self._state().close()
            case _:  # there is no websocket here, and none behind passes without a key
                await send({"type": "websocket.close", "code": 1008})


def is_lost_browser(scope: Scope) -> bool:
    """Whether a browser asks for a page at an address that is none of the API's."""
    path = scope["path"]
    is_of_api = path in PATHS or path in OTHER_PATHS or path.startswith(API_PREFIXES)
    return scope["method"] in ("GET", "HEAD") and not is_of_api and "text/html" in header(scope, b"accept")


SIMULATED = b',"simulated_time":true}'
"""How an answer of a project ends whose time is simulated."""


class HotCall:
    """One call of the API as raw ASGI."""

    def __init__(
        self,
        endpoint: Endpoint,
        state: ServiceState,
        pools: WorkerPools,
        metrics: ServiceMetrics,
    ) -> None:
        self._endpoint = endpoint
        self._state = state
        self._pools = pools
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint, state, actor = self._endpoint, self._state, scope["user"]
        actor.require(endpoint.permission)
        if (method := scope["method"]) != "POST":
            raise WrongMethod(f"cannot {method} {endpoint.path}: send POST.")
        content = await read_body(scope, receive, state.project.settings.service.body_mb * 2**20)
        scope[BODY] = content

        def work() -> bytes:
            reply = endpoint.answer(state, actor, parse(endpoint.request, content))
            self._metrics.count_customers(reply)
            text = orjson.dumps(reply, option=orjson.OPT_SERIALIZE_NUMPY)
            return text[:-1] + SIMULATED if state.project.simulated else text

        stores = b'"append"' in content or b'"stored"' in content
        if len(content) <= endpoint.inline_bytes and not stores:
            answer = work()
        else:
            is_long = endpoint.is_long or len(content) > LONG_BODY
            answer = await (self._pools.long if is_long else self._pools.short).run(work)
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(answer)).encode()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


def parse(shape: type[Shape], content: bytes) -> Shape:
    """A request's body in its shape; raises `UsageError` that names the field."""
    try:
        return shape.model_validate_json(content)
    except ValidationError as error:
        raise invalid_request(error, shape) from None


async def read_body(scope: Scope, receive: Receive, most: int) -> bytes:
    """The body of a request, when it is JSON and has at most so many bytes."""
    kind = header(scope, b"content-type").partition(";")[0].strip().lower()
    if kind != "application/json":
        sent = f"'{kind}'" if kind else "nothing"
        raise NotJson(f"cannot read a body of type {sent}: send JSON with `Content-Type: application/json`.")
    content = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        content += message.get("body", b"")
        if len(content) > most:
            raise BodyTooLarge(
                f"cannot take a body of more than {most // 2**20} MB: send fewer customers at a time."
            )
        if not message.get("more_body"):
            break
    return bytes(content)
