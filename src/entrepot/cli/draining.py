"""An ASGI app around the hub's: it tells when the hub is ready, how many requests run, and can close it by itself.

Several servers may share it: the hub is opened with the first one and closed with the last one.
"""

import asyncio
from collections.abc import Callable
from typing import Any


class Draining:
    """Hands everything on to ``app``, counted."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.running = 0
        """Requests that are being answered."""
        self._servers = 0
        self._ready: Callable[[], None] = lambda: None
        self._lifespan: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._life: asyncio.Task[None] | None = None
        self._opened = asyncio.Event()

    def when_ready(self, tell: Callable[[], None]) -> None:
        """``tell`` is called once, when the app's start-up is complete."""
        self._ready = tell

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Pass the call on."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        self.running += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self.running -= 1

    async def _live(self, receive: Any, send: Any) -> None:
        """The life of one server."""
        await receive()
        self._servers += 1
        await self._open()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._servers -= 1
        if not self._servers:
            await self.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _open(self) -> None:
        """Open the hub, unless it is open."""
        if self._life is None:
            self._life = asyncio.create_task(self._app({"type": "lifespan"}, self._lifespan.get, self._hear))
            await self._lifespan.put({"type": "lifespan.startup"})
        opened = asyncio.create_task(self._opened.wait())
        await asyncio.wait([self._life, opened], return_when=asyncio.FIRST_COMPLETED)
        opened.cancel()
        if self._life.done():
            await self._life  # raises why it could not open

    async def _hear(self, message: dict[str, Any]) -> None:
        if message["type"] == "lifespan.startup.complete":
            self._opened.set()
            asyncio.get_running_loop().call_later(0.01, self._ready)

    async def close(self) -> None:
        """Close the hub, whatever a server waits for."""
        if self._life is not None:
            await self._lifespan.put({"type": "lifespan.shutdown"})
            await self._life
