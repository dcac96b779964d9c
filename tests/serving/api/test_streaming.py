"""A file that is made while it is sent: whole, refused before its first byte, or visibly broken."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from features.errors import DataError
from serving.api.middleware import ErrorMiddleware
from serving.api.process.metrics import ServiceMetrics
from serving.api.streaming import csv_response
from serving.api.worker_pool import WorkerPool

ROW = "x" * 99 + "\n"


@contextmanager
def sending(lines: Iterator[str]) -> Iterator[int]:
    """A real server that sends these lines as a file, in parts of ten rows; gives its port."""
    pool = WorkerPool("test", 1, patience=30)

    async def file(scope: Scope, receive: Receive, send: Send) -> None:
        response = await csv_response(lines, "list.csv", pool, part=1_000)
        await response(scope, receive, send)

    application = ErrorMiddleware(file, ServiceMetrics.of_process(), ())
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(application, lifespan="off", log_config=None, ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            while not server.started:
                time.sleep(0.01)
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def fetched(port: int) -> Iterator[http.client.HTTPResponse]:
    """The response of that server, its body not yet read."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/")
    answer = connection.getresponse()
    try:
        yield answer
    finally:
        answer.close()
        connection.close()


def failing_after(rows: int) -> Iterator[str]:
    for _ in range(rows):
        yield ROW
    raise DataError("cannot read the store: a file of it is damaged")


def test_a_file_comes_whole() -> None:
    with sending(iter([ROW] * 95)) as port, fetched(port) as answer:
        assert (answer.status, answer.read()) == (200, ROW.encode() * 95)
        assert answer.headers["content-disposition"] == 'attachment; filename="list.csv"'


def test_a_failure_before_the_first_part_is_an_error() -> None:
    with sending(failing_after(5)) as port, fetched(port) as answer:
        assert answer.status == 422
        assert b'"code": "bad_data"' in answer.read()


def test_a_failure_after_the_first_part_breaks_the_transfer() -> None:
    with sending(failing_after(25)) as port, fetched(port) as answer:
        assert answer.status == 200
        with pytest.raises(http.client.IncompleteRead) as broken:
            answer.read()
        assert broken.value.partial == ROW.encode() * 20


def test_a_client_that_hangs_up_stops_the_work() -> None:
    made = [0]

    def endless() -> Iterator[str]:
        while True:
            made[0] += 1
            yield ROW

    with sending(endless()) as port:
        with fetched(port) as answer:
            assert len(answer.read(5_000)) == 5_000
        deadline = time.monotonic() + 20
        while True:
            before = made[0]
            time.sleep(0.5)
            if made[0] == before:
                break
            assert time.monotonic() < deadline, "the file is still being made"
