"""Door 1, /v2: match the path from its right end, know the caller, call the handler, render the answer or error.

Names may hold the words blobs, manifests, uploads, tags and referrers, so only the end of a path decides.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import structlog

from entrepot import tally
from entrepot.errors import HubError, Kind
from entrepot.model import names
from entrepot.model.names import Repository
from entrepot.ops import access, audit, events, logins
from entrepot.ops.access import ANONYMOUS, Pass
from entrepot.ops.context import NOBODY, Ctx, Hub
from entrepot.ops.origin import Origin
from entrepot.registry import blobs, lists, manifests, token, uploads
from entrepot.registry.token import basic
from entrepot.registry.wire import Answer, Call, CutShort, Receive, Send, render, too_slow, warning
from entrepot.store.blobs import Broken
from entrepot.watch.requests import RequestIds
from entrepot.watch.told import tell

Handler = Callable[[Call], Awaitable[Answer]]
log = structlog.get_logger("registry")


class Route(NamedTuple):
    """An endpoint: its handlers by method, where its requests are counted, whether its path names a repository, and
    the scope a login is led to.

    ``wants`` empty: pull to read, push to write, delete to delete.
    """

    methods: dict[str, Handler]
    place: int
    in_repository: bool = True
    wants: str = ""


def _counted(name: str) -> int:
    return tally.endpoint("registry", name)


BASE = Route({"GET": lists.base, "HEAD": lists.base}, _counted("base"), in_repository=False)
CATALOG = Route({"GET": lists.catalog, "HEAD": lists.catalog}, _counted("catalog"), in_repository=False)
TAGS = Route({"GET": lists.tags, "HEAD": lists.tags}, _counted("tags"))
REFERRERS = Route({"GET": lists.referrers, "HEAD": lists.referrers}, _counted("referrers"))
MANIFEST = Route(
    {"GET": manifests.get, "HEAD": manifests.get, "PUT": manifests.put, "DELETE": manifests.delete},
    _counted("manifest"),
)
BLOB = Route({"GET": blobs.get, "HEAD": blobs.get, "DELETE": blobs.delete}, _counted("blob"))
START = Route({"POST": uploads.start}, _counted("upload"), wants="pull,push")
SESSION = Route(
    {"GET": uploads.status, "PATCH": uploads.patch, "PUT": uploads.close, "DELETE": uploads.cancel},
    _counted("session"),
    wants="pull,push",
)
TOKEN = Route({"GET": token.get, "POST": token.post}, _counted("token"), in_repository=False)
NO_ROUTE = _counted("none")
BYTES_IN = tally.cell("entrepot_blob_bytes_in", "counter", "Bytes of blobs that clients sent.")
BYTES_OUT = tally.cell("entrepot_blob_bytes_out", "counter", "Bytes of blobs that were begun to be sent to clients.")
NOWHERE = Repository("", "")
_CHANGES = {"POST": "Push", "PUT": "Push", "PATCH": "Push", "DELETE": "Delete"}
_REFUSALS = frozenset({Kind.DENIED, Kind.IP_REJECTED, Kind.QUOTA_EXCEEDED, Kind.TAG_IMMUTABLE})
"""What is told in the audit trail of a refused change, and when."""


def match(path: str) -> tuple[Route, str, str]:
    """(route, repository name, reference) of a path; raises NOT_FOUND."""
    if path == "/token":
        return TOKEN, "", ""
    if path in {"/v2/", "/v2"}:
        return BASE, "", ""
    if path == "/v2/_catalog":
        return CATALOG, "", "_catalog"
    head, _, last = path.removeprefix("/v2/").rpartition("/")
    name, _, word = head.rpartition("/")
    if word == "manifests":
        return MANIFEST, name, last
    if last == "list" and word == "tags":
        return TAGS, name, ""
    if word == "referrers":
        return REFERRERS, name, last
    if word == "uploads" and name.endswith("/blobs"):
        return (SESSION if last else START), name.removesuffix("/blobs"), last
    if word == "blobs":
        return (START, name, "") if last == "uploads" else (BLOB, name, last)
    raise HubError(Kind.NOT_FOUND, path[:200])


class RegistryDoor:
    """The ASGI app of the registry and its token endpoint."""

    def __init__(self, hub: Hub, ids: RequestIds) -> None:
        self._hub = hub
        self._ids = ids
        self._tally = hub.tally
        self._origin = Origin(hub.settings)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request, and count it; nothing but cancellation comes out of here."""
        started = time.perf_counter_ns()
        method: str = scope["method"]
        headers = dict(scope["headers"])
        base_url, address = self._origin.of(scope, headers)
        challenge = ""
        route: Route | None = None
        call: Call | None = None
        try:
            route, name, reference = match(scope["path"])
            call = Call(
                Ctx(self._hub, NOBODY, address),
                ANONYMOUS,
                method,
                name,
                names.repository(name) if route.in_repository else NOWHERE,
                reference,
                scope["query_string"],
                headers,
                receive,
                base_url,
            )
            challenge = _challenge(call, route, error="")
            handler = route.methods.get(method)
            if handler is None:
                raise HubError(Kind.UNSUPPORTED, f"{method} here; allowed are {', '.join(route.methods)}")
            if route is not TOKEN and (authorization := headers.get(b"authorization")):
                challenge = _challenge(call, route, error="invalid_token")
                call.holder = await _authenticate(call, authorization)
                call.ctx.who = call.holder.who
                challenge = _challenge(call, route, error="" if call.holder.is_login else "insufficient_scope")
            answer = await handler(call)
        except HubError as fault:
            answer = await _refused(fault, challenge, call)
        except Broken:
            answer = self._broken(call)
        except Exception:
            answer = self._failed(scope, headers)
        if call is not None and (call.ctx.warnings or call.taken or route is BLOB):
            self._count_bytes(call, route, answer)
            answer.headers += [(b"warning", warning(text)) for text in call.ctx.warnings]
        answer.headers.append((b"docker-distribution-api-version", b"registry/2.0"))
        answer.headers.append((b"x-content-type-options", b"nosniff"))
        if answer.status >= 400 or "request_id" in scope or b"x-request-id" in headers:
            # What went well and stands in no log needs no id, and most requests are that.
            answer.headers.append((b"x-request-id", self._ids.in_scope(scope, headers)))
            if "told" in scope:
                _tell(scope, route, call)
        try:
            await answer.send(send, head=method == "HEAD")
        except CutShort:
            return
        finally:
            took = time.perf_counter_ns() - started
            self._tally.request(route.place if route else NO_ROUTE, method, answer.status, took)

    def _count_bytes(self, call: Call, route: Route | None, answer: Answer) -> None:
        if call.taken and (route is SESSION or route is START):
            self._tally.add(BYTES_IN, call.taken)
        if route is BLOB and call.method == "GET" and answer.status < 300:
            self._tally.add(BYTES_OUT, answer.length())

    def _broken(self, call: Call | None) -> Answer:
        # Mostly the client is gone and nobody hears this; it may also have sent what is no body.
        if call is not None and call.stalled:
            return render(too_slow(self._hub.settings.idle_seconds), "")
        return render(HubError(Kind.BAD_REQUEST, "the body broke off"), "")

    def _failed(self, scope: dict[str, Any], headers: dict[bytes, bytes]) -> Answer:
        request_id = self._ids.in_scope(scope, headers).decode("ascii")
        log.exception("request failed", method=scope["method"], path=scope["path"], request_id=request_id)
        return render(HubError(Kind.INTERNAL, f"report request {request_id} to the operator"), "")


