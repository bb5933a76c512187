"""Calls to the world on somebody's behalf: addresses checked and pinned, redirects checked again, all of it bounded."""

import asyncio
import functools
import json
import socket
import ssl
from collections.abc import Iterable
from typing import Any, NamedTuple
from urllib.parse import urlencode, urljoin, urlsplit

import httpcore
from httpcore import AsyncNetworkBackend, AsyncNetworkStream

from entrepot.model.addresses import may_call
from entrepot.model.flow import template as templates

MOST_BYTES = 1_048_576
"""Most bytes of an answer."""
MOST_REDIRECTS = 5
PAUSE = 60.0
"""Most seconds that the other side may be silent."""
_HOP = frozenset({"host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "expect",
                  "proxy-authorization", "proxy-connection", "keep-alive", "accept-encoding"})  # fmt: skip


class CallFailed(Exception):
    """A call that did not end well; ``may_retry`` where another try could."""

    def __init__(self, reason: str, *, may_retry: bool = False) -> None:
        super().__init__(reason)
        self.may_retry = may_retry


class Answer(NamedTuple):
    """Status, header fields in lower case, body."""

    status: int
    headers: dict[str, str]
    body: bytes


class _Checked(AsyncNetworkBackend):
    """Connects to addresses that were looked at, never to a name that could be looked up again."""

    def __init__(self, allowed: str) -> None:
        self._allowed = allowed
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the backend's own signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> AsyncNetworkStream:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as fault:
            raise httpcore.ConnectError(f"the name {host[:100]} is not known: {fault}") from fault
        addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
        for address in addresses:
            if not may_call(address, self._allowed):
                hint = "only public addresses are called; the operator opens others with outbound_networks"
                raise CallFailed(f"{host[:100]} is at {address}: {hint}")
        last: Exception = httpcore.ConnectError(f"{host[:100]} has no address")
        for address in addresses[:4]:
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as refused:
                last = refused
        raise last


@functools.cache
def _tls() -> ssl.SSLContext:
    """Made once: reading the system's certificates costs more than a call."""
    return ssl.create_default_context()


def open_pool(allowed: str) -> httpcore.AsyncConnectionPool:
    """A connection that is kept for one call after another to the same place; ``allowed`` as in ``call``."""
    return httpcore.AsyncConnectionPool(
        ssl_context=_tls(), network_backend=_Checked(allowed), max_connections=1, retries=0
    )


async def post(
    pool: httpcore.AsyncConnectionPool, url: str, headers: dict[str, str], body: bytes, *, most: int
) -> Answer:
    """One POST without redirects; of the answer's body the first ``most`` bytes are read. Raises CallFailed."""
    return await _once(pool, "POST", url, headers, body, cut=most)


async def call(
    allowed: str,
    method: str,
    url: str,
    headers: dict[str, str] | None = None,
    body: bytes = b"",
    *,
    redirects: bool = True,
) -> Answer:
    """One request, each redirect checked like the first address; a redirect to another origin loses all headers.

    ``allowed``: networks inside that are open. The caller bounds the whole time. Raises CallFailed.
    """
    async with open_pool(allowed) as pool:
        sent = {name: value for name, value in (headers or {}).items() if name.lower() not in _HOP}
        for _ in range(MOST_REDIRECTS + 1):
            answer = await _once(pool, method, url, sent, body)
            if not redirects or answer.status not in {301, 302, 303, 307, 308} or "location" not in answer.headers:
                return answer
            before, url = url, urljoin(url, answer.headers["location"])
            if urlsplit(before)[:2] != urlsplit(url)[:2]:
                sent, body = {}, b""
            if answer.status in {301, 302, 303} and method not in {"GET", "HEAD"}:
                method, body = "GET", b""
                sent = {name: value for name, value in sent.items() if name.lower() != "content-type"}
        raise CallFailed(f"more than {MOST_REDIRECTS} redirects")


