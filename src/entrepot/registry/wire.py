"""What travels between the registry door's server side and its handlers: Call in, Answer out.

Plain ASGI, no framework: this is the hot path.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote

import msgspec

from entrepot.errors import HubError, Kind
from entrepot.model.names import Repository
from entrepot.ops.access import Pass
from entrepot.ops.context import Ctx
from entrepot.store.blobs import Broken

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

JSON = (b"content-type", b"application/json")
LINGER = 4 * 1024 * 1024
"""Most bytes that are taken of a body that is refused."""
LINGER_SECONDS = 1.0
QUERY_LENGTH = 65_536


@dataclass(slots=True)
class Call:
    """One request at the door. ``name`` is the repository ("" outside one), ``reference`` the rest of the path."""

    ctx: Ctx
    holder: Pass
    method: str
    name: str
    repository: Repository
    reference: str
    raw_query: bytes
    headers: dict[bytes, bytes]
    receive: Receive
    base_url: str
    stalled: bool = False
    """Whether the body was given up, because nothing came for too long."""
    is_read: bool = False
    """Whether all of the body has come."""
    taken: int = 0
    """Bytes of the body that were taken."""

    def query(self) -> dict[str, list[str]]:
        """Query parameters; every value of each, blank ones too."""
        found: dict[str, list[str]] = {}
        if len(self.raw_query) > QUERY_LENGTH:
            raise HubError(Kind.TOO_MANY_TAGS, f"the query is longer than {QUERY_LENGTH} bytes")
        try:
            for key, value in parse_qsl(self.raw_query.decode("ascii"), keep_blank_values=True, errors="strict"):
                found.setdefault(key, []).append(value)
        except ValueError as fault:
            raise HubError(Kind.BAD_REQUEST, "the query is not percent-encoded UTF-8") from fault
        return found

    def length(self) -> int | None:
        """Content-Length; None when the body comes in chunks. Raises SIZE_INVALID."""
        text = self.headers.get(b"content-length")
        if text is None:
            return None
        if not text.isdigit() or len(text) > 18:
            raise HubError(Kind.SIZE_INVALID, "Content-Length is not a number")
        return int(text)

    async def body(self) -> AsyncIterator[bytes]:
        """The body in the pieces it arrives in; Broken when the client leaves before its end, or falls silent."""
        announced, seen, more = self.length(), 0, True
        idle = self.ctx.hub.settings.idle_seconds
        while more:
            try:
                async with asyncio.timeout(idle):
                    message = await self.receive()
            except TimeoutError as fault:
                self.stalled = True
                raise Broken(0) from fault
            if message["type"] != "http.request":
                raise Broken(0)
            chunk: bytes = message.get("body", b"")
            more = message.get("more_body", False)
            seen += len(chunk)
            self.taken = seen
            self.is_read = not more
            if chunk:
                yield chunk
        if announced is not None and seen != announced:
            raise Broken(0)

    async def linger(self) -> None:
        """Take a little of what is still on its way before a refusal: who is sending would lose the answer with the
        connection. Who waits to be told to go on is not told so.
        """
        is_coming = self.headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in self.headers
        if self.is_read or not is_coming or b"expect" in self.headers:
            return
        left, more = LINGER, True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                while more and left > 0:
                    message = await self.receive()
                    more = message["type"] == "http.request" and message.get("more_body", False)
                    left -= len(message.get("body", b""))

    async def small_body(self, limit: int, kind: Kind) -> bytes:
        """The whole body of at most ``limit`` bytes; raises ``kind`` beyond it, and TOO_SLOW."""
        if (self.length() or 0) > limit:
            raise HubError(kind, f"at most {limit} bytes")
        gathered = bytearray()
        idle = self.ctx.hub.settings.idle_seconds
        try:
            async with asyncio.timeout(idle):
                async for chunk in self.body():
                    gathered += chunk
                    if len(gathered) > limit:
                        raise HubError(kind, f"at most {limit} bytes")
        except TimeoutError as fault:
            raise too_slow(idle) from fault
        return bytes(gathered)


class CutShort(Exception):
    """An answer cannot be sent to its end; the reason is told elsewhere. The client sees the connection end."""


def too_slow(seconds: int) -> HubError:
    """The refusal of a body that was given up."""
    return HubError(Kind.TOO_SLOW, f"{seconds} seconds; send it again")


@dataclass(slots=True)
class Answer:
    """One answer: bytes, a whole file (``path``), or a stream. HEAD sends headers only."""

    status: int
    headers: Headers = field(default_factory=list)
    body: bytes = b""
    path: str = ""
    stream: AsyncIterator[bytes] | None = None

    def length(self) -> int:
        """Bytes that its body has."""
        told = next((value for name, value in self.headers if name == b"content-length"), None)
        return len(self.body) if told is None else int(told)

    async def send(self, send: Send, *, head: bool = False) -> None:
        """Send it. Headers carry Content-Length for files and streams already."""
        headers = self.headers
        if not self.path and self.stream is None:
            for name, _ in headers:
                if name == b"content-length":
                    break
            else:
                headers = [*headers, (b"content-length", str(len(self.body)).encode())]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        if head:
            await send({"type": "http.response.body", "body": b""})
        elif self.path:
            await send({"type": "http.response.pathsend", "path": self.path})
        elif self.stream is not None:
            async for piece in self.stream:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        else:
            await send({"type": "http.response.body", "body": self.body})


def location(call: Call, *rest: str) -> tuple[bytes, bytes]:
    """A Location inside the repository: relative to the host, so that no Host header can bend it."""
    return b"location", f"/v2/{call.name}/{'/'.join(rest)}".encode("ascii")


def link(path: str, **query: str) -> tuple[bytes, bytes]:
    """The Link header of a page that has a next one (RFC 8288), relative to the host."""
    text = "&".join(f"{key}={quote(value, safe='')}" for key, value in query.items())
    return b"link", f'<{path}?{text}>; rel="next"'.encode("ascii")


def warning(text: str) -> bytes:
    """A Warning header's value (OCI distribution-spec, "Warnings"): code 299, no agent, quoted text."""
    plain = text.encode("ascii", "replace").decode().replace("\\", "/").replace('"', "'")
    return f'299 - "{plain}"'.encode()


def render(fault: HubError, challenge: str, headers: Headers | None = None) -> Answer:
    """The one renderer of this door: OCI error JSON, and the challenge on 401."""
    row = fault.kind.row
    body = msgspec.json.encode(
        {"errors": [{"code": row.oci, "message": fault.message, "detail": fault.detail or None}]}
    )
    all_headers = [JSON, *(headers or [])]
    if row.status == 401 and challenge:
        all_headers.append((b"www-authenticate", challenge.encode("latin-1", "replace")))
    if row.status in {429, 503}:
        all_headers.append((b"retry-after", b"1"))
    return Answer(row.status, all_headers, body)
