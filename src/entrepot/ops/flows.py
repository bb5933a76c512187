"""Workflows: namespaces, versions, and asking for runs. The engine (entrepot.flows) does what is asked for here."""

import asyncio
import hashlib
import json
import re
import secrets
import string
import time
from typing import Any, Protocol
from urllib.parse import urlsplit

from entrepot.errors import HubError, Kind
from entrepot.model.flow import template as templates
from entrepot.model.flow.check import check
from entrepot.model.flow.run import StepFault, inputs
from entrepot.model.flow.template import Template, TemplateError
from entrepot.ops.context import Ctx, Hub, Who
from entrepot.store.db import Rows
from entrepot.store.sql import flow_runs as runs_sql
from entrepot.store.sql import flows as sql
from entrepot.store.sql import people as people_sql
from entrepot.store.sql.flow_runs import Instance
from entrepot.store.sql.flows import Namespace, Workflow

_NAME = re.compile(r"[a-z0-9]([a-z0-9_-]{0,14}[a-z0-9])?")
_GLOBAL = re.compile(r"[A-Za-z0-9_-]{1,64}")
MOST_NAMESPACES = 100
MOST_WORKFLOWS = 1000
MOST_OPEN = 200
"""Most runs of an account that have not ended."""
MOST_GLOBALS = 200
MOST_CREDENTIALS = 50
MOST_DATA = 262_144
"""Most bytes of a run's input, and of a namespace's globals."""
TOLD = 20
"""How many faults of a template the message names; all of them are counted."""
DEEPEST = 8
"""How deep workflows may call each other."""


class Engine(Protocol):
    """What runs the workflows."""

    def wake(self) -> None:
        """Look for what was asked for."""
        ...

    async def steps(self, instance_id: str) -> list[dict[str, Any]]:
        """The recorded steps of a run, in the order in which they began."""
        ...


def check_name(name: str, field: str) -> None:
    """Raise BAD_PARAM unless it is a name of a namespace or workflow."""
    if not _NAME.fullmatch(name):
        hint = "1 to 16 lower-case letters, digits, - and _, beginning and ending with a letter or digit"
        raise HubError(Kind.BAD_PARAM, f"{field}: {hint}")


def need_person(ctx: Ctx) -> None:
    """Raise DENIED for a temporary key: it would be outlived by what it saves, with more rights than it has."""
    if ctx.who.role or ctx.who.boundary is not None:
        raise HubError(Kind.DENIED, "a temporary key saves no workflows and no keys; use a key of a user")


def open_namespace(rows: Rows, who: Who, namespace_id: str, project_id: str | None) -> Namespace:
    """A namespace of the caller's account, and of the project if one is named. Raises FLOW_UNKNOWN."""
    found = sql.namespace(rows, who.account_id, namespace_id[:64])
    if found is None or (project_id and found.project_id != project_id):
        raise HubError(Kind.FLOW_UNKNOWN, f"namespace {namespace_id[:64]}")
    return found


def open_workflow(rows: Rows, who: Who, workflow_id: str, project_id: str | None) -> Workflow:
    """A workflow of the caller's account. Raises FLOW_UNKNOWN."""
    found = sql.workflow(rows, workflow_id[:128])
    if found is None:
        raise HubError(Kind.FLOW_UNKNOWN, f"workflow {workflow_id[:128]}")
    open_namespace(rows, who, found.namespace_id, project_id)
    return found


def open_instance(rows: Rows, who: Who, instance_id: str, project_id: str | None) -> Instance:
    """A run in the caller's account. Raises FLOW_UNKNOWN."""
    found = runs_sql.find(rows, instance_id[:200])
    if found is None:
        raise HubError(Kind.FLOW_UNKNOWN, f"instance {instance_id[:200]}")
    open_workflow(rows, who, found.workflow_id, project_id)
    return found


