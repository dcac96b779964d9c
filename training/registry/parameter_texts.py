"""A run's settings as MLflow keeps parameters: a dotted name and a text for each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

LONGEST = 6_000
"""Characters of a parameter that MLflow keeps."""


def parameter_texts(parameters: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Each setting; nested ones have dots in their names."""
    for key, value in parameters.items():
        if isinstance(value, Mapping):
            yield from parameter_texts(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", str(value)[:LONGEST]
