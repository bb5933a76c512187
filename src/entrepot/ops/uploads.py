"""Uploads: receive, hash on the way in, and publish. Bytes become durable before rows, rows before the answer.

A session's row holds how much was received and the digest of exactly that, so the usual push (one data-bearing
request, then an empty PUT) ends in a string compare on any worker. A running hash cannot be stored; another
worker, or this one after a restart, reads the bytes again once.
"""

from collections.abc import AsyncIterator
from typing import Any

from entrepot.errors import HubError, Kind
from entrepot.model import digest as digests
from entrepot.model.digest import Digest
from entrepot.model.names import Repository
from entrepot.ops import audit, quotas
from entrepot.ops.context import Ctx, Hub
from entrepot.store.blobs import Broken
from entrepot.store.db import Rows
from entrepot.store.sql import blobs as sql
from entrepot.store.sql import buckets as buckets_sql
from entrepot.store.sql.blobs import Upload

Body = AsyncIterator[bytes]
_RUNNING = 1024
"""Most running hashes kept in one process."""


async def begin(ctx: Ctx, bucket_id: int, image: str, algorithm: str = "sha256") -> str:
    """A new session in an image (made when missing); its id. Raises DIGEST_INVALID for an unknown algorithm."""
    nothing = f"{algorithm}:{digests.hasher(algorithm).hexdigest()}"
    session = ctx.hub.new_id()

    def add(rows: Rows) -> None:
        image_id = buckets_sql.image_for_push(rows, bucket_id, image, ctx.now)
        sql.add_upload(
            rows,
            session=session,
            image_id=image_id,
            person_id=ctx.who.person_id,
            algorithm=algorithm,
            digest=nothing,
            now=ctx.now,
        )

    await ctx.hub.db.note(add)
    return session


async def check_room(ctx: Ctx, bucket_id: int, size: int) -> None:
    """Refuse an upload whose bytes the bucket's quotas leave no room for; raises QUOTA_EXCEEDED."""
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


async def find(ctx: Ctx, image_id: int | None, session: str) -> Upload:
    """A session of this image and this person; raises UPLOAD_UNKNOWN."""
    found = await ctx.hub.db.read(sql.find_upload, session, image_id, ctx.who.person_id) if image_id else None
    if found is None:
        raise _gone(session)
    return found


async def append(ctx: Ctx, bucket_id: int, upload: Upload, start: int | None, body: Body) -> Upload:
    """Receive the next bytes; the session as it is then.

    ``start`` is where the client thinks it is (None: wherever we are); another place raises RANGE_INVALID and leaves
    the session usable. When the body breaks off, what came is kept and Broken goes on to the caller. Past the quotas
    of the bucket QUOTA_EXCEEDED ends the session.
    """
    if start is not None and start != upload.received:
        raise HubError(Kind.RANGE_INVALID, f"the next byte is {upload.received}, not {start}")
    if await ctx.hub.blobs.size(upload.id) < upload.received:
        # After a power cut the file can be shorter than what was acknowledged of an unfinished upload.
        await cancel(ctx, upload)
        raise _gone(upload.id)
    hasher = await _resume(ctx.hub, upload)
    try:
        written = await ctx.hub.blobs.append(upload.id, upload.received, _within(ctx, bucket_id, body), hasher)
    except Broken as broken:
        await _advance(ctx, upload, broken.written, hasher)
        raise
    except HubError as fault:
        if fault.kind is Kind.QUOTA_EXCEEDED:
            await cancel(ctx, upload)  # it can never end well, and its bytes take room from the others
        raise
    return await _advance(ctx, upload, written, hasher)


async def _resume(hub: Hub, upload: Upload) -> Any:
    running = hub.running.pop(upload.id, None)
    if running is not None and running[0] == upload.received:
        return running[1]
    hasher = digests.hasher(upload.algorithm)
    await hub.blobs.hash_upload(upload.id, upload.received, hasher)
    return hasher


