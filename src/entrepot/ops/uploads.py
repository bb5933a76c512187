"""Uploads: receive, hash on the way in, and publish. Bytes become durable before rows, rows before the answer.

A session's row holds how much was received and the digest of exactly that, so the usual push (one data-bearing
request, then an empty PUT) ends in a string compare on any worker. A running hash cannot be stored; another
worker, or this one after a restart, reads the bytes again once.

Whoever appends owns the session until its row says what came: the next one starts from there, never from before.
"""

from collections.abc import AsyncIterator
from typing import Any

from entrepot import failpoint
from entrepot.errors import HubError, Kind
from entrepot.model import digest as digests
from entrepot.model.digest import Digest
from entrepot.model.names import Repository
from entrepot.ops import audit, damage, quotas, sessions
from entrepot.ops.context import Ctx, Hub
from entrepot.ops.sessions import Place, Session, gone
from entrepot.store.blobs import Broken, Growing, Unreread
from entrepot.store.db import Rows
from entrepot.store.sql import blobs as sql
from entrepot.store.sql import buckets as buckets_sql
from entrepot.store.sql import collect as collect_sql
from entrepot.store.sql import damage as damage_sql
from entrepot.store.sql.damage import Object

Body = AsyncIterator[bytes]
_RUNNING = 1024
"""Most running hashes kept in one process."""


async def check_room(ctx: Ctx, bucket_id: int, size: int) -> None:
    """Refuse an upload whose bytes the bucket's quotas leave no room for, or one too many of the caller's.

    Raises QUOTA_EXCEEDED, THROTTLED.
    """
    await sessions.check_open(ctx)
    left = await ctx.hub.db.read(quotas.room, ctx.hub.settings, bucket_id)
    if left is not None and left < max(size, 1):
        raise quotas.no_room(left)


async def _within(ctx: Ctx, bucket_id: int, body: Body) -> Body:
    """The body, as far as the bucket's quotas leave room for it when it begins; raises QUOTA_EXCEEDED past that."""
    left = await ctx.hub.db.read(quotas.room, ctx.hub.settings, bucket_id)
    if left is None:
        async for chunk in body:
            yield chunk
        return
    seen = 0
    async for chunk in body:
        seen += len(chunk)
        if seen > left:
            raise quotas.no_room(left)
        yield chunk


async def append(ctx: Ctx, session: Session, start: int | None, body: Body) -> Session:
    """Receive the next bytes; the session as it is then.

    ``start`` is where the client thinks it is (None: wherever we are); another place raises RANGE_INVALID and leaves
    the session usable. When the body breaks off, what came is kept and Broken goes on to the caller. Past the quotas
    of the bucket QUOTA_EXCEEDED ends the session. Raises THROTTLED for one unfinished upload too many.
    """
    if start is not None and start != session.received:
        raise HubError(Kind.RANGE_INVALID, f"the next byte is {session.received}, not {start}")
    if not session.has_row:
        await sessions.check_open(ctx)
    failpoint.at("append.found")
    async with ctx.hub.blobs.writing(session.id, session.held) as file:
        session = await _still(ctx, session, file)
        if file.size < session.received:
            # After a power cut the file can be shorter than what was acknowledged of an unfinished upload.
            await cancel(ctx, session)
            raise gone(session.id)
        hasher = await _resume(ctx.hub, session)
        try:
            written = await file.append(session.received, _within(ctx, session.place.bucket_id, body), hasher)
        except Broken as broken:
            await _advance(ctx, session._replace(held=file.held), broken.written, hasher)
            raise
        except HubError as fault:
            if fault.kind is Kind.QUOTA_EXCEEDED:
                await cancel(ctx, session)  # it can never end well, and its bytes take room from the others
            raise
        failpoint.at("append.written")
        return await _advance(ctx, session._replace(held=file.held), written, hasher)


