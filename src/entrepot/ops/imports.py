"""Import an OCI image layout into a bucket by the verbs that clients push with: digests, rights, quotas, tag rules.

Blobs come before their manifest, children before their index. A second time, or after a kill, what is there is left.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from entrepot.errors import HubError, Kind
from entrepot.model import digest as digests
from entrepot.model import layout, names
from entrepot.model import manifest as manifests_model
from entrepot.model.digest import Digest
from entrepot.model.manifest import INDEX_TYPES, MANIFEST_TYPES
from entrepot.model.names import Repository
from entrepot.ops import access, copying, manifests, permits, uploads
from entrepot.ops.context import Ctx
from entrepot.ops.copying import Progress
from entrepot.ops.sessions import Place
from entrepot.store.db import Rows
from entrepot.store.layout_read import Layout, blob_name, pieces, small
from entrepot.store.sql import buckets as buckets_sql
from entrepot.store.sql import manifests as manifests_sql
from entrepot.store.sql.buckets import Bucket

INDEX_LENGTH = 64 * 1024 * 1024
MANIFESTS = 100_000
"""Most manifests in one import."""
KNOWN = MANIFEST_TYPES + INDEX_TYPES


@dataclass(slots=True)
class Report:
    """What an import did; ``skipped``: what the layout names and does not hold, or what is no manifest."""

    images: int = 0
    manifests: int = 0
    tags: int = 0
    blobs: int = 0
    bytes: int = 0
    skipped: list[str] = field(default_factory=list)


class _Wanted(NamedTuple):
    """A manifest to push, and the blobs that an index lists beside manifests."""

    digest: str
    media_type: str
    loose: tuple[str, ...]


async def load(ctx: Ctx, bucket: str, image: str | None, source: Layout, progress: Progress) -> Report:
    """Push everything that `index.json` names; ``image``: where to, for a layout that does not say.

    Raises NAME_UNKNOWN, DENIED, LAYOUT_INVALID, and what the verbs raise: QUOTA_EXCEEDED, MANIFEST_BLOB_UNKNOWN and
    so on. What was pushed before that stays, and the next run goes on.
    """
    report = Report()
    entries = layout.entries(small(source, layout.INDEX, INDEX_LENGTH))
    tell = copying.teller("blobs", 0, progress)
    by_image: dict[str, dict[str, list[str]]] = {}
    types: dict[str, str] = {}
    for name, one in layout.place(entries, image):
        tags = by_image.setdefault(name, {}).setdefault(one.descriptor.digest, [])
        types[one.descriptor.digest] = one.descriptor.media_type
        tags += [one.tag] if one.tag is not None else []
    for name, roots in sorted(by_image.items()):
        repository = names.repository(f"{bucket}/{name}")
        found = await ctx.hub.db.read(_may_push, ctx, repository)
        for wanted in _in_order(ctx, source, {digest: types[digest] for digest in roots}, report):
            await _manifest(ctx, found, repository, source, wanted, roots.get(wanted.digest, []), report, tell)
        report.images += 1
    return report


def _may_push(rows: Rows, ctx: Ctx, repository: Repository) -> Bucket:
    bucket = buckets_sql.by_name(rows, repository.bucket)
    if bucket is None:
        raise access.unknown_bucket(str(repository))
    if not permits.on_bucket(rows, ctx.who, "push", bucket, repository.image):
        raise HubError(Kind.DENIED, f"{ctx.who.email} may not push to {repository}; act as another user by --email")
    return bucket


def _in_order(ctx: Ctx, source: Layout, roots: dict[str, str], report: Report) -> list[_Wanted]:
    """The manifests below these, each once, children before what holds them."""
    done: dict[str, _Wanted | None] = {}
    order: list[_Wanted] = []
    stack = [(digest, media_type, False) for digest, media_type in reversed(roots.items())]
    while stack:
        digest, media_type, is_open = stack.pop()
        if is_open:
            wanted = done[digest]
            assert wanted is not None
            order.append(wanted)
            continue
        if digest in done:
            continue
        done[digest] = None
        if len(done) > MANIFESTS:
            raise HubError(Kind.LAYOUT_INVALID, f"more than {MANIFESTS} manifests in one image; import it in parts")
        if not _is_here(source, digest) or media_type not in KNOWN:
            report.skipped.append(f"{media_type[:100]} {digest}")
            continue
        children = layout.descriptors(_read(ctx, source, digest)) if media_type in INDEX_TYPES else []
        loose = tuple(one.digest for one in children if one.media_type not in KNOWN)
        done[digest] = _Wanted(digest, media_type, loose)
        stack.append((digest, media_type, True))
        stack += [(one.digest, one.media_type, False) for one in reversed(children) if one.media_type in KNOWN]
    return order


def _is_here(source: Layout, digest: str) -> bool:
    found = source.find(blob_name(digests.parse(digest)))
    if found is not None:
        found[0].close()
    return found is not None


def _read(ctx: Ctx, source: Layout, digest: str) -> bytes:
    wanted = digests.parse(digest)
    content = small(source, blob_name(wanted), ctx.hub.settings.manifest_bytes)
    if digests.of(content, wanted.algorithm) != digest:
        raise HubError(Kind.LAYOUT_INVALID, f"{blob_name(wanted)} has other bytes than its name says; fetch it again")
    return content


async def _manifest(
    ctx: Ctx, bucket: Bucket, repository: Repository, source: Layout, wanted: _Wanted, tags: list[str], report: Report,
    tell: Callable[[int], None],
) -> None:  # fmt: skip
    content = _read(ctx, source, wanted.digest)
    parsed = manifests_model.parse(content, wanted.media_type)
    for digest in (*parsed.blobs, *parsed.foreign, *wanted.loose):
        await _blob(ctx, bucket, repository, source, digests.parse(digest), report, tell)
    is_there: bool = await ctx.hub.db.read(_are_set, tags, repository, wanted.digest)
    if tags and is_there:
        return
    await manifests.put(ctx, bucket.id, repository, wanted.digest, content, wanted.media_type, tags)
    report.manifests += 1
    report.tags += len(tags)


def _are_set(rows: Rows, tags: list[str], repository: Repository, digest: str) -> bool:
    found = [manifests_sql.locate(rows, *repository, tag, content=False) for tag in tags]
    return all(one is not None and one.digest == digest for one in found)


async def _blob(
    ctx: Ctx, bucket: Bucket, repository: Repository, source: Layout, digest: Digest, report: Report,
    tell: Callable[[int], None],
) -> None:  # fmt: skip
    """Push a blob that the image does not link yet; one that the caller could mount is mounted."""
    located = await ctx.hub.db.read(buckets_sql.find_image, bucket.id, repository.image)
    place = Place(bucket.id, repository.image, located)
    account = ctx.who.account_id if permits.everywhere(ctx.who, "pull") else 0
    for origin in (*(((0, located),) if located is not None else ()), (account, None)):
        if await uploads.mount(ctx, place, digest, origin):
            return
    found = source.find(blob_name(digest))
    if found is None:
        return  # the manifest tells whether it can do without
    file, size = found
    with file:
        await uploads.check_room(ctx, bucket.id, size)
        await uploads.whole(ctx, place, digest, _told(pieces(file, size), tell), size)
    report.blobs += 1
    report.bytes += size


async def _told(body: AsyncIterator[bytes], tell: Callable[[int], None]) -> AsyncIterator[bytes]:
    async for piece in body:
        yield piece
        tell(len(piece))
