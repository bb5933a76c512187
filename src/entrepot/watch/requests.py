"""Count the requests of the doors that do not count by themselves, and give every request its id."""

import itertools
import re
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from entrepot.tally import Tally

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_SANE = re.compile(rb"[A-Za-z0-9._-]{1,64}")


class RequestIds:
    """Ids of requests: the client's X-Request-Id when it is harmless, else one of our own."""

    def __init__(self) -> None:
        # In the form of a UUID, because SDKs may read it as one; a number in it is a tenth of the price of a new one.
        self._head = str(uuid.uuid4())[:24].encode()
        self._numbers = itertools.count(1)

    def of(self, headers: dict[bytes, bytes]) -> bytes:
        """The id of a request with these headers."""
        given = headers.get(b"x-request-id")
        if given is not None and _SANE.fullmatch(given):
            return given
        return b"%b%012x" % (self._head, next(self._numbers))

    def in_scope(self, scope: Scope, headers: dict[bytes, bytes]) -> bytes:
        """The id of a request, the same one each time it is asked for."""
        found: bytes | None = scope.get("request_id")
        if found is None:
            found = scope["request_id"] = self.of(headers)
        return found


class Counted:
    """An ASGI app around a door: counts its requests, and sends each one's id back.

    ``place_of``: which endpoint a request belongs to (``tally.endpoint``).
    """

    def __init__(self, tally: Tally, ids: RequestIds, app: App, place_of: Callable[[Scope], int]) -> None:
        self._tally = tally
        self._ids = ids
        self._app = app
        self._place_of = place_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        started = time.perf_counter_ns()
        status = 500
        request_id = self._ids.in_scope(scope, dict(scope["headers"]))

        async def watched(message: dict[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id)]
            await send(message)

        place = self._place_of(scope)
        if (told := scope.get("told")) is not None:
            told.place = place
        try:
            await self._app(scope, receive, watched)
        finally:
            self._tally.request(place, scope["method"], status, time.perf_counter_ns() - started)
