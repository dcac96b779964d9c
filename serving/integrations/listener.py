"""The socket that a server listens on; a taken port is told before anything else is loaded."""

from __future__ import annotations

import socket

from features.errors import UsageError


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


def require_free(host: str, port: int) -> None:
    """Raise `UsageError` where nothing can listen there now."""
    listen(host, port).close()
