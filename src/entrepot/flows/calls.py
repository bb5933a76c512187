"""What the steps of a run do: call an action of this hub, an endpoint elsewhere, any URL, another workflow."""

import json
from typing import Any
from urllib.parse import urlencode

import msgspec

from entrepot.actions.run import Call, run
from entrepot.api.declare import ACTIONS, decode
from entrepot.errors import HubError, Kind
from entrepot.flows.outbound import CallFailed, ask_json, call, read_json
from entrepot.model import signing
from entrepot.model.flow import kinds
from entrepot.model.flow.run import Task
from entrepot.ops import flows, people
from entrepot.ops.context import Ctx, Hub, Who
from entrepot.store.db import Rows
from entrepot.store.sql import flow_runs as runs_sql
from entrepot.store.sql import flows as sql
from entrepot.store.sql import people as people_sql
from entrepot.store.sql.flow_runs import Instance

DOCUMENTED = "https://api.ucloud.cn"
"""The endpoint that templates name; it is this hub, until keys for it are kept."""
_STARTS_RUNS = frozenset({"RunSFWorkflow", "RerunSFInstance"})


async def perform(hub: Hub, instance_id: str, task: Task) -> Any:
    """Do a task and give its answer. Raises CallFailed."""
    instance = await hub.db.read(runs_sql.find, instance_id)
    if instance is None:
        raise CallFailed("the run is not known any more")
    low = {name.lower(): value for name, value in task.input.items()}
    if task.type == kinds.WAIT:
        return {"Until": hub.clock() + int(low.get("delay", 5))}
    if task.type == kinds.HTTP:
        return await ask_json(hub.settings.outbound_networks, task.input)
    if task.type == kinds.WORKFLOW:
        return await _ask_workflow(hub, instance, task, low)
    return await _ask_api(hub, instance, low)


async def _owner(hub: Hub, instance: Instance) -> Who:
    """Who saved the version that runs, with the rights of this moment. Raises CallFailed."""

    def load(rows: Rows) -> Who | None:
        version = sql.version(rows, instance.workflow_id, instance.version)
        person = people_sql.by_id(rows, version.person_id) if version else None
        return people.who(rows, person) if person is not None and person.is_active else None

    who = await hub.db.read(load)
    if who is None:
        raise CallFailed("whoever saved this version is not active any more; save the workflow again")
    return who


async def _ask_api(hub: Hub, instance: Instance, low: dict[str, Any]) -> Any:
    url = str(low.get("url") or "").rstrip("/")
    body: dict[str, Any] = {**(low.get("query") or {}), **(low.get("body") or {})}
    origin = flows.origin_of(url) if url else ""
    namespace = instance.workflow_id.partition(".")[0]
    keys = {one[0]: one for one in await hub.db.read(sql.credentials, namespace)}
    if origin in keys:
        _, public_key, sealed = keys[origin]
        private_key = hub.vault.open(sealed, flows.credential_label(namespace, origin))
        return await _ask_elsewhere(hub, url, body, public_key, private_key)
    if origin in {"", DOCUMENTED, flows.origin_of(hub.settings.public_url) if hub.settings.public_url else ""}:
        return await _ask_here(hub, instance, body)
    raise CallFailed(f"no keys are kept for {origin}; SetSFCredential keeps them")


async def _ask_here(hub: Hub, instance: Instance, body: dict[str, Any]) -> dict[str, Any]:
    """An action of this hub, as whoever saved the workflow; a refusal is an answer with its RetCode."""
    name = str(body.get("Action") or "")
    who = await _owner(hub, instance)
    try:
        action = ACTIONS.get(name)
        if action is None:
            raise HubError(Kind.UNKNOWN_ACTION, name[:100])
        if name in _STARTS_RUNS:
            raise HubError(Kind.UNSUPPORTED, f"a step runs another workflow with {kinds.WORKFLOW}")
        project = body.get("ProjectId")
        if project and not await hub.db.read(people_sql.has_project, who.account_id, str(project)):
            raise HubError(Kind.UNKNOWN_PROJECT, str(project)[:60])
        ctx = Ctx(hub, who, instance.address, depth=instance.hops)
        response = await run(Call(ctx, instance.host), decode(action.request, as_form(body)))
    except HubError as fault:
        if fault.kind is Kind.UNAVAILABLE:
            raise CallFailed(fault.message, may_retry=True) from fault
        return {"RetCode": fault.kind.row.ret_code, "Action": f"{name[:100]}Response", "Message": fault.message}
    answer: dict[str, Any] = json.loads(msgspec.json.encode(response))
    return {"RetCode": 0, "Action": f"{name}Response", "Message": "", **answer}


def as_form(value: dict[str, Any], before: str = "") -> dict[str, Any]:
    """A call's parameters as a form carries them: text under dotted names. What is null is left out."""
    found: dict[str, Any] = {}
    for name, given in value.items():
        key = f"{before}{name}"
        one = {str(place): inner for place, inner in enumerate(given)} if isinstance(given, list) else given
        if isinstance(one, dict):
            found.update(as_form(one, f"{key}."))
        elif one is not None:
            found[key] = one if isinstance(one, str) else json.dumps(one)
    return found


async def _ask_elsewhere(hub: Hub, url: str, body: dict[str, Any], public_key: str, private_key: str) -> Any:
    sent = {**as_form(body), "PublicKey": public_key}
    sent["Signature"] = signing.sign(sent, private_key)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    # A signed call goes where its keys belong and nowhere else: no redirect is followed.
    allowed = hub.settings.outbound_networks
    return read_json(await call(allowed, "POST", url, headers, urlencode(sent).encode(), redirects=False))


async def _ask_workflow(hub: Hub, instance: Instance, task: Task, low: dict[str, Any]) -> Any:
    """Run another workflow of the namespace and wait for its end. The same step asks for the same run, once."""
    child_id = f"{instance.id}.{task.key}"
    if instance.depth >= flows.DEEPEST:
        raise CallFailed(f"workflows call each other deeper than {flows.DEEPEST}")
    who = await _owner(hub, instance)

    def ask(rows: Rows) -> None:
        if runs_sql.find(rows, child_id) is not None:
            return
        found = sql.workflow(rows, f"{instance.workflow_id.partition('.')[0]}.{low['workflow']}"[:128])
        if found is None:
            raise HubError(Kind.FLOW_UNKNOWN, f"workflow {low['workflow']}"[:100])
        ctx = Ctx(hub, who, instance.address, depth=instance.hops)
        more: dict[str, Any] = {"instance_id": child_id, "parent": instance.id, "depth": instance.depth + 1}
        flows.ask_run(
            rows, ctx, found, 0, low.get("input") or {}, cause=f"Step {task.name}", host=instance.host, **more
        )

    try:
        await hub.db.write(ask)
    except HubError as fault:
        raise CallFailed(fault.message, may_retry=fault.kind in {Kind.UNAVAILABLE, Kind.THROTTLED}) from fault
    hub.engine.wake()
    ended = await flows.wait_for_end(hub, child_id, task.timeout / 1000)
    if ended is None:
        raise CallFailed(f"{child_id} has not ended in time")
    if ended.state != "Success":
        raise CallFailed(f"{ended.workflow_id}, instance {ended.id}: {ended.fault or ended.state}")
    return json.loads(ended.output or "{}")
