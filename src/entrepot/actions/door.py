"""Door 2: one path, parameters in, one JSON object out. HTTP 200 for every answer, because clients lose the rest.

Order of checks: Action, signature there, token, key, signature right, project, right, parameters. Parameter values
are never logged: they hold secrets.
"""

import json
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import structlog

from entrepot.actions import accounts, audit, buckets, iam, images, repos  # noqa: F401 - their handlers file themselves
from entrepot.actions.params import Params, read
from entrepot.actions.run import Call, check_complete, run
from entrepot.api.declare import ACTIONS, decode
from entrepot.errors import HubError, Kind
from entrepot.model import signing
from entrepot.ops import people
from entrepot.ops.context import Ctx, Hub, Who
from entrepot.ops.origin import Origin
from entrepot.store.sql import people as people_sql

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
log = structlog.get_logger("actions")


class ActionsDoor:
    """The ASGI app of the management API, whatever path it is mounted at."""

    def __init__(self, hub: Hub) -> None:
        check_complete()
        self._hub = hub
        self._origin = Origin(hub.settings)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        request_id = str(uuid.uuid4())
        params = Params()
        try:
            if scope["method"] not in {"GET", "POST"}:
                raise HubError(Kind.UNSUPPORTED, "call with GET or POST")
            params = read(scope["query_string"], await self._body(receive))
            answer = await self._answer(scope, params)
        except HubError as fault:
            answer = {"RetCode": fault.kind.row.ret_code, "Message": fault.message}
        except _Gone:
            return
        except Exception:
            log.exception("action failed", action=params.action[:60], request_id=request_id)
            hidden = HubError(Kind.INTERNAL, f"report request {request_id} to the operator")
            answer = {"RetCode": hidden.kind.row.ret_code, "Message": hidden.message}
        answer["Action"] = f"{params.action[:100]}Response"
        await _send(send, answer, request_id)

    async def _body(self, receive: Receive) -> bytes:
        limit = self._hub.settings.action_bytes
        gathered = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                raise _Gone
            gathered += message.get("body", b"")
            more = message.get("more_body", False)
            if len(gathered) > limit:
                raise HubError(Kind.TOO_LARGE, f"a call holds at most {limit} bytes")
        return bytes(gathered)

    async def _answer(self, scope: dict[str, Any], params: Params) -> dict[str, Any]:
        if not params.action:
            raise HubError(Kind.MISSING_ACTION)
        action = ACTIONS.get(params.action)
        if action is None:
            raise HubError(Kind.UNKNOWN_ACTION, params.action[:100])
        headers = dict(scope["headers"])
        base_url, address = self._origin.of(scope, headers)
        who = await self._caller(params, headers)
        ctx = Ctx(self._hub, who, address)
        await self._check_project(ctx, params.text("ProjectId"))
        request = decode(action.request, params.signed)
        response = await run(Call(ctx, base_url.partition("://")[2]), request)
        return {"RetCode": 0, "Message": "", **msgspec.to_builtins(response)}

    async def _caller(self, params: Params, headers: dict[bytes, bytes]) -> Who:
        signature, public_key = params.text("Signature"), params.text("PublicKey")
        if not signature:
            is_bearer = headers.get(b"authorization", b"").lower().startswith(b"bearer ")
            raise HubError(Kind.UNKNOWN_TOKEN if is_bearer else Kind.MISSING_SIGNATURE)
        if params.text("SecurityToken"):
            raise HubError(Kind.UNKNOWN_TOKEN)  # temporary keys are not issued here (yet), so none can be good
        found = await self._hub.db.read(people_sql.by_key, public_key)
        signed = params.signed
        if found is None and " " in public_key:
            # GET clients that do not escape a + in the key send a space; they signed the +.
            public_key = public_key.replace(" ", "+")
            found = await self._hub.db.read(people_sql.by_key, public_key)
            signed = {**signed, "PublicKey": public_key}
        if found is None or not found[0].is_active:
            raise HubError(Kind.UNKNOWN_KEY)
        person, sealed = found
        if not signing.verify(signed, signature, self._hub.vault.open(sealed, public_key)):
            raise HubError(Kind.BAD_SIGNATURE)
        return people.who(person)

    async def _check_project(self, ctx: Ctx, project_id: str) -> None:
        if project_id and not await self._hub.db.read(people_sql.has_project, ctx.who.account_id, project_id):
            raise HubError(Kind.UNKNOWN_PROJECT, project_id[:60])


class _Gone(Exception):
    """The client left in the middle of its request."""


async def _send(send: Send, answer: dict[str, Any], request_id: str) -> None:
    # ensure_ascii: some clients decode with another character set than UTF-8.
    body = json.dumps(answer, ensure_ascii=True, separators=(",", ":")).encode("ascii")
    headers = [
        (b"content-type", b"application/json; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-ucloud-request-uuid", request_id.encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