async def create_namespace(ctx: Ctx, name: str, project_id: str | None, remark: str) -> str:
    """Its id: the name and six random characters. Raises BAD_PARAM, QUOTA_EXCEEDED."""
    check_name(name, "Namespace")
    letters = string.ascii_letters + string.digits
    namespace_id = f"{name}-{''.join(secrets.choice(letters) for _ in range(6))}"

    def add(rows: Rows) -> None:
        project = project_id or people_sql.default_project(rows, ctx.who.account_id) or ""
        if sql.count_namespaces(rows, project) >= MOST_NAMESPACES:
            raise HubError(Kind.QUOTA_EXCEEDED, f"a project has at most {MOST_NAMESPACES} namespaces; delete one")
        sql.add_namespace(rows, Namespace(namespace_id, ctx.who.account_id, project, name, remark, ctx.now))

    await ctx.hub.db.write(add)
    return namespace_id


async def delete_namespace(ctx: Ctx, namespace_id: str, project_id: str | None) -> None:
    """Raises IN_USE while it holds workflows."""

    def remove(rows: Rows) -> None:
        found = open_namespace(rows, ctx.who, namespace_id, project_id)
        if sql.count_workflows(rows, found.id):
            raise HubError(Kind.IN_USE, "the namespace holds workflows; delete them first")
        sql.delete_namespace(rows, found.id)

    await ctx.hub.db.write(remove)


async def set_globals(ctx: Ctx, namespace_id: str, project_id: str | None, text: str) -> None:
    """Replace a namespace's globals by those of a JSON object. Raises BAD_PARAM."""
    values = read_object(text, "Globals")
    if len(values) > MOST_GLOBALS or not all(_GLOBAL.fullmatch(name) for name in values):
        hint = f"at most {MOST_GLOBALS} names of 1 to 64 letters, digits, - and _"
        raise HubError(Kind.BAD_PARAM, f"Globals: {hint}")

    def store(rows: Rows) -> None:
        found = open_namespace(rows, ctx.who, namespace_id, project_id)
        sql.set_globals(rows, found.id, {name: json.dumps(value) for name, value in values.items()})

    await ctx.hub.db.write(store)


def read_object(text: str, field: str) -> dict[str, Any]:
    """A JSON object of bounded size and depth. Raises BAD_PARAM, TOO_LARGE."""
    if len(text.encode("utf-8", "replace")) > MOST_DATA:
        raise HubError(Kind.TOO_LARGE, f"{field} holds at most {MOST_DATA} bytes")
    try:
        value = json.loads(text or "{}", parse_constant=_no_constant)
    except (ValueError, RecursionError) as fault:
        raise HubError(Kind.BAD_PARAM, f"{field}: this is no JSON: {fault}") from fault
    if not isinstance(value, dict) or templates.too_deep(value, templates.DEPTH):
        hint = f"a JSON object of at most {templates.DEPTH} levels is expected"
        raise HubError(Kind.BAD_PARAM, f"{field}: {hint}")
    return value


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is no number of JSON")


def checked(text: bytes) -> Template:
    """A template that can run. Raises FLOW_INVALID with every fault."""
    try:
        read = templates.parse(text)
    except TemplateError as fault:
        faults = fault.faults
    else:
        faults = check(read)
        if not faults:
            return read
    more = f"; and {len(faults) - TOLD} more" if len(faults) > TOLD else ""
    raise HubError(Kind.FLOW_INVALID, "; ".join(map(str, faults[:TOLD])) + more)


async def save(ctx: Ctx, namespace_id: str, project_id: str | None, name: str, text: bytes) -> int:
    """A new version of a workflow, made where there is none; its number. Raises FLOW_INVALID, FLOW_UNKNOWN.

    The version runs with the rights of whoever saved it, as they are when it runs.
    """
    need_person(ctx)
    check_name(name, "WorkflowName")
    template = json.dumps(templates.write(checked(text)), ensure_ascii=False)

    def store(rows: Rows) -> int:
        found = open_namespace(rows, ctx.who, namespace_id, project_id)
        is_new = sql.workflow(rows, f"{found.id}.{name}") is None
        if is_new and sql.count_workflows(rows, found.id) >= MOST_WORKFLOWS:
            raise HubError(Kind.QUOTA_EXCEEDED, f"a namespace has at most {MOST_WORKFLOWS} workflows; delete one")
        return sql.add_version(rows, found.id, name, template, ctx.who.person_id, ctx.now)

    return await ctx.hub.db.write(store)


