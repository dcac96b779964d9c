"""Long work has a pool of its own: however many reports are asked for, other calls are answered."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from features.errors import Overloaded, TooSlow
from serving.api.app import Application
from serving.api.live_state import ServiceState
from serving.api.worker_pool import LONG_RETRY_SECONDS, LONG_THREADS, LONG_WAITING, WorkerPool
from serving.project.settings import read
from tests.serving.event_loops import run_apart

NOW = 2_000_000_000_000_000
BULK = {"customer_ids": [f"c{number:04d}" for number in range(200)]}
"""Too many for the event loop: a thread answers it."""


async def nobody(*_: Any) -> None:
    raise AssertionError("nothing lies behind the application")


async def call(application: Application, path: str, body: Any) -> tuple[int, dict[str, str], Any]:
    """Status, headers and JSON of one call in this process."""
    content, sent = json.dumps(body).encode(), []
    headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": path, "client": ("127.0.0.1", 1), "headers": headers}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await application(scope, receive, send)
    names = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], names, json.loads(sent[1]["body"])


async def many_reports(state: ServiceState) -> None:
    application = Application(nobody, lambda: state)
    most = LONG_THREADS + LONG_WAITING
    with state.report_cache.lock:  # a report that takes long: nobody gets one meanwhile
        reports = [asyncio.create_task(call(application, "/v1/report", {"months": 3})) for _ in range(most)]
        await asyncio.sleep(0.2)
        begun = time.monotonic()
        status, _, body = await call(application, "/v1/score", BULK)
        assert (status, len(body["customers"])) == (200, 200)
        assert time.monotonic() - begun < 20
        status, headers, body = await call(application, "/v1/report", {"months": 3})
        assert (status, body["error"]["code"]) == (503, "overloaded")
        assert headers["retry-after"] == str(LONG_RETRY_SECONDS)
        assert body["error"]["message"] == (
            f"cannot start this now: {most} long calls, such as reports, are being made or wait. "
            f"Try again in {LONG_RETRY_SECONDS} s."
        )
    answers = await asyncio.gather(*reports)
    assert {status for status, _, _ in answers} == {200}
    assert (await call(application, "/v1/report", {"months": 3}))[0] == 200


def test_reports_that_take_long_leave_other_calls_alone_and_one_too_many_is_told(own_shop: Path) -> None:
    state = ServiceState(read(own_shop), lambda: NOW, open_without_keys=True)
    try:
        run_apart(many_reports(state))
    finally:
        state.close()


def test_work_that_nobody_waits_for_any_more_holds_its_place_until_it_ends() -> None:
    over = threading.Event()

    async def run() -> None:
        pool = WorkerPool("test", 1, patience=0.1, most_waiting=0)
        with pytest.raises(TooSlow, match=r"cannot answer within 0\.1 s\."):
            await pool.run(over.wait)
        with pytest.raises(Overloaded):
            await pool.run(lambda: 1)
        over.set()
        for _ in range(100):
            try:
                assert await pool.run(lambda: 1) == 1
                return
            except Overloaded:
                await asyncio.sleep(0.05)
        raise AssertionError("its place was not given back")

    run_apart(run())
