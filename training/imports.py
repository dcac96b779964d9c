"""Importing LightGBM without scikit-learn, which it loads for estimators that scoring never uses.

Scikit-learn takes most of the time in which the service or `kizuna score` gets ready.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import cast


@contextmanager
def without_scikit_learn() -> Iterator[None]:
    """Make scikit-learn look absent to what is imported inside, unless it is loaded already."""
    modules = cast(dict[str, ModuleType | None], sys.modules)
    hidden = "sklearn" not in modules
    if hidden:
        modules["sklearn"] = None
    try:
        yield
    finally:
        if hidden:
            del modules["sklearn"]
