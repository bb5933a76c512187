"""Around all doors, only where the access log is on: one line for each request, at its end.

It never holds a query, a header, a form or a body: those hold secrets.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from entrepot import tally
from entrepot.config import Settings
from entrepot.ops.origin import Origin
from entrepot.watch.requests import RequestIds
from entrepot.watch.told import Told

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
log = structlog.get_logger("access")


class Telling:
    """Hands a request on to ``app`` and tells of it at its end."""

    def __init__(self, settings: Settings, ids: RequestIds, app: App) -> None:
        self._ids = ids
        self._app = app
        self._origin = Origin(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers = dict(scope["headers"])
        exchange = Exchange(receive, send)
        told = scope.setdefault("told", Told())
        started = time.perf_counter()
        # Whatever else is logged on the way carries the id too.
        with structlog.contextvars.bound_contextvars(request_id=self._ids.in_scope(scope, headers).decode("ascii")):
            try:
                await self._app(scope, exchange.receive, exchange.send)
            finally:
                endpoint = tally.by_place(told.place)
                log.info(
                    "request",
                    door=endpoint.door,
                    route=endpoint.route,
                    method=scope["method"],
                    status=exchange.status,
                    ms=round((time.perf_counter() - started) * 1000, 2),
                    bytes_in=exchange.bytes_in,
                    bytes_out=exchange.bytes_out,
                    who=told.who or "-",
                    address=self._origin.of(scope, headers)[1],
                    **told.about,
                )


class Exchange:
    """What passes between client and door; ``status`` 0: nothing was answered."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self.status = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self._length = 0

    async def receive(self) -> dict[str, Any]:
        """The client's next message, counted."""
        message = await self._receive()
        self.bytes_in += len(message.get("body", b""))
        return message

    async def send(self, message: dict[str, Any]) -> None:
        """Pass an answer's message on, counted when it has gone."""
        await self._send(message)
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._length = next((int(value) for name, value in message["headers"] if name == b"content-length"), 0)
        elif message["type"] == "http.response.pathsend":
            self.bytes_out += self._length
        else:
            self.bytes_out += len(message.get("body", b""))
