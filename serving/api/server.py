"""Running the service: one port, one or several processes."""

from __future__ import annotations

import gc
import os
import socket
import sys

from starlette.types import ASGIApp

import serving.state.audit_log  # noqa: F401 (its table)
from features.errors import UsageError
from serving.api.app import Application
from serving.api.key_ring import is_loopback
from serving.api.lazy_asgi import LazyApp
from serving.api.process.json_logging import configure_logging
from serving.api.process.metrics_folder import metrics_folder, remove_left_behind
from serving.api.process.native_memory import return_large_blocks
from serving.api.startup import OPEN, service_state
from serving.integrations.listener import listen
from serving.project.places import PROJECT
from serving.project.settings import Project
from serving.state.accounts.people import any_account
from serving.state.api_keys import any_key
from serving.state.database import Database

BACKLOG = 2048

SWITCH_INTERVAL = 0.0005
"""Seconds after which a thread makes room for another: as long, at most, an answer waits for the watcher."""


def run(project: Project, host: str, port: int, workers: int, *, open_to_this_machine: bool = False) -> None:
    """Serve until stopped; refuses to start without keys unless this machine alone may call."""
    # Opening the database makes every table that was imported, before several workers would at once.
    with Database(project.records) as database:
        has_keys, has_accounts = any_key(database), any_account(database)
    check_access(host, is_closed=has_keys or has_accounts, open_to_this_machine=open_to_this_machine)
    listener = listen(host, port)
    remove_left_behind()
    os.environ |= {
        PROJECT: str(project.folder),
        OPEN: "loopback" if open_to_this_machine else "",
        "OTEL_SDK_DISABLED": "true",
        "BENTOML_DO_NOT_TRACK": "true",
    }
    address = f"[{host}]" if ":" in host else host
    sys.stderr.write(
        f"Serving {project.folder} on http://{address}:{listener.getsockname()[1]} (stop with Ctrl+C)\n"
    )
    if open_to_this_machine and has_keys:
        sys.stderr.write("The project has API keys, so every call needs one, in spite of --open.\n")
    if open_to_this_machine and has_accounts:
        sys.stderr.write("The project has accounts, so people sign in, in spite of --open.\n")
    sys.stderr.flush()
    try:
        if workers > 1:  # counts of several processes meet in files; one alone counts faster in memory
            with metrics_folder() as metrics:
                os.environ |= {"PROMETHEUS_MULTIPROC_DIR": str(metrics)}
                _serve(listener, workers)
        else:
            _serve(listener, workers)
    except KeyboardInterrupt:  # how it is stopped; uvicorn has finished the calls that came before
        sys.stderr.write("stopped\n")
    finally:
        listener.close()
        gc.unfreeze()  # else DuckDB calls what `application` froze a leak


def check_access(host: str, *, is_closed: bool, open_to_this_machine: bool) -> None:
    """Refuse to serve where nobody could call, or where everybody could.

    `is_closed` says that there is a key or an account, so that nobody else is let in.
    """
    if open_to_this_machine and not is_loopback(host):
        raise UsageError(
            f"cannot serve on {host} with --open: others can reach that address. Leave --open out and make "
            "an account with `kizuna users add NAME --role administrator` or a key with `kizuna keys add "
            "NAME`, or serve on 127.0.0.1.",
            field="open",
        )
    if is_closed or open_to_this_machine:
        return
    if is_loopback(host):
        raise UsageError(
            "cannot serve: there is no account and no API key, so nobody could be let in. Make one with "
            "`kizuna users add NAME --role administrator` or `kizuna keys add NAME`, or let everybody on "
            "this machine in with `kizuna serve --open`.",
            field="open",
        )
    raise UsageError(
        f"cannot serve on {host}: others can reach that address, and there is no account and no API key. "
        "Make one with `kizuna users add NAME --role administrator` or `kizuna keys add NAME`, or serve this "
        "machine alone with `kizuna serve --open`.",
        field="host",
    )


def application() -> Application:
    """The service as an ASGI application for uvicorn, with BentoML behind it."""
    configure_logging()
    return_large_blocks()
    service_state()
    sys.setswitchinterval(SWITCH_INTERVAL)
    # What was made until now stays: looking through it again and again would make single answers slow.
    gc.collect()
    gc.freeze()
    return Application(LazyApp(_bentoml), service_state)


def _bentoml() -> ASGIApp:
    from serving.api.bentoml_service import SERVICE

    app: ASGIApp = SERVICE.to_asgi()
    gc.freeze()
    return app


def _serve(listener: socket.socket, workers: int) -> None:
    import uvicorn
    from uvicorn.supervisors import Multiprocess

    config = uvicorn.Config(
        "serving.api.server:application",
        factory=True,
        backlog=BACKLOG,
        workers=workers,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # whose word is taken for the sender is decided in key_ring
        ws="none",
        timeout_graceful_shutdown=10,
    )
    if workers > 1:
        Multiprocess(config, sockets=[listener]).run()
        return
    server = uvicorn.Server(config)
    server.run(sockets=[listener])
    if not server.started:
        sys.exit(1)
