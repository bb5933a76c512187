"""Blob GET, HEAD and DELETE. A blob is found through its link in the image, never by digest alone."""

import re
from collections.abc import AsyncIterator

import structlog

from entrepot import failpoint
from entrepot.errors import HubError, Kind
from entrepot.model import digest as digests
from entrepot.model import networks
from entrepot.ops import access, damage, uploads
from entrepot.registry.wire import Answer, Call, CutShort, Headers, render
from entrepot.store import moved
from entrepot.store.blobs import Unreadable
from entrepot.store.sql import blobs as sql
from entrepot.store.sql.buckets import Place
from entrepot.store.sql.damage import Object

log = structlog.get_logger("registry")
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


async def get(call: Call) -> Answer:
    """GET and HEAD: the whole blob, or one range of it (RFC 9110, section 14)."""
    digest = str(digests.parse(call.reference))
    found = await call.ctx.hub.db.read(sql.locate, *call.repository, digest, content=call.method == "GET")
    access.require(call.ctx, call.holder, call.name, "pull", found.bucket if found else None)
    assert found is not None
    if found.size is None or found.key is None:
        raise HubError(Kind.BLOB_UNKNOWN, digest)
    await _require_sound(call, digest, found, found.size, found.key)
    if call.method == "HEAD":
        await _renew(call, found)
    etag = f'"{digest}"'.encode()
    headers: Headers = [
        (b"content-type", b"application/octet-stream"),
        (b"docker-content-digest", digest.encode()),
        (b"etag", etag),
        (b"accept-ranges", b"bytes"),
        (b"cache-control", _cache_control(found.bucket)),
    ]
    if call.headers.get(b"if-none-match") == etag:
        return Answer(304, headers)
    return await _send(call, found, found.size, headers)


async def _require_sound(call: Call, digest: str, found: sql.Found, size: int, key: str) -> None:
    inside = size if key.startswith("row:") else None
    if found.content is not None:
        inside = len(found.content)
    await damage.require(call.ctx.hub, Object(found.blob_id or 0, digest, size, key, inside, found.fault or ""))


async def _renew(call: Call, found: sql.Found) -> None:
    """A pusher that is told a blob is there will not send it: the blob must stay until the manifest comes.

    Raises BLOB_UNKNOWN when it was collected since it was found.
    """
    ctx = call.ctx
    is_old = found.lease is not None and ctx.now - found.lease > ctx.hub.settings.grace_seconds // 2
    if is_old and found.image_id and found.blob_id and access.allows(call.holder, call.name, "push", found.bucket):
        failpoint.at("blob-lease.asked")
        with moved.overlooked():
            if not await ctx.hub.db.note(sql.renew, found.image_id, found.blob_id, ctx.now):
                raise HubError(Kind.BLOB_UNKNOWN, call.reference)
        failpoint.at("blob-lease.renewed")


def _cache_control(place: Place) -> bytes:
    is_everybodys = place.is_public and not place.networks
    return b"max-age=31536000" if is_everybodys else b"private, max-age=31536000"


async def _send(call: Call, found: sql.Found, size: int, headers: Headers) -> Answer:
    store = call.ctx.hub.blobs
    assert found.key is not None
    try:
        part = parse_range(call.headers.get(b"range", b"").decode("latin-1"), size)
    except HubError as fault:
        return render(fault, "", [(b"content-range", f"bytes */{size}".encode())])
    start, length = part or (0, size)
    headers.append((b"content-length", str(length).encode()))
    if part is not None:
        headers.append((b"content-range", f"bytes {start}-{start + length - 1}/{size}".encode()))
    status = 200 if part is None else 206
    if found.content is not None or call.method == "HEAD":
        return Answer(status, headers, (found.content or b"")[start : start + length])
    if not length:
        return Answer(status, headers)
    sending = await store.sending(
        found.key, start, length, is_whole=part is None, redirect_seconds=_redirect_seconds(call)
    )
    if sending.url:
        # What the address says is of the moment: whoever keeps the answer would ask for it in vain.
        kept = [one for one in headers if one[0] in {b"docker-content-digest", b"etag"}]
        return Answer(307, [*kept, (b"cache-control", b"no-store"), (b"location", sending.url.encode("ascii"))])
    if sending.stream is None:
        return Answer(status, headers, path=sending.path)
    stream = _watched(call, found, sending.stream)
    try:
        first = await anext(stream)
    except CutShort as fault:
        raise HubError(Kind.UNAVAILABLE, "the blob cannot be read and is checked now; try again soon") from fault
    return Answer(status, headers, stream=_after(first, stream))


def _redirect_seconds(call: Call) -> int:
    """How long an address in the bucket would be good for this client; 0: it gets none."""
    settings = call.ctx.hub.settings
    is_sent = networks.contains(settings.blobs_redirect_networks, call.ctx.address)
    return settings.blobs_redirect_seconds if is_sent else 0


async def _watched(call: Call, found: sql.Found, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The stream; where it breaks off, the blob is suspected."""
    try:
        async for piece in stream:
            yield piece
    except Unreadable as fault:
        await damage.suspect(call.ctx.hub, found.blob_id or 0, fault.fault)
        raise CutShort from fault
    except HubError as fault:
        log.warning("a blob broke off while it was served", blob=found.blob_id or 0, reason=fault.message)
        raise CutShort from fault


async def _after(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece


def parse_range(text: str, size: int) -> tuple[int, int] | None:
    """(start, length) of a single range; None for the whole.

    Raises RANGE_INVALID when it starts past the end, or ends before it starts.

    Several ranges and units that are not understood get the whole, which RFC 9110 allows.
    """
    found = _RANGE.fullmatch(text.replace(" ", ""))
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        length = min(int(last), size)
        start = size - length
    else:
        start = int(first)
        length = min(int(last) if last else size - 1, size - 1) - start + 1
    if length <= 0:
        raise HubError(Kind.RANGE_INVALID, f"{text[:60]} of {size} bytes")
    return start, length


async def delete(call: Call) -> Answer:
    """DELETE: take the blob out of this image."""
    digest = digests.parse(call.reference)
    found = await call.ctx.hub.db.read(sql.locate, *call.repository, str(digest), content=False)
    access.require(call.ctx, call.holder, call.name, "delete", found.bucket if found else None)
    assert found is not None
    await uploads.delete_blob(call.ctx, call.repository, found.image_id, digest)
    return Answer(202)
