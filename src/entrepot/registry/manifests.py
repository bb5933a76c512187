"""Manifest GET, HEAD, PUT and DELETE."""

from entrepot import failpoint
from entrepot.errors import HubError, Kind
from entrepot.model import digest as digests
from entrepot.model import names
from entrepot.ops import access, manifests, pulls
from entrepot.registry.wire import Answer, Call, Headers, location
from entrepot.store import moved
from entrepot.store.sql import blobs as blobs_sql
from entrepot.store.sql import collect as collect_sql
from entrepot.store.sql import manifests as sql
from entrepot.store.sql.buckets import Place

TAGS = 100
"""Most tags that one push may set with ``?tag=``."""


def _reference(text: str) -> str:
    """A digest if it holds a colon, else a tag. Raises DIGEST_INVALID, TAG_INVALID."""
    return str(digests.parse(text)) if ":" in text else names.tag(text)


async def get(call: Call) -> Answer:
    """GET and HEAD: the bytes as pushed, under the type they were pushed with. One statement."""
    reference = _reference(call.reference)
    found = await call.ctx.hub.db.read(sql.locate, *call.repository, reference, content=call.method == "GET")
    access.require(call.ctx, call.holder, call.name, "pull", found.bucket if found else None)
    assert found is not None
    if found.digest is None:
        if found.image_id is None:
            raise HubError(Kind.NAME_UNKNOWN, f"no image {call.name}")
        raise HubError(Kind.MANIFEST_UNKNOWN, f"{call.name} has no {reference}")
    if found.fault:
        raise HubError(
            Kind.MANIFEST_UNKNOWN,
            f"{found.digest}; its stored bytes were found damaged: push the image again, that heals it",
        )
    if call.method == "HEAD" and ":" in reference and found.image_id is not None:
        await _renew(call, found.bucket, found.image_id, reference)
    if found.id is not None:
        pulls.use(call.ctx.hub, found.id)
    etag = f'"{found.digest}"'.encode()
    headers: Headers = [
        (b"content-type", found.media_type.encode()),
        (b"docker-content-digest", found.digest.encode()),
        (b"etag", etag),
    ]
    if call.headers.get(b"if-none-match") == etag:
        return Answer(304, headers)
    headers.append((b"content-length", str(found.size).encode()))
    if call.method == "GET" and found.image_id is not None:
        pulls.count(call.ctx.hub, found.image_id, found.id)
    return Answer(200, headers, found.content)


async def _renew(call: Call, place: Place, image_id: int, digest: str) -> None:
    """Who pushes an index asks for its children first, and leaves out those that are there: they must stay for it.

    Raises MANIFEST_UNKNOWN when it was collected since it was found.
    """
    if access.allows(call.holder, call.name, "push", place):
        after = call.ctx.now + call.ctx.hub.settings.grace_seconds
        failpoint.at("manifest-lease.asked")
        with moved.overlooked():
            if not await call.ctx.hub.db.note(collect_sql.renew_manifest, image_id, digest, after):
                raise HubError(Kind.MANIFEST_UNKNOWN, f"{call.name} has no {digest}")
        failpoint.at("manifest-lease.renewed")


async def put(call: Call) -> Answer:
    """PUT by tag, or by digest with any number of ``?tag=`` up to TAGS."""
    located = await call.ctx.hub.db.read(blobs_sql.locate_image, *call.repository)
    access.require(call.ctx, call.holder, call.name, "push", located[0] if located else None)
    assert located is not None
    reference = _reference(call.reference)
    query_tags = call.query().get("tag", []) if call.raw_query else []
    if len(query_tags) > TAGS:
        raise HubError(Kind.TOO_MANY_TAGS, f"{len(query_tags)}, at most {TAGS}")
    extra = [names.tag(one) for one in query_tags]
    content = await call.small_body(call.ctx.hub.settings.manifest_bytes, Kind.MANIFEST_TOO_LARGE)
    by_digest = ":" in reference
    digest = digests.of(content, reference.partition(":")[0] if by_digest else "sha256")
    if by_digest and digest != reference:
        raise HubError(Kind.DIGEST_INVALID, f"the manifest has {digest}, the URL says {reference}")
    content_type = call.headers.get(b"content-type", b"").decode("latin-1")
    tags = extra if by_digest else [reference, *extra]
    manifest = await manifests.put(
        call.ctx, located[0].id, call.repository, digest, content, content_type, list(dict.fromkeys(tags))
    )
    headers = [location(call, "manifests", digest), (b"docker-content-digest", digest.encode())]
    if manifest.subject:
        headers.append((b"oci-subject", manifest.subject.encode()))
    headers += [(b"oci-tag", tag.encode()) for tag in extra]
    return Answer(201, headers)


async def delete(call: Call) -> Answer:
    """DELETE a tag (only it), or a manifest by digest with its tags."""
    located = await call.ctx.hub.db.read(blobs_sql.locate_image, *call.repository)
    access.require(call.ctx, call.holder, call.name, "delete", located[0] if located else None)
    assert located is not None
    await manifests.delete(call.ctx, call.repository, located[1], _reference(call.reference))
    return Answer(202)
