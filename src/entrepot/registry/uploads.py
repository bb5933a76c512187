"""Upload sessions on the wire: start (also whole, also mount), PATCH, PUT, status, cancel."""

import re

from entrepot.errors import HubError, Kind
from entrepot.model import digest as digests
from entrepot.model import names
from entrepot.ops import access, uploads
from entrepot.registry.wire import Answer, Call, Headers, location
from entrepot.store.blobs import Broken
from entrepot.store.sql import blobs as sql
from entrepot.store.sql.blobs import Upload

_CONTENT_RANGE = re.compile(r"(?:bytes )?(\d{1,18})-(\d{1,18})(?:/(?:\d+|\*))?")


async def start(call: Call) -> Answer:
    """POST: a new session; with ``digest`` the whole blob at once; with ``mount`` a blob from elsewhere."""
    bucket_id, _ = await _writable(call)
    query = call.query()
    ctx, image = call.ctx, call.repository.image
    if "mount" in query:
        digest = digests.parse(query["mount"][0])
        if await uploads.mount(ctx, bucket_id, image, digest, await _source(call, query.get("from", [""])[0])):
            return _created(call, str(digest))
    await uploads.check_room(ctx, bucket_id, call.length() or 0)
    if "digest" in query and "mount" not in query:
        digest = digests.parse(query["digest"][0])
        try:
            await uploads.whole(ctx, bucket_id, image, digest, call.body(), call.length())
        except Broken as broken:
            raise HubError(Kind.SIZE_INVALID, "the body ended early") from broken
        return _created(call, str(digest))
    algorithm = query.get("digest-algorithm", ["sha256"])[0]
    session = await uploads.begin(ctx, bucket_id, image, algorithm)
    return _accepted(call, session, 0)


async def _source(call: Call, text: str) -> tuple[int, int | None]:
    """Where a mount may look: one image that the caller may pull, or (without ``from``) all it may read.

    A source that may not be read, is missing or malformed finds nothing: the client then uploads.
    """
    holder = call.holder
    if not text:
        return (holder.who.account_id if "pull" in holder.wide else 0), None
    try:
        repository = names.repository(text)
    except HubError:
        return 0, 0
    found = await call.ctx.hub.db.read(sql.locate_image, *repository)
    if found is None or found[1] is None:
        return 0, 0
    return 0, found[1] if await access.may_mount_from(call.ctx, holder, text, found[0]) else 0


async def patch(call: Call) -> Answer:
    """PATCH: the next chunk (Content-Range), or a stream that goes on where the session is."""
    bucket_id, upload = await _session(call)
    upload = await _receive(call, bucket_id, upload)
    return _accepted(call, upload.id, upload.received)


async def _receive(call: Call, bucket_id: int, upload: Upload) -> Upload:
    start, length = _content_range(call)
    announced = call.length()
    if start is not None and announced is not None and announced != length:
        raise HubError(Kind.SIZE_INVALID, f"Content-Range spans {length} bytes, Content-Length says {announced}")
    return await uploads.append(call.ctx, bucket_id, upload, start, call.body())


def _content_range(call: Call) -> tuple[int | None, int]:
    text = call.headers.get(b"content-range", b"").decode("latin-1").strip()
    if not text:
        return None, 0
    found = _CONTENT_RANGE.fullmatch(text)
    if found is None or int(found[2]) < int(found[1]):
        raise HubError(Kind.RANGE_INVALID, f"Content-Range {text[:60]!r}; write <first>-<last>")
    return int(found[1]), int(found[2]) - int(found[1]) + 1


async def close(call: Call) -> Answer:
    """PUT: the last bytes, if any, and the digest of the whole."""
    bucket_id, image_id = await _writable(call)
    digest = digests.parse(call.query().get("digest", [""])[0])
    try:
        upload = await uploads.find(call.ctx, image_id, call.reference)
    except HubError:
        # The same PUT again, after its answer was lost: the blob is there, so say so again.
        if call.length() == 0 and image_id and await call.ctx.hub.db.read(sql.linked, image_id, str(digest)):
            return _created(call, str(digest))
        raise
    length = call.length()
    if (
        upload.received == 0
        and length
        and length <= call.ctx.hub.settings.row_bytes
        and b"content-range" not in call.headers
    ):
        await uploads.finish_at_once(call.ctx, upload, digest, call.body())
        return _created(call, str(digest))
    if length != 0 or b"content-range" in call.headers:
        upload = await _receive(call, bucket_id, upload)
    await uploads.finish(call.ctx, upload, digest)
    return _created(call, str(digest))


async def status(call: Call) -> Answer:
    """GET: how far the session is."""
    _, upload = await _session(call)
    answer = _accepted(call, upload.id, upload.received)
    answer.status = 204
    return answer


async def cancel(call: Call) -> Answer:
    """DELETE: end the session."""
    _, upload = await _session(call)
    await uploads.cancel(call.ctx, upload)
    return Answer(204)


async def _writable(call: Call) -> tuple[int, int | None]:
    """(bucket id, image id or None) of a repository that the caller may push to; raises what refuses it."""
    found = await call.ctx.hub.db.read(sql.locate_image, *call.repository)
    access.require(call.ctx, call.holder, call.name, "push", found[0] if found else None)
    assert found is not None
    return found[0].id, found[1]


async def _session(call: Call) -> tuple[int, Upload]:
    bucket_id, image_id = await _writable(call)
    return bucket_id, await uploads.find(call.ctx, image_id, call.reference)


def _accepted(call: Call, session: str, received: int) -> Answer:
    headers: Headers = [
        location(call, "blobs/uploads", session),
        (b"docker-upload-uuid", session.encode()),
        (b"range", f"0-{max(received - 1, 0)}".encode()),
    ]
    return Answer(202, headers)


def _created(call: Call, digest: str) -> Answer:
    return Answer(201, [location(call, "blobs", digest), (b"docker-content-digest", digest.encode())])
