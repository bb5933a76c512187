"""A gate before a server of buckets: it lets requests through, refuses, holds or damages them, or loses answers."""

import contextlib
import http.client
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

Asks = Callable[[str, str], bool]
"""Whether a method and a path with its query are meant."""


def everything(method: str, path: str) -> bool:
    return True


def parts(method: str, path: str) -> bool:
    """A part of a multipart upload."""
    return method == "PUT" and ("partNumber=" in path or "comp=block&" in path)


def reads(method: str, path: str) -> bool:
    """Of an object; not of a list."""
    return method == "GET" and "/blobs/" in path and "comp=" not in path


def deletions(method: str, path: str) -> bool:
    return method == "DELETE"


def completions(method: str, path: str) -> bool:
    return (method == "POST" and "uploadId=" in path) or (method == "PUT" and "comp=blocklist" in path)


class Gate:
    """``url`` is the server as the hub sees it. What is refused, lost or held is chosen by what a request asks."""

    def __init__(self, server: str) -> None:
        self._upstream = urlsplit(server).netloc
        self.refused: Asks | None = None
        """Those get 500, and the server does not hear of them."""
        self.away: Asks | None = None
        """Their connection ends without an answer, and the server does not hear of them."""
        self.lost: Asks | None = None
        """The server does them, but their connection ends without an answer; only the first one."""
        self.damaged: Asks | None = None
        """A byte of theirs is another one when they arrive."""
        self.cut: Asks | None = None
        """Half of the answer comes, then their connection ends; only the first one."""
        self.held: Asks | None = None
        """Those wait for ``release``."""
        self.waiting = threading.Event()
        self.release = threading.Event()
        gate = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                gate._pass(self)

            do_PUT = do_POST = do_DELETE = do_HEAD = do_GET  # noqa: N815 - the names that the server looks for

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _pass(self, asked: BaseHTTPRequestHandler) -> None:
        def is_meant(these: Asks | None) -> bool:
            return these is not None and these(asked.command, asked.path)

        with contextlib.suppress(OSError):
            body = asked.rfile.read(int(asked.headers.get("content-length") or 0))
            if is_meant(self.held):
                self.waiting.set()
                self.release.wait(30)
            asked.close_connection = is_meant(self.away)
            if asked.close_connection:
                return
            if is_meant(self.refused):
                _answer(asked, 500, [], b"")
                return
            if is_meant(self.damaged):
                body = bytes([body[0] ^ 1]) + body[1:]
            status, headers, content = self._forward(asked, body)
            if is_meant(self.cut):
                self.cut, asked.close_connection = None, True
                _answer(asked, status, headers, content, len(content) // 2)
                return
            if is_meant(self.lost):
                self.lost, asked.close_connection = None, True
                return
            _answer(asked, status, headers, content)

    def _forward(self, asked: BaseHTTPRequestHandler, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(self._upstream, timeout=30)
        try:
            connection.putrequest(asked.command, asked.path, skip_host=True, skip_accept_encoding=True)
            for name, value in asked.headers.items():
                if name.lower() not in {"connection", "expect", "transfer-encoding"}:
                    connection.putheader(name, value)
            connection.endheaders(body or None)
            got = connection.getresponse()
            return got.status, got.getheaders(), got.read()
        finally:
            connection.close()

    def close(self) -> None:
        self.release.set()
        self._server.shutdown()
        self._server.server_close()


def _answer(
    asked: BaseHTTPRequestHandler, status: int, headers: list[tuple[str, str]], content: bytes, most: int | None = None
) -> None:
    asked.send_response_only(status)
    told = {name.lower(): value for name, value in headers}
    for name, value in headers:
        if name.lower() not in {"content-length", "transfer-encoding", "connection"}:
            asked.send_header(name, value)
    is_head = asked.command == "HEAD"
    asked.send_header("Content-Length", told.get("content-length", "0") if is_head else str(len(content)))
    asked.end_headers()
    if not is_head:
        asked.wfile.write(content[:most])
