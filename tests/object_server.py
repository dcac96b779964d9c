"""A real S3 server for tests: SeaweedFS on loopback and free ports, one for a session."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

KEY, SECRET = "kizuna", "kizuna-secret"
READER, READER_SECRET = "reader", "reader-secret"
"""May read and list, nothing else."""
OWNER, OWNER_SECRET = "owner", "owner-secret"
"""Makes buckets."""
IDENTITIES = {
    "identities": [
        {
            "name": "kizuna",
            "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
            "actions": ["Read", "Write", "List", "Tagging"],
        },
        {
            "name": "owner",
            "credentials": [{"accessKey": OWNER, "secretKey": OWNER_SECRET}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        },
        {
            "name": "reader",
            "credentials": [{"accessKey": READER, "secretKey": READER_SECRET}],
            "actions": ["Read", "List"],
        },
    ]
}
STARTS_WITHIN = 40.0
FIRST = "started"
"""A bucket that shows whether the server answers."""


@dataclass
class ObjectServer:
    """A SeaweedFS server that can be stopped and started again."""

    folder: Path
    ports: dict[str, int]
    process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.ports['s3']}"

    def environment(self, key: str = KEY, secret: str = SECRET) -> dict[str, str]:
        """The environment variables by which clients reach the server."""
        return {
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=OWNER,
            aws_secret_access_key=OWNER_SECRET,
            region_name="us-east-1",
        )

    def place(self) -> str:
        """The URL of an empty place; a bucket of its own would take the server seconds to find room for."""
        return f"s3://{FIRST}/{uuid.uuid4().hex[:12]}"

    def bucket(self, *, versions: bool = False) -> str:
        """A new bucket."""
        name, client = f"kizuna-{uuid.uuid4().hex[:12]}", self.client()
        client.create_bucket(Bucket=name)
        if versions:
            client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        return name

    def start(self) -> None:
        ports = self.ports
        command = [
            str(Path(sys.executable).parent / "weed"), "server", f"-dir={self.folder / 'data'}",
            "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3", "-s3.port.iceberg=0", "-s3.port.lance=0",
            f"-master.port={ports['master']}", f"-master.port.grpc={ports['master_grpc']}",
            f"-volume.port={ports['volume']}", f"-volume.port.grpc={ports['volume_grpc']}",
            f"-filer.port={ports['filer']}", f"-filer.port.grpc={ports['filer_grpc']}",
            f"-s3.port={ports['s3']}", f"-s3.port.grpc={ports['s3_grpc']}",
            f"-s3.config={self.folder / 's3.json'}", "-volume.max=0", "-master.volumeSizeLimitMB=256",
            "-master.telemetry=false",
        ]  # fmt: skip
        (self.folder / "data").mkdir(exist_ok=True)
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        client, until = self.client(), time.monotonic() + STARTS_WITHIN
        while True:
            try:
                client.put_object(Bucket=self._first_bucket(client), Key="up", Body=b"1")
                return
            except (ClientError, BotoCoreError) as error:
                if time.monotonic() > until or self.process.poll() is not None:
                    raise AssertionError((self.folder / "log").read_text()[-3000:]) from error
                time.sleep(0.2)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
        for port in self.ports.values():  # sockets that the server leaves when it is killed
            for left in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                left.unlink(missing_ok=True)

    @staticmethod
    def _first_bucket(client: Any) -> str:
        names = [one["Name"] for one in client.list_buckets()["Buckets"]]
        if FIRST not in names:
            client.create_bucket(Bucket=FIRST)
        return FIRST


@contextmanager
def object_server() -> Iterator[ObjectServer]:
    """A server in a temporary folder, stopped afterwards."""
    names = ("master", "master_grpc", "volume", "volume_grpc", "filer", "filer_grpc", "s3", "s3_grpc")
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in names]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        ports = {name: one.getsockname()[1] for name, one in zip(names, sockets, strict=True)}
    folder = Path(tempfile.mkdtemp(prefix="kizuna-objects-"))
    (folder / "s3.json").write_text(json.dumps(IDENTITIES))
    server = ObjectServer(folder, ports)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


class ThreadLock:
    """A lock for writers of one process, in the place of the one in PostgreSQL."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    @contextmanager
    def held(self, waiting: Callable[[], None]) -> Iterator[Callable[[], bool]]:
        if not self._lock.acquire(blocking=False):
            waiting()
            self._lock.acquire()
        try:
            yield lambda: True
        finally:
            self._lock.release()
