"""Experiments of a project that was never trained, ready at once.

Making MLflow's tables takes seconds, and the tables are the same every time: they are made once and copied.
`tests/training/registry/test_mlflow_tracking.py` makes them anew.
"""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from training.registry.mlflow_tracking import Tracking

URI = "sqlite:///mlruns/mlflow.db"
DATABASE = Path("mlruns", "mlflow.db")


@cache
def _tables() -> Path:
    folder = Path(mkdtemp())
    Tracking(URI, folder)._client.search_experiments()
    return folder / DATABASE


def prepare(folder: Path) -> None:
    """Put MLflow's empty tables into a project folder."""
    target = folder / DATABASE
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(_tables(), target)


def experiments(folder: Path) -> Tracking:
    """The experiments of the project in this folder."""
    prepare(folder)
    return Tracking(URI, folder)
