"""What is wrong with data that a person or a program wrote: the first problem of a validation error."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError


@dataclass(frozen=True)
class Problem:
    """One thing that does not fit: where it is, what kind of fault, and in which words."""

    location: tuple[str | int, ...]
    kind: str
    """`extra_forbidden`, `missing`, `json_invalid` and the other error types of pydantic."""
    message: str
    value: object
    """What was given there."""


def first_problem(error: ValidationError) -> Problem:
    """The problem to speak of: an unknown name first, as a misspelt one often makes another one missing."""
    problems = [
        Problem(detail["loc"], detail["type"], detail["msg"].removeprefix("Value error, "), detail["input"])
        for detail in error.errors(include_url=False, include_context=False)
    ]
    return min(problems, key=lambda problem: problem.kind != "extra_forbidden")
