"""The base probe, tag lists, referrers and the catalog. Every page is bounded and costs what it returns."""

import msgspec

from entrepot.errors import HubError, Kind
from entrepot.model import digest as digests
from entrepot.model import manifest as manifests
from entrepot.ops import access, robots
from entrepot.registry.wire import JSON, Answer, Call, Headers, link
from entrepot.store.sql import blobs as blobs_sql
from entrepot.store.sql import buckets as buckets_sql
from entrepot.store.sql import manifests as sql

TAG_PAGE = 1000
CATALOG_PAGE = 100
REFERRER_PAGE = 100
REFERRER_BYTES = 3_000_000
"""Where a page of referrers ends: clients refuse an index of more than 4 MiB."""
BIGGEST_PAGE = 10_000


async def base(call: Call) -> Answer:
    """GET /v2/: 200 with a login; without one the challenge, so that clients learn where to log in."""
    if call.holder is access.ANONYMOUS:
        raise HubError(Kind.UNAUTHORIZED, "log in with `docker login`, or ask for an anonymous token")
    await robots.check_listed(call.ctx.hub, call.holder.who)
    return Answer(200, [JSON], b"{}")


def _page(call: Call, default: int) -> tuple[int, str]:
    """(n, last) of a paged list; raises PAGE_INVALID."""
    query = call.query() if call.raw_query else {}
    text = query.get("n", [""])[0]
    if text and not (text.isascii() and text.isdigit()):
        raise HubError(Kind.PAGE_INVALID, text[:40])
    limit = min(int(text[:9]), BIGGEST_PAGE) if text else default
    return limit, query.get("last", [""])[0]


async def tags(call: Call) -> Answer:
    """Tag names in byte order."""
    limit, last = _page(call, TAG_PAGE)
    found = await call.ctx.hub.db.read(blobs_sql.locate_image, *call.repository)
    access.require(call.ctx, call.holder, call.name, "pull", found[0] if found else None)
    assert found is not None
    if found[1] is None:
        raise HubError(Kind.NAME_UNKNOWN, f"no image {call.name}")
    listed = await call.ctx.hub.db.read(sql.tags, found[1], last, limit + 1) if limit else []
    headers: Headers = [JSON]
    if len(listed) > limit:
        listed.pop()
        headers.append(link(f"/v2/{call.name}/tags/list", n=str(limit), last=listed[-1]))
    return Answer(200, headers, msgspec.json.encode({"name": call.name, "tags": listed}))


async def catalog(call: Call) -> Answer:
    """Repositories that the caller may read, in byte order of bucket, then image."""
    holder = call.holder
    if holder.who.is_anonymous or not holder.catalog:
        raise HubError(Kind.UNAUTHORIZED, "registry:catalog:*")
    await robots.check_listed(call.ctx.hub, holder.who)
    limit, last = _page(call, CATALOG_PAGE)
    bucket, _, image = last.partition("/")
    listed: list[tuple[str, str]] = []
    account_id, bucket_id = holder.home
    if limit:
        listed = await call.ctx.hub.db.read(
            buckets_sql.catalog,
            account_id=account_id,
            bucket_id=bucket_id,
            after=(bucket, image),
            limit=limit + 1,
        )
    headers: Headers = [JSON]
    repositories = [f"{bucket}/{image}" for bucket, image in listed[:limit]]
    if len(listed) > limit:
        headers.append(link("/v2/_catalog", n=str(limit), last=repositories[-1]))
    return Answer(200, headers, msgspec.json.encode({"repositories": repositories}))


async def referrers(call: Call) -> Answer:
    """Manifests whose subject is a digest; an image that was never pushed has none, and that is no error."""
    subject = str(digests.parse(call.reference))
    query = call.query() if call.raw_query else {}
    wanted = query.get("artifactType", [None])[0] or None
    located = await call.ctx.hub.db.read(blobs_sql.locate_image, *call.repository)
    access.require(call.ctx, call.holder, call.name, "pull", located[0] if located else None)
    assert located is not None
    found = []
    if located[1] is not None:
        found = await call.ctx.hub.db.read(
            sql.referrers, located[1], subject, wanted, query.get("last", [""])[0], REFERRER_PAGE + 1
        )
    headers: Headers = [(b"content-type", manifests.OCI_INDEX.encode())]
    listed: list[bytes] = []
    size = 0
    for digest, media_type, length, artifact_type, content in found:
        entry = _descriptor(digest, media_type, length, artifact_type, content)
        if listed and (size + len(entry) > REFERRER_BYTES or len(listed) == REFERRER_PAGE):
            extra = {"artifactType": wanted} if wanted else {}
            headers.append(link(f"/v2/{call.name}/referrers/{subject}", last=found[len(listed) - 1][0], **extra))
            break
        listed.append(entry)
        size += len(entry)
    if wanted:
        headers.append((b"oci-filters-applied", b"artifactType"))
    head = f'{{"schemaVersion":2,"mediaType":"{manifests.OCI_INDEX}","manifests":['.encode()
    return Answer(200, headers, head + b",".join(listed) + b"]}")


def _descriptor(digest: str, media_type: str, size: int, artifact_type: str | None, content: bytes) -> bytes:
    entry: dict[str, object] = {"mediaType": media_type, "size": size, "digest": digest}
    if artifact_type:
        entry["artifactType"] = artifact_type
    if notes := manifests.annotations(content):
        entry["annotations"] = notes
    return msgspec.json.encode(entry)