async def _advance(ctx: Ctx, upload: Upload, written: int, hasher: Any) -> Upload:
    received = upload.received + written
    so_far = f"{upload.algorithm}:{hasher.hexdigest()}"
    moved = await ctx.hub.db.note(
        sql.advance, upload.id, before=upload.received, received=received, digest=so_far, now=ctx.now
    )
    if not moved:
        raise _gone(upload.id)
    while len(ctx.hub.running) >= _RUNNING:
        ctx.hub.running.pop(next(iter(ctx.hub.running)))
    ctx.hub.running[upload.id] = (received, hasher)
    return upload._replace(received=received, digest_so_far=so_far)


async def finish(ctx: Ctx, upload: Upload, digest: Digest) -> None:
    """Close a session as the blob ``digest``, linked in its image. Raises DIGEST_INVALID (the session is gone then).

    Two finishes of one digest at once both succeed: one object is kept, the other one's bytes are dropped.
    """
    held = await ctx.hub.blobs.size(upload.id)
    if held < upload.received:
        await cancel(ctx, upload)
        raise _gone(upload.id)
    so_far = upload.digest_so_far
    if digest.algorithm != upload.algorithm:
        hasher = digests.hasher(digest.algorithm)
        await ctx.hub.blobs.hash_upload(upload.id, upload.received, hasher)
        so_far = f"{digest.algorithm}:{hasher.hexdigest()}"
    if so_far != str(digest):
        await cancel(ctx, upload)
        raise HubError(
            Kind.DIGEST_INVALID, f"what was received has {so_far}, announced was {digest}; push the blob again"
        )
    ctx.hub.running.pop(upload.id, None)
    content = (
        await ctx.hub.blobs.content(upload.id, upload.received)
        if upload.received <= ctx.hub.settings.row_bytes
        else None
    )
    await _publish(ctx, upload.id, upload.image_id, upload.received, digest, content)


async def finish_at_once(ctx: Ctx, upload: Upload, digest: Digest, body: Body) -> None:
    """Close a session that has received nothing yet as a small blob whose bytes come now; as ``finish``.

    The bytes go from memory into the row: no file is made. Raises Broken, and leaves the session as it was.
    """
    content = b"".join([chunk async for chunk in body])
    if digests.of(content, digest.algorithm) != str(digest):
        await cancel(ctx, upload)
        raise HubError(Kind.DIGEST_INVALID, f"what was received is not {digest}; push the blob again")
    await _publish(ctx, upload.id, upload.image_id, len(content), digest, content)


async def whole(ctx: Ctx, bucket_id: int, image: str, digest: Digest, body: Body, size: int | None) -> None:
    """A blob in one request: no session row, one commit. Raises DIGEST_INVALID, and keeps nothing then.

    ``size``: what the request announced, None when it comes in chunks.
    """
    session = ctx.hub.new_id()
    hasher = digests.hasher(digest.algorithm)
    content: bytes | None = None
    try:
        if size is not None and size <= ctx.hub.settings.row_bytes:
            content = b"".join([chunk async for chunk in body])
            received = len(content)
            hasher.update(content)
        else:
            received = await ctx.hub.blobs.append(session, 0, _within(ctx, bucket_id, body), hasher)
        so_far = f"{digest.algorithm}:{hasher.hexdigest()}"
        if so_far != str(digest):
            raise HubError(Kind.DIGEST_INVALID, f"what was received has {so_far}, announced was {digest}")
        image_id = await ctx.hub.db.note(buckets_sql.image_for_push, bucket_id, image, ctx.now)
    except BaseException:
        await ctx.hub.blobs.drop_upload(session)
        raise
    await _publish(ctx, session, image_id, received, digest, content)


