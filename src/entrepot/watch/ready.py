"""/readyz: whether this process can do work now. /healthz says only that it is alive: killing it would help nothing."""

from collections.abc import Awaitable, Callable
from typing import Any

from entrepot.errors import HubError
from entrepot.ops.context import Hub
from entrepot.store.blobs import Unreadable
from entrepot.store.sql import gauges as sql
from entrepot.watch.plain import answer

Scope = dict[str, Any]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Ready:
    """The page /readyz: 200, or 503 with the reason in one word; the log says more."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def answer(self, scope: Scope, send: Send) -> None:
        """Answer one request: a read of the rows, and a look at one stored object."""
        wrong = await self.wrong()
        # Whoever balances the load must not hold on to a connection of a server that goes away.
        leave = [(b"connection", b"close")] if wrong and scope.get("http_version", "").startswith("1") else []
        await answer(send, 503 if wrong else 200, f"{wrong or 'ready'}\n".encode(), headers=leave)

    async def wrong(self) -> str:
        """What is in the way: draining, rows or bytes; "" for nothing."""
        if self._hub.tally.is_draining:
            return "draining"
        try:
            key = await self._hub.db.read(sql.stored_key)
        except HubError:
            return "rows"
        try:
            if key is not None:
                await self._hub.blobs.stored_size(key)
        except Unreadable:
            return ""  # one object is damaged, which is told elsewhere; the others are served
        except HubError:
            return "bytes"
        return ""
