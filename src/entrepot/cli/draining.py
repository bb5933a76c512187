"""An ASGI app around the hub's: it tells when the hub is ready, how many requests run, and can close it by itself."""

import asyncio
from collections.abc import Callable
from typing import Any


class Draining:
    """Hands everything on to ``app``, counted."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.running = 0
        """Requests that are being answered."""
        self._ready: Callable[[], None] = lambda: None
        self._lifespan: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._closed = asyncio.Event()

    def when_ready(self, tell: Callable[[], None]) -> None:
        """``tell`` is called once, when the app's start-up is complete."""
        self._ready = tell

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Pass the call on."""
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
            return
        self.running += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self.running -= 1

    async def _live(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """The server's messages and ours reach the app in one queue, and the first that ends it counts."""

        async def watched(message: dict[str, Any]) -> None:
            if message["type"] == "lifespan.shutdown.complete":
                self._closed.set()
            await send(message)
            if message["type"] == "lifespan.startup.complete":
                asyncio.get_running_loop().call_later(0.01, self._ready)

        async def pump() -> None:
            while True:
                await self._lifespan.put(await receive())

        pumping = asyncio.create_task(pump())
        try:
            await self._app(scope, self._lifespan.get, watched)
        finally:
            pumping.cancel()

    async def close(self) -> None:
        """Close the hub, whatever the server waits for."""
        await self._lifespan.put({"type": "lifespan.shutdown"})
        await self._closed.wait()
