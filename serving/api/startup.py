"""How a process of the service opens its project, from the environment."""

from __future__ import annotations

import functools
import os
from pathlib import Path

import pyarrow as pa

from serving.api.live_state import ServiceState
from serving.project.clock import project_clock, system_clock
from serving.project.places import PROJECT
from serving.project.settings import read
from training.bundle.light_imports import without_pandas_and_sklearn

OPEN = "KIZUNA_OPEN"
"""The environment variable that says `loopback` where programs on this machine need no key (`--open`)."""
PACKAGED = Path(__file__).parents[2] / "project"
"""The project of a bento that `kizuna package` made."""


@functools.cache
def service_state() -> ServiceState:
    """The open project that this process serves."""
    with without_pandas_and_sklearn():  # the first request shall not wait for these
        import lightgbm  # noqa: F401
        import pyarrow.dataset  # noqa: F401

        pa.nulls(0).to_numpy(zero_copy_only=False)  # Arrow looks for pandas once, at its first array
    project = read(Path(os.environ.get(PROJECT, PACKAGED if PACKAGED.is_dir() else ".")))
    return ServiceState(
        project,
        project_clock(project),
        open_without_keys=os.environ.get(OPEN) == "loopback",
        real_clock=system_clock,
    )
