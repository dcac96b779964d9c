"""How a process of the service opens: the project it serves, and the gate with BentoML behind it."""

from __future__ import annotations

import asyncio
import functools
import gc
import os
import sys
import time
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from serving.api.app import Gate
from serving.api.json_logging import configure_logging
from serving.api.live_state import ServiceState
from training.bundle.light_imports import without_pandas_and_sklearn

KEYS = "KIZUNA_KEYS"
PROJECT = "KIZUNA_PROJECT"
PACKAGED = Path(__file__).parents[2] / "project"
"""The project of a bento that `kizuna package` made."""

SWITCH = 0.0005
"""Seconds after which a thread makes room for another: as long, at most, an answer waits for the watch."""

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def now() -> int:
    """The present instant."""
    return time.time_ns() // 1_000


@functools.cache
def desk() -> ServiceState:
    """The project that this process serves."""
    with without_pandas_and_sklearn():  # the first request shall not wait for these
        import lightgbm  # noqa: F401
        import pyarrow.dataset  # noqa: F401

        pa.nulls(0).to_numpy(zero_copy_only=False)  # Arrow looks for pandas once, at its first array
    keys = os.environ.get(KEYS)
    if PROJECT not in os.environ and PACKAGED.is_dir():
        # Nobody knows at which address a bento is served: keys are needed unless that is switched off.
        return ServiceState(PACKAGED, now, keys_needed=keys != "off")
    return ServiceState(Path(os.environ.get(PROJECT, ".")), now, keys_needed=keys == "needed")


def application() -> Gate:
    """The service as an ASGI application, for uvicorn: the gate first, BentoML behind it."""
    configure_logging()
    desk()
    sys.setswitchinterval(SWITCH)
    # What was made until now stays: looking through it again and again would make single answers slow.
    gc.collect()
    gc.freeze()
    return Gate(Later(_bentoml), desk)


def _bentoml() -> Any:
    from serving.api.bentoml_service import SERVICE

    made = SERVICE.to_asgi()
    gc.freeze()
    return made


class Later:
    """An ASGI application that is made while the process already answers what does not need it."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._made: asyncio.Task[Any] | None = None
        self._inbox: asyncio.Queue[Message] = asyncio.Queue()
        self._life: asyncio.Task[None] | None = None

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            if self._made is None:
                self._made = asyncio.create_task(self._begin({"type": "lifespan", "asgi": scope["asgi"]}))
            app = await asyncio.shield(self._made)
            await app(scope, receive, send)
            return
        await receive()
        self._made = asyncio.create_task(self._begin(scope))
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await asyncio.wait([self._made])
        if self._life is not None:
            await self._inbox.put({"type": "lifespan.shutdown"})
            await asyncio.wait([self._life], timeout=5)
        await send({"type": "lifespan.shutdown.complete"})

    async def _begin(self, scope: Message) -> Any:
        """Make the application in a thread of its own, and let its own life begin."""
        app = await asyncio.get_running_loop().run_in_executor(None, self._make)
        begun = asyncio.Event()

        async def told(message: Message) -> None:
            if message["type"].startswith("lifespan.startup"):
                begun.set()

        await self._inbox.put({"type": "lifespan.startup"})
        self._life = asyncio.create_task(app(scope, self._inbox.get, told))
        waiting = asyncio.create_task(begun.wait())
        await asyncio.wait([waiting, self._life], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        return app
