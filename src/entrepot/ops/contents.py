"""What is in an image, for those who may pull it: manifests with what they name, read whole within bounds."""

from typing import NamedTuple

from entrepot.errors import HubError, Kind
from entrepot.model import image as images
from entrepot.ops import permits
from entrepot.ops.context import Ctx
from entrepot.store.db import Rows
from entrepot.store.sql import blobs as blobs_sql
from entrepot.store.sql import browse as sql
from entrepot.store.sql import buckets as buckets_sql
from entrepot.store.sql.browse import ManifestRow, TagRow

CONFIG_BYTES = 1_048_576
"""Largest config that is read."""
CHILDREN = 200
"""Most children of indexes that are looked into for one answer."""
TAGS = 100
REFERRERS = 100


class Described(NamedTuple):
    """A manifest with what belongs to it; ``children`` are the contents of those of its children that were read."""

    row: ManifestRow
    content: images.Content
    config: images.Config | None
    children: dict[str, images.Content]
    tags: list[str]
    referrers: list[TagRow]


async def describe(ctx: Ctx, bucket: str, image: str, reference: str) -> Described:
    """All about a tag or digest. Raises BUCKET_UNKNOWN, DENIED, IP_REJECTED, IMAGE_UNKNOWN."""

    def load(rows: Rows) -> tuple[Described, blobs_sql.Found | None]:
        image_id = _pullable(ctx, rows, bucket, image)
        row = sql.manifest(rows, image_id, reference)
        if row is None:
            raise HubError(Kind.IMAGE_UNKNOWN, f"{bucket}/{image} {reference}")
        content = images.content(row.content)
        children = sql.manifests(rows, image_id, [one.digest for one in content.children][:CHILDREN])
        config = None
        if content.config is not None and content.config.size <= CONFIG_BYTES:
            config = blobs_sql.locate(rows, bucket, image, content.config.digest, content=True)
        found = Described(
            row,
            content,
            None,
            {digest: images.content(raw) for digest, raw in children.items()},
            sql.tags_on(rows, row.id, TAGS),
            sql.referrers(rows, image_id, row.digest, REFERRERS),
        )
        return found, config

    found, config = await ctx.hub.db.read(load)
    return found._replace(config=await _config(ctx, config))


def _pullable(ctx: Ctx, rows: Rows, name: str, image: str) -> int:
    bucket = permits.readable(ctx, rows, name, Kind.BUCKET_UNKNOWN)
    permits.check_network(ctx, bucket.place, "pull")
    if not permits.on_bucket(rows, ctx.who, "pull", bucket, image):
        raise HubError(Kind.DENIED, f"the right 'pull' on {name}/{image} is needed; ask the bucket's owner")
    image_id = buckets_sql.find_image(rows, bucket.id, image)
    if image_id is None:
        raise HubError(Kind.IMAGE_UNKNOWN, f"{name}/{image}")
    return image_id


async def _config(ctx: Ctx, found: blobs_sql.Found | None) -> images.Config | None:
    """The config, where it is there and small enough; its size is the blob's, not what the manifest says of it."""
    if found is None or found.size is None or found.key is None or found.size > CONFIG_BYTES:
        return None
    raw = found.content
    if raw is None:
        raw = b"".join([piece async for piece in ctx.hub.blobs.stream(found.key, 0, found.size)])
    return images.config(raw)


def looks(rows: Rows, image_id: int, page: list[TagRow]) -> dict[str, tuple[list[str], int]]:
    """(platforms, bytes of config and layers) of the manifests of a page, by digest: two statements for the page.

    Of what is large or lives in files a list tells nothing: [] and 0.
    """
    contents = {row.digest: images.content(row.content) for row in page if row.content is not None}
    wanted = [child.digest for one in contents.values() for child in one.children]
    children = {
        digest: images.content(raw)
        for digest, raw in sql.manifests(rows, image_id, list(dict.fromkeys(wanted))[:CHILDREN]).items()
    }
    configs = sql.configs(rows, image_id, [one.config.digest for one in contents.values() if one.config])
    return {digest: _look(one, children, configs) for digest, one in contents.items()}


def _look(
    content: images.Content, children: dict[str, images.Content], configs: dict[str, bytes]
) -> tuple[list[str], int]:
    if content.children:
        platforms = [one.platform for one in content.children if one.platform and one.platform != "unknown/unknown"]
        is_whole = all(one.digest in children for one in content.children)
        return platforms, sum(children[one.digest].size for one in content.children) if is_whole else 0
    raw = configs.get(content.config.digest) if content.config else None
    platform = images.config(raw).platform if raw is not None else ""
    return ([platform] if platform else []), content.size
