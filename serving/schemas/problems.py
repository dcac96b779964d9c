"""What is wrong with data that a person or a program wrote: the problems of a validation error."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import BaseModel, ValidationError

from features.errors import UsageError
from features.spelling import nearest_word

LONGEST_NAME = 100
"""Characters of an unknown field's name that are compared with the known ones."""


@dataclass(frozen=True)
class Problem:
    """One thing that does not fit: where it is, what kind of fault, and in which words."""

    location: tuple[str | int, ...]
    kind: str
    """`extra_forbidden`, `missing`, `json_invalid` and the other error types of pydantic."""
    message: str
    value: object
    """What was given there."""


def problems(error: ValidationError) -> list[Problem]:
    """All problems, unknown names first, as a misspelt one often makes another one missing."""
    found = [
        Problem(detail["loc"], detail["type"], detail["msg"].removeprefix("Value error, "), detail["input"])
        for detail in error.errors(include_url=False, include_context=False)
    ]
    return sorted(found, key=lambda problem: problem.kind != "extra_forbidden")


def first_problem(error: ValidationError) -> Problem:
    """The problem to speak of."""
    return problems(error)[0]


def invalid_request(error: ValidationError, shape: type[BaseModel]) -> UsageError:
    """The first thing that is wrong with the body or the query of a request, with the field's name.

    An unknown field gets the nearest of those that the shape has in its place.
    """
    problem = first_problem(error)
    message, kind, location = problem.message, problem.kind, problem.location
    if kind == "json_invalid":
        return UsageError(f"cannot read the body as JSON: {message.removeprefix('Invalid JSON: ')}.")
    if not location:
        return UsageError('cannot use this body: it must be one JSON object, such as {"limit": 20}.')
    field = ""
    for part in location:
        field += f"[{part}]" if isinstance(part, int) else f".{part}" if field else str(part)
    if kind == "extra_forbidden":
        message = "there is no such field"
        near = nearest_word(str(location[-1])[:LONGEST_NAME], _fields_at(shape, location[:-1]))
        if near:
            message += f"; did you mean `{near}`?"
            return UsageError(f"cannot use this request: `{field}`: {message}", field=field)
    elif kind == "missing":
        message = "this field is needed"
    return UsageError(f"cannot use this request: `{field}`: {message[:1].lower()}{message[1:]}.", field=field)


def _fields_at(shape: type[BaseModel], location: tuple[str | int, ...]) -> tuple[str, ...]:
    """The names of the fields that the object at this place of a request can have."""
    schema = _schema(shape)
    node: Any = schema
    for part in location:
        node = _resolved(schema, node)
        node = node.get("items", {}) if isinstance(part, int) else node.get("properties", {}).get(part, {})
    return tuple(_resolved(schema, node).get("properties", ()))


def _resolved(schema: Any, node: Any) -> Any:
    """The schema behind a reference into the definitions."""
    name = node.get("$ref", "").rpartition("/")[2]
    return schema["$defs"][name] if name else node


@cache
def _schema(shape: type[BaseModel]) -> Any:
    return shape.model_json_schema()
