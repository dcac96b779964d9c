"""ASGI middleware of the service: errors in one shape with counts, API keys, and the rate of each key."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Collection, Sequence

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from features.errors import KizunaError, NoKey, TooFast, Unavailable
from serving.api.errors import error_response, reshaped_error, status_response
from serving.api.key_ring import header, is_from_this_machine
from serving.api.live_state import ServiceState
from serving.api.metrics import ServiceMetrics
from serving.api.rate_limit import RateLimiter
from serving.application.permissions import OPEN_SERVICE, Actor
from serving.application.workspace import UNAVAILABLE
from serving.project.language import Language, request_language

Header = tuple[bytes, bytes]

PUBLIC = frozenset({"/api", "/docs.json", "/healthz", "/livez", "/readyz"})
"""Paths that need no key: whether the service is well, and the page that takes a key with what it loads."""
PUBLIC_FILES = "/static_content/"
"""The browser program of the page, as BentoML serves it."""

BODY = "kizuna.body"
"""The entry of an ASGI scope that holds the body of a request, once it was read."""

log = logging.getLogger("kizuna.api")


def error_language(scope: Scope, otherwise: Language) -> Language:
    """The language of a request's error messages: the one it asks for, else the project's."""
    query = scope.get("query_string", b"").decode("latin-1")
    return request_language(scope.get(BODY, b""), query, header(scope, b"accept-language")) or otherwise


class ErrorMiddleware:
    """Answers errors in the one shape and counts every request; a fault of the service passes through.

    Once a response has begun there is no other: it is left without its end, which breaks the transfer.
    """

    def __init__(
        self,
        app: ASGIApp,
        metrics: ServiceMetrics,
        paths: Collection[str],
        headers: Sequence[Header] = (),
        language: Language = "en",
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._paths = frozenset(paths)
        self._headers = headers
        self._language = language

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began, path = time.perf_counter(), scope["path"]
        sender = _StatusRecorder(send, self._headers)
        try:
            await self._app(scope, receive, sender)
        except KizunaError as error:
            await self._answer(error, scope, receive, sender)
        except HTTPException as error:
            await status_response(error, error_language(scope, self._language))(scope, receive, sender)
        except UNAVAILABLE as error:
            log.error("a call could not be answered: %s", type(error).__name__)
            refusal = Unavailable(
                "cannot answer now: the disk or the database does not. Try again in a moment."
            )
            await self._answer(refusal, scope, receive, sender)
        finally:
            self._metrics.count_request(
                path if path in self._paths else "other",
                sender.status or 500,
                time.perf_counter() - began,
            )

    async def _answer(
        self, error: KizunaError, scope: Scope, receive: Receive, sender: _StatusRecorder
    ) -> None:
        if sender.status == 0:
            await error_response(error, error_language(scope, self._language))(scope, receive, sender)
            return
        sender.status = error.status
        log.error("a transfer was broken off: %s", type(error).__name__)


class _StatusRecorder:
    """A `send` that adds headers and remembers the status of the response, 0 before one began."""

    def __init__(self, send: Send, headers: Sequence[Header]) -> None:
        self._send = send
        self._headers = headers
        self.status = 0

    def __call__(self, message: Message) -> Awaitable[None]:
        if message.get("type") == "http.response.start":
            self.status = message.get("status", 500)
            if self._headers:
                message = {**message, "headers": [*message.get("headers", ()), *self._headers]}
        return self._send(message)


class KeyMiddleware:
    """Lets a request in whose key is valid; `scope["user"]` is then the `Actor` who calls."""

    def __init__(self, app: ASGIApp, state: ServiceState) -> None:
        self._app = app
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path not in PUBLIC and not path.startswith(PUBLIC_FILES):
            scope["user"] = self._caller(scope)
        await self._app(scope, receive, send)

    def _caller(self, scope: Scope) -> Actor:
        keys = self._state.keys
        if keys.is_open:
            if is_from_this_machine(scope):
                return OPEN_SERVICE
            raise NoKey(
                "cannot let this request in: without API keys the service answers programs on this machine "
                "only, and this request came through a proxy or under another name. "
                "Make a key with `kizuna keys add NAME`."
            )
        word, _, token = header(scope, b"authorization").partition(" ")
        actor = keys.actor(token.strip(), self._state.clock()) if word.lower() == "bearer" and token else None
        if actor is not None:
            return actor
        hint = " The project has none: make one with `kizuna keys add NAME`." if keys.is_empty else ""
        raise NoKey(f"cannot let this request in: send a valid key as `Authorization: Bearer KEY`.{hint}")


class RateLimitMiddleware:
    """Refuses a key that sends more requests per second than `[service]` allows; counts for one worker."""

    def __init__(self, app: ASGIApp, state: ServiceState) -> None:
        self._app = app
        self._state = state
        self._limiter = RateLimiter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        actor = scope.get("user")
        if actor is not None and actor.kind == "key":
            rate = self._state.project.settings.service.requests_per_second
            wait = self._limiter.wait(actor.name, rate)
            if wait > 0:
                raise TooFast(
                    f"cannot take so many requests from the key '{actor.name}': "
                    f"{rate:g} a second are allowed. Send fewer.",
                    retry_after_seconds=int(wait) + 1,
                )
        await self._app(scope, receive, send)


class ReshapingMiddleware:
    """Puts errors of the application behind it into the one shape."""

    def __init__(self, app: ASGIApp, language: Language = "en") -> None:
        self._app = app
        self._language = language

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        status, content = 200, bytearray()

        async def reshape(message: Message) -> None:
            nonlocal status
            match message:
                case {"type": "http.response.start", "status": int(new)}:
                    status = new
                case {"type": "http.response.body"} if status >= 400:
                    content.extend(message.get("body", b""))
                    if not message.get("more_body"):
                        language = error_language(scope, self._language)
                        await reshaped_error(status, bytes(content), language)(scope, receive, send)
            if status < 400:
                await send(message)

        await self._app(scope, receive, reshape)
