"""What was received becomes a blob of an image: bytes durable first, then one write of rows.

Of two that end one session one does, and the other one, or whoever cancels it, finds it ended: bytes are never taken
away under a row.
"""

from typing import NamedTuple

from entrepot import failpoint
from entrepot.errors import HubError, Kind
from entrepot.model import digest as digests
from entrepot.model.digest import Digest
from entrepot.ops import damage, quotas, sessions
from entrepot.ops.context import Ctx
from entrepot.ops.sessions import Place, Session, gone
from entrepot.store.blobs import Growing
from entrepot.store.db import Rows
from entrepot.store.sql import blobs as sql
from entrepot.store.sql import buckets as buckets_sql
from entrepot.store.sql import collect as collect_sql
from entrepot.store.sql import damage as damage_sql


class Received(NamedTuple):
    """Bytes that came under the name of an upload.

    ``held``: what the store must know of them (store.blobs). ``content``: those of a small blob, which go into its row.
    ``file``: the upload, where it is still owned. ``is_late``: whether they have the digest is not known yet.
    """

    name: str
    size: int
    held: str = ""
    content: bytes | None = None
    file: Growing | None = None
    is_late: bool = False


async def publish(ctx: Ctx, place: Place, digest: Digest, received: Received, session: Session | None) -> None:
    """Make what was received a blob of the image: durable first, then its row. ``session``: what ends with it.

    Raises DIGEST_INVALID where only the stored object could be read, UPLOAD_UNKNOWN for a session that ended meanwhile,
    QUOTA_EXCEEDED, NAME_UNKNOWN.
    """
    hub = ctx.hub
    key = ""
    seen = await hub.db.read(damage_sql.by_digest, str(digest))
    fallen = seen.key if seen is not None and await damage.glance(hub, seen) else None
    failpoint.at("publish.looked")

    def add(rows: Rows) -> tuple[str, list[str]] | None:
        image_id = buckets_sql.image_for_push(rows, place.bucket_id, place.image, ctx.now)
        known = damage_sql.by_digest(rows, str(digest))
        is_good = known is not None and not known.fault and known.key != fallen
        if not is_good and not key:
            return None  # it was good a moment ago, and is collected or damaged now: these bytes are needed after all
        if session:  # before its key is anybody's: where a key is the session's, two that end it come with the same one
            ending = session._replace(place=place._replace(image_id=image_id))
            if not sessions.end(rows, ctx, ending, at=session.received):
                raise gone(session.id)
        content = received.content
        if known is None:
            blob_id, kept = sql.keep(
                rows, digest=str(digest), size=received.size, key=key, now=ctx.now, content=content
            )
        else:
            blob_id, kept = known.id, known.key if is_good else key
            if not is_good:
                damage.heal(rows, known, key=key, content=content, now=ctx.now)
        warnings = quotas.check_bytes(rows, ctx, sql.link(rows, image_id, blob_id, ctx.now, hub.settings.grace_seconds))
        return kept, warnings

    try:
        done = await hub.db.write(add) if seen is not None and not received.is_late else None
        if done is None:
            is_small = received.content is not None
            key = f"row:{hub.new_id()}" if is_small else await _commit(ctx, received, digest, session)
            failpoint.at("publish.ready")
            done = await hub.db.write(add)
            assert done is not None
    except HubError as fault:
        await _forget_refused(ctx, received.name, key, session, fault)
        raise
    failpoint.at("publish.linked")
    quotas.warn(ctx, done[1])
    await _tidy(ctx, received, session, key, kept=done[0])
    failpoint.at("publish.tidied")


async def _tidy(ctx: Ctx, received: Received, session: Session | None, key: str, *, kept: str) -> None:
    """Remove what did not become the blob: an object that another one's was kept for, or an upload not needed."""
    if key and received.content is None:
        if kept != key:
            await ctx.hub.blobs.delete(key)
    elif received.content is None or (session is not None and session.has_row):
        await ctx.hub.blobs.drop_upload(received.name, received.held)


async def _commit(ctx: Ctx, received: Received, digest: Digest, session: Session | None) -> str:
    """Make a stored object of what was received; its key.

    Where nobody knows its digest it is read: raises DIGEST_INVALID, and the session and the object are gone then.
    """
    if received.file is not None:
        return await received.file.commit(digest.algorithm, digest.hex)
    blobs = ctx.hub.blobs
    key = await blobs.commit(received.name, received.size, digest.algorithm, digest.hex, received.held)
    if not received.is_late:
        return key
    hasher = digests.hasher(digest.algorithm)
    await blobs.hash_stored(key, 0, received.size, hasher)
    if hasher.hexdigest() == digest.hex:
        return key
    if session is None or await sessions.cancel(ctx, session):
        await blobs.delete(key)
    raise HubError(Kind.DIGEST_INVALID, f"what was received is not {digest}; push the blob again")


async def _forget_refused(ctx: Ctx, name: str, key: str, session: Session | None, fault: HubError) -> None:
    """After a refusal for good, no row knows the bytes: they and their session must not stay."""
    if fault.kind not in {Kind.QUOTA_EXCEEDED, Kind.NAME_UNKNOWN}:
        return
    is_over = True
    if session and fault.kind is Kind.QUOTA_EXCEEDED:
        is_over = await sessions.cancel(ctx, session)
    else:
        await ctx.hub.blobs.drop_upload(name, session.held if session else "")
    if is_over and key and not key.startswith("row:"):
        for orphan in await ctx.hub.db.read(collect_sql.unknown_keys, [key]):
            await ctx.hub.blobs.delete(orphan)
