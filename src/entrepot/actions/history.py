"""Handlers of api/history.py."""

from entrepot.actions.run import Call, handles
from entrepot.api.history import (
    ListTagHistory,
    RestoredTag,
    RestoreTag,
    TagEvent,
    TaggedImage,
    TagHistory,
    TagImage,
)
from entrepot.errors import HubError, Kind
from entrepot.ops import manifests, permits
from entrepot.store.db import Rows
from entrepot.store.sql import buckets as buckets_sql
from entrepot.store.sql import history as sql


@handles(ListTagHistory)
async def list_tag_history(call: Call, request: ListTagHistory) -> TagHistory:
    """Of an image that the caller may list."""

    def load(rows: Rows) -> list[sql.Event]:
        bucket = permits.readable(call.ctx, rows, request.bucket_name, Kind.BUCKET_UNKNOWN)
        image_id = buckets_sql.find_image(rows, bucket.id, request.image_name)
        if image_id is None:
            raise HubError(Kind.IMAGE_UNKNOWN, request.image_name)
        return sql.page(rows, image_id, request.tag_name, request.before or 2**53, request.limit)

    return TagHistory(
        tag_history_set=[
            TagEvent(
                id=one.id,
                tag_name=one.name,
                digest=one.digest,
                event="Set" if one.is_set else "Deleted",
                user=one.who,
                time=one.at,
                can_restore=bool(one.is_held),
            )
            for one in await call.ctx.hub.db.read(load)
        ]
    )


@handles(RestoreTag)
async def restore_tag(call: Call, request: RestoreTag) -> RestoredTag:
    """Like a push of the old manifest under the tag."""
    digest = await manifests.restore_tag(
        call.ctx, request.bucket_name, request.image_name, request.tag_name, request.digest
    )
    return RestoredTag(digest=digest)


@handles(TagImage)
async def tag_image(call: Call, request: TagImage) -> TaggedImage:
    """Like a push of the same manifest under the tag."""
    digest = await manifests.tag_image(
        call.ctx, request.bucket_name, request.image_name, request.tag_name, request.source
    )
    return TaggedImage(digest=digest)