def pick_version(rows: Rows, workflow: Workflow, number: int) -> sql.Version:
    """A version, 0 for the published one. Raises FLOW_UNKNOWN."""
    wanted = number or workflow.published
    if wanted == 0:
        raise HubError(Kind.FLOW_UNKNOWN, f"no version of {workflow.id} is published; PublishSFWorkflow does that")
    found = sql.version(rows, workflow.id, wanted)
    if found is None:
        raise HubError(Kind.FLOW_UNKNOWN, f"version {wanted} of {workflow.id}; the newest is {workflow.newest}")
    return found


async def publish(ctx: Ctx, workflow_id: str, project_id: str | None, number: int) -> int:
    """Make a version, 0 for the newest, the one that is run by default; its number."""

    def change(rows: Rows) -> int:
        found = open_workflow(rows, ctx.who, workflow_id, project_id)
        version = pick_version(rows, found, number or found.newest)
        sql.publish(rows, found.id, version.version, ctx.now)
        return version.version

    return await ctx.hub.db.write(change)


async def make_token(ctx: Ctx, workflow_id: str, project_id: str | None) -> str:
    """A new token for the URL of a workflow, in place of the one before; only its hash is kept."""
    token = secrets.token_hex(16)

    def change(rows: Rows) -> None:
        found = open_workflow(rows, ctx.who, workflow_id, project_id)
        sql.set_token(rows, found.id, hash_token(token), ctx.now)

    await ctx.hub.db.write(change)
    return token


def hash_token(token: str) -> str:
    """What is kept of a token: it is random and long, so a plain hash does."""
    return hashlib.sha256(token.encode()).hexdigest()


async def delete(ctx: Ctx, workflow_id: str, project_id: str | None) -> None:
    """Delete a workflow with its versions and runs. Raises IN_USE while it runs."""

    def remove(rows: Rows) -> None:
        found = open_workflow(rows, ctx.who, workflow_id, project_id)
        if runs_sql.is_running(rows, found.id):
            raise HubError(Kind.IN_USE, "the workflow runs; cancel its instances first")
        sql.delete_workflow(rows, found.id)

    await ctx.hub.db.write(remove)


def ask_run(
    rows: Rows,
    ctx: Ctx,
    workflow: Workflow,
    number: int,
    given: dict[str, Any],
    *,
    cause: str,
    host: str,
    offered: dict[str, Any] | None = None,
    **more: Any,
) -> Instance:
    """File a run for the engine. Raises FLOW_UNKNOWN, BAD_PARAM for an input of another type, THROTTLED.

    ``offered``: values for those inputs that the workflow has and that were not given.
    """
    version = pick_version(rows, workflow, number)
    template = templates.parse(version.template)
    if offered:
        given = {**{one.name: offered[one.name] for one in template.inputs if one.name in offered}, **given}
    try:
        inputs(template, given)
    except StepFault as fault:
        raise HubError(Kind.BAD_PARAM, str(fault)) from fault
    home = people_sql.by_id(rows, version.person_id)
    if home is not None and runs_sql.count_open(rows, home.account_id) >= MOST_OPEN:
        raise HubError(Kind.THROTTLED, f"{MOST_OPEN} runs have not ended yet; wait for some or cancel them")
    instance = Instance(
        id=more.pop("instance_id", "") or ctx.hub.new_id(),
        workflow_id=workflow.id,
        version=version.version,
        cause=cause,
        who=ctx.who.email,
        address=ctx.address,
        host=host,
        input=json.dumps(given),
        created_at=ctx.now,
        **{"hops": ctx.depth, **more},
    )
    runs_sql.add(rows, instance)
    return instance


