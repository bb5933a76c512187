"""Check a hub: rows against bytes, references against links, counters against rows. Runs beside a server that goes on.

Everything goes in batches, and findings are handed out as they are made, so memory stays flat at any size. Repair does
what loses nothing: what is damaged is marked and set aside, what is missing waits for the next push of the same digest.
"""

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import NamedTuple

from entrepot.errors import HubError
from entrepot.ops import collect, damage
from entrepot.ops.context import Hub
from entrepot.store.db import Rows
from entrepot.store.sql import blobs as blobs_sql
from entrepot.store.sql import check as sql
from entrepot.store.sql import damage as damage_sql
from entrepot.store.sql.check import Dangling
from entrepot.store.sql.damage import Document, Object

PAGE = 500
MOST = 100_000
"""Most findings that ``check`` gathers; ``walk`` has no end."""
Progress = Callable[[int, int], None]


class Finding(NamedTuple):
    """Something that is not as it should be; ``next``: what was done about it, and what its reader does."""

    kind: str
    what: str
    is_repaired: bool = False
    next: str = ""


class Tally:
    """How far the whole check is, in rows and folders."""

    def __init__(self, total: int, progress: Progress) -> None:
        self._total, self._done, self._progress = total, 0, progress

    def add(self, count: int) -> None:
        """So many more are done."""
        self._done += count
        self._progress(self._done, max(self._total, self._done))


async def check(hub: Hub, *, deep: bool, repair: bool, progress: Progress) -> list[Finding]:
    """Everything that is found, up to MOST."""
    found: list[Finding] = []
    async for one in walk(hub, deep=deep, repair=repair, progress=progress):
        found.append(one)
        if len(found) == MOST:
            break
    return found


async def walk(hub: Hub, *, deep: bool, repair: bool, progress: Progress) -> AsyncIterator[Finding]:
    """Findings as they are made. ``deep`` reads every byte. ``repair`` acts on them, each in a transaction of its own.

    A part of the database that cannot be read is a finding, and the other parts are checked all the same.
    """
    for line in await hub.db.damage(deep=deep):
        yield Finding("database", line, next="bring back a copy of hub.db; what is damaged in it cannot be made up")
    try:
        total = await hub.db.read(sql.row_count, deep) + hub.blobs.shards
    except HubError as fault:
        yield _unreadable("the database", fault)
        return
    tally = Tally(total, progress)
    parts = {
        "blobs": _blobs(hub, tally, deep=deep, repair=repair),
        "stored objects": _orphans(hub, tally, repair=repair),
        "manifests": _manifests(hub, tally, deep=deep, repair=repair),
        "links": _dangling(hub, repair=repair),
        "counters": _counters(hub, tally, repair=repair),
    }
    for name, part in parts.items():
        try:
            async with contextlib.aclosing(part) as findings:
                async for one in findings:
                    yield one
        except HubError as fault:
            yield _unreadable(name, fault)


def _unreadable(name: str, fault: HubError) -> Finding:
    return Finding("unchecked", f"{name}: {fault.message}", next="set that right, then check again")


async def _blobs(hub: Hub, tally: Tally, *, deep: bool, repair: bool) -> AsyncGenerator[Finding, None]:
    after = 0
    while page := await hub.db.read(damage_sql.blobs, after, PAGE):
        for blob in page:
            fault = await (damage.examine if deep or blob.fault else damage.glance)(hub, blob)
            still: bool = bool(fault or blob.fault) and await hub.db.read(sql.is_there, blob.id, blob.key)
            if still:
                yield await _about(hub, blob, fault, repair=repair)
        after = page[-1].id
        tally.add(len(page))


async def _about(hub: Hub, blob: Object, fault: str, *, repair: bool) -> Finding:
    """A blob that is damaged, is marked, or both."""
    what = f"blob {blob.digest}: {_words(blob.fault or fault, blob)}"
    kind = "missing" if (blob.fault or fault) == "missing" else "damaged"
    if fault:
        heal = "push it again: that heals it for every image that has it (`docker push` of an image with it does)"
        if repair:
            await damage.mark(hub, blob, fault)
            aside = "" if blob.inside is not None or fault in {"missing", "unreadable"} else ", its bytes set aside"
            return Finding(kind, what, next=f"marked, not served{aside}; {heal}")
        return Finding(kind, what, next=f"{'marked, not served' if blob.fault else '--repair'}; {heal}")
    if repair:
        await damage.mark(hub, blob, "")
    return Finding(
        "marked",
        f"blob {blob.digest}: marked as {blob.fault}, and its bytes are right",
        is_repaired=repair,
        next="it is served again" if repair else "--repair takes the mark away",
    )


