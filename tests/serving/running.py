"""A real `kizuna serve` process on a free port of this machine, and a client for it."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

COMMAND = (sys.executable, "-c", "from serving.cli.main import main; main()")


@dataclass
class Server:
    """A running service; `log` is what it wrote."""

    process: subprocess.Popen[str]
    port: int
    log: list[str] = field(default_factory=list)
    ready_after: float = 0.0

    def send(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Status and body of one request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=90)
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def post(self, path: str, body: Any, headers: Mapping[str, str] | None = None) -> tuple[int, Any]:
        """Status and JSON of one call."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        kind = {"content-type": "application/json", **(headers or {})}
        status, said = self.send("POST", path, content, kind)
        return status, json.loads(said)

    def ready(self) -> Any:
        """What /readyz says."""
        return json.loads(self.send("GET", "/readyz")[1])

    def wait_for(self, condition: Callable[[], bool], seconds: float = 60.0) -> None:
        """Wait until this holds."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "what was waited for did not come"
            time.sleep(0.05)

    def workers(self) -> list[int]:
        """The processes that answer, where several do."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                words = (entry / "cmdline").read_bytes()
            except (OSError, ValueError, IndexError):
                continue
            if parent == self.process.pid and b"spawn_main" in words:
                found.append(int(entry.name))
        return found


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[Server]:
    """Start the service of this project, open to this machine unless a host is named; stop it in the end."""
    access = () if "--host" in options else ("--open",)
    started = time.monotonic()
    process = subprocess.Popen(
        [*COMMAND, "-C", str(folder), "serve", "--port", "0", *access, *options],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    first = process.stderr.readline()
    found = re.search(r"http://\S+:(\d+) ", first)
    if found is None:
        process.kill()
        raise AssertionError(first + process.stderr.read())
    server = Server(process, int(found[1]), [first])
    reader = threading.Thread(target=lambda: server.log.extend(process.stderr or ()), daemon=True)
    reader.start()
    try:
        while time.monotonic() - started < 240:  # in a fresh clone the first start compiles
            try:
                server.send("GET", "/healthz")
                break
            except OSError:
                assert process.poll() is None, "".join(server.log)
                time.sleep(0.05)
        server.ready_after = time.monotonic() - started
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=90)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        reader.join(timeout=10)
        process.stderr.close()
