"""An ASGI application that is made in the background, while the process answers what does not need it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class LazyApp:
    """Makes an application in a thread when its life begins; requests for it wait until it is there."""

    def __init__(self, make: Callable[[], ASGIApp]) -> None:
        self._make = make
        self._app: asyncio.Task[ASGIApp] | None = None
        self._inbox: asyncio.Queue[Message] = asyncio.Queue()
        self._lifespan: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("type") != "lifespan":
            if self._app is None:  # a server without lifespan
                self._app = asyncio.create_task(self._start({**scope, "type": "lifespan"}))
            app = await asyncio.shield(self._app)
            await app(scope, receive, send)
            return
        await receive()
        self._app = asyncio.create_task(self._start(scope))
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await asyncio.wait([self._app])
        if self._lifespan is not None:
            await self._inbox.put({"type": "lifespan.shutdown"})
            await asyncio.wait([self._lifespan], timeout=5)
        await send({"type": "lifespan.shutdown.complete"})

    async def _start(self, scope: Scope) -> ASGIApp:
        """Make the application in a thread of its own, and let its own lifespan begin."""
        app = await asyncio.get_running_loop().run_in_executor(None, self._make)
        started = asyncio.Event()

        async def notice_start(message: Message) -> None:
            if str(message.get("type")).startswith("lifespan.startup"):
                started.set()

        async def live() -> None:
            await app(scope, self._inbox.get, notice_start)

        await self._inbox.put({"type": "lifespan.startup"})
        self._lifespan = asyncio.create_task(live())
        waiting = asyncio.create_task(started.wait())
        await asyncio.wait([waiting, self._lifespan], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        return app
