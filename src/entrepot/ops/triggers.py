"""Triggers of workflows: make, change, delete. What fires them is in dispatch."""

from typing import Any, NamedTuple

from entrepot.errors import HubError, Kind
from entrepot.model import globs, schedule
from entrepot.ops import events, flows
from entrepot.ops.context import Ctx
from entrepot.store.db import Rows
from entrepot.store.sql import triggers as sql
from entrepot.store.sql.triggers import Trigger

MOST = 20
"""Most triggers of a workflow."""
MOST_LISTENING = 100
"""Most triggers by events of an account: each of its events is held against all of them."""


async def create(
    ctx: Ctx,
    workflow_id: str,
    project_id: str | None,
    kind: str,
    *,
    bucket: str,
    kinds: list[str],
    tags: list[str],
    cron: str,
    zone: str,
    given: str,
    enabled: bool,
) -> str:
    """The id of a new trigger. Raises BAD_PARAM, FLOW_UNKNOWN, QUOTA_EXCEEDED, DENIED for a temporary key."""
    flows.need_person(ctx)
    made = Trigger(
        id=ctx.hub.new_id(),
        workflow_id=workflow_id,
        account_id=ctx.who.account_id,
        kind=kind,
        bucket=_bucket(bucket),
        kinds=events.words(kinds),
        tags=events.selection(tags),
        cron=schedule.check(cron, zone) if kind == "Cron" else "",
        zone=zone,
        input=_input(given),
        is_enabled=int(enabled),
        due_at=0,
        reckoned_at=0,
        fired_at=0,
        instance_id="",
        fault="",
        created_at=ctx.now,
    )

    def add(rows: Rows) -> None:
        found = flows.open_workflow(rows, ctx.who, workflow_id, project_id)
        if sql.count(rows, found.id) >= MOST:
            raise HubError(Kind.QUOTA_EXCEEDED, f"a workflow has at most {MOST} triggers; delete one")
        if kind == "Event" and sql.count_of_account(rows, ctx.who.account_id) >= MOST_LISTENING:
            raise HubError(
                Kind.QUOTA_EXCEEDED, f"an account has at most {MOST_LISTENING} triggers by events; delete one"
            )
        sql.add(rows, _reckoned(ctx, made._replace(workflow_id=found.id)))

    await ctx.hub.db.write(add)
    return made.id


async def update(
    ctx: Ctx,
    trigger_id: str,
    project_id: str | None,
    *,
    bucket: str | None,
    kinds: list[str] | None,
    tags: list[str] | None,
    cron: str | None,
    zone: str | None,
    given: str | None,
    enabled: bool | None,
) -> None:
    """Change what is not None. Raises as ``create`` does."""
    flows.need_person(ctx)
    wanted: dict[str, Any] = {
        "bucket": None if bucket is None else _bucket(bucket),
        "kinds": None if kinds is None else events.words(kinds),
        "tags": None if tags is None else events.selection(tags),
        "zone": zone,
        "input": None if given is None else _input(given),
        "is_enabled": None if enabled is None else int(enabled),
    }

    def change(rows: Rows) -> None:
        found = _open(rows, ctx, trigger_id, project_id)
        new = found._replace(**{name: value for name, value in wanted.items() if value is not None})
        if found.kind == "Cron":
            new = new._replace(cron=schedule.check(found.cron if cron is None else cron, new.zone))
        is_same = (new.cron, new.zone, new.is_enabled) == (found.cron, found.zone, found.is_enabled)
        sql.change(rows, new if is_same else _reckoned(ctx, new))

    await ctx.hub.db.write(change)


async def delete(ctx: Ctx, trigger_id: str, project_id: str | None) -> None:
    """Delete it with what waits to be started. Raises FLOW_UNKNOWN."""
    await ctx.hub.db.write(lambda rows: sql.delete(rows, _open(rows, ctx, trigger_id, project_id)))


class Listed(NamedTuple):
    """A trigger, and how many of its firings wait; at most ``sql.COUNTED`` are counted."""

    trigger: Trigger
    waiting: int


async def page(ctx: Ctx, workflow_id: str, project_id: str | None, offset: int, limit: int) -> list[Listed]:
    """The triggers of a workflow. Raises FLOW_UNKNOWN."""

    def load(rows: Rows) -> list[Listed]:
        found = sql.page(rows, flows.open_workflow(rows, ctx.who, workflow_id, project_id).id, offset, limit)
        return [Listed(one, sql.count_waiting(rows, one.id)) for one in found]

    return await ctx.hub.db.read(load)


def _open(rows: Rows, ctx: Ctx, trigger_id: str, project_id: str | None) -> Trigger:
    found = sql.find(rows, trigger_id[:64])
    if found is None or found.account_id != ctx.who.account_id:
        raise HubError(Kind.FLOW_UNKNOWN, f"trigger {trigger_id[:64]}")
    flows.open_workflow(rows, ctx.who, found.workflow_id, project_id)
    return found


def _reckoned(ctx: Ctx, trigger: Trigger) -> Trigger:
    """With the time at which it comes next; one that is switched on makes up for nothing."""
    is_timed = trigger.kind == "Cron" and trigger.is_enabled
    due = schedule.next_after(trigger.cron, trigger.zone, ctx.now) if is_timed else 0
    return trigger._replace(due_at=due, reckoned_at=ctx.now)


def _bucket(glob: str) -> str:
    if globs.faults([glob]) or ":" in glob:
        raise HubError(Kind.BAD_PARAM, "Bucket: a name, in which * stands for any text")
    return glob


def _input(text: str) -> str:
    flows.read_object(text, "Input")
    return text or "{}"
