"""The service's own ASGI application: keys, limits, the calls of the API, and one shape for every error.

BentoML's middleware costs more than a stored score. The calls are therefore answered here, before it; what
BentoML serves itself (its client's schema, the parts of the page) passes through. Why: docs/decisions.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qsl

import orjson
from deltalake.exceptions import DeltaError
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from features.errors import KizunaError
from serving.api.errors import RequestRefused, error_body, internal, reshaped
from serving.api.front import FRONT
from serving.api.live_state import ServiceState
from serving.api.metrics import ServiceMetrics
from serving.api.openapi import document
from serving.api.rate_limit import RateLimiter
from serving.api.routes import CSV, ENDPOINTS, Caller, Endpoint, csv
from serving.schemas.requests import Shape, WholeListRequest

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

UNAVAILABLE = (OSError, SQLAlchemyError, DeltaError)
"""What a full disk or an absent database throws."""
THREADS = 4
PATIENCE = 60.0
"""Seconds that a call may take."""
PART = 64 * 1024
"""Characters of a file sent at a time."""
JSON = b"application/json"
SEVERAL = frozenset(
    {"tiers", "indicators", "stages", "touch_models", "actions", "channels", "outcomes", "hooks"}
)
"""Filters of the list as a file that may stand several times in an address."""
OPEN = frozenset({"/healthz", "/livez", "/readyz"})
OWN = frozenset({*ENDPOINTS, CSV, *OPEN, "/", "/metrics", "/docs.json"})

log = logging.getLogger("kizuna.gate")


class Gate:
    """An ASGI application before another; `desk` gives the project."""

    def __init__(self, app: App, desk: Callable[[], ServiceState], patience: float = PATIENCE) -> None:
        self.app = app
        self._desk = desk
        self._patience = patience
        # A bug is answered in the one shape, then raised for the log of whoever runs the gate.
        self._guarded = ServerErrorMiddleware(self._answer, handler=_bug)
        self._gauges = ServiceMetrics()
        self._pace = RateLimiter()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="answers")

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            if scope["type"] == "lifespan":
                self._desk().close()
            return
        begun, path = time.perf_counter(), scope["path"]
        sender = _Sender(send)
        try:
            await self._guarded(scope, receive, sender)
        finally:
            self._gauges.answered(
                path if path in OWN else "other", sender.status, time.perf_counter() - begun
            )

    async def _answer(self, scope: Message, receive: Receive, send: Send) -> None:
        desk, path = self._desk(), scope["path"]
        try:
            caller = self._let_in(desk, scope, path)
            endpoint = ENDPOINTS.get(path)
            if endpoint is not None:
                await self._call(desk, caller, endpoint, scope, receive, send)
            elif path in OWN:
                await self._page(desk, caller, scope, receive, send)
            else:
                await self.app(scope, receive, _Reshaper(send))
        except RequestRefused as refusal:
            await answer(send, refusal.status, refusal.said, *refusal.headers)
        except KizunaError as error:
            await answer(send, error.status, error_body(error.code, error.message, error.field))
        except UNAVAILABLE as error:
            log.error("a call could not be answered: %s", type(error).__name__)
            words = "cannot answer now: the disk or the database does not. Try again in a moment."
            await answer(send, 503, error_body("unavailable", words))

    def _let_in(self, desk: ServiceState, scope: Message, path: str) -> Caller:
        """Whose request this is; refuses one without a valid key, with too little scope, or too fast."""
        if not desk.keys_needed or path in OPEN:
            return Caller()
        word, _, text = _header(scope, b"authorization").partition(" ")
        key = desk.key(text.strip()) if word.lower() == "bearer" and text else None
        if key is None:
            raise RequestRefused(
                401,
                "no_key",
                "cannot let this request in: send a valid key as `Authorization: Bearer KEY`.",
                headers=((b"www-authenticate", b"Bearer"),),
            )
        wait = self._pace.wait(key.id, desk.project.settings.service.requests_per_second)
        if wait > 0:
            raise RequestRefused(
                429,
                "too_fast",
                f"cannot take so many requests from the key '{key.name}': "
                f"{desk.project.settings.service.requests_per_second:g} a second are allowed. Send fewer.",
                headers=((b"retry-after", str(int(wait) + 1).encode()),),
            )
        caller = Caller(key.name, key.scopes)
        endpoint = ENDPOINTS.get(path)
        if endpoint is not None or path == CSV:
            caller.need("read" if endpoint is None else endpoint.scope, path)
        return caller

    async def _call(
        self,
        desk: ServiceState,
        caller: Caller,
        endpoint: Endpoint,
        scope: Message,
        receive: Receive,
        send: Send,
    ) -> None:
        if scope["method"] != "POST":
            raise RequestRefused(405, "wrong_method", f"cannot {scope['method']} {endpoint.path}: send POST.")
        content = await _body(scope, receive, desk.project.settings.service.body_mb * 2**20)

        def work() -> bytes:
            reply = endpoint.answer(desk, caller, _read(endpoint.request, content))
            self._gauges.count_customers(reply)
            return orjson.dumps(reply, option=orjson.OPT_SERIALIZE_NUMPY)

        stores = b'"append"' in content or b'"stored"' in content
        if len(content) <= endpoint.at_once and not stores:
            said = work()
        else:
            said = await self._elsewhere(work)
        await _send(send, 200, JSON, said)

    async def _elsewhere(self, work: Callable[[], Any]) -> Any:
        """Let another thread do this, so that short answers need not wait for long ones."""
        loop = asyncio.get_running_loop()
        try:
            return await asyncio.wait_for(loop.run_in_executor(self._threads, work), self._patience)
        except TimeoutError:
            raise RequestRefused(
                503,
                "too_slow",
                f"cannot answer within {self._patience:g} s. Ask for fewer customers at a time.",
            ) from None

    async def _page(
        self, desk: ServiceState, caller: Caller, scope: Message, receive: Receive, send: Send
    ) -> None:
        path = scope["path"]
        if scope["method"] not in ("GET", "HEAD"):
            raise RequestRefused(405, "wrong_method", f"cannot {scope['method']} {path}: send GET.")
        if path == CSV:
            await self._file(desk, caller, scope, receive, send)
        elif path == "/readyz":
            await answer(send, 200, ready(desk))
        elif path == "/metrics":
            text = await self._elsewhere(lambda: self._gauges.text(desk))
            await _send(send, 200, b"text/plain; version=0.0.4; charset=utf-8", text)
        elif path == "/docs.json":
            await _send(send, 200, JSON, document())
        elif path == "/":
            await _send(send, 200, b"text/html; charset=utf-8", FRONT.encode())
        else:
            await answer(send, 200, {"alive": True})

    async def _file(
        self, desk: ServiceState, caller: Caller, scope: Message, receive: Receive, send: Send
    ) -> None:
        """The list as a file, made while it is sent; one who hangs up stops the work."""
        asked: dict[str, Any] = {}
        for name, value in parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True):
            if name in SEVERAL:
                asked.setdefault(name, []).append(value)
            elif name.startswith("segment."):
                asked.setdefault("segment", {}).setdefault(name.removeprefix("segment."), []).append(value)
            else:
                asked[name] = value
        try:
            request = WholeListRequest.model_validate(asked)
        except ValidationError as error:
            raise RequestRefused.of(error) from None
        lines = await self._elsewhere(lambda: csv(desk, caller, request))
        first = await self._elsewhere(lambda: _part(lines))
        name = b'attachment; filename="at_risk.csv"'
        kind = [(b"content-type", b"text/csv; charset=utf-8"), (b"content-disposition", name)]
        await send({"type": "http.response.start", "status": 200, "headers": kind})
        gone = asyncio.ensure_future(_hung_up(receive))
        try:
            part = first
            while part and not gone.done():
                await send({"type": "http.response.body", "body": part.encode(), "more_body": True})
                part = await self._elsewhere(lambda: _part(lines))
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            gone.cancel()


class _Sender:
    """Passes messages on and remembers the status."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0

    def __call__(self, message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        return self._send(message)


class _Reshaper:
    """Passes messages on; an error that is not in the one shape is put into it."""

    def __init__(self, send: Send) -> None:
        self.send = send
        self.status = 200
        self.content = bytearray()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            if self.status >= 400:
                return
        elif self.status >= 400 and message["type"] == "http.response.body":
            self.content += message.get("body", b"")
            if not message.get("more_body"):
                await answer(self.send, *reshaped(self.status, bytes(self.content)))
            return
        await self.send(message)


async def _bug(_: Request, __: Exception) -> Response:
    status, said = internal()
    return JSONResponse(said, status)


def ready(desk: ServiceState) -> dict[str, Any]:
    """What is in use, and what is in its way; raises `ModelError` before anything can be answered."""
    replies, champion = desk.replies(), desk.champion()
    said = {"ready": True, **replies.source(), "champion": champion.version}
    return said if desk.trouble is None else said | {"trouble": desk.trouble}


async def answer(send: Send, status: int, said: dict[str, Any], *headers: tuple[bytes, bytes]) -> None:
    """Send this as JSON; half a surrogate, which a request may hold, is replaced."""
    content = json.dumps(said, ensure_ascii=False).encode("utf-8", "replace")
    await _send(send, status, JSON, content, *headers)


async def _send(send: Send, status: int, kind: bytes, content: bytes, *more: tuple[bytes, bytes]) -> None:
    headers = [(b"content-type", kind), (b"content-length", str(len(content)).encode()), *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def _read(shape: type[Shape], content: bytes) -> Shape:
    try:
        return shape.model_validate_json(content)
    except ValidationError as error:
        raise RequestRefused.of(error) from None


async def _body(scope: Message, receive: Receive, most: int) -> bytes:
    """The body of a request, when it is JSON and not too large."""
    kind = _header(scope, b"content-type").partition(";")[0].strip().lower()
    if kind != "application/json":
        sent = f"'{kind}'" if kind else "nothing"
        raise RequestRefused(
            415,
            "not_json",
            f"cannot read a body of type {sent}: send JSON with `Content-Type: application/json`.",
        )
    content = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        content += message.get("body", b"")
        if len(content) > most:
            raise RequestRefused(
                413,
                "too_large",
                f"cannot take a body of more than {most // 2**20} MB: send fewer customers at a time.",
            )
        if not message.get("more_body"):
            break
    return bytes(content)


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _part(lines: Iterator[str]) -> str:
    """The next lines, together."""
    part, size = [], 0
    for line in lines:
        part.append(line)
        size += len(line)
        if size >= PART:
            break
    return "".join(part)


def _header(scope: Message, name: bytes) -> str:
    for key, value in scope["headers"]:
        if key == name:
            return str(value.decode("latin-1"))
    return ""
