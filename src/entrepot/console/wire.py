"""HTTP of the console: forms in, pages out, the same strict headers on every answer."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

from entrepot.console.visit import Moved
from entrepot.errors import HubError, Kind

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

FIELDS = 2000
"""Most fields of a form or query."""
QUERY = 65_536
POLICY = (
    b"default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self';"
    b" base-uri 'none'; frame-ancestors 'none'"
)
STRICT = [
    (b"content-security-policy", POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    # Not "no-referrer": browsers would then send forms with the Origin "null".
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=()"),
]
HSTS = (b"strict-transport-security", b"max-age=31536000")
"""Who has seen the console over TLS once is not led to it without."""


class Request:
    """An ASGI request."""

    def __init__(self, scope: dict[str, Any], receive: Receive) -> None:
        self.scope = scope
        self.method: str = scope["method"]
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self._query: bytes = scope["query_string"]
        self._receive = receive

    def query(self) -> dict[str, str]:
        """The first value of each name; what cannot be read is as if it were not there."""
        try:
            return _fields(self._query[:QUERY])
        except HubError:
            return {}

    async def form(self, limit: int) -> dict[str, str]:
        """The first value of each field of a form of at most ``limit`` bytes. Raises TOO_LARGE, BAD_REQUEST."""
        kind = self.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if kind != b"application/x-www-form-urlencoded":
            raise HubError(Kind.BAD_REQUEST, "send an HTML form")
        gathered = bytearray()
        more = True
        while more:
            message = await self._receive()
            if message["type"] != "http.request":
                raise HubError(Kind.BAD_REQUEST, "the form ended early")
            gathered += message.get("body", b"")
            more = message.get("more_body", False)
            if len(gathered) > limit:
                raise HubError(Kind.TOO_LARGE, f"a form holds at most {limit} bytes")
        return _fields(bytes(gathered))

    def is_same_origin(self, host: str) -> bool:
        """Whether the browser says that the form was on a page of ours; old ones that say nothing are believed."""
        if self.headers.get(b"sec-fetch-site", b"same-origin") not in {b"same-origin", b"none"}:
            return False
        origin = self.headers.get(b"origin", b"").decode("latin-1")
        named = self.headers.get(b"host", b"").decode("latin-1")
        return not origin or origin.partition("://")[2] in {host, named}


def _fields(raw: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=FIELDS)
    except ValueError as fault:
        raise HubError(Kind.BAD_REQUEST, "it is no form in UTF-8 with at most 2000 fields") from fault
    found: dict[str, str] = {}
    for name, value in pairs:
        found.setdefault(name, value)
    return found


async def send_bytes(
    send: Send, status: int, body: bytes, cookies: tuple[str, ...] = (), *, head: bool, is_secure: bool
) -> None:
    """A page: never stored, never framed."""
    headers = [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"vary", b"accept-language, cookie"),
        *STRICT,
        *([HSTS] if is_secure else []),
        *((b"set-cookie", line.encode("latin-1")) for line in cookies),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else body})


async def send_moved(send: Send, moved: Moved, *, is_secure: bool) -> None:
    """303 to a path of ours."""
    headers = [
        (b"location", moved.to.encode("ascii")),
        (b"content-length", b"0"),
        (b"cache-control", b"no-store"),
        *STRICT,
        *([HSTS] if is_secure else []),
        *((b"set-cookie", line.encode("latin-1")) for line in moved.cookies),
    ]
    await send({"type": "http.response.start", "status": 303, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