async def run(ctx: Ctx, workflow_id: str, project_id: str | None, number: int, given: str, host: str) -> str:
    """Ask for a run by hand; its id."""
    values = read_object(given, "Input")

    def store(rows: Rows) -> Instance:
        found = open_workflow(rows, ctx.who, workflow_id, project_id)
        return ask_run(rows, ctx, found, number, values, cause="Hand", host=host)

    instance = await ctx.hub.db.write(store)
    ctx.hub.engine.wake()
    return instance.id


def origin_of(url: str) -> str:
    """scheme://host[:port] in lower case; "" for what is no URL."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}".lower() if parts.scheme in {"http", "https"} and parts.netloc else ""


async def set_credential(
    ctx: Ctx, namespace_id: str, project_id: str | None, endpoint: str, keys: tuple[str, str]
) -> None:
    """Keep public and private key for an endpoint, the private one encrypted. Raises BAD_PARAM."""
    need_person(ctx)
    origin = origin_of(endpoint)
    if not origin or len(origin) > 255 or "@" in origin:
        raise HubError(Kind.BAD_PARAM, "Endpoint: a URL such as https://api.ucloud.cn is expected")

    def store(rows: Rows) -> None:
        found = open_namespace(rows, ctx.who, namespace_id, project_id)
        known = [one[0] for one in sql.credentials(rows, found.id)]
        if origin not in known and len(known) >= MOST_CREDENTIALS:
            raise HubError(Kind.QUOTA_EXCEEDED, f"a namespace keeps keys for at most {MOST_CREDENTIALS} endpoints")
        sealed = ctx.hub.vault.seal(keys[1], credential_label(found.id, origin))
        sql.set_credential(rows, found.id, origin, keys[0], sealed)

    await ctx.hub.db.write(store)


def credential_label(namespace_id: str, origin: str) -> str:
    """What a sealed private key is bound to."""
    return f"flow {namespace_id} {origin}"


async def wait_for_end(hub: Hub, instance_id: str, seconds: float) -> Instance | None:
    """The run once it has ended; None when it has not in this time, or is gone."""
    pause, until = 0.02, time.monotonic() + seconds
    while time.monotonic() < until:
        found = await hub.db.read(runs_sql.find, instance_id)
        if found is None or found.ended_at:
            return found
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, 0.5)
    return None


async def cancel(ctx: Ctx, instance_id: str, project_id: str | None) -> None:
    """Ask for the end of a run. Raises IN_USE when it has ended."""

    def change(rows: Rows) -> None:
        found = open_instance(rows, ctx.who, instance_id, project_id)
        if not runs_sql.ask_cancel(rows, found.id):
            raise HubError(Kind.IN_USE, f"the run has ended already: {found.state}")

    await ctx.hub.db.write(change)
    ctx.hub.engine.wake()


async def rerun(ctx: Ctx, instance_id: str, project_id: str | None, *, from_failed: bool, host: str) -> str:
    """Run again with the same version and input: from the start, or from the step that failed. Raises IN_USE."""
    found = await ctx.hub.db.read(open_instance, ctx.who, instance_id, project_id)
    if from_failed and found.state not in {"Failure", "Cancelled"}:
        raise HubError(Kind.IN_USE, f"only a run that failed goes on from its failed step; this one: {found.state}")
    more: dict[str, Any] = {"hops": found.hops}
    if from_failed:
        more |= {"forked_from": found.id, "from_step": await _failed_step(ctx, found.id)}

    def store(rows: Rows) -> Instance:
        workflow = open_workflow(rows, ctx.who, found.workflow_id, project_id)
        return ask_run(rows, ctx, workflow, found.version, json.loads(found.input), cause="Rerun", host=host, **more)

    instance = await ctx.hub.db.write(store)
    ctx.hub.engine.wake()
    return instance.id


async def _failed_step(ctx: Ctx, instance_id: str) -> int:
    """The number of the first recorded step that failed, or of the one after the last that was recorded."""
    steps = await ctx.hub.engine.steps(instance_id)
    failed = [one["Number"] for one in steps if one["Fault"]]
    return (
        int(failed[0]) if failed else max([one["Number"] for one in steps if one["Name"] != ".finish"], default=0) + 1
    )
