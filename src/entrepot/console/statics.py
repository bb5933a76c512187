"""Style and scripts: files of our own, held in memory, under an address that changes with their content."""

import hashlib
from collections.abc import Awaitable, Callable
from importlib import resources
from typing import Any

from entrepot.console.wire import STRICT

Send = Callable[[dict[str, Any]], Awaitable[None]]

PREFIX = "/console/static/"
_KINDS = {"css": b"text/css; charset=utf-8", "js": b"text/javascript; charset=utf-8", "svg": b"image/svg+xml"}


class Statics:
    """The files of console/static."""

    def __init__(self) -> None:
        folder = resources.files("entrepot.console") / "static"
        self._files = {one.name: one.read_bytes() for one in folder.iterdir() if one.name.rpartition(".")[2] in _KINDS}
        self._marks = {name: hashlib.sha256(body).hexdigest()[:16] for name, body in self._files.items()}

    def url(self, name: str) -> str:
        """The address of a file."""
        return f"{PREFIX}{name}?v={self._marks[name]}"

    async def answer(self, scope: dict[str, Any], send: Send) -> bool:
        """Answer a request for a file that is there; whether it was one."""
        name = scope["path"].removeprefix(PREFIX)
        if name == scope["path"] or name not in self._files or scope["method"] not in {"GET", "HEAD"}:
            return False
        body, mark = self._files[name], self._marks[name].encode()
        is_current = scope["query_string"] == b"v=" + mark
        headers = [
            (b"content-type", _KINDS[name.rpartition(".")[2]]),
            (b"etag", b'"' + mark + b'"'),
            (b"cache-control", b"public, max-age=31536000, immutable" if is_current else b"no-cache"),
            *STRICT,
        ]
        if dict(scope["headers"]).get(b"if-none-match") == b'"' + mark + b'"':
            await send({"type": "http.response.start", "status": 304, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return True
        headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
        return True
