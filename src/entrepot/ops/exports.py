"""Export a bucket, or one image of it, as an OCI image layout, while pushes and deletes go on.

Each manifest is read with its tags and blobs as of one moment; what is deleted before its turn comes is not in it.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from entrepot.errors import HubError, Kind
from entrepot.model import digest as digests
from entrepot.model import layout
from entrepot.model.manifest import Descriptor
from entrepot.ops import copying
from entrepot.ops.context import Hub
from entrepot.ops.copying import Progress
from entrepot.ops.holds import hold
from entrepot.store.blobs import Unreadable
from entrepot.store.layout_write import Writer
from entrepot.store.sql import buckets as buckets_sql
from entrepot.store.sql import exports as sql
from entrepot.store.sql.exports import Listed, Part

PAGE = 200


@dataclass(slots=True)
class Report:
    """What an export wrote; ``blobs`` and ``bytes`` count only what was not in the target yet."""

    images: int = 0
    manifests: int = 0
    tags: int = 0
    blobs: int = 0
    bytes: int = 0


async def export(hub: Hub, bucket: str, image: str | None, writer: Writer, progress: Progress) -> Report:
    """Write everything, then `index.json`.

    Raises BUCKET_UNKNOWN, IMAGE_UNKNOWN, and UNAVAILABLE for a blob that is damaged in the hub or a full disk.
    """
    report, listed = Report(), list[dict[str, object]]()
    async with hold(hub):
        found = await hub.db.read(buckets_sql.by_name, bucket)
        if found is None:
            raise HubError(Kind.BUCKET_UNKNOWN, bucket)
        images = [one for one in await hub.db.read(sql.images, found.id) if image in {None, one[1]}]
        if image is not None and not images:
            raise HubError(Kind.IMAGE_UNKNOWN, f"{bucket}/{image}")
        tell = copying.teller("blobs", found.bytes if image is None else 0, progress)
        for image_id, name in images:
            report.images += 1
            after = 0
            while page := await hub.db.read(sql.manifests, image_id, after, PAGE):
                for one in page:
                    tags = await _manifest(hub, one, writer, report, tell)
                    if tags is None:
                        continue
                    about = Descriptor(one.media_type, one.digest, one.size)
                    untagged = () if tags or one.is_child else (None,)
                    listed += [layout.entry(name, tag, about, is_alone=image is not None) for tag in (*tags, *untagged)]
                after = page[-1].id
    writer.finish(layout.index(listed, scope(bucket, image)))
    return report


def scope(bucket: str, image: str | None) -> str:
    """What an export is of, in the words that its `index.json` keeps."""
    return f"{bucket}/{image}" if image is not None else bucket


async def _manifest(hub: Hub, one: Listed, writer: Writer, report: Report, tell: Any) -> list[str] | None:
    """Write a manifest and what it is made of; its tags, None when it is gone."""
    found = await hub.db.read(sql.whole, one.id)
    if found is None:
        return None
    for part in found.parts:
        await _blob(hub, part, writer, report)
        tell(part.size)
    await _put(writer, one.digest, one.size, _once(found.content), report)
    report.manifests += 1
    report.tags += len(found.tags)
    return found.tags


async def _blob(hub: Hub, part: Part, writer: Writer, report: Report) -> None:
    if part.is_inside:
        content = await hub.db.read(sql.content, part.id)
        await _put(writer, part.digest, part.size, _once(content), report)
        return
    try:
        if await hub.blobs.stored_size(part.key) is None:
            raise _damaged(part.digest)
        await _put(writer, part.digest, part.size, hub.blobs.stream(part.key, 0, part.size), report)
    except Unreadable as fault:
        raise _damaged(part.digest) from fault


async def _put(writer: Writer, digest: str, size: int, body: AsyncIterator[bytes], report: Report) -> None:
    if writer.has(digests.parse(digest), size):
        return
    try:
        await writer.put(digests.parse(digest), size, body)
    except HubError as fault:
        if fault.kind not in {Kind.DIGEST_INVALID, Kind.INTERNAL}:
            raise
        raise _damaged(digest) from fault
    report.blobs += 1
    report.bytes += size


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


def _damaged(digest: str) -> HubError:
    return HubError(
        Kind.UNAVAILABLE,
        f"{digest} is damaged in the hub; `entrepot fsck --deep` tells more, a new push of it mends it",
    )
