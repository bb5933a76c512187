"""Triggers of workflows and their firings, as rows. That something fires once is the firing's unique moment."""

from typing import NamedTuple

from entrepot.model import events as kinds_of
from entrepot.store.db import Rows

COUNTED = 1000
"""How far firings are counted for a list."""


class Trigger(NamedTuple):
    """A row of ``flow_trigger``; ``input`` is JSON."""

    id: str
    workflow_id: str
    account_id: int
    kind: str
    bucket: str
    kinds: str
    tags: str
    cron: str
    zone: str
    input: str
    is_enabled: int
    due_at: int
    reckoned_at: int
    fired_at: int
    instance_id: str
    fault: str
    created_at: int


class Firing(NamedTuple):
    """A row of ``flow_firing``; ``event_id`` 0: by the clock."""

    id: int
    trigger_id: str
    moment: str
    event_id: int
    state: str
    fault: str
    filed_at: int


_TRIGGER = f"SELECT {', '.join(Trigger._fields)} FROM flow_trigger"
_FIRING = f"SELECT {', '.join(Firing._fields)} FROM flow_firing"


def add(rows: Rows, trigger: Trigger) -> None:
    """A new trigger."""
    rows.run(
        f"INSERT INTO flow_trigger ({', '.join(Trigger._fields)})"
        f" VALUES ({', '.join(f':{name}' for name in Trigger._fields)})",
        **trigger._asdict(),
    )
    _listen(rows, trigger.account_id)


def find(rows: Rows, trigger_id: str) -> Trigger | None:
    """A trigger of any account."""
    row = rows.one(f"{_TRIGGER} WHERE id = :id", id=trigger_id)
    return Trigger(*row) if row else None


def page(rows: Rows, workflow_id: str, offset: int, limit: int) -> list[Trigger]:
    """Those of a workflow, oldest first."""
    found = rows.all(
        f"{_TRIGGER} WHERE workflow_id = :id ORDER BY created_at, id LIMIT :limit OFFSET :offset",
        id=workflow_id,
        limit=limit,
        offset=offset,
    )
    return [Trigger(*row) for row in found]


def count(rows: Rows, workflow_id: str) -> int:
    """How many a workflow has."""
    row = rows.one("SELECT COUNT(*) FROM flow_trigger WHERE workflow_id = :id", id=workflow_id)
    return int(row[0]) if row else 0


def count_of_account(rows: Rows, account_id: int) -> int:
    """How many triggers by events an account has: each of its events is held against all of them."""
    row = rows.one(
        "SELECT COUNT(*) FROM flow_trigger WHERE account_id = :account AND kind = 'Event'", account=account_id
    )
    return int(row[0]) if row else 0


def change(rows: Rows, trigger: Trigger) -> None:
    """Store what may be changed of it."""
    rows.run(
        "UPDATE flow_trigger SET bucket = :bucket, kinds = :kinds, tags = :tags, cron = :cron, zone = :zone,"
        " input = :input, is_enabled = :is_enabled, due_at = :due_at, reckoned_at = :reckoned_at WHERE id = :id",
        **{
            name: getattr(trigger, name)
            for name in (
                "id",
                "bucket",
                "kinds",
                "tags",
                "cron",
                "zone",
                "input",
                "is_enabled",
                "due_at",
                "reckoned_at",
            )
        },
    )
    _listen(rows, trigger.account_id)


def delete(rows: Rows, trigger: Trigger) -> None:
    """Delete it with its firings."""
    rows.run("DELETE FROM flow_firing WHERE trigger_id = :id", id=trigger.id)
    rows.run("DELETE FROM flow_trigger WHERE id = :id", id=trigger.id)
    _listen(rows, trigger.account_id)


def delete_of_workflow(rows: Rows, workflow_id: str) -> None:
    """Delete a workflow's triggers."""
    for one in page(rows, workflow_id, 0, 2**31):
        delete(rows, one)


def _listen(rows: Rows, account_id: int) -> None:
    """Keep how closely the account's triggers listen to its buckets."""
    found = rows.all(
        "SELECT DISTINCT kinds FROM flow_trigger WHERE account_id = :account AND kind = 'Event' AND is_enabled = 1",
        account=account_id,
    )
    level = max((kinds_of.listens(row[0]) for row in found), default=kinds_of.NOBODY)
    rows.run("UPDATE account SET listens = :level WHERE id = :account", level=level, account=account_id)


