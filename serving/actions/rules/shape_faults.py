"""What a playbook's shape refuses, in words: the value that was found, what is expected, and a right example.

The words hang on the field, not on the kind of fault, so that there are as many sentences as kinds of field.
Each field gives its example itself (`Field(examples=[…])`): a value, or the TOML of a table.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from serving.actions.rules.conditions import SHARE, NumberCondition
from serving.actions.rules.likely_values import likely_condition, likely_integer, likely_switch, likely_word
from serving.schemas.problems import Problem

LONGEST_VALUE = 60
"""Characters of a wrong value that are shown."""


@dataclass(frozen=True)
class _Place:
    """A place in a playbook: its key, and the field that it belongs to."""

    key: str
    """Dotted, without the numbers of entries."""
    name: str
    """The key within its rule or table, as it is written: `when.tier`."""
    field: FieldInfo | None
    """None for a key that there is not."""
    shape: object
    """The type that is expected, without None."""


def explained(problem: Problem, shape: type[BaseModel]) -> str:
    """What is wrong at a place, and what to write; `shape` is the model of the whole file."""
    place = _place(problem.location, shape)
    if problem.kind == "extra_forbidden":
        return _unknown_key(place, problem, shape)
    if problem.kind == "missing":
        return f"`{place.key}` is missing. Add it, such as `{example(place.field, place.name)}`."
    if problem.kind == "value_error" and not is_condition(place.shape):
        named = _rule_name(problem)
        subject = f"`{place.key}`" if named is None else f"the rule '{named}'"
        return f"{subject} does not fit: {problem.message}."
    return unfit(place.key, place.name, toml_of(problem.value), problem.value, place.field, place.shape)


def unfit(key: str, name: str, written: str, value: object, field: FieldInfo | None, shape: object) -> str:
    """That a value is not what its field takes; `written` is how it stands in the file."""
    right = _likely(value, field, shape)
    such = example(field, name) if right is None else f"{name} = {toml_of(right)}"
    return f"`{key}` is `{_short(written)}`, but it takes {_expected(field, shape)}. Write it like `{such}`."


def field_of(location: Sequence[str | int], shape: type[BaseModel]) -> tuple[FieldInfo | None, object]:
    """The field at a place, None where there is no such key, and the type that it takes."""
    place = _place(tuple(location), shape)
    return place.field, place.shape


def example(field: FieldInfo | None, name: str) -> str:
    """A right line for a field: `deadline_days = 7`, or the head of a table."""
    value = None if field is None or not field.examples else field.examples[0]
    return str(value) if _is_table_text(value) else f"{name} = {toml_of(value)}"


def toml_of(value: object) -> str:
    """A value as TOML writes it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml_of(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml_of(one) for one in value) + "]"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, str | int | float):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def is_condition(shape: object) -> bool:
    """Whether a field takes a condition on a number."""
    return shape is NumberCondition


def _place(location: Sequence[str | int], shape: type[BaseModel]) -> _Place:
    at: object = shape
    field: FieldInfo | None = None
    names: list[str] = []
    own: list[str] = []
    for part in location:
        if isinstance(part, int):
            at = _item(at)
            if _is_model(at):
                own = []
            continue
        names.append(part)
        own.append(part)
        if _is_model(at):
            field = at.model_fields.get(part)  # type: ignore[attr-defined]
            at = None if field is None else _without_none(field.annotation)
            if len(names) == 1 and _is_model(at):  # its keys stand under a heading: [stages]
                own = []
        else:
            at = _item(at)
            own = [] if _is_model(at) else own
    name = ".".join(own or names[-1:])
    return _Place(".".join(names), name, field, at)


