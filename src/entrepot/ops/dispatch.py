"""From events and times to those who wait for them: a bounded step after each change, and every second.

A step files deliveries for webhooks and firings for triggers, and marks the events, in one transaction: a kill repeats
it or does not, and two processes at once do it once. Starting the runs of firings is a second step, because an account
has room for so many runs at a time, and what has no room waits. Whoever pushes goes first.
"""

import asyncio
import contextlib
import uuid

import structlog

from entrepot import failpoint
from entrepot.errors import HubError, Kind
from entrepot.model import events as kinds
from entrepot.model import globs, schedule
from entrepot.ops import events, flows, people, permits
from entrepot.ops.context import Ctx, Hub, Who
from entrepot.store.db import Rows
from entrepot.store.sql import buckets as buckets_sql
from entrepot.store.sql import events as sql
from entrepot.store.sql import flows as flows_sql
from entrepot.store.sql import people as people_sql
from entrepot.store.sql import triggers as triggers_sql
from entrepot.store.sql import webhooks as webhooks_sql
from entrepot.store.sql.events import Event
from entrepot.store.sql.triggers import Firing, Trigger
from entrepot.store.sql.webhooks import Webhook

PERIOD = 1.0
"""Seconds between looks at what other processes wrote."""
BATCH = 100
STARTS = 10
"""Runs asked for in one transaction."""
QUIET = 0.1
"""Seconds without a push after which nobody is held up."""
PATIENCE = 0.5
"""Seconds that a step waits for that at most; then it does a little."""
SLACK = 60
"""Seconds that the clock may go back without times being reckoned anew."""
ADDRESS = "127.0.0.1"
"""From where runs come that nobody asked for: from the hub itself."""
log = structlog.get_logger("events")


async def let_pushes_go_first(hub: Hub) -> bool:
    """Wait for a moment without pushes, for a while; whether it came."""
    until = hub.monotonic() + PATIENCE
    while (now := hub.monotonic()) < until:
        rest = hub.stored_at + QUIET - now
        if rest <= 0:
            return True
        await asyncio.sleep(min(rest, until - now) + 0.001)
    return False


async def step(hub: Hub) -> bool:
    """File what happened, fire what is due, start what has room; whether there may be more to do at once."""
    now = int(hub.clock())
    new, due, waits = await hub.db.read(_look, now)
    more = False
    is_quiet = await let_pushes_go_first(hub) if new or waits else True
    if new:
        failpoint.at("dispatch.found")
        filed = await hub.db.write(_file, now)
        failpoint.at("dispatch.filed")
        if filed.deliveries:
            hub.sender.wake()
        more, waits = filed.events == BATCH, waits or filed.firings > 0
    if due:
        waits = await hub.db.write(_fire_due, now) or waits
        failpoint.at("dispatch.fired")
    if waits:
        asked = await hub.db.write(_start, hub, STARTS if is_quiet else 1)
        failpoint.at("dispatch.started")
        if asked:
            hub.engine.wake()
        more |= asked > 0
    return more


def _look(rows: Rows, now: int) -> tuple[bool, bool, bool]:
    return (
        bool(sql.unfiled(rows, 1)),
        bool(triggers_sql.due(rows, now, SLACK, 1)),
        bool(triggers_sql.waiting(rows, [], 1)),
    )


class _Filed:
    """What one step has filed."""

    def __init__(self, events: int) -> None:
        self.events = events
        self.deliveries = 0
        self.firings = 0


def _file(rows: Rows, now: int) -> _Filed:
    found = sql.unfiled(rows, BATCH)
    hooks: dict[int, list[Webhook]] = {}
    triggers: dict[int, list[Trigger]] = {}
    filed = _Filed(len(found))
    for one in found:
        if one.bucket_id not in hooks:
            hooks[one.bucket_id] = [hook for hook in webhooks_sql.of_bucket(rows, one.bucket_id) if hook.is_enabled]
        if one.account_id not in triggers:
            triggers[one.account_id] = triggers_sql.of_account(rows, one.account_id)
        tags = one.tags
        for hook in hooks[one.bucket_id]:
            if kinds.wants(hook.kinds, hook.tags, one.kind, one.image, tags):
                webhooks_sql.file(rows, hook.id, one.id, now)
                filed.deliveries += 1
        for trigger in triggers[one.account_id]:
            is_wanted = kinds.wants(trigger.kinds, trigger.tags, one.kind, one.image, tags)
            if is_wanted and globs.matches(trigger.bucket, one.bucket):
                triggers_sql.fire(rows, trigger.id, f"event {one.id}", one.id, now)
                filed.firings += 1
    sql.filed(rows, [one.id for one in found])
    return filed