async def _still(ctx: Ctx, session: Session, file: Growing) -> Session:
    """The session as it is now that it is ours. Raises unless it is where it was: somebody may have owned it before."""
    try:
        now = await sessions.find(ctx, session.place, session.id)
    except HubError:
        file.undo()
        raise
    if now.received != session.received:
        raise HubError(Kind.RANGE_INVALID, f"the upload went on meanwhile: the next byte is {now.received}")
    return now


async def _resume(hub: Hub, session: Session) -> Any:
    running = hub.running.pop(session.id, None)
    if running is not None and running[0] == session.received:
        return running[1]
    hasher = digests.hasher(session.algorithm)
    try:
        await hub.blobs.hash_upload(session.id, session.received, hasher, session.held)
    except Unreread:
        return _Unheard()
    return hasher


class _Unheard:
    """Stands for the hash of bytes of which some cannot be read again yet: the stored object is read at the end."""

    def update(self, data: bytes | bytearray | memoryview, /) -> None:
        """Nothing could come of it."""

    def hexdigest(self) -> str:
        """No digest has this one."""
        return ""


async def _advance(ctx: Ctx, session: Session, written: int, hasher: Any) -> Session:
    received = session.received + written
    so_far = f"{session.algorithm}:{hasher.hexdigest()}"

    def move(rows: Rows) -> Place:
        if session.has_row:
            moved = sql.advance(
                rows,
                session.id,
                before=session.received,
                received=received,
                digest=so_far,
                now=ctx.now,
                held=session.held,
            )
            if not moved:
                raise gone(session.id)
            return session.place
        return sessions.add_row(rows, ctx, session, received, so_far)

    place = await ctx.hub.db.note(move)
    failpoint.at("append.noted")
    while len(ctx.hub.running) >= _RUNNING:
        ctx.hub.running.pop(next(iter(ctx.hub.running)))
    ctx.hub.running[session.id] = (received, hasher)
    return Session(session.id, place, session.algorithm, received, so_far, has_row=True, held=session.held)


async def finish(ctx: Ctx, session: Session, digest: Digest) -> None:
    """Close a session as the blob ``digest``, linked in its image. Raises DIGEST_INVALID (the session is gone then).

    Two finishes of one digest at once both succeed: one object is kept, the other one's bytes are dropped. Of two that
    finish one session, one raises UPLOAD_UNKNOWN, when the other one has ended it.
    """
    try:
        await _finish(ctx, session, digest)
    except HubError as fault:
        if fault.kind not in {Kind.UPLOAD_UNKNOWN, Kind.RANGE_INVALID}:
            raise
        if await sessions.ends_soon(ctx, session):
            raise gone(session.id) from fault
        if fault.kind is Kind.UPLOAD_UNKNOWN:  # where its bytes are gone it can never end well
            await cancel(ctx, session, session.received)
        raise


async def _finish(ctx: Ctx, session: Session, digest: Digest) -> None:
    if await ctx.hub.blobs.size(session.id, session.held) < session.received:
        raise gone(session.id)
    so_far = session.digest_so_far
    # The row's digest is of what was received, which after a power cut need not be what the disk holds: only the
    # process that received it may trust it.
    received_here = ctx.hub.running.get(session.id, (None, None))[0] == session.received
    is_sure = received_here or session.received == 0 or ctx.hub.blobs.is_durable
    is_late = False
    if digest.algorithm != session.algorithm or not is_sure or so_far.endswith(":"):
        hasher = digests.hasher(digest.algorithm)
        try:
            await ctx.hub.blobs.hash_upload(session.id, session.received, hasher, session.held)
        except Unreread:
            is_late = True
        so_far = f"{digest.algorithm}:{hasher.hexdigest()}"
    if so_far != str(digest) and not is_late:
        await cancel(ctx, session)
        raise HubError(
            Kind.DIGEST_INVALID, f"what was received has {so_far}, announced was {digest}; push the blob again"
        )
    ctx.hub.running.pop(session.id, None)
    content = None
    if session.received <= ctx.hub.settings.row_bytes:
        content = await ctx.hub.blobs.content(session.id, session.received, session.held)
        if digests.of(content, digest.algorithm) != str(digest):
            raise gone(session.id)  # another request took the session between, and writes to it
    await _publish(
        ctx, session.place, session.id, session.received, digest, content, session, session.held, is_late=is_late
    )


