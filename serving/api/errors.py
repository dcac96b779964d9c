"""Why a request is not answered, in the one shape of every error."""

from __future__ import annotations

from typing import Any

import orjson
from pydantic import ValidationError

Header = tuple[bytes, bytes]


class RequestRefused(Exception):
    """A request that goes no further."""

    def __init__(
        self, status: int, code: str, message: str, field: str | None = None, headers: tuple[Header, ...] = ()
    ) -> None:
        super().__init__(message)
        self.status = status
        self.said = error_body(code, message, field)
        self.headers = headers

    @staticmethod
    def of(error: ValidationError) -> RequestRefused:
        """What is wrong with a request's words."""
        refusal = RequestRefused(422, "bad_input", "")
        refusal.said = validation_error_body(dict(error.errors(include_url=False, include_context=False)[0]))
        return refusal


def error_body(code: str, message: str, field: str | None = None) -> dict[str, Any]:
    """The one shape of every error."""
    return {"error": {"code": code, "message": message, "field": field}}


def validation_error_body(detail: dict[str, Any]) -> dict[str, Any]:
    """What one validation error says, with the field's name."""
    message = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "json_invalid":
        return error_body(
            "bad_input", f"cannot read the body as JSON: {message.removeprefix('Invalid JSON: ')}."
        )
    if not detail["loc"]:
        return error_body(
            "bad_input", 'cannot use this body: it must be one JSON object, such as {"limit": 20}.'
        )
    field = ""
    for part in detail["loc"]:
        field += f"[{part}]" if isinstance(part, int) else f".{part}" if field else str(part)
    if detail["type"] == "extra_forbidden":
        message = "there is no such field"
    elif detail["type"] == "missing":
        message = "this field is needed"
    return error_body(
        "bad_input", f"cannot use this request: `{field}`: {message[:1].lower()}{message[1:]}.", field
    )


def reshaped(status: int, content: bytes) -> tuple[int, dict[str, Any]]:
    """An error of what lies behind the gate, in the one shape."""
    try:
        said = orjson.loads(content)
    except orjson.JSONDecodeError:
        said = {}
    if isinstance(said, dict) and isinstance(said.get("error"), dict):
        return status, said
    known = {
        404: ("no_such_path", "cannot answer: there is no such path. See /docs.json for those there are."),
        405: ("wrong_method", "cannot answer: this path does not take this method. See /docs.json."),
        503: ("overloaded", "cannot answer now: the service is overloaded. Try again in a moment."),
    }
    return (status, error_body(*known[status])) if status in known else internal(status)


def internal(status: int = 500) -> tuple[int, dict[str, Any]]:
    """A bug."""
    return status, error_body("internal", "cannot answer: the service failed. Its log says why.")
