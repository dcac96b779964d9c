"""How many processor cores this process may use for one piece of work."""

from __future__ import annotations

import os

_limits: list[int] = []


def available_cores() -> int:
    """The cores of the machine, or the limit of this process where it has one; at least 1."""
    return _limits[-1] if _limits else os.cpu_count() or 1


def limit_cores(cores: int) -> None:
    """Let work in this process use so many cores from now on: a worker of a cluster shares its machine."""
    _limits[:] = [max(1, cores)]
