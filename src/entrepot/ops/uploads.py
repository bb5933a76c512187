"""Uploads: receive and hash on the way in; what ends well is published (ops.publish).

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
from entrepot.ops.publish import Received, publish
from entrepot.ops.sessions import Place, Session, gone
from entrepot.store.blobs import Broken, Growing, Unreread
from entrepot.store.db import Rows
from entrepot.store.sql import blobs as sql
from entrepot.store.sql import buckets as buckets_sql
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
            await sessions.cancel(ctx, session)
            raise gone(session.id)
        hasher = await _resume(ctx.hub, session)
        try:
            written = await file.append(session.received, _within(ctx, session.place.bucket_id, body), hasher)
        except Broken as broken:
            await _advance(ctx, session._replace(held=file.held), broken.written, hasher)
            raise
        except HubError as fault:
            if fault.kind is Kind.QUOTA_EXCEEDED:
                await sessions.cancel(ctx, session)  # it can never end well, and its bytes take room from the others
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
            await sessions.cancel(ctx, session, session.received)
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
        await sessions.cancel(ctx, session)
        raise _other(so_far, digest)
    ctx.hub.running.pop(session.id, None)
    content = None
    if session.received <= ctx.hub.settings.row_bytes:
        content = await ctx.hub.blobs.content(session.id, session.received, session.held)
        if digests.of(content, digest.algorithm) != str(digest):
            raise gone(session.id)  # another request took the session between, and writes to it
    received = Received(session.id, session.received, session.held, content=content, is_late=is_late)
    await publish(ctx, session.place, digest, received, session)


async def finish_at_once(ctx: Ctx, session: Session, digest: Digest, body: Body, size: int | None) -> None:
    """Close a session that has received nothing yet as the blob whose bytes come now; as ``finish``.

    A small one goes from memory into its row: no file is made. Of a larger one that breaks off, what came is kept, and
    Broken goes on to the caller. ``size``: what the request announced, None when it comes in chunks. Raises THROTTLED,
    as ``append``.
    """
    if _is_small(ctx, size):
        await _small(ctx, session.place, session.id, digest, body, session)
        return
    if not session.has_row:
        await sessions.check_open(ctx)
    async with ctx.hub.blobs.writing(session.id, is_one_request=True) as file:
        session = await _still(ctx, session, file)
        hasher = digests.hasher(digest.algorithm)
        try:
            received = await file.append(0, _within(ctx, session.place.bucket_id, body), hasher)
        except Broken as broken:
            if digest.algorithm == session.algorithm:
                await _advance(ctx, session._replace(held=file.held), broken.written, hasher)
            raise
        except HubError as fault:
            if fault.kind is Kind.QUOTA_EXCEEDED:
                await sessions.cancel(ctx, session)
            raise
        if (so_far := f"{digest.algorithm}:{hasher.hexdigest()}") != str(digest):
            await sessions.cancel(ctx, session)
            raise _other(so_far, digest)
        await publish(ctx, session.place, digest, Received(session.id, received, file.held, file=file), session)


async def whole(ctx: Ctx, place: Place, digest: Digest, body: Body, size: int | None) -> None:
    """A blob in one request: no session row, one commit. Raises DIGEST_INVALID, and keeps nothing then.

    ``size``: as of ``finish_at_once``.
    """
    name = ctx.hub.new_id()
    if _is_small(ctx, size):
        await _small(ctx, place, name, digest, body, None)
        return
    hasher = digests.hasher(digest.algorithm)
    async with ctx.hub.blobs.writing(name, is_one_request=True) as file:
        try:
            received = await file.append(0, _within(ctx, place.bucket_id, body), hasher)
            if (so_far := f"{digest.algorithm}:{hasher.hexdigest()}") != str(digest):
                raise _other(so_far, digest)
        except BaseException:
            await ctx.hub.blobs.drop_upload(name, file.held)
            raise
        await publish(ctx, place, digest, Received(name, received, file.held, file=file), None)


def _is_small(ctx: Ctx, size: int | None) -> bool:
    return size is not None and size <= ctx.hub.settings.row_bytes


async def _small(ctx: Ctx, place: Place, name: str, digest: Digest, body: Body, session: Session | None) -> None:
    content = b"".join([chunk async for chunk in body])
    if (so_far := digests.of(content, digest.algorithm)) != str(digest):
        if session:
            await sessions.cancel(ctx, session)
        raise _other(so_far, digest)
    await publish(ctx, place, digest, Received(name, len(content), content=content), session)


def _other(so_far: str, digest: Digest) -> HubError:
    return HubError(Kind.DIGEST_INVALID, f"what was received has {so_far}, announced was {digest}; push the blob again")


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
