"""Upload sessions on the wire: start (also whole, also mount), PATCH, PUT, status, cancel."""

import re

from entrepot.errors import HubError, Kind
from entrepot.model import digest as digests
from entrepot.model import names
from entrepot.model.digest import Digest
from entrepot.ops import access, damage, sessions, uploads
from entrepot.ops.sessions import Place, Session
from entrepot.registry.wire import Answer, Call, Headers, location, render
from entrepot.store.blobs import Broken
from entrepot.store.sql import blobs as sql

_CONTENT_RANGE = re.compile(r"(?:bytes )?(\d{1,18})-(\d{1,18})(?:/(?:\d+|\*))?")


async def start(call: Call) -> Answer:
    """POST: a new session; with ``digest`` the whole blob at once; with ``mount`` a blob from elsewhere."""
    place = await _writable(call)
    query = call.query()
    ctx = call.ctx
    if "mount" in query:
        digest = digests.parse(query["mount"][0])
        if await uploads.mount(ctx, place, digest, await _source(call, query.get("from", [""])[0])):
            return _created(call, str(digest))
    await uploads.check_room(ctx, place.bucket_id, call.length() or 0)
    if "digest" in query and "mount" not in query:
        digest = digests.parse(query["digest"][0])
        try:
            await uploads.whole(ctx, place, digest, call.body(), call.length())
        except Broken as broken:
            raise HubError(Kind.SIZE_INVALID, "the body ended early") from broken
        return _created(call, str(digest))
    algorithm = query.get("digest-algorithm", ["sha256"])[0]
    return _accepted(call, sessions.begin(ctx, place, algorithm), 0)


async def _source(call: Call, text: str) -> tuple[int, int | None]:
    """Where a mount may look: one image that the caller may pull, or (without ``from``) all it may read.

    A source that may not be read, is missing or malformed finds nothing: the client then uploads.
    """
    holder = call.holder
    if not text:
        return holder.home[0], None
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
    try:
        session = await _receive(call, await _session(call))
    except HubError as fault:
        if fault.kind is not Kind.RANGE_INVALID:
            raise
        # With the place to go on at, a client need not ask for it first (spec, "Pushing a blob in chunks").
        now = await _session(call)
        return render(fault, "", _accepted(call, now.id, now.received).headers)
    return _accepted(call, session.id, session.received)


async def _receive(call: Call, session: Session) -> Session:
    start, length = _content_range(call)
    announced = call.length()
    if start is not None and announced is not None and announced != length:
        raise HubError(Kind.SIZE_INVALID, f"Content-Range spans {length} bytes, Content-Length says {announced}")
    return await uploads.append(call.ctx, session, start, call.body())


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
    place = await _writable(call)
    digest = digests.parse(call.query().get("digest", [""])[0])
    try:
        await _close(call, place, digest)
    except HubError as fault:
        # The same PUT again, after its answer was lost or before it came: the blob is there, so say so again.
        if fault.kind is not Kind.UPLOAD_UNKNOWN or not await _holds(call, await _writable(call), digest):
            raise
    return _created(call, str(digest))


async def _close(call: Call, place: Place, digest: Digest) -> None:
    length, ranged = call.length(), b"content-range" in call.headers
    session = await sessions.find(call.ctx, place, call.reference)
    if length == 0 and not session.has_row and await _holds(call, place, digest):
        return  # ended so long ago that this is forgotten
    if session.received == 0 and not ranged and length != 0:
        await uploads.finish_at_once(call.ctx, session, digest, call.body(), length)
        return
    if length != 0 or ranged:
        session = await _receive(call, session)
    await uploads.finish(call.ctx, session, digest)


async def _holds(call: Call, place: Place, digest: Digest) -> bool:
    """Whether the image has a blob that is whole."""
    if not place.image_id:
        return False
    held = await call.ctx.hub.db.read(sql.linked, place.image_id, str(digest))
    return held is not None and await damage.stands(call.ctx.hub, held)


async def status(call: Call) -> Answer:
    """GET: how far the session is."""
    session = await _session(call)
    answer = _accepted(call, session.id, session.received)
    answer.status = 204
    return answer


async def cancel(call: Call) -> Answer:
    """DELETE: end the session."""
    await sessions.cancel(call.ctx, await _session(call))
    return Answer(204)


async def _writable(call: Call) -> Place:
    """The image that the caller may push to; raises what refuses it."""
    found = await call.ctx.hub.db.read(sql.locate_image, *call.repository)
    access.require(call.ctx, call.holder, call.name, "push", found[0] if found else None)
    assert found is not None
    return Place(found[0].id, call.repository.image, found[1])


async def _session(call: Call) -> Session:
    return await sessions.find(call.ctx, await _writable(call), call.reference)


def _accepted(call: Call, session: str, received: int) -> Answer:
    headers: Headers = [
        location(call, "blobs/uploads", session),
        (b"docker-upload-uuid", session.encode()),
        (b"range", f"0-{max(received - 1, 0)}".encode()),
    ]
    return Answer(202, headers)


def _created(call: Call, digest: str) -> Answer:
    return Answer(201, [location(call, "blobs", digest), (b"docker-content-digest", digest.encode())])