async def _refused(fault: HubError, challenge: str, call: Call | None) -> Answer:
    if call is not None:
        await call.linger()
        if call.method in _CHANGES and fault.kind in _REFUSALS:
            target = f"{call.name} {call.reference}".rstrip()
            await audit.record_refusal(call.ctx, _CHANGES[call.method], target, fault)
            await events.refused_for_quota(call.ctx, call.repository.bucket, fault)
    return render(fault, challenge)


def _tell(scope: dict[str, Any], route: Route | None, call: Call | None) -> None:
    scope["told"].place = route.place if route else NO_ROUTE
    if call is None:
        return
    about = {"repository": call.name} if call.name else {}
    if route is MANIFEST or route is BLOB:  # elsewhere it may be the id of an upload, which is a secret
        about["reference"] = call.reference
    tell(scope, call.ctx.who.email, **about)


async def _authenticate(call: Call, header: bytes) -> Pass:
    """The pass behind an Authorization header; raises UNAUTHORIZED, IP_REJECTED."""
    hub = call.ctx.hub
    scheme, _, value = header.decode("latin-1").strip().partition(" ")
    if scheme.lower() == "bearer":
        return access.verify(hub, value.strip())
    if scheme.lower() == "basic":
        who = await logins.login(hub, *basic(value), call.ctx.address)
        return await hub.db.read(access.log_in, who, call.name)
    raise HubError(Kind.UNAUTHORIZED, "use Basic or Bearer")


_WANTS = {"GET": "pull", "HEAD": "pull", "DELETE": "delete"}


def _wants(call: Call, route: Route) -> str:
    # HEAD on a blob is how a push begins: led to a token for both at once, a client need not ask again, and
    # clients that never ask again (oras for Python) can push. Who may only pull gets a token to pull.
    if route is BLOB and call.method == "HEAD":
        return "pull,push"
    return route.wants or _WANTS.get(call.method, "pull,push")


def _challenge(call: Call, route: Route, *, error: str) -> str:
    """The WWW-Authenticate value that leads a client to the token it needs."""
    text = f'Bearer realm="{call.base_url}/token",service="{access.SERVICE}"'
    if call.name:
        text += f',scope="repository:{call.name}:{_wants(call, route)}"'
    elif call.reference == "_catalog":
        text += ',scope="registry:catalog:*"'
    return text + (f',error="{error}"' if error else "")
