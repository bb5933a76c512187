"""The URL of a workflow: POST /namespace/<id>/workflow/<name>/version/<n>?cid=...&token=...[&isAsync=true]."""

import hmac
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

import structlog

from entrepot.errors import HubError, Kind
from entrepot.model import networks
from entrepot.ops import flows
from entrepot.ops.context import Ctx, Hub
from entrepot.ops.origin import Origin
from entrepot.store.db import Rows
from entrepot.store.sql import flows as sql
from entrepot.store.sql import people as people_sql
from entrepot.store.sql.flow_runs import Instance

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
_PATH = re.compile(r"/namespace/([a-zA-Z0-9_-]{1,64})/workflow/([a-z0-9_-]{1,16})/version/(\d{1,9})")
WAIT_SECONDS = 60.0
"""How long a call waits for its run; one that takes longer answers with the run's id."""

log = structlog.get_logger("flows")


class FlowsDoor:
    """The ASGI app of workflow URLs. Its answers are those of the API: RetCode, Message and what the run gave."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._origin = Origin(hub.settings)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            if scope["method"] != "POST":
                raise HubError(Kind.UNSUPPORTED, "call with POST")
            status, answer = 200, await self._answer(scope, receive)
        except HubError as fault:
            status, answer = fault.kind.row.status, {"RetCode": fault.kind.row.ret_code, "Message": fault.message}
        except Exception:
            request_id = scope["request_id"].decode("ascii")
            log.exception("workflow call failed", request_id=request_id)
            hidden = HubError(Kind.INTERNAL, f"report request {request_id} to the operator")
            status, answer = 500, {"RetCode": hidden.kind.row.ret_code, "Message": hidden.message}
        body = json.dumps(answer).encode()
        headers = [
            (b"content-type", b"application/json; charset=utf-8"),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: dict[str, Any], receive: Receive) -> dict[str, Any]:
        match = _PATH.fullmatch(scope["path"])
        if match is None:
            raise HubError(Kind.NOT_FOUND, "/namespace/<id>/workflow/<name>/version/0 is expected")
        query = dict(parse_qsl(scope["query_string"].decode("ascii", "replace"), max_num_fields=20))
        base_url, address = self._origin.of(scope, dict(scope["headers"]))
        body = await self._body(receive)
        given = flows.read_object(body, "body")

        def ask(rows: Rows) -> Instance:
            workflow = sql.workflow(rows, f"{match[1]}.{match[2]}")
            hashed = workflow.token_hash if workflow else ""
            # One refusal for all: who has no token learns nothing of what there is.
            if not hmac.compare_digest(hashed or "-", flows.hash_token(query.get("token", ""))):
                raise HubError(Kind.UNKNOWN_TOKEN)
            assert workflow is not None
            account_id = int(query["cid"]) if re.fullmatch(r"\d{1,15}", query.get("cid", "")) else 0
            if sql.namespace(rows, account_id, workflow.namespace_id) is None:
                raise HubError(Kind.UNKNOWN_TOKEN)
            allowed = people_sql.networks(rows, account_id)[1]
            if allowed and not networks.contains(allowed, address):
                raise HubError(Kind.IP_REJECTED, f"{address} is not in the account's APINetworkMask")
            host = base_url.partition("://")[2]
            return flows.ask_run(
                rows, Ctx(self._hub, address=address), workflow, int(match[3]), given, cause="Url", host=host
            )

        instance = await self._hub.db.write(ask)
        self._hub.engine.wake()
        if query.get("isAsync", "").lower() == "true":
            return {"RetCode": 0, "Message": "", "InstanceId": instance.id}
        return await self._wait(instance.id)

    async def _wait(self, instance_id: str) -> dict[str, Any]:
        ended = await flows.wait_for_end(self._hub, instance_id, WAIT_SECONDS)
        head = {"RetCode": 0, "Message": "", "InstanceId": instance_id}
        if ended is None:
            return {**head, "Message": "it is still running; GetSFInstance tells its result"}
        if ended.state != "Success":
            failed = HubError(Kind.FLOW_FAILED, ended.fault or ended.state)
            return {**head, "RetCode": failed.kind.row.ret_code, "Message": failed.message}
        return {**head, "Output": json.loads(ended.output)}

    async def _body(self, receive: Receive) -> str:
        gathered = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                raise HubError(Kind.BAD_REQUEST, "the client left")
            gathered += message.get("body", b"")
            more = message.get("more_body", False)
            if len(gathered) > flows.MOST_DATA:
                raise HubError(Kind.TOO_LARGE, f"the input holds at most {flows.MOST_DATA} bytes")
        try:
            return gathered.decode()
        except UnicodeDecodeError as fault:
            raise HubError(Kind.BAD_REQUEST, "the input is no UTF-8") from fault
