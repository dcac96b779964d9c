"""What a training run was made of besides events and settings: the project's SQL and its state in git."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class RunSource:
    """Files and tags that a run keeps of the project that it belongs to."""

    texts: Mapping[str, str] = field(default_factory=dict)
    """Text files by their path among the run's artifacts."""
    tags: Mapping[str, str] = field(default_factory=dict)


NO_SOURCE = RunSource()
"""Of a training without a project."""
