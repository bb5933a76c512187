"""Retention: take away the tags that a bucket's rules let go, and tell first which they are.

Tags only: what hangs on them follows through collection. They are read from the newest to the oldest in short reads,
and deleted in small transactions, each of which looks again: at the rules, at whether somebody else deleted tags of
the image (then what was counted as newer may be gone), and at each tag, which stays if it was moved, pushed or pulled.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

import structlog

from entrepot.errors import HubError, Kind
from entrepot.model import globs, retention
from entrepot.model.retention import Judge, Rule, Tag
from entrepot.ops import audit, clocks, permits, pulls
from entrepot.ops.buckets import own
from entrepot.ops.context import Ctx, Hub, Who
from entrepot.store.db import Rows
from entrepot.store.sql import buckets as buckets_sql
from entrepot.store.sql import history, manifests
from entrepot.store.sql import retention as sql
from entrepot.store.sql.retention import Policy

WHO = "retention"
"""Who deleted it, in the history of a tag."""
PAGE = 200
BATCH = 100
"""Most tags that one transaction deletes: as many as a line of the audit trail has room for."""
ATTEMPTS = 3
"""How often an image is begun again because others deleted its tags or changed the rules meanwhile."""
LEASE = 3600
PERIOD = 60.0
PAUSE = 0.05
log = structlog.get_logger("retention")


class Leaving(NamedTuple):
    """A tag that goes, and why."""

    image: str
    tag: Tag
    why: str


class _Stale(Exception):
    """What was read before does not hold any more."""


async def set_rules(ctx: Ctx, bucket: str, rules: tuple[Rule, ...]) -> None:
    """Set the rules of a bucket, none for no retention. They are applied a day later at the earliest, then daily.

    Raises DENIED, BUCKET_UNKNOWN.
    """
    _need(ctx, "admin", "to set what tags a bucket keeps")

    def change(rows: Rows) -> None:
        bucket_id = own(ctx, rows, bucket).id
        if rules:
            sql.set_rules(rows, bucket_id, retention.text_of(rules), ctx.now + retention.DAY)
        else:
            sql.forget_rules(rows, bucket_id)

    await ctx.hub.db.write(change)


def show(ctx: Ctx, rows: Rows, bucket: str) -> Policy:
    """The rules of an own bucket and its immutable tags. Raises BUCKET_UNKNOWN."""
    found = sql.policy(rows, own(ctx, rows, bucket).id)
    assert found is not None
    return found


@dataclass(slots=True)
class Preview:
    """What would go: how many tags, and one page of them, by image and from the newest to the oldest."""

    total: int = 0
    page: list[Leaving] = field(default_factory=list)


async def preview(
    ctx: Ctx, bucket: str, rules: tuple[Rule, ...] | None, *, image: str | None, limit: int, offset: int
) -> Preview:
    """What the rules would take from a bucket, or one image of it, if they were applied now; None: the set rules.

    Nothing is changed. Raises BUCKET_UNKNOWN, IMAGE_UNKNOWN, THROTTLED while the account has one running.
    """
    found = Preview()
    with _alone(ctx):
        await pulls.flush(ctx.hub)
        held = await ctx.hub.db.read(lambda rows: show(ctx, rows, bucket))
        wanted = retention.parse(held.rules) if rules is None else rules
        async for image_id, name in _images(ctx.hub, held.bucket_id, image):
            async for leaving in _leaving(ctx.hub, image_id, name, wanted, held.immutable):
                room = slice(max(offset - found.total, 0), offset + limit - found.total)
                found.page += leaving[room] if room.stop > 0 else []
                found.total += len(leaving)
    return found


@dataclass(slots=True)
class Report:
    """What went. ``is_finished``: all that the rules let go; else (bounds, changes meanwhile) ask again."""

    gone: list[Leaving] = field(default_factory=list)
    is_finished: bool = True


async def apply(ctx: Ctx, bucket: str, *, image: str | None, most: int) -> Report:
    """Apply the set rules now to a bucket or one image of it, and take at most so many tags.

    Raises DENIED, BUCKET_UNKNOWN, IP_REJECTED, IMAGE_UNKNOWN, THROTTLED.
    """
    _need(ctx, "delete", "to delete tags")

    def opened(rows: Rows) -> Policy:
        permits.check_network(ctx, own(ctx, rows, bucket).place, "delete")
        return show(ctx, rows, bucket)

    with _alone(ctx):
        held = await ctx.hub.db.read(opened)
        report = Report()
        async for gone in _sweep(ctx, held.bucket_id, report, image=image, most=most):
            report.gone += gone
    return report


async def _sweep(
    ctx: Ctx, bucket_id: int, report: Report, *, image: str | None = None, most: int = 2**53
) -> AsyncIterator[list[Leaving]]:
    """Take what the rules of a bucket let go, a batch each time; ``report`` learns whether that was all."""
    await pulls.flush(ctx.hub)
    left = most
    async for image_id, name in _images(ctx.hub, bucket_id, image):
        for _ in range(ATTEMPTS):
            held = await ctx.hub.db.read(sql.policy, bucket_id)
            if held is None or held.rules == "[]":
                return
            try:
                async for gone in _sweep_image(ctx, held, image_id, name, left, report):
                    left -= len(gone)
                    yield gone
                    if not left:
                        report.is_finished = False
                        return
                break
            except _Stale:
                continue
        else:
            report.is_finished = False


async def _sweep_image(
    ctx: Ctx, held: Policy, image_id: int, name: str, most: int, report: Report
) -> AsyncIterator[list[Leaving]]:
    """Batches of at most ``most`` tags that are gone from an image. Raises _Stale when it must be begun again."""
    seen = await ctx.hub.db.read(history.last)
    async for leaving in _leaving(ctx.hub, image_id, name, retention.parse(held.rules), held.immutable):
        for start in range(0, len(leaving), BATCH):
            batch = leaving[start : start + min(BATCH, most)]
            await pulls.flush(ctx.hub)
            gone, seen = await ctx.hub.db.write(_take, ctx, held, image_id, batch, seen)
            most -= len(gone)
            report.is_finished &= len(gone) == len(batch)
            if gone:
                yield gone


def _take(
    rows: Rows, ctx: Ctx, held: Policy, image_id: int, batch: list[Leaving], seen: int
) -> tuple[list[Leaving], int]:
    """Delete those of the tags that are still what was judged: (they, the newest line of history now)."""
    now_held = sql.policy(rows, held.bucket_id)
    if now_held is None or (now_held.rules, now_held.immutable) != (held.rules, held.immutable):
        raise _Stale
    if history.has_deletion(rows, image_id, seen):
        raise _Stale
    untagged = ctx.hub.settings.untagged_after
    gone = [
        one
        for one in batch
        if sql.tag(rows, image_id, one.tag.name) == one.tag
        and manifests.delete_tag(rows, image_id, one.tag.name, ctx.now, untagged, WHO, only=one.tag.manifest_id)
    ]
    if gone:
        names = " ".join(one.tag.name for one in gone)
        audit.write(rows, ctx, "Retention", f"{held.bucket}/{gone[0].image} {len(gone)} tags: {names}", held.account_id)
    return gone, history.last(rows)


async def _leaving(
    hub: Hub, image_id: int, name: str, rules: tuple[Rule, ...], immutable: str
) -> AsyncIterator[list[Leaving]]:
    """What the rules let go of an image, a page of tags each time, from the newest to the oldest."""
    judge = Judge(rules, name, int(hub.clock()))
    fixed = globs.selection(immutable)
    after: Tag | None = None
    while page := await hub.db.read(sql.newest, image_id, after, PAGE):
        judged = [(tag, judge.verdict(tag)) for tag in page]
        yield [Leaving(name, tag, why) for tag, why in judged if why and not fixed.has(name, tag.name)]
        after = page[-1]
        await asyncio.sleep(0)  # reads run on the event loop: others get their turn


async def _images(hub: Hub, bucket_id: int, only: str | None) -> AsyncIterator[tuple[int, str]]:
    """(id, name) of the images of a bucket that hold tags, or of one. Raises IMAGE_UNKNOWN."""
    if only is not None:
        image_id = await hub.db.read(buckets_sql.find_image, bucket_id, only)
        if image_id is None:
            raise HubError(Kind.IMAGE_UNKNOWN, only)
        yield image_id, only
        return
    after = ""
    while page := await hub.db.read(sql.images, bucket_id, after, PAGE):
        for one in page:
            yield one
        after = page[-1][1]


@contextmanager
def _alone(ctx: Ctx) -> Iterator[None]:
    """One look through a bucket at a time for each account. Raises THROTTLED."""
    sweeping, account_id = ctx.hub.sweeping, ctx.who.account_id
    if account_id in sweeping:
        raise HubError(Kind.THROTTLED, "a preview or a run of retention is going on in this account")
    sweeping.add(account_id)
    try:
        yield
    finally:
        sweeping.discard(account_id)


def _need(ctx: Ctx, right: str, purpose: str) -> None:
    if right not in ctx.who.rights:
        raise HubError(Kind.DENIED, f"the right {right!r} is needed {purpose}; ask the account's main user")


async def step(hub: Hub) -> bool:
    """Apply the rules of one bucket that is due; whether there was one.

    It is claimed for an hour first: a run that is killed, or could not finish, is taken up again, by whichever process.
    """
    now = int(hub.clock())
    bucket_id = await hub.db.write(sql.claim, now, now + LEASE)
    held = await hub.db.read(sql.policy, bucket_id) if bucket_id is not None else None
    if held is None:
        return False
    report, tags = Report(), 0
    ctx = Ctx(hub, Who(account_id=held.account_id, email=WHO))
    async for gone in _sweep(ctx, held.bucket_id, report):
        tags += len(gone)
        await asyncio.sleep(PAUSE)
    if report.is_finished:
        await hub.db.write(sql.ran, held.bucket_id, held.rules, now, now + retention.DAY)
    if tags:
        log.info("retention", bucket=held.bucket, tags=tags, finished=report.is_finished)
    return True


async def run(hub: Hub) -> None:
    """Until cancelled: every bucket that has rules, once a day."""
    while True:
        more = False
        try:
            if await clocks.is_steady(hub):
                more = await step(hub)
                hub.did("retention")
        except HubError as fault:  # a full disk or a busy database passes; the claim ends and it is done then
            log.warning("retention failed", reason=fault.message)
        except Exception:
            log.exception("retention failed; it is tried again in an hour")
        await asyncio.sleep(PAUSE if more else PERIOD)
