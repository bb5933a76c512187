"""Door 3, the web console: route by exact path, tell who it is, hold forms to their token, render, answer.

Plain ASGI. Every answer carries the same strict headers; nothing of a page is inline, so nothing that a tenant wrote
can run in it.
"""

import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from entrepot.console import (  # noqa: F401 - their pages file themselves
    account,
    audit,
    buckets,
    events,
    explorer,
    images,
    jobs,
    keys,
    manifests,
    overview,
    people,
    policies,
    projects,
    retention,
    robots,
    roles,
    runs,
    sign_in,
    trash,
    triggers,
    webhooks,
    workflows,
)
from entrepot.console.cookies import cookie, csrf_holds, csrf_token, jar, look_cookies
from entrepot.console.pages import PAGES, Page
from entrepot.console.render import Renderer, choose_language
from entrepot.console.statics import Statics
from entrepot.console.visit import Moved, Shown, Visit, link
from entrepot.console.wire import Request, send_bytes, send_moved
from entrepot.errors import HubError, Kind
from entrepot.ops import visitors
from entrepot.ops.context import Hub
from entrepot.ops.origin import Origin
from entrepot.watch.told import tell

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
log = structlog.get_logger("console")


class Console:
    """The ASGI app of the web pages."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._origin = Origin(hub.settings)
        self._statics = Statics()
        self._renderer = Renderer(self._statics)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        if await self._statics.answer(scope, send):
            return
        request = Request(scope, receive)
        base_url, address = self._origin.of(scope, request.headers)
        visit = Visit(
            hub=self._hub,
            path=scope["path"],
            query=request.query(),
            form={},
            lang="en",
            address=address,
            base_url=base_url,
        )
        cookies = jar(request.headers.get(b"cookie", b""), is_secure=visit.is_secure)
        visit.lang = choose_language(cookies.get("lang", ""), request.headers.get(b"accept-language", b""))
        visit.session, visit.visit_cookie = cookies.get("session", ""), cookies.get("visit", "")
        theme = cookies.get("theme", "")
        try:
            answer = await self._answer(visit, request)
        except HubError as fault:
            answer = _refused(fault)
        except Exception:
            number = scope["request_id"].decode("ascii")
            log.exception("page failed", path=visit.path[:200], request_id=number)
            answer = _refused(HubError(Kind.INTERNAL, f"report request {number} to the operator"))
        if isinstance(answer, Moved):
            await send_moved(send, answer, is_secure=visit.is_secure)
            return
        cookie_lines: tuple[str, ...] = ()
        if visit.visitor is None and not visit.visit_cookie:
            visit.visit_cookie = uuid.uuid4().hex
            cookie_lines = (cookie("visit", visit.visit_cookie, is_secure=visit.is_secure),)
        body = self._renderer.page(visit, answer, theme, csrf_token(visit))
        is_head = scope["method"] == "HEAD"
        await send_bytes(send, answer.status, body, cookie_lines, head=is_head, is_secure=visit.is_secure)

    async def _answer(self, visit: Visit, request: Request) -> Shown | Moved:
        if request.method not in {"GET", "HEAD", "POST"}:
            raise HubError(Kind.UNSUPPORTED, "pages are for GET and POST")
        page = PAGES.get(visit.path) or PAGES.get(visit.path.rstrip("/"))
        if page is None:
            await self._recognise(visit, request)
            raise HubError(Kind.NOT_FOUND, visit.path[:200])
        visit.path = page.path
        if request.method != "POST" and (lines := look_cookies(visit)):
            return Moved(visit.here(lang=None, theme=None), lines)
        await self._recognise(visit, request)
        tell(request.scope, visit.visitor.who.email if visit.visitor else "", page=page.path)
        if visit.visitor is None and not page.is_open:
            return Moved(link("/console/login", next=visit.here()))
        if request.method != "POST":
            return await page.show(visit)
        visit.form = await request.form(self._hub.settings.action_bytes)
        if not request.is_same_origin(visit.host) or not csrf_holds(visit):
            visit.form = {}
            visit.fault = HubError(Kind.DENIED, "the form is too old or came from another site; send it again")
            return await _again(page, visit)
        return await self._post(page, visit)

    async def _recognise(self, visit: Visit, request: Request) -> None:
        # A page that asks by itself whether something changed is no use of the session.
        is_use = b"x-live" not in request.headers
        if visit.session:
            visit.visitor = await visitors.visitor(self._hub, visit.session, visit.address, is_use=is_use)

    async def _post(self, page: Page, visit: Visit) -> Shown | Moved:
        try:
            if page.post is not None and (answer := await page.post(visit)) is not None:
                return answer
            action = visit.form.get("do", "")
            if action not in page.does:
                raise HubError(Kind.UNSUPPORTED, f"this page has no form for {action[:60]!r}")
            visit.answer = await visit.run(action, visit.form)
        except HubError as fault:
            visit.fault = fault
            return await _again(page, visit)
        target = page.does[action](visit)
        return Moved(target) if target is not None else await page.show(visit)


async def _again(page: Page, visit: Visit) -> Shown | Moved:
    """The page of the form, saying what was wrong; with what was filled in."""
    assert visit.fault is not None
    shown = await page.show(visit)
    return shown._replace(status=visit.fault.kind.row.status) if isinstance(shown, Shown) else shown


def _refused(fault: HubError) -> Shown:
    return Shown("refused.html", {"refusal": fault}, fault.kind.row.status)


def console_app(hub: Hub) -> Console:
    """The web pages over an open hub."""
    return Console(hub)
