"""MLflow's own screens on the runs of a project: its server, in the place of this process."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import NoReturn

from serving.project.settings import Project
from training.registry.artifact_locations import absolute_uri, sqlite_file

_STORES = (
    "MLFLOW_REGISTRY_STORE_URI",
    "MLFLOW_ARTIFACTS_DESTINATION",
    "MLFLOW_SERVE_ARTIFACTS",
    "MLFLOW_REGISTRY_URI",
    "MLFLOW_TRACKING_URI",
)
"""Variables of another server's stores, which would show its models beside this project's runs."""


def server_address(project: Project) -> str | None:
    """The address of the MLflow server that keeps the project's runs; None where a database keeps them."""
    uri = project.settings.tracking_uri
    return uri if uri.startswith(("http://", "https://")) else None


def exposure(host: str) -> Iterator[str]:
    """A warning where others than this machine can reach the address."""
    if host.lower() != "localhost" and not host.startswith("127.") and host != "::1":
        yield (
            f"Whoever reaches {host} can read and change the runs: MLflow's server asks nobody who they are."
        )


def serve_screens(project: Project, host: str, port: int) -> NoReturn:
    """Become MLflow's server on the project's tracking store, until it is stopped.

    The address of the store goes by the environment: it may hold a password, which a command line shows.
    """
    uri = absolute_uri(project.settings.tracking_uri, project.folder)
    database = sqlite_file(uri)
    if database is not None:
        database.parent.mkdir(parents=True, exist_ok=True)
    others = {name: value for name, value in os.environ.items() if name not in _STORES}
    environment = others | {
        "MLFLOW_BACKEND_STORE_URI": uri,
        "MLFLOW_DEFAULT_ARTIFACT_ROOT": (project.folder / "mlruns" / "artifacts").as_uri(),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    options = ["--workers", "1", "--host", host, "--port", str(port)]
    command = [sys.executable, "-m", "mlflow", "server", *options]
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, command, environment)  # noqa: S606 (signals and exit code are the server's)
