"""Which engine processes partitions, this process or a Dask cluster: chosen here and handed down."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from features.errors import ConfigurationError
from serving.application.workspace import Workspace

NO_CLUSTER = "none"
"""The address that stands for this process, whatever `[cluster]` says."""


@contextmanager
def on_cluster(workspace: Workspace, address: str | None = None) -> Iterator[Workspace]:
    """The same project with its partitions processed on a cluster while the context lasts.

    The cluster is the one at `address`, else that of `[cluster]`; without either, or with "none", it is this
    process. Raises `ConfigurationError` where Dask is not installed or the cluster cannot be used.
    """
    settings = workspace.project.settings.cluster
    chosen = settings.address if address is None else address
    if chosen in ("", NO_CLUSTER):
        yield workspace
        return
    if importlib.util.find_spec("distributed") is None:
        raise ConfigurationError(
            f"cannot use the cluster '{chosen}': Dask is not installed here. Install Kizuna with it: "
            "`pip install 'kizuna[cluster]'`."
        )
    from features.execution.dask import open_engine  # loads in a second, which others do not wait for

    with open_engine(chosen, worker_memory=settings.worker_memory or None) as engine:
        yield replace(workspace, engine=engine)