async def finish_at_once(ctx: Ctx, session: Session, digest: Digest, body: Body) -> None:
    """Close a session that has received nothing yet as a small blob whose bytes come now; as ``finish``.

    The bytes go from memory into the row: no file is made. Raises Broken, and leaves the session as it was.
    """
    content = b"".join([chunk async for chunk in body])
    if digests.of(content, digest.algorithm) != str(digest):
        await cancel(ctx, session)
        raise HubError(Kind.DIGEST_INVALID, f"what was received is not {digest}; push the blob again")
    await _publish(ctx, session.place, session.id, len(content), digest, content, session)


async def whole(ctx: Ctx, place: Place, digest: Digest, body: Body, size: int | None) -> None:
    """A blob in one request: no session row, one commit. Raises DIGEST_INVALID, and keeps nothing then.

    ``size``: what the request announced, None when it comes in chunks.
    """
    session = ctx.hub.new_id()
    hasher = digests.hasher(digest.algorithm)
    content: bytes | None = None
    held = ""
    if size is not None and size <= ctx.hub.settings.row_bytes:
        content = b"".join([chunk async for chunk in body])
        received = len(content)
        hasher.update(content)
    else:
        try:
            async with ctx.hub.blobs.writing(session) as file:
                received = await file.append(0, _within(ctx, place.bucket_id, body), hasher)
                held = file.held
        except BaseException:
            await ctx.hub.blobs.drop_upload(session)
            raise
    so_far = f"{digest.algorithm}:{hasher.hexdigest()}"
    if so_far != str(digest):
        await ctx.hub.blobs.drop_upload(session)
        raise HubError(Kind.DIGEST_INVALID, f"what was received has {so_far}, announced was {digest}")
    await _publish(ctx, place, session, received, digest, content, None, held)


async def _publish(
    ctx: Ctx, place: Place, name: str, size: int, digest: Digest, content: bytes | None, session: Session | None,
    held: str = "", *, is_late: bool = False,
) -> None:  # fmt: skip
    """Make what was received under ``name`` a blob of the image: durable first, then its row.

    ``content``: the bytes of a small one, which go into the row. ``session``: what ends with it, if there is one.
    ``is_late``: whether they have this digest is not known yet. Of two that end a session one does, and the other one,
    or whoever cancels it, finds it ended: bytes are never taken away under a row.
    """
    hub = ctx.hub
    on_disk = session.has_row if session else content is None
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
        if known is None:
            blob_id, kept = sql.keep(rows, digest=str(digest), size=size, key=key, now=ctx.now, content=content)
        else:
            blob_id, kept = known.id, known.key if is_good else key
            if not is_good:
                damage.heal(rows, known, key=key, content=content, now=ctx.now)
        warnings = quotas.check_bytes(rows, ctx, sql.link(rows, image_id, blob_id, ctx.now, hub.settings.grace_seconds))
        return kept, warnings

    try:
        done = await hub.db.write(add) if seen is not None and not is_late else None
        if done is None:
            small = content is not None
            key = f"row:{hub.new_id()}" if small else await _commit(ctx, name, size, digest, session, held, is_late)
            failpoint.at("publish.ready")
            done = await hub.db.write(add)
            assert done is not None
    except HubError as fault:
        await _forget_refused(ctx, name, key, session, fault)
        raise
    failpoint.at("publish.linked")
    quotas.warn(ctx, done[1])
    if key and content is None:
        if done[0] != key:
            await hub.blobs.delete(key)
    elif on_disk:
        await hub.blobs.drop_upload(name, held)
    failpoint.at("publish.tidied")


