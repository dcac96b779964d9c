"""Importing LightGBM and Arrow without scikit-learn and pandas, which they load for what scoring never uses.

The two take most of the time in which the service or `kizuna score` gets ready, and memory for as long as
it runs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder

HEAVY = ("sklearn", "pandas")


class _Absent(MetaPathFinder):
    """An import finder that raises `ModuleNotFoundError` for each of `HEAVY`, and finds nothing else."""

    def find_spec(self, fullname: str, *_: object) -> None:
        if fullname in HEAVY:
            raise ModuleNotFoundError(f"{fullname} is not loaded here", name=fullname)


@contextmanager
def without_pandas_and_sklearn() -> Iterator[None]:
    """Let imports inside fail for pandas and scikit-learn, except where these are loaded already."""
    absent = _Absent()
    sys.meta_path.insert(0, absent)
    try:
        yield
    finally:
        sys.meta_path.remove(absent)
