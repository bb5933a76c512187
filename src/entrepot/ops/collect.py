"""Collection while everything goes on: untagged manifests, links that no manifest needs, blobs that nothing links,
their bytes, and bytes that never got a row. No mode to switch, no pause, no scan over everything; a step is bounded.

A grace time stands before each decision, and the decision is made again in the transaction that acts on it. A pusher
that asks for a blob (HEAD), mounts it or pushes it again renews the lease of its link, so what a client was told is
there stays there until its manifest comes.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import structlog

from entrepot import failpoint, tally
from entrepot.errors import HubError
from entrepot.ops import clocks, holders, trash
from entrepot.ops.context import Hub
from entrepot.ops.damage import READERS
from entrepot.store.db import Rows
from entrepot.store.sql import blobs as blobs_sql
from entrepot.store.sql import collect as sql
from entrepot.store.sql import events, retention
from entrepot.store.sql import manifests as manifests_sql

BATCH = 100
PERIOD = 60.0
LOOKED_UP = 500
"""Keys that are looked for in one read: others wait for it."""
log = structlog.get_logger("collect")
_BYTES = tally.cell("entrepot_collected_bytes", "counter", "Bytes of collected blobs.")
_COLLECTED = {
    kind: tally.cell("entrepot_collected", "counter", "What was collected.", kind=kind.rstrip("s"))
    for kind in ("manifests", "links", "blobs", "objects", "orphans")
}


@dataclass(slots=True)
class Report:
    """What a collection did, or would do."""

    deleted: int = 0
    manifests: int = 0
    links: int = 0
    blobs: int = 0
    blob_bytes: int = 0
    objects: int = 0
    orphans: int = 0

    @property
    def is_empty(self) -> bool:
        """Nothing to tell."""
        return not (self.deleted or self.manifests or self.links or self.blobs or self.objects or self.orphans)


def _review_deletions(rows: Rows, hub: Hub, now: int, report: Report) -> int:
    del hub
    freed = trash.free(rows, now)
    report.deleted += freed or 0
    return 0 if freed is None else BATCH


def _review_manifests(rows: Rows, hub: Hub, now: int, report: Report) -> int:
    due = sql.due_manifests(rows, now, BATCH)
    rooted: set[int] = set()
    taken: dict[int, int] = {}
    for one in due:
        if one.image_id is not None and one.is_kept and not one.is_tagged:
            again = holders.look_again(rows, one.image_id, one.id, rooted)
            if again > now:
                sql.watch_manifest(rows, one.id, again)
            is_kept = again == holders.KEPT or again > now
        else:
            is_kept = bool(one.is_kept)
        if one.image_id is not None and not is_kept:
            # Not before the next second: a child that is due in this batch too was judged while its parent was there,
            # and `reviewed` forgets what it finds due.
            manifests_sql.delete(rows, one.image_id, one.id, now, max(1, hub.settings.grace_seconds), "")
            report.manifests += 1
            taken[one.image_id] = taken.get(one.image_id, 0) + 1
            retention.follow(rows, one.image_id, one.digest, now, hub.settings.untagged_after, "collection")
        sql.reviewed(rows, one.id, now)
    events.note_collected(rows, taken, "Manifests", now)
    return len(due)


def _review_links(rows: Rows, hub: Hub, now: int, report: Report) -> int:
    due = sql.due_links(rows, now, BATCH)
    taken: dict[int, int] = {}
    for one in due:
        lease = one.lease or 0
        if lease > now + clocks.TOLERANCE:  # written under a clock that was ahead, and not while this waited its turn
            blobs_sql.renew(rows, one.image_id, one.blob_id, now)
            lease = now
        lease_ends = lease + hub.settings.grace_seconds
        if one.lease is None or one.is_used:
            sql.forget_link(rows, one.image_id, one.blob_id)
        elif lease_ends > now:
            sql.watch_link(rows, one.image_id, one.blob_id, lease_ends)
        else:
            blobs_sql.unlink(rows, one.image_id, one.blob_id, now)
            taken[one.image_id] = taken.get(one.image_id, 0) + 1
            report.links += 1
    events.note_collected(rows, taken, "Blobs", now)
    return len(due)


def _review_blobs(rows: Rows, hub: Hub, now: int, report: Report) -> int:
    del hub
    due = sql.due_blobs(rows, now, BATCH)
    for one in due:
        if one.key is None or one.is_linked:
            sql.forget_blob(rows, one.id)
            continue
        sql.bury(rows, one, now + READERS)
        report.blobs += 1
        report.blob_bytes += one.size
    return len(due)


def _reviews(hub: Hub) -> tuple[Callable[[Rows, Hub, int, Report], int], ...]:
    """In the order in which one makes candidates for the next."""
    tagless = (_review_manifests,) if hub.settings.untagged_seconds else ()
    return (_review_deletions, *tagless, _review_links, _review_blobs)


async def step(hub: Hub, report: Report) -> bool:
    """One bounded round over all queues; whether there may be more to do at once."""
    now, full = int(hub.clock()), False
    for review in _reviews(hub):
        full |= await hub.db.write(review, hub, now, report) == BATCH
        failpoint.at("collect.reviewed")
    keys = await hub.db.read(sql.dead_objects, now, BATCH)
    for key in keys:
        failpoint.at("collect.object-due")
        await hub.blobs.delete(key)
        failpoint.at("collect.object-gone")
    if keys:
        await hub.db.note(sql.forget_objects, keys)
        failpoint.at("collect.object-forgotten")
        report.objects += len(keys)
    return full or len(keys) == BATCH


async def sweep(hub: Hub, shard: int, report: Report) -> None:
    """Remove stored objects of one shard that never got a row: left by a kill between the bytes and the row."""
    before = hub.clock() - max(hub.settings.upload_seconds, hub.settings.grace_seconds)
    async for key in orphans(hub, shard, before):
        failpoint.at("sweep.orphan-found")
        await hub.blobs.delete(key)
        failpoint.at("sweep.orphan-gone")
        report.orphans += 1


async def orphans(hub: Hub, shard: int, before: float) -> AsyncIterator[str]:
    """Keys of one shard that were stored before a time and that no row knows; rows are read a few at a time."""
    keys = await hub.blobs.old_objects(shard, before)
    for start in range(0, len(keys), LOOKED_UP):
        for key in await hub.db.read(sql.unknown_keys, keys[start : start + LOOKED_UP]):
            yield key


async def collect(hub: Hub) -> Report:
    """Everything that is due now, and every orphan."""
    report = Report()
    while await step(hub, report):
        pass
    for shard in range(hub.blobs.shards):
        await sweep(hub, shard, report)
    return report


class _Undo(Exception):
    """Carries a report out of a transaction that must not happen."""


async def preview(hub: Hub) -> Report:
    """What ``collect`` would do: the same decisions, in a transaction that is rolled back."""
    report = Report()

    def pretend(rows: Rows) -> None:
        now = int(hub.clock())
        for review in _reviews(hub):
            while review(rows, hub, now, report) == BATCH:
                pass
        raise _Undo

    try:
        await hub.db.write(pretend)
    except _Undo:
        report.objects = len(await hub.db.read(sql.dead_objects, int(hub.clock()), 1_000_000))
    return report


def _count(hub: Hub, report: Report) -> None:
    hub.tally.add(_BYTES, report.blob_bytes)
    for kind, place in _COLLECTED.items():
        hub.tally.add(place, getattr(report, kind))


async def run(hub: Hub) -> None:
    """Until cancelled: what is due, every minute, and one shard of the orphans each time."""
    shard = 0
    while True:
        report, more = Report(), False
        try:
            async with hub.db.alone("collect") as is_mine:
                if is_mine and await clocks.is_steady(hub):
                    more = await step(hub, report)
                    await sweep(hub, shard, report)
                    shard = (shard + 1) % hub.blobs.shards
                    hub.did("collect")
        except HubError as fault:  # a full disk or a busy database passes; the collector stays
            log.warning("collection failed", reason=fault.message)
        except Exception:
            log.exception("collection failed; `entrepot fsck` may tell why")
        _count(hub, report)
        if not report.is_empty:
            log.info(
                "collected",
                deleted=report.deleted,
                manifests=report.manifests,
                links=report.links,
                blobs=report.blobs,
                bytes=report.blob_bytes,
                objects=report.objects,
                orphans=report.orphans,
            )
        # Between full batches others get their turn at the database.
        await asyncio.sleep(0.05 if more else PERIOD)