async def _publish(
    ctx: Ctx, session: str, image_id: int, size: int, digest: Digest, content: bytes | None = None
) -> None:
    """Make what was received a blob of the image: durable first, then its row. ``content``: of a small one."""
    hub = ctx.hub
    is_known = await hub.db.read(sql.key_of, str(digest)) is not None
    try:
        if is_known and await hub.db.write(_link_known, ctx, session, image_id, str(digest)):
            await hub.blobs.drop_upload(session)
            return
    except HubError as fault:
        await _forget_refused(hub, session, fault)
        raise
    is_small = content is not None
    key = f"row:{session}" if is_small else await hub.blobs.commit(session, size, digest.algorithm, digest.hex)

    def add(rows: Rows) -> tuple[str, list[str]]:
        blob_id, kept = sql.keep(rows, digest=str(digest), size=size, key=key, now=ctx.now, content=content)
        warnings = quotas.check_bytes(rows, hub.settings, sql.link(rows, image_id, blob_id, ctx.now))
        sql.end_upload(rows, session)
        return kept, warnings

    try:
        kept, warnings = await hub.db.write(add)
    except HubError as fault:
        if await _forget_refused(hub, session, fault) and not is_small:
            await hub.blobs.delete(key)
        raise
    quotas.warn(ctx, warnings)
    if is_small:
        await hub.blobs.drop_upload(session)
    elif kept != key:
        await hub.blobs.delete(key)


async def _forget_refused(hub: Hub, session: str, fault: HubError) -> bool:
    """After a refusal for good, no row knows the bytes: they and their session must not stay."""
    if fault.kind is not Kind.QUOTA_EXCEEDED:
        return False
    await hub.db.note(sql.end_upload, session)
    await hub.blobs.drop_upload(session)
    return True


def _link_known(rows: Rows, ctx: Ctx, session: str, image_id: int, digest: str) -> bool:
    known = sql.key_of(rows, digest)
    if known is None:
        return False
    quotas.check_bytes(rows, ctx.hub.settings, sql.link(rows, image_id, known[0], ctx.now))
    sql.end_upload(rows, session)
    return True


async def cancel(ctx: Ctx, upload: Upload) -> None:
    """End a session and forget its bytes."""
    ctx.hub.running.pop(upload.id, None)
    await ctx.hub.db.note(sql.end_upload, upload.id)
    await ctx.hub.blobs.drop_upload(upload.id)


async def mount(ctx: Ctx, bucket_id: int, image: str, digest: Digest, source: tuple[int, int | None]) -> bool:
    """Link a blob that the caller may read elsewhere; False when there is none.

    ``source`` is (account whose buckets may be searched beside the public ones, or the one image to take it from).
    """
    account_id, source_image = source

    def adopt(rows: Rows) -> bool:
        if source_image is not None:
            blob_id = sql.linked(rows, source_image, str(digest))
        else:
            blob_id = sql.readable(rows, str(digest), account_id)
        if blob_id is None:
            return False
        usage = sql.link(rows, buckets_sql.image_for_push(rows, bucket_id, image, ctx.now), blob_id, ctx.now)
        quotas.check_bytes(rows, ctx.hub.settings, usage)
        return True

    return await ctx.hub.db.write(adopt)


async def delete_blob(ctx: Ctx, repository: Repository, image_id: int | None, digest: Digest) -> None:
    """Take a blob out of an image. Raises BLOB_UNKNOWN, and UNSUPPORTED while a manifest of the image needs it."""

    def remove(rows: Rows) -> None:
        blob_id = sql.linked(rows, image_id, str(digest)) if image_id else None
        if blob_id is None or image_id is None:
            raise HubError(Kind.BLOB_UNKNOWN, str(digest))
        if sql.is_used(rows, image_id, blob_id):
            raise HubError(Kind.UNSUPPORTED, "a manifest of this image needs the blob; delete the manifest first")
        sql.unlink(rows, image_id, blob_id)
        audit.write(rows, ctx, "DeleteBlob", f"{repository} {digest}", ctx.who.account_id)

    await ctx.hub.db.write(remove)


def _gone(session: str) -> HubError:
    return HubError(Kind.UPLOAD_UNKNOWN, session[:64])
