"""Running the service: one port, one or several processes."""

from __future__ import annotations

import gc
import ipaddress
import os
import shutil
import socket
import sys
import tempfile

import serving.state.audit_log  # noqa: F401 (its table)
from features.errors import UsageError
from serving.project.settings import Project
from serving.state.api_keys import any_key
from serving.state.database import Database

BACKLOG = 2048


def run(project: Project, host: str, port: int, workers: int) -> None:
    """Serve until stopped. Refuses another machine's reach without keys, and a port that is taken."""
    keys_needed = not is_loopback(host)
    # Opening the records makes every table that was imported, before several workers would at once.
    with Database(project.records) as records:
        if keys_needed and not any_key(records):
            raise UsageError(
                f"cannot serve on {host}: others can reach that address, and there is no API key. "
                "Make one with `kizuna keys add NAME`, or serve on 127.0.0.1.",
                field="host",
            )
    listener = listen(host, port)
    metrics = tempfile.mkdtemp(prefix="kizuna-metrics-")
    os.environ |= {
        "KIZUNA_PROJECT": str(project.folder),
        "KIZUNA_KEYS": "needed" if keys_needed else "",
        "OTEL_SDK_DISABLED": "true",
        "BENTOML_DO_NOT_TRACK": "true",
    }
    if workers > 1:  # counts of several processes meet in files; one alone counts faster in memory
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = metrics
    place = f"[{host}]" if ":" in host else host
    sys.stderr.write(
        f"Serving {project.folder} on http://{place}:{listener.getsockname()[1]} (stop with Ctrl+C)\n"
    )
    sys.stderr.flush()
    try:
        _serve(listener, workers)
    except KeyboardInterrupt:  # how it is stopped; uvicorn has answered what was asked before
        sys.stderr.write("stopped\n")
    finally:
        listener.close()
        shutil.rmtree(metrics, ignore_errors=True)
        gc.unfreeze()  # else DuckDB calls what `opening.application` froze a leak


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise UsageError(
            f"cannot listen on {host}:{port}: {(error.strerror or str(error)).lower()}. "
            "Give another --port or --host.",
            field="port",
        ) from None
    listener.set_inheritable(True)
    return listener


def _serve(listener: socket.socket, workers: int) -> None:
    import uvicorn
    from uvicorn.supervisors import Multiprocess

    config = uvicorn.Config(
        "serving.api.startup:application",
        factory=True,
        backlog=BACKLOG,
        workers=workers,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
    )
    if workers > 1:
        Multiprocess(config, sockets=[listener]).run()
        return
    server = uvicorn.Server(config)
    server.run(sockets=[listener])
    if not server.started:
        sys.exit(1)
