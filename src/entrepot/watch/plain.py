"""Short answers in plain text, for machines that watch the hub."""

from collections.abc import Awaitable, Callable
from typing import Any

Send = Callable[[dict[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]


async def answer(
    send: Send, status: int, body: bytes, kind: bytes = b"text/plain; charset=utf-8", headers: Headers | None = None
) -> None:
    """One answer that nobody keeps."""
    told = [
        (b"content-type", kind),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        *(headers or []),
    ]
    await send({"type": "http.response.start", "status": status, "headers": told})
    await send({"type": "http.response.body", "body": body})