def _words(fault: str, blob: Object) -> str:
    where = "in its row" if blob.inside is not None else f"({blob.key})"
    return {
        "missing": f"its bytes {where} are not there",
        "short": f"its bytes {where} are fewer than the {blob.size} that were pushed",
        "long": f"its bytes {where} are more than the {blob.size} that were pushed",
        "unreadable": f"the disk cannot read its bytes {where}",
        "damaged": f"its bytes {where} have another digest",
    }[fault]


async def _orphans(hub: Hub, tally: Tally, *, repair: bool) -> AsyncGenerator[Finding, None]:
    before = hub.clock() - max(hub.settings.upload_seconds, hub.settings.grace_seconds if repair else 0)
    for shard in range(hub.blobs.shards):
        async for key in collect.orphans(hub, shard, before):
            if repair:
                await hub.blobs.delete(key)
            yield Finding(
                "orphan",
                f"{key}: bytes that no row knows",
                is_repaired=repair,
                next="removed" if repair else "nothing is lost by it; the server or `entrepot gc` removes it",
            )
        tally.add(1)


async def _manifests(hub: Hub, tally: Tally, *, deep: bool, repair: bool) -> AsyncGenerator[Finding, None]:
    after = 0
    while page := await hub.db.read(damage_sql.manifests if deep else damage_sql.marked_manifests, after, PAGE):
        for manifest in page:
            fault = await damage.examine_manifest(hub, manifest)
            if fault or manifest.fault:
                yield await _about_manifest(hub, manifest, fault, repair=repair)
        after = page[-1].id
        tally.add(len(page))


async def _about_manifest(hub: Hub, manifest: Document, fault: str, *, repair: bool) -> Finding:
    if repair:
        await damage.mark_manifest(hub, manifest, fault)
    image = ", ".join(
        f"{bucket}/{image}" for *_, bucket, image in await hub.db.read(damage_sql.place, manifest.image_id)
    )
    what = f"manifest {manifest.digest} of {image}"
    if not fault:
        return Finding("marked", f"{what}: marked, and its bytes are right", repair, "" if repair else "--repair")
    done = "marked, not served" if repair or manifest.fault else "--repair"
    return Finding("damaged", f"{what}: its bytes have another digest", next=f"{done}; push it again: that heals it")


async def _dangling(hub: Hub, *, repair: bool) -> AsyncGenerator[Finding, None]:
    after = (0, 0)
    while page := await hub.db.read(sql.dangling, after, PAGE):
        for one in page:
            if repair:
                await hub.db.write(_link, hub, one)
            yield Finding(
                "dangling",
                f"manifest {one.manifest} of {one.image} names blob {one.digest}, which is not linked there",
                is_repaired=repair,
                next="linked again" if repair else "--repair links it again",
            )
        after = (page[-1].manifest_id, page[-1].blob_id)


def _link(rows: Rows, hub: Hub, one: Dangling) -> None:
    """The manifest was taken because the image had the blob, so it may have it now."""
    if sql.is_dangling(rows, one):
        blobs_sql.link(rows, one.image_id, one.blob_id, int(hub.clock()), hub.settings.grace_seconds)


async def _counters(hub: Hub, tally: Tally, *, repair: bool) -> AsyncGenerator[Finding, None]:
    """Each counter is compared with what it counts in one snapshot, and set in one transaction: pushes go on meanwhile.

    Bytes of projects add up bytes of buckets, so the order of COUNTERS counts.
    """
    for counter in sql.COUNTERS:
        after: tuple[object, ...] = ()
        while page := await hub.db.read(sql.counted, counter, after, PAGE):
            wrong = [one for one in page if one.kept != one.counted]
            if wrong and repair:
                await hub.db.write(sql.mend, counter, [one.key for one in wrong])
            for one in wrong:
                what = f"{counter.name} of {one.label}: {one.kept} is kept, {one.counted} is right"
                yield Finding("counter", what, repair, "set right" if repair else "--repair sets it right")
            after = page[-1].key
            tally.add(len(page))
