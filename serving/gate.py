"""What every request passes before an endpoint sees it: size, content, key; and one shape for every error."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson

from features.errors import KizunaError
from serving.desk import Desk

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

LARGEST = 32 * 1024 * 1024
"""Bytes of a request's body."""

OPEN = frozenset({"/healthz", "/livez", "/readyz"})
SCOPE_OF = {
    "/v1/score": "read",
    "/v1/at_risk": "read",
    "/v1/at_risk.csv": "read",
    "/v1/explain": "read",
    "/v1/predict": "score",
}
"""What a key must open for each call; every other path needs any key."""


class Gate:
    """An ASGI middleware; `desk` gives the project, `clock` the present instant."""

    def __init__(self, app: App, desk: Callable[[], Desk], clock: Callable[[], int]) -> None:
        self.app = app
        self.desk = desk
        self.clock = clock

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = scope["path"]
        if path == "/readyz":
            await self._readiness(send)
            return
        refusal = self._refused(scope, path)
        if refusal is None and scope["method"] == "POST" and path.startswith("/v1/"):
            refusal, receive = await self._body(scope, receive)
        if refusal is not None:
            await answer(send, *refusal)
            return
        await self.app(scope, receive, _Reshaper(send))

    async def _readiness(self, send: Send) -> None:
        desk, now = self.desk(), self.clock()
        try:
            replies = desk.replies(now)
            desk.champion(now)
        except KizunaError as error:
            await answer(send, error.status, body(error.code, error.message, error.field))
            return
        said = {"ready": True, **replies.source()}
        if desk.trouble:
            said["trouble"] = desk.trouble
        await answer(send, 200, said)

    def _refused(self, scope: Message, path: str) -> tuple[int, dict[str, Any]] | None:
        """Whether this request may not go on for want of a key."""
        desk = self.desk()
        if not desk.keys_needed or path in OPEN:
            return None
        word, _, text = _header(scope, b"authorization").partition(" ")
        key = desk.key(text.strip(), self.clock()) if word.lower() == "bearer" and text else None
        if key is None:
            return 401, body(
                "no_key", "cannot let this request in: send a valid key as `Authorization: Bearer KEY`."
            )
        needed = SCOPE_OF.get(path)
        if needed is None or needed in key.scopes or "admin" in key.scopes:
            return None
        return 403, body(
            "wrong_scope",
            f"cannot let this request in: {path} needs the scope '{needed}', and the key '{key.name}' "
            f"has {', '.join(key.scopes)}.",
        )

    async def _body(
        self, scope: Message, receive: Receive
    ) -> tuple[tuple[int, dict[str, Any]] | None, Receive]:
        """Read the body whole, refuse what is no JSON object, and hand it on."""
        kind = _header(scope, b"content-type").partition(";")[0].strip().lower()
        if kind != "application/json":
            sent = f"'{kind}'" if kind else "nothing"
            return (
                415,
                body(
                    "not_json",
                    f"cannot read a body of type {sent}: send JSON with `Content-Type: application/json`.",
                ),
            ), receive
        content = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                break
            content += message.get("body", b"")
            if len(content) > LARGEST:
                return (
                    413,
                    body(
                        "too_large",
                        f"cannot take a body of more than {LARGEST // 1024 // 1024} MB: send fewer customers "
                        "at a time.",
                    ),
                ), receive
            if not message.get("more_body"):
                break
        try:
            value = orjson.loads(content)
        except orjson.JSONDecodeError as error:
            return (422, body("bad_input", f"cannot read the body as JSON: {error}.")), receive
        if not isinstance(value, dict):
            return (
                422,
                body("bad_input", 'cannot use this body: it must be one JSON object, such as {"limit": 20}.'),
            ), receive
        return None, _once(bytes(content))


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


def reshaped(status: int, content: bytes) -> tuple[int, dict[str, Any]]:
    """An error's status and body in the one shape."""
    try:
        said = orjson.loads(content)
    except orjson.JSONDecodeError:
        said = {}
    if isinstance(said, dict) and isinstance(said.get("error"), dict):
        return status, said
    if isinstance(said, dict) and isinstance(said.get("detail"), list) and said["detail"]:
        return 422, invalid(said["detail"][0])
    known = {
        404: ("no_such_path", "cannot answer: there is no such path. See /docs.json for those there are."),
        405: ("wrong_method", "cannot answer: this path does not take this method. See /docs.json."),
        429: ("too_fast", "cannot answer now: too many requests at once. Try again in a moment."),
        503: ("overloaded", "cannot answer now: the service is overloaded. Try again in a moment."),
        504: ("too_slow", "cannot answer: it took too long. Ask for fewer customers at a time."),
    }
    code, message = known.get(status, ("internal", "the service failed; its log says why."))
    return status, body(code, message)


def invalid(detail: dict[str, Any]) -> dict[str, Any]:
    """What one validation error says, with the field's name."""
    field = ""
    for part in detail["loc"]:
        field += f"[{part}]" if isinstance(part, int) else f".{part}" if field else str(part)
    message = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "extra_forbidden":
        message = "there is no such field"
    elif detail["type"] == "missing":
        message = "this field is needed"
    return body(
        "bad_input", f"cannot use this request: `{field}`: {message[:1].lower()}{message[1:]}.", field
    )


def body(code: str, message: str, field: str | None = None) -> dict[str, Any]:
    """The one shape of every error."""
    return {"error": {"code": code, "message": message, "field": field}}


async def answer(send: Send, status: int, said: dict[str, Any]) -> None:
    content = json.dumps(said, ensure_ascii=False).encode("utf-8", "replace")
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def _header(scope: Message, name: bytes) -> str:
    for key, value in scope["headers"]:
        if key == name:
            return str(value.decode("latin-1"))
    return ""


def _once(content: bytes) -> Receive:
    """A `receive` that gives this body, then waits like a client that stays connected."""
    sent = False

    async def receive() -> Message:
        nonlocal sent
        if sent:
            return {"type": "http.disconnect"}
        sent = True
        return {"type": "http.request", "body": content, "more_body": False}

    return receive
