"""The welcome page at /console, in Chinese and English; other paths say honestly that they are not there."""

from collections.abc import Awaitable, Callable
from importlib import resources
from typing import Any
from urllib.parse import parse_qs

import jinja2

from entrepot.console.words import WORDS
from entrepot.ops.context import Hub
from entrepot.ops.origin import Origin

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

POLICY = (
    b"default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def console_app(hub: Hub) -> Callable[[dict[str, Any], Receive, Send], Awaitable[None]]:
    """The ASGI app of the web pages."""
    folder = resources.files("entrepot.console") / "templates"
    style = (folder / "style.css").read_bytes()
    page = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(
        (folder / "welcome.html").read_text("utf-8")
    )
    origin = Origin(hub.settings)

    async def app(scope: dict[str, Any], _receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        path: str = scope["path"]
        if path == "/console/style.css":
            await _send(send, 200, b"text/css; charset=utf-8", style)
            return
        missing = "" if path.rstrip("/") == "/console" else path[:200]
        lang = language(scope["query_string"], headers.get(b"accept-language", b""))
        base_url, _ = origin.of(scope, headers)
        body = page.render(
            lang=lang,
            t=WORDS[lang],
            host=base_url.partition("://")[2],
            base_url=base_url,
            region=hub.settings.default_region,
            missing=missing,
        )
        await _send(send, 404 if missing else 200, b"text/html; charset=utf-8", body.encode())

    return app


def language(query: bytes, accepted: bytes) -> str:
    """``zh`` or ``en``: the switch first, then the browser's first wish of the two, then English."""
    asked = parse_qs(query.decode("ascii", "replace")).get("lang", [""])[0]
    if asked in WORDS:
        return asked
    for wish in accepted.decode("latin-1").lower().split(","):
        if wish.strip()[:2] in WORDS:
            return wish.strip()[:2]
    return "en"


async def _send(send: Send, status: int, kind: bytes, body: bytes) -> None:
    headers = [
        (b"content-type", kind),
        (b"content-length", str(len(body)).encode()),
        (b"content-security-policy", POLICY),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
        (b"vary", b"accept-language"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