async def _commit(
    ctx: Ctx, name: str, size: int, digest: Digest, session: Session | None, held: str, is_late: bool
) -> str:
    """Make a stored object of what was received; its key.

    Where nobody knows its digest it is read: raises DIGEST_INVALID, and the session and the object are gone then.
    """
    key = await ctx.hub.blobs.commit(name, size, digest.algorithm, digest.hex, held)
    if not is_late:
        return key
    hasher = digests.hasher(digest.algorithm)
    await ctx.hub.blobs.hash_stored(key, 0, size, hasher)
    if hasher.hexdigest() == digest.hex:
        return key
    if session is None or await cancel(ctx, session):
        await ctx.hub.blobs.delete(key)
    raise HubError(Kind.DIGEST_INVALID, f"what was received is not {digest}; push the blob again")


async def _forget_refused(ctx: Ctx, name: str, key: str, session: Session | None, fault: HubError) -> None:
    """After a refusal for good, no row knows the bytes: they and their session must not stay."""
    if fault.kind not in {Kind.QUOTA_EXCEEDED, Kind.NAME_UNKNOWN}:
        return
    is_over = True
    if session and fault.kind is Kind.QUOTA_EXCEEDED:
        is_over = await cancel(ctx, session)
    else:
        await ctx.hub.blobs.drop_upload(name, session.held if session else "")
    if is_over and key and not key.startswith("row:"):
        for orphan in await ctx.hub.db.read(collect_sql.unknown_keys, [key]):
            await ctx.hub.blobs.delete(orphan)


async def cancel(ctx: Ctx, session: Session, at: int | None = None) -> bool:
    """End a session and forget its bytes; False when it had ended already: then they are somebody's.

    ``at``: only if it has received that many bytes and no more.
    """
    ctx.hub.running.pop(session.id, None)
    ended: bool = await ctx.hub.db.note(sessions.end, ctx, session, at)
    failpoint.at("cancel.ended")
    if ended:
        await ctx.hub.blobs.drop_upload(session.id, session.held)
    failpoint.at("cancel.dropped")
    return ended


async def mount(ctx: Ctx, place: Place, digest: Digest, source: tuple[int, int | None]) -> bool:
    """Link a blob that the caller may read elsewhere; False when there is none, or its bytes are damaged.

    ``source`` is (account whose buckets may be searched beside the public ones, or the one image to take it from).
    """
    account_id, source_image = source

    def adopt(rows: Rows) -> Object | None:
        if source_image is not None:
            blob = sql.linked(rows, source_image, str(digest))
        else:
            blob = sql.readable(rows, str(digest), account_id)
        if blob is None or blob.fault:
            return None
        image_id = buckets_sql.image_for_push(rows, place.bucket_id, place.image, ctx.now)
        usage = sql.link(rows, image_id, blob.id, ctx.now, ctx.hub.settings.grace_seconds)
        quotas.check_bytes(rows, ctx, usage)
        return blob

    failpoint.at("mount.begun")
    blob = await ctx.hub.db.write(adopt)
    failpoint.at("mount.done")
    return blob is not None and await damage.stands(ctx.hub, blob)


async def delete_blob(ctx: Ctx, repository: Repository, image_id: int | None, digest: Digest) -> None:
    """Take a blob out of an image. Raises BLOB_UNKNOWN, and UNSUPPORTED while a manifest of the image needs it."""

    def remove(rows: Rows) -> None:
        blob = sql.linked(rows, image_id, str(digest)) if image_id else None
        if blob is None or image_id is None:
            raise HubError(Kind.BLOB_UNKNOWN, str(digest))
        if sql.is_used(rows, image_id, blob.id):
            raise HubError(Kind.UNSUPPORTED, "a manifest of this image needs the blob; delete the manifest first")
        sql.unlink(rows, image_id, blob.id, ctx.now)
        audit.write(rows, ctx, "DeleteBlob", f"{repository} {digest}", ctx.who.account_id)

    failpoint.at("delete-blob.begun")
    await ctx.hub.db.write(remove)
    failpoint.at("delete-blob.done")