def _fire_due(rows: Rows, now: int) -> bool:
    """Fire what is due, once however often it was missed; whether anything fired."""
    fired = False
    for trigger in triggers_sql.due(rows, now, SLACK, BATCH):
        if trigger.due_at <= now:
            triggers_sql.fire(rows, trigger.id, f"cron {trigger.due_at}", 0, now)
            fired = True
        try:
            again = schedule.next_after(trigger.cron, trigger.zone, now)
        except HubError as fault:  # an update of the time zones took its zone away
            again = 0
            log.error("a trigger comes no more", trigger=trigger.id, reason=fault.message)
        triggers_sql.set_due(rows, trigger.id, again, now)
    return fired


def _start(rows: Rows, hub: Hub, most: int) -> int:
    """Ask for the runs of at most so many firings; how many were settled."""
    settled, full = 0, list[int]()
    while settled < most:
        firings = triggers_sql.waiting(rows, full, 1)
        if not firings:
            break
        firing = firings[0]
        trigger = triggers_sql.find(rows, firing.trigger_id)
        assert trigger is not None, "firings go with their trigger"
        instance_id, fault = "", ""
        try:
            instance_id = _ask(rows, hub, trigger, firing)
        except HubError as refusal:
            if refusal.kind is Kind.THROTTLED:
                full.append(trigger.account_id)
                continue
            fault = refusal.message
        state = "Refused" if fault else "Started"
        triggers_sql.settle(rows, firing, state, fault, instance_id, int(hub.clock()))
        settled += 1
    return settled


def _ask(rows: Rows, hub: Hub, trigger: Trigger, firing: Firing) -> str:
    """Ask for the run of a firing; its id, which is the same for the same firing. Raises what stands against it."""
    if not trigger.is_enabled:
        raise HubError(Kind.UNSUPPORTED, "the trigger was switched off meanwhile")
    workflow = flows_sql.workflow(rows, trigger.workflow_id)
    assert workflow is not None, "triggers go with their workflow"
    event = sql.find(rows, firing.event_id) if firing.event_id else None
    owner = _owner(rows, flows.pick_version(rows, workflow, 0).person_id)
    offered, hops, cause = {}, 0, trigger.kind
    if event is not None:
        if event.depth >= kinds.DEEPEST:
            raise HubError(
                Kind.UNSUPPORTED, f"{kinds.DEEPEST} events led to one another through workflows: this is a circle"
            )
        _check_may_hear(rows, owner, event)
        offered, hops, cause = events.inputs(event), event.depth + 1, f"Event {event.bucket}/{event.number}"
    ctx = Ctx(hub, owner, ADDRESS)
    host = hub.settings.public_url.partition("://")[2]
    return flows.ask_run(
        rows,
        ctx,
        workflow,
        0,
        flows.read_object(trigger.input, "Input"),
        cause=cause,
        host=host,
        offered=offered,
        hops=hops,
        instance_id=str(uuid.uuid5(uuid.UUID(trigger.id), firing.moment)),
    ).id


def _owner(rows: Rows, person_id: int) -> Who:
    person = people_sql.by_id(rows, person_id)
    if person is None or not person.is_active:
        raise HubError(Kind.DENIED, "whoever saved the workflow is not active any more; save it again")
    return people.who(rows, person)


def _check_may_hear(rows: Rows, owner: Who, event: Event) -> None:
    """Raise DENIED unless the workflow's owner may pull what the event is about, as its bucket was then."""
    bucket = buckets_sql.by_id(rows, event.bucket_id)
    assert bucket is not None, "events go with their bucket"
    then = bucket._replace(account_id=event.account_id, project_id=event.project_id, name=event.bucket)
    if not permits.on_bucket(rows, owner, "pull", then, event.image):
        what = f"{event.bucket}/{event.image}".rstrip("/")
        raise HubError(Kind.DENIED, f"whoever saved the workflow may not pull {what}")


async def run(hub: Hub) -> None:
    """Until cancelled: a step whenever something may have happened."""
    while True:
        hub.told.clear()
        more = False
        try:
            more = await step(hub)
        except HubError as fault:  # a full disk or a busy database passes
            log.warning("events wait", reason=fault.message)
        except Exception:
            log.exception("events wait; they are tried again")
        if more:
            await asyncio.sleep(0.01)  # others get their turn
            continue
        # Not wait_for: that may lose a cancellation that comes with what it waits for.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PERIOD):
                await hub.told.wait()
