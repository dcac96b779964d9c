"""Checks that an answer has its published shape."""

from __future__ import annotations

from typing import Any, TypeVar

import orjson
from pydantic import TypeAdapter

T = TypeVar("T")


def published(shape: type[T], answer: Any) -> T:
    """The answer read back from its JSON as this shape; raises where a field is missing, new or misplaced."""
    return TypeAdapter(shape).validate_json(orjson.dumps(answer), strict=True)


def as_json(answer: Any) -> Any:
    """The answer as the service sends it, read back."""
    return orjson.loads(orjson.dumps(answer))
