"""Count running requests, so that a stop can wait for them."""

import asyncio
from collections.abc import Callable
from typing import Any


class Draining:
    """An ASGI app around another one: ``drain`` returns when nothing runs any more, or when time is up."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._ready: Callable[[], None] = lambda: None

    def when_ready(self, tell: Callable[[], None]) -> None:
        """``tell`` is called once, when the app's start-up is complete."""
        self._ready = tell

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Pass the call on, counted."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, self._watched(send))
            return
        self._running += 1
        self._idle.clear()
        try:
            await self._app(scope, receive, send)
        finally:
            self._running -= 1
            if self._running == 0:
                self._idle.set()

    def _watched(self, send: Any) -> Any:
        async def watched(message: dict[str, Any]) -> None:
            await send(message)
            if message["type"] == "lifespan.startup.complete":
                asyncio.get_running_loop().call_later(0.01, self._ready)

        return watched

    async def drain(self, seconds: float) -> None:
        """Wait until no request runs, at most so many seconds."""
        try:
            await asyncio.wait_for(self._idle.wait(), seconds)
        except TimeoutError:
            return