def of_account(rows: Rows, account_id: int) -> list[Trigger]:
    """The enabled triggers by events of an account."""
    found = rows.all(
        f"{_TRIGGER} WHERE account_id = :account AND kind = 'Event' AND is_enabled = 1 ORDER BY id", account=account_id
    )
    return [Trigger(*row) for row in found]


def any_enabled(rows: Rows) -> bool:
    """Whether there is a trigger that may fire."""
    return rows.one("SELECT 1 FROM flow_trigger WHERE is_enabled = 1 LIMIT 1") is not None


def due(rows: Rows, now: int, slack: int, limit: int) -> list[Trigger]:
    """Triggers whose time has come, and those that were reckoned by a clock that was ahead of ``now`` by ``slack``."""
    found = rows.all(
        f"{_TRIGGER} WHERE due_at > 0 AND is_enabled = 1 AND (due_at <= :now OR reckoned_at > :ahead)"
        " ORDER BY due_at LIMIT :limit",
        now=now,
        ahead=now + slack,
        limit=limit,
    )
    return [Trigger(*row) for row in found]


def set_due(rows: Rows, trigger_id: str, due_at: int, now: int) -> None:
    """When it comes next, as reckoned now."""
    rows.run(
        "UPDATE flow_trigger SET due_at = :due, reckoned_at = :now WHERE id = :id", due=due_at, now=now, id=trigger_id
    )


def fire(rows: Rows, trigger_id: str, moment: str, event_id: int, now: int) -> None:
    """A trigger is to start a run for a moment; a second time nothing happens."""
    rows.run(
        "INSERT INTO flow_firing (trigger_id, moment, event_id, state, fault, filed_at)"
        " VALUES (:trigger, :moment, :event, 'Waiting', '', :now) ON CONFLICT (trigger_id, moment) DO NOTHING",
        trigger=trigger_id,
        moment=moment,
        event=event_id,
        now=now,
    )


def waiting(rows: Rows, full: list[int], limit: int) -> list[Firing]:
    """Firings whose run was not asked for, oldest first, but for those of accounts that have no room for runs now."""
    without = ""
    if full:
        listed = ", ".join(str(int(one)) for one in full)
        without = (
            " AND NOT EXISTS (SELECT 1 FROM flow_trigger t WHERE t.id = flow_firing.trigger_id"
            f" AND t.account_id IN ({listed}))"
        )
    found = rows.all(f"{_FIRING} WHERE state = 'Waiting'{without} ORDER BY id LIMIT :limit", limit=limit)
    return [Firing(*row) for row in found]


def count_waiting(rows: Rows, trigger_id: str) -> int:
    """How many firings wait; at most COUNTED."""
    row = rows.one(
        "SELECT COUNT(*) FROM (SELECT 1 FROM flow_firing WHERE trigger_id = :id AND state = 'Waiting' LIMIT :limit) c",
        id=trigger_id,
        limit=COUNTED,
    )
    return int(row[0]) if row else 0


def settle(rows: Rows, firing: Firing, state: str, fault: str, instance_id: str, now: int) -> None:
    """A firing has started its run, or will not."""
    rows.run(
        "UPDATE flow_firing SET state = :state, fault = :fault WHERE id = :id", state=state, fault=fault, id=firing.id
    )
    rows.run(
        "UPDATE flow_trigger SET fired_at = :now, fault = :fault,"
        " instance_id = CASE WHEN :instance = '' THEN instance_id ELSE :instance END WHERE id = :id",
        now=now,
        fault=fault,
        instance=instance_id,
        id=firing.trigger_id,
    )


def forget(rows: Rows, before: int, limit: int) -> int:
    """Delete at most ``limit`` firings that were settled and filed before a time; how many."""
    return rows.run(
        "DELETE FROM flow_firing WHERE id IN (SELECT id FROM flow_firing WHERE filed_at < :before"
        " AND state <> 'Waiting' ORDER BY filed_at LIMIT :limit)",
        before=before,
        limit=limit,
    )
