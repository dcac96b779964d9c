"""Visitors of an HTTP service: real connections that ask as fast as they are answered, or at a given rate."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import deque
from dataclasses import dataclass
from itertools import cycle
from multiprocessing import get_context
from typing import Any

import numpy as np
import uvloop

CONNECTIONS = 8
TICK = 0.001
"""Seconds between two looks at which requests of a given rate are due."""


@dataclass(frozen=True)
class Visit:
    """What visitors saw; times in milliseconds."""

    rps: float
    p50_ms: float
    p99_ms: float
    answers: int
    errors: int


def request(path: str, body: Any, headers: dict[str, str] | None = None) -> bytes:
    """One POST as it goes over the wire."""
    content = json.dumps(body).encode()
    more = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        f"{more}content-length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def visit(
    port: int,
    requests: list[bytes],
    seconds: float,
    rate: float | None = None,
    connections: int = CONNECTIONS,
) -> Visit:
    """Ask in a process of its own; at `rate` requests a second, or else as fast as answers come."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(_visit, (port, requests, seconds, rate, connections))


class _Visitor(asyncio.Protocol):
    """One connection: asks, waits for the whole answer, and tells the crowd."""

    def __init__(self, crowd: _Crowd) -> None:
        self.crowd = crowd
        self.begun = 0.0
        self.missing = -1
        self.seen = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.crowd.free(self)

    def ask(self, content: bytes, since: float) -> None:
        self.begun = since
        self.transport.write(content)

    def data_received(self, data: bytes) -> None:
        if self.missing < 0:
            self.seen += data
            end = self.seen.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self.seen[:end].lower()
            self.good = head.startswith(b"http/1.1 200")
            length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
            self.missing = int(length) - (len(self.seen) - end - 4)
            self.seen = b""
        else:
            self.missing -= len(data)
        if self.missing <= 0:
            self.missing = -1
            self.crowd.answered(time.perf_counter() - self.begun, self.good)
            self.crowd.free(self)

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002
        if not self.crowd.over:
            self.crowd.errors += 1


class _Crowd:
    def __init__(self, requests: list[bytes], rate: float | None) -> None:
        self.requests = cycle(requests)
        self.rate = rate
        self.times: list[float] = []
        self.errors = 0
        self.over = False
        self.waiting: deque[float] = deque()
        self.idle: deque[_Visitor] = deque()
        """Taken in turn: a server hangs up on a connection that asks nothing for five seconds."""

    def free(self, visitor: _Visitor) -> None:
        if self.over:
            return
        if self.rate is None:
            visitor.ask(next(self.requests), time.perf_counter())
        elif self.waiting:
            visitor.ask(next(self.requests), self.waiting.popleft())
        else:
            self.idle.append(visitor)

    def arrive(self) -> None:
        """Somebody wants to ask: at once where a connection is free, else as soon as one is."""
        now = time.perf_counter()
        if self.idle:
            self.idle.popleft().ask(next(self.requests), now)
        else:
            self.waiting.append(now)

    def answered(self, seconds: float, good: bool) -> None:
        self.times.append(seconds)
        self.errors += not good


def _visit(port: int, requests: list[bytes], seconds: float, rate: float | None, connections: int) -> Visit:
    crowd = _Crowd(requests, rate)

    async def run() -> float:
        loop = asyncio.get_running_loop()
        links = [
            (await loop.create_connection(lambda: _Visitor(crowd), "127.0.0.1", port))[0]
            for _ in range(connections)
        ]
        begun, sent = time.perf_counter(), 0
        while (gone := time.perf_counter() - begun) < seconds:
            if rate is None:
                await asyncio.sleep(0.05)
                continue
            for _ in range(int(gone * rate) - sent):
                crowd.arrive()
                sent += 1
            await asyncio.sleep(TICK)
        gone = time.perf_counter() - begun
        crowd.over = True
        for link in links:
            link.close()
        return gone

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        gone = runner.run(run())
    times = np.array(crowd.times or [np.nan]) * 1000
    p50, p99 = np.percentile(times, [50, 99])
    return Visit(len(crowd.times) / gone, float(p50), float(p99), len(crowd.times), crowd.errors)


if __name__ == "__main__":
    port, path, body, seconds = sys.argv[1:5]
    rate = float(sys.argv[5]) if len(sys.argv) > 5 else None
    print(visit(int(port), [request(path, json.loads(body))], float(seconds), rate))
