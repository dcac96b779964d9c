"""Error bodies of the API: one JSON shape, whatever refused the request."""

from __future__ import annotations

import json

import orjson
from starlette.exceptions import HTTPException
from starlette.responses import Response

from features.errors import KizunaError, NoKey, RequestRefused, WrongMethod
from serving.presentation.messages.catalog import translated

ErrorBody = dict[str, dict[str, str | None]]

_BY_STATUS = {
    404: ("no_such_path", "cannot answer: there is no such path. See /docs.json for those there are."),
    405: (WrongMethod.code, "cannot answer: this path does not take this method. See /docs.json."),
    503: ("overloaded", "cannot answer now: the service is overloaded. Try again in a moment."),
}
LONGEST_TRANSLATED = 2_000
"""Characters of a message that is translated: a longer one repeats what the request held."""
INTERNAL = ("internal", "cannot answer: the service failed. Its log says why.")


def error_body(code: str, message: str, field: str | None = None, language: str = "en") -> ErrorBody:
    """The JSON object of every error, `{"error": {"code", "message", "field"}}`, its message translated."""
    if len(message) <= LONGEST_TRANSLATED:
        message = translated(message, language)
    return {"error": {"code": code, "message": message, "field": field}}


def error_response(error: KizunaError, language: str = "en") -> Response:
    """The HTTP response of an error, with `Retry-After` or `WWW-Authenticate` where they apply."""
    headers: dict[str, str] = {}
    if isinstance(error, NoKey):
        headers = {"www-authenticate": "Bearer"}
    elif isinstance(error, RequestRefused) and error.retry_after_seconds is not None:
        headers = {"retry-after": str(error.retry_after_seconds)}
    return json_response(error.status, error_body(error.code, error.message, error.field, language), headers)


def status_response(error: HTTPException, language: str = "en") -> Response:
    """The response of an error that Starlette's router raises."""
    code, message = _BY_STATUS.get(error.status_code, INTERNAL)
    return json_response(
        error.status_code, error_body(code, message, language=language), dict(error.headers or {})
    )


def internal_error(language: str = "en") -> Response:
    """The response to a request that a fault of the service broke."""
    return json_response(500, error_body(*INTERNAL, language=language))


def reshaped_error(status: int, content: bytes, language: str = "en") -> Response:
    """An error of the application behind this one, put into the one shape."""
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError:
        body = None
    if isinstance(body, dict) and isinstance(body.get("error"), dict):
        return Response(content, status, media_type="application/json")
    return json_response(status, error_body(*_BY_STATUS.get(status, INTERNAL), language=language))


def json_response(status: int, body: ErrorBody, headers: dict[str, str] | None = None) -> Response:
    """A JSON response; half a surrogate pair, which a request may hold, is replaced."""
    content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
    return Response(content, status, headers, media_type="application/json")
