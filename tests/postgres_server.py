"""A real PostgreSQL server for tests, on loopback and a free port."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass
class PostgresServer:
    """A PostgreSQL server that can be stopped and started."""

    programs: Path
    place: Path
    port: int

    @property
    def url(self) -> str:
        return f"postgresql://kizuna@127.0.0.1:{self.port}/postgres"

    def run(self, program: str, *words: str) -> None:
        runuser = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        command = [*runuser, str(self.programs / program), *words]
        subprocess.run(command, check=True, cwd=self.place, stdout=subprocess.DEVNULL)

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
        self.run(
            "pg_ctl", "-D", f"{self.place}/data", "-l", f"{self.place}/log", "-o", options, "-w", "start"
        )

    def stop(self) -> None:
        self.run("pg_ctl", "-D", f"{self.place}/data", "-m", "immediate", "-w", "stop")


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A server in a temporary folder, stopped afterwards; skips the test where none is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("PostgreSQL's server is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    place = Path(tempfile.mkdtemp(prefix="kizuna-records-"))
    if os.geteuid() == 0:
        shutil.chown(place, "postgres")
    server = PostgresServer(found[-1].parent, place, port)
    server.run("initdb", "-D", f"{place}/data", "-U", "kizuna", "--auth=trust", "-E", "UTF8", "--no-sync")
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(place)
