"""Stored bytes that are not what was pushed: how it is found out, marked, told and healed.

What is marked is served to nobody: a client is told the blob or manifest is unknown, so it pushes it again, and that
push gives it new bytes for every image that names it. Row first, then the bytes are set aside.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable

import structlog

from entrepot.errors import HubError, Kind
from entrepot.model import events as kinds
from entrepot.ops.context import Hub
from entrepot.store.blobs import Unreadable
from entrepot.store.db import Rows
from entrepot.store.sql import audit as audit_sql
from entrepot.store.sql import damage as sql
from entrepot.store.sql import events
from entrepot.store.sql.audit import Entry
from entrepot.store.sql.damage import Document, Object

PIECE = 4 * 1024 * 1024
"""Bytes hashed in one hop to a thread."""
TOLD = 100
"""Most images that a damaged blob is told of in the audit trail."""
READERS = 300
"""Seconds that an object stays after its blob got another one: whoever was handed its key is done by then."""
Pace = Callable[[int], Awaitable[None]]
log = structlog.get_logger("damage")


async def at_once(_read: int) -> None:
    """The pace of who does not wait."""


async def glance(hub: Hub, blob: Object) -> str:
    """What is wrong with a blob as far as its length tells; "" for nothing. Raises UNAVAILABLE."""
    if blob.inside is not None:
        held: int | None = blob.inside
    else:
        try:
            held = await hub.blobs.stored_size(blob.key)
        except Unreadable as fault:
            return fault.fault
    if held is None:
        return "missing"
    return "" if held == blob.size else "short" if held < blob.size else "long"


async def examine(hub: Hub, blob: Object, pace: Pace = at_once) -> str:
    """What is wrong with a blob: every byte is read. Raises UNAVAILABLE. ``pace`` waits after so many bytes."""
    wrong = await glance(hub, blob)
    if wrong:
        return wrong
    algorithm, _, encoded = blob.digest.partition(":")
    hasher = hashlib.new(algorithm)
    if blob.inside is not None:
        content = await hub.db.read(sql.content, blob.id) or b""
        await asyncio.to_thread(hasher.update, content)
        await pace(len(content))
    else:
        try:
            for start in range(0, blob.size, PIECE):
                length = min(PIECE, blob.size - start)
                await hub.blobs.hash_stored(blob.key, start, length, hasher)
                await pace(length)
        except Unreadable as fault:
            return fault.fault
    return "" if hasher.hexdigest() == encoded else "damaged"


async def examine_manifest(hub: Hub, manifest: Document, pace: Pace = at_once) -> str:
    """What is wrong with a manifest's bytes; "" for nothing, or when it is gone."""
    content = await hub.db.read(sql.document, manifest.id)
    if content is None:
        return ""
    algorithm, _, encoded = manifest.digest.partition(":")
    hasher = hashlib.new(algorithm)
    await asyncio.to_thread(hasher.update, content)
    await pace(len(content))
    return "" if hasher.hexdigest() == encoded else "damaged"


async def mark(hub: Hub, blob: Object, fault: str) -> bool:
    """Write down what was found ("": it is right after all), tell the accounts, set the bytes aside.

    False when all of that was known, or the blob has other bytes by now. Harmless to repeat.
    """
    now = int(hub.clock())

    def note(rows: Rows) -> bool:
        changed = sql.mark_blob(rows, blob, fault, now)
        if changed:
            _tell(rows, sql.places(rows, blob.id, TOLD), blob.digest, now, Kind.BLOB_UNKNOWN, fault)
        return changed

    changed = await hub.db.write(note)
    if changed:
        _log("blob", blob.digest, fault)
    if blob.inside is None and fault in {"short", "long", "damaged"}:
        # An unreadable object stays: the next look may succeed, when a cable was loose.
        await hub.blobs.quarantine(blob.key)
    return changed


async def mark_manifest(hub: Hub, manifest: Document, fault: str) -> bool:
    """As ``mark``; the damaged bytes stay in the row until the manifest is pushed again."""
    now = int(hub.clock())

    def note(rows: Rows) -> bool:
        changed = sql.mark_manifest(rows, manifest.id, fault, now)
        if changed:
            place = sql.place(rows, manifest.image_id)
            _tell(rows, place, manifest.digest, now, Kind.MANIFEST_UNKNOWN, fault)
        return changed

    changed = await hub.db.write(note)
    if changed:
        _log("manifest", manifest.digest, fault)
    return changed


def _tell(rows: Rows, places: list[tuple[int, int, str, str]], digest: str, now: int, kind: Kind, fault: str) -> None:
    action = "DamageFound" if fault else "DamageHealed"
    for account_id, bucket_id, bucket, image in places:
        target = f"{bucket}/{image} {digest} {fault}".rstrip()
        audit_sql.add(rows, Entry(now, account_id, "", action, target, "", kind.row.ret_code if fault else 0))
        events.note(
            rows, bucket_id, kinds.DAMAGED if fault else kinds.HEALED, now, image=image, digest=digest, Fault=fault
        )


def _log(kind: str, digest: str, fault: str) -> None:
    if fault:
        log.error(f"a {kind} is not what was pushed; push it again", digest=digest, fault=fault)
    else:
        log.info(f"a {kind} is right again", digest=digest)


def heal(rows: Rows, old: Object, *, key: str, content: bytes | None, now: int) -> None:
    """The same digest was pushed again: its blob gets the new bytes, in the transaction of the push."""
    sql.replace(rows, old, key=key, content=content, now=now, remove_after=now + READERS)
    if old.fault:
        _tell(rows, sql.places(rows, old.id, TOLD), old.digest, now, Kind.BLOB_UNKNOWN, "")
    log.warning("a blob got new bytes by a push", digest=old.digest, fault=old.fault or "found by the push")


async def stands(hub: Hub, blob: Object) -> bool:
    """Whether a blob can be served, as far as its row and its length tell. What is found out now is marked."""
    if blob.fault:
        return False
    fault = await glance(hub, blob)
    if fault:
        try:
            await mark(hub, blob, fault)
        except HubError as refusal:  # a full disk must not make a lost blob look like a trouble that passes
            log.warning("a damaged blob is not marked yet", digest=blob.digest, reason=refusal.message)
    return not fault


async def require(hub: Hub, blob: Object) -> None:
    """Raise BLOB_UNKNOWN for a blob that does not stand."""
    if not await stands(hub, blob):
        raise HubError(
            Kind.BLOB_UNKNOWN, f"{blob.digest}; its stored bytes were found damaged: push it again, that heals it"
        )


async def suspect(hub: Hub, blob_id: int, fault: str) -> None:
    """The bytes broke off while they were served: the scrub looks at the blob before all others."""
    log.error("a blob broke off while it was served; it is checked next", blob=blob_id, fault=fault)
    await hub.db.note(sql.suspect, blob_id, int(hub.clock()))
