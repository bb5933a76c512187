"""Door 2: one path, parameters in, one JSON object out. HTTP 200 for every answer, because clients lose the rest.

Order of checks: Action, signature there, token, key, signature right, project, right, parameters. Parameter values
are never logged: they hold secrets.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import structlog

from entrepot import tally

# Their handlers file themselves when they are imported.
from entrepot.actions import (
    accounts,
    audit,
    browse,
    buckets,
    damage,
    events,
    history,
    iam,
    images,
    jobs,
    me,
    own,
    policies,
    repos,
    retention,
    robots,
    stepflow,
    stepflow_runs,
    trash,
    triggers,
    webhooks,
)
from entrepot.actions.params import Params, read
from entrepot.actions.run import Call, check_complete, check_project, run
from entrepot.api.declare import ACTIONS, Response, decode
from entrepot.errors import HubError, Kind
from entrepot.model import networks, signing
from entrepot.ops import people, rates, roles
from entrepot.ops.context import Ctx, Hub, Who
from entrepot.ops.origin import Origin
from entrepot.store.db import Rows
from entrepot.store.sql import people as people_sql
from entrepot.watch.told import tell

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
log = structlog.get_logger("actions")
_FAILURES = frozenset({Kind.INTERNAL.row.ret_code, Kind.UNAVAILABLE.row.ret_code})
_CALLS = {
    (name, result): tally.cell(
        "entrepot_calls", "counter", "Calls of the management API.", action=name or "unknown", result=result
    )
    for name in (*ACTIONS, "")
    for result in ("ok", "refused", "failed")
}


class ActionsDoor:
    """The ASGI app of the management API, whatever path it is mounted at."""

    def __init__(self, hub: Hub) -> None:
        check_complete()
        self._hub = hub
        self._origin = Origin(hub.settings)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        request_id = scope["request_id"].decode("ascii")
        params = Params()
        warnings: list[str] = []
        try:
            if scope["method"] not in {"GET", "POST"}:
                raise HubError(Kind.UNSUPPORTED, "call with GET or POST")
            body = await self._body_in_time(receive) if _has_body(scope) else b""
            params = read(scope["query_string"], body)
            code, message, answer = 0, "", await self._answer(scope, params, warnings)
        except HubError as fault:
            code, message, answer = fault.kind.row.ret_code, fault.message, Response()
        except Exception:
            log.exception("action failed", action=params.action[:60], request_id=request_id)
            hidden = HubError(Kind.INTERNAL, f"report request {request_id} to the operator")
            code, message, answer = hidden.kind.row.ret_code, hidden.message, Response()
        self._count(params.action, code)
        log.debug("call", action=params.action[:60], ret_code=code, agent=_agent(scope), request_id=request_id)
        head = {"RetCode": code, "Action": f"{params.action[:100]}Response", "Message": message}
        await _send(send, _joined(head, answer), request_id, warnings)

    def _count(self, action: str, code: int) -> None:
        result = "ok" if code == 0 else "failed" if code in _FAILURES else "refused"
        self._hub.tally.add(_CALLS[action if action in ACTIONS else "", result])

    async def _body_in_time(self, receive: Receive) -> bytes:
        idle = self._hub.settings.idle_seconds
        try:
            async with asyncio.timeout(idle):
                return await self._body(receive)
        except TimeoutError as fault:
            raise HubError(Kind.TOO_SLOW, f"{idle} seconds; send it again") from fault

    async def _body(self, receive: Receive) -> bytes:
        limit = self._hub.settings.action_bytes
        gathered = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                raise HubError(Kind.BAD_REQUEST, "the body broke off")
            gathered += message.get("body", b"")
            more = message.get("more_body", False)
            if len(gathered) > limit:
                raise HubError(Kind.TOO_LARGE, f"a call holds at most {limit} bytes")
        return bytes(gathered)

    async def _answer(self, scope: dict[str, Any], params: Params, warnings: list[str]) -> Response:
        if not params.action:
            raise params.fault or HubError(Kind.MISSING_ACTION)
        action = ACTIONS.get(params.action)
        if action is None:
            raise HubError(Kind.UNKNOWN_ACTION, params.action[:100])
        if params.fault is not None:
            raise params.fault
        headers = dict(scope["headers"])
        base_url, address = self._origin.of(scope, headers)
        who = await self._caller(params, headers, address)
        tell(scope, who.email, action=action.name)
        ctx = Ctx(self._hub, who, address, warnings)
        await check_project(ctx, params.text("ProjectId"))
        request = decode(action.request, params.signed)
        return await run(Call(ctx, base_url.partition("://")[2]), request)

    async def _caller(self, params: Params, headers: dict[bytes, bytes], address: str) -> Who:
        signature, public_key = params.text("Signature"), params.text("PublicKey")
        token = params.text("SecurityToken")
        if not signature:
            is_bearer = headers.get(b"authorization", b"").lower().startswith(b"bearer ")
            raise HubError(Kind.UNKNOWN_TOKEN if is_bearer else Kind.MISSING_SIGNATURE)
        if token or public_key.startswith("STS."):
            who, private_key, allowed = await roles.open_session(self._hub, public_key, token)
            signed = params.signed
        else:
            who, public_key, private_key, allowed = await self._permanent(public_key)
            signed = {**params.signed, "PublicKey": public_key}
        if not signing.verify(signed, signature, private_key):
            raise HubError(Kind.BAD_SIGNATURE)
        if allowed and not networks.contains(allowed, address):
            raise HubError(Kind.IP_REJECTED, f"{address} is not in the account's APINetworkMask")
        # Temporary keys are many and short-lived: together they are one key of their person.
        rates.take(self._hub, f"person {who.person_id}" if who.role else public_key, signature)
        return who

    async def _permanent(self, public_key: str) -> tuple[Who, str, str, str]:
        """Whom a key belongs to, the key itself, its private key, and the networks that it may call from."""

        def load(rows: Rows, key: str) -> tuple[Who, str, str, str] | None:
            found = people_sql.by_key(rows, key)
            if found is None or not found[0].is_active:
                return None
            return people.who(rows, found[0]), key, found[1], found[0].api_networks

        found = await self._hub.db.read(load, public_key)
        if found is None and " " in public_key:
            # GET clients that do not escape a + in the key send a space; they signed the +.
            found = await self._hub.db.read(load, public_key.replace(" ", "+"))
        if found is None:
            raise HubError(Kind.UNKNOWN_KEY)
        who, key, sealed, allowed = found
        return who, key, self._hub.vault.open(sealed, key), allowed


def _has_body(scope: dict[str, Any]) -> bool:
    # Waiting for the end of a body that was never announced costs a hop to the server's threads and back.
    return any(
        (name == b"content-length" and value != b"0") or name == b"transfer-encoding"
        for name, value in scope["headers"]
    )


def _agent(scope: dict[str, Any]) -> str:
    return next((value[:100].decode("latin-1") for name, value in scope["headers"] if name == b"user-agent"), "")


def _joined(head: dict[str, Any], answer: Response) -> bytes:
    """One JSON object of both; escaped to ASCII, because some clients decode with another character set than UTF-8."""
    first, rest = msgspec.json.encode(head), msgspec.json.encode(answer)
    body = first if rest == b"{}" else b"%b,%b" % (first[:-1], rest[1:])
    return body if body.isascii() else json.dumps(json.loads(body), separators=(",", ":")).encode()


async def _send(send: Send, body: bytes, request_id: str, warnings: list[str]) -> None:
    headers = [
        (b"content-type", b"application/json; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-ucloud-request-uuid", request_id.encode()),
        *((b"warning", f'299 - "{text}"'.encode("ascii", "replace")) for text in warnings),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
