"""Answers as JSON text for files and the command line."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from typing import Any


def to_json(answer: Any, **more: Any) -> str:
    """The answer, a dataclass or plain data, as one line of JSON; raises `ValueError` for NaN or infinity.

    A field whose metadata has `omit_none` is left out where it is None, and the entries of one that has
    `flatten` stand beside the other fields. `more` is added to the end of an object.
    """
    if more:
        answer = (answer if isinstance(answer, dict) else _as_dict(answer)) | more
    return json.dumps(answer, ensure_ascii=False, allow_nan=False, default=_as_dict)


def _as_dict(value: Any) -> dict[str, Any]:
    if not is_dataclass(value):
        raise TypeError(f"a {type(value).__name__} has no JSON")
    entries: dict[str, Any] = {}
    for field in fields(value):
        content = getattr(value, field.name)
        if field.metadata.get("flatten"):
            entries |= content if isinstance(content, dict) else _as_dict(content)
        elif content is not None or not field.metadata.get("omit_none"):
            entries[field.name] = content
    return entries