def _unknown_key(place: _Place, problem: Problem, shape: type[BaseModel]) -> str:
    around = _place(problem.location[:-1], shape).shape if len(problem.location) > 1 else shape
    wrong = str(problem.location[-1])
    table = place.name.rpartition(".")[0]
    keys, within = _keys(around), f"{table}." if table else ""
    last = {key.rpartition(".")[2]: key for key in reversed(keys)}
    near = likely_word(wrong, keys) or last.get(likely_word(wrong, last) or "")
    found = _short(f"{wrong} = {toml_of(problem.value)}")
    if near is not None:
        return (
            f"there is no key `{place.key}` in a playbook (found: `{found}`). "
            f"Write `{within}{near}` instead, such as `{_example_of(around, near, within)}`."
        )
    return (
        f"there is no key `{place.key}` in a playbook (found: `{found}`). Remove it, or write one of "
        f"`{', '.join(keys)}`, such as `{_example_of(around, keys[0], within)}`."
    )


def _keys(shape: object) -> list[str]:
    """The keys of a table, with those of the tables within it."""
    if not _is_model(shape):
        return []
    found: list[str] = []
    for name, field in shape.model_fields.items():  # type: ignore[attr-defined]
        inner = _without_none(field.annotation)
        found += [f"{name}.{key}" for key in _keys(inner)] if _is_model(inner) else [name]
    return found


def _example_of(shape: object, key: str, within: str) -> str:
    field = None
    for part in key.split("."):
        field = shape.model_fields[part]  # type: ignore[attr-defined]
        shape = _without_none(field.annotation)
    return example(field, within + key)


def _expected(field: FieldInfo | None, shape: object) -> str:
    """What a field takes; each is a phrase of the messages' file."""
    if is_condition(shape):
        return "a condition such as `>= 0.2`, `0.1 to 0.3` or `top 10%`, in double quotes"
    if shape is bool:
        return "true or false"
    if shape in (int, float):
        least, most = _limits(field)
        number = "a whole number" if shape is int else "a number"
        if most < math.inf:
            return f"{number} from {least:,g} to {most:,g}"
        return f"{number} of at least {least:,g}" if least > -math.inf else number
    if shape is str:
        return "a text in double quotes that is not empty" if _is_filled(field) else "a text in double quotes"
    if get_origin(shape) is tuple:
        return "one table for each, at least one" if _is_model(_item(shape)) else "a list of texts in [ ]"
    return "a table with keys of its own"


def _likely(value: object, field: FieldInfo | None, shape: object) -> object | None:
    """The right value that a wrong one was probably meant to be."""
    if is_condition(shape):
        return likely_condition(value, of_share=field is not None and SHARE in field.metadata)
    if shape is bool:
        return likely_switch(value)
    if shape is int and isinstance(value, str):
        return likely_integer(value, *_limits(field))
    if shape is str and isinstance(value, int | float) and get_origin(_annotation(field)) is not tuple:
        return toml_of(value)
    return None


def _limits(field: FieldInfo | None) -> tuple[float, float]:
    least, most = -math.inf, math.inf
    for one in [] if field is None else field.metadata:
        least, most = getattr(one, "ge", least), getattr(one, "le", most)
    return least, most


def _is_filled(field: FieldInfo | None) -> bool:
    return any(getattr(one, "min_length", 0) for one in ([] if field is None else field.metadata))


def _annotation(field: FieldInfo | None) -> object:
    return None if field is None else _without_none(field.annotation)


def _without_none(annotation: object) -> object:
    if get_origin(annotation) in (Union, UnionType):
        return next(one for one in get_args(annotation) if one is not type(None))
    return annotation


def _item(shape: object) -> object:
    """The type of the entries of a list, or of the tables under a name."""
    arguments = [one for one in get_args(shape) if one is not Ellipsis]
    return arguments[-1] if arguments else None


def _is_model(shape: Any) -> bool:
    return isinstance(shape, type) and issubclass(shape, BaseModel)


def _is_table_text(value: object) -> bool:
    return isinstance(value, str) and ("\n" in value or value.startswith("[") or " = " in value)


def _rule_name(problem: Problem) -> str | None:
    name = problem.value.get("name") if isinstance(problem.value, dict) else None
    return name if isinstance(name, str) and problem.location[:1] == ("rules",) else None


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"
