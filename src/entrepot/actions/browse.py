"""Handlers of api/browse.py."""

from collections.abc import Iterable

from entrepot.actions.buckets import scopes_of
from entrepot.actions.run import Call, handles
from entrepot.api.browse import (
    BucketModel,
    BucketPage,
    ConfigModel,
    DescribeBucket,
    DescribeManifest,
    ImageModel,
    ImagePage,
    LayerModel,
    ListBuckets,
    ListImages,
    ListTags,
    ManifestDetail,
    NamedValue,
    OneBucket,
    PlatformModel,
    ReferrerModel,
    StepModel,
    TagModel,
    TagOrder,
    TagPage,
)
from entrepot.api.declare import ACTIONS
from entrepot.errors import HubError, Kind
from entrepot.model import image as images
from entrepot.model import policy
from entrepot.ops import contents, permits
from entrepot.store.db import Rows
from entrepot.store.sql import browse as sql
from entrepot.store.sql import listing

CONTENT = 65_536
"""Most bytes of a manifest that are told as they are."""


def _bucket(call: Call, row: listing.BucketRow) -> BucketModel:
    is_own = row.account_id == call.ctx.who.account_id
    return BucketModel(
        bucket_name=row.name,
        region=row.region,
        project_id=row.project_id if is_own else "",
        bucket_type="Public" if row.is_public else "Private",
        is_own=is_own,
        description=row.description,
        image_count=row.image_count,
        bytes_held=row.bytes if is_own else 0,
        create_time=row.created_at,
        update_time=row.updated_at,
    )


@handles(ListBuckets)
async def list_buckets(call: Call, request: ListBuckets) -> BucketPage:
    """One page of what the caller can see, in one region or in all."""
    total, page = await call.ctx.hub.db.read(
        listing.buckets,
        account_id=call.ctx.who.account_id,
        region=request.region,
        name=None,
        scopes=scopes_of(call, request.bucket_type),
        limit=request.limit,
        offset=request.offset,
        prefix=request.prefix,
    )
    who = call.ctx.who
    for action in (ACTIONS["ListBuckets"].policy_name, ACTIONS["GetImageBucketList"].policy_name):
        if permits.denied_in_lists(who, action):
            # As in GetImageBucketList: a page is cut first, what is denied leaves it shorter.
            page = [
                one for one in page if policy.decide(who.policies, action, permits.target_of(who, one)) is not False
            ]
    return BucketPage(total_count=total, bucket_set=[_bucket(call, row) for row in page])


@handles(DescribeBucket)
async def describe_bucket(call: Call, request: DescribeBucket) -> OneBucket:
    """An own one, a public one, or one that is granted to the account."""

    def load(rows: Rows) -> listing.BucketRow:
        bucket = permits.readable(call.ctx, rows, request.bucket_name, Kind.BUCKET_UNKNOWN)
        return listing.bucket(rows, bucket.id)

    return OneBucket(bucket=_bucket(call, await call.ctx.hub.db.read(load)))


@handles(ListImages)
async def list_images(call: Call, request: ListImages) -> ImagePage:
    """Images of an own bucket, of a granted one, or of anybody's public one."""
    pending = call.ctx.hub.pulls

    def load(rows: Rows) -> ImagePage:
        bucket = permits.readable(call.ctx, rows, request.bucket_name, Kind.BUCKET_UNKNOWN)
        total = sql.count_images(rows, bucket.id, request.prefix) if request.prefix else bucket.image_count
        found = sql.images(rows, bucket.id, request.prefix, request.limit, request.offset) if request.limit else []
        return ImagePage(
            total_count=total,
            image_set=[
                ImageModel(
                    image_name=row.name,
                    tag_count=row.tag_count,
                    pull_count=row.pull_count + pending.get(row.id, 0),
                    latest_tag=row.latest_tag,
                    create_time=row.created_at,
                    update_time=row.updated_at,
                    pull_time=row.pulled_at or 0,
                )
                for row in found
            ],
        )

    return await call.ctx.hub.db.read(load)


@handles(ListTags)
async def list_tags(call: Call, request: ListTags) -> TagPage:
    """A fixed number of statements, however many tags there are."""

    def load(rows: Rows) -> TagPage:
        bucket = permits.readable(call.ctx, rows, request.bucket_name, Kind.BUCKET_UNKNOWN)
        image = sql.image(rows, bucket.id, request.image_name)
        if image is None:
            raise HubError(Kind.IMAGE_UNKNOWN, request.image_name)
        total = sql.count_tags(rows, image.id, request.prefix) if request.prefix else image.tag_count
        by_name = request.order_by is TagOrder.NAME
        page = sql.tags(rows, image.id, total, request.prefix, request.limit, request.offset, by_name=by_name)
        looks = contents.looks(rows, image.id, page)
        return TagPage(total_count=total, tag_set=[_tag(row, *looks.get(row.digest, ([], 0))) for row in page])

    return await call.ctx.hub.db.read(load)


def _tag(row: sql.TagRow, platforms: list[str], size: int) -> TagModel:
    return TagModel(
        tag_name=row.name,
        digest=row.digest,
        media_type=row.media_type,
        artifact_type=row.artifact_type or "",
        platform=platforms,
        size=size,
        create_time=row.created_at,
        update_time=row.updated_at,
        pull_time=row.pulled_at or 0,
    )


@handles(DescribeManifest)
async def describe_manifest(call: Call, request: DescribeManifest) -> ManifestDetail:
    """For those who may pull it: an environment or a label may be a secret."""
    found = await contents.describe(call.ctx, request.bucket_name, request.image_name, request.reference)
    row, content = found.row, found.content
    return ManifestDetail(
        digest=row.digest,
        media_type=row.media_type,
        artifact_type=row.artifact_type or "",
        subject=row.subject or "",
        size=content.size,
        create_time=row.created_at,
        pull_time=row.pulled_at or 0,
        tag=found.tags,
        config_digest=content.config.digest if content.config else "",
        config_set=[_config(found.config)] if found.config else [],
        layer_set=[LayerModel(digest=one.digest, media_type=one.media_type, size=one.size) for one in content.layers],
        platform_set=[
            PlatformModel(
                digest=one.digest,
                media_type=one.media_type,
                artifact_type=one.artifact_type,
                platform=one.platform,
                size=found.children[one.digest].size if one.digest in found.children else 0,
                is_held=one.digest in found.children,
            )
            for one in content.children
        ],
        annotation_set=_named(content.annotations.items()),
        referrer_set=[
            ReferrerModel(
                digest=one.digest,
                media_type=one.media_type,
                artifact_type=one.artifact_type or "",
                size=images.content(one.content).size if one.content else 0,
                create_time=one.created_at,
            )
            for one in found.referrers
        ],
        content=row.content[:CONTENT].decode("utf-8", "replace"),
    )


def _named(pairs: Iterable[tuple[str, str]]) -> list[NamedValue]:
    return [NamedValue(name=name, value=value) for name, value in pairs]


def _config(config: images.Config) -> ConfigModel:
    return ConfigModel(
        platform=config.platform,
        created=config.created,
        author=config.author,
        user=config.user,
        working_dir=config.working_dir,
        entrypoint=list(config.entrypoint),
        command=list(config.command),
        environment=list(config.environment),
        port=list(config.ports),
        label=_named(config.labels),
        history=[
            StepModel(created_by=one.created_by, created=one.created, comment=one.comment, is_empty=one.is_empty)
            for one in config.history
        ],
    )