async def _once(
    pool: httpcore.AsyncConnectionPool,
    method: str,
    url: str,
    headers: dict[str, str],
    body: bytes,
    cut: int | None = None,
) -> Answer:
    fields = [("Host", check_url(url)), ("Accept-Encoding", "identity"), ("User-Agent", "entrepot"), *headers.items()]
    if body or method in {"POST", "PUT", "PATCH"}:
        fields.append(("Content-Length", str(len(body))))
    waits = {"connect": PAUSE / 4, "read": PAUSE, "write": PAUSE, "pool": PAUSE}
    try:
        encoded = [(name.encode("ascii"), value.encode("utf-8")) for name, value in fields]
        async with pool.stream(method, url, headers=encoded, content=body, extensions={"timeout": waits}) as reply:
            gathered = bytearray()
            async for piece in reply.aiter_stream():
                gathered += piece
                if cut is not None and len(gathered) >= cut:
                    break
                if len(gathered) > MOST_BYTES:
                    raise CallFailed(f"the answer has more than {MOST_BYTES} bytes")
            found = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in reply.headers}
            return Answer(reply.status, found, bytes(gathered[:cut]))
    except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.RemoteProtocolError) as fault:
        raise CallFailed(str(fault) or type(fault).__name__, may_retry=True) from fault
    except (httpcore.LocalProtocolError, UnicodeError, ValueError, OSError) as fault:
        raise CallFailed(f"the request cannot be sent: {fault}") from fault


def check_url(url: str) -> str:
    """The host of a URL as its header says it. Raises CallFailed unless it is one of HTTP without a login in it."""
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError as fault:
        raise CallFailed(f"{url[:100]!r} is no URL: {fault}") from fault
    if (
        parts.scheme not in {"http", "https"}
        or not host
        or "@" in parts.netloc
        or not url.isascii()
        or not url.isprintable()
    ):
        raise CallFailed(f"{url[:100]!r}: a URL such as https://example.com/path is expected, without a login in it")
    return parts.netloc if port is not None or ":" not in host else f"[{host}]"


async def ask_json(allowed: str, given: dict[str, Any]) -> Any:
    """The JSON answer to a call as activities describe it: url, method, query, header, body. Raises CallFailed."""
    low = {name.lower(): value for name, value in given.items()}
    url, method = low.get("url"), str(low.get("method") or "GET").upper()
    if not isinstance(url, str) or not method.isalpha() or len(method) > 10:
        raise CallFailed("url and method are texts")
    query = low.get("query") or {}
    headers = {"Accept": "application/json"}
    for name, value in (low.get("header") or {}).items():
        headers["Content-Type" if name.lower() == "contenttype" else name] = _text(value)
    if query:
        url += ("&" if "?" in url else "?") + urlencode({name: _text(value) for name, value in query.items()})
    body = b""
    if low.get("body") not in (None, {}, "") and method not in {"GET", "HEAD"}:
        is_form = any("form" in value for name, value in headers.items() if name.lower() == "content-type")
        content = low["body"]
        body = (urlencode({n: _text(v) for n, v in content.items()}) if is_form else json.dumps(content)).encode()
        if not any(name.lower() == "content-type" for name in headers):
            headers["Content-Type"] = "application/json"
    return read_json(await call(allowed, method, url, headers, body))


def read_json(answer: Answer) -> Any:
    """The body as JSON. Raises CallFailed for a status of 400 and above, and for anything else than JSON."""
    if answer.status >= 400:
        begin = answer.body[:200].decode("utf-8", "replace")
        raise CallFailed(f"status {answer.status}: {begin}", may_retry=answer.status >= 500 or answer.status == 429)
    if not answer.body.strip():
        return {}
    try:
        value = json.loads(answer.body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as fault:
        raise CallFailed(f"the answer is no JSON: {fault}") from fault
    if templates.too_deep(value, templates.DEPTH):
        raise CallFailed(f"the answer is nested deeper than {templates.DEPTH} levels")
    return value


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is no number of JSON")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
