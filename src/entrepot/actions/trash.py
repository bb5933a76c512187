"""Handlers of api/trash.py."""

from entrepot.actions.run import Call, handles
from entrepot.api.declare import Response
from entrepot.api.trash import (
    Deleted,
    DeletedList,
    ListDeleted,
    PurgeDeleted,
    RestoreDeleted,
    RestoredThing,
    SetUndeleteWindow,
)
from entrepot.ops import trash
from entrepot.store.sql import trash as sql

DAY = 86_400


@handles(ListDeleted)
async def list_deleted(call: Call, request: ListDeleted) -> DeletedList:
    """Of the caller's account; what expired and waits for the collector is not shown."""
    found = await call.ctx.hub.db.read(
        sql.page, call.ctx.who.account_id, request.bucket_name, request.before or 2**53, request.limit, call.ctx.now
    )
    return DeletedList(
        deleted_set=[
            Deleted(
                deletion_id=one.id,
                kind=one.kind.capitalize(),
                bucket_name=one.bucket_name,
                image_name=one.image_name,
                digest=one.name if one.kind == "manifest" else "",
                manifests=one.manifests,
                bytes=one.bytes,
                user=one.who,
                delete_time=one.at,
                expire_time=one.expires_at,
            )
            for one in found
        ]
    )


@handles(RestoreDeleted)
async def restore_deleted(call: Call, request: RestoreDeleted) -> RestoredThing:
    """All of it that is still kept."""
    done = await trash.restore(call.ctx, request.bucket_name, request.deletion_id)
    return RestoredThing(manifests=done.manifests, tags=done.tags, skipped_tags=done.skipped)


@handles(PurgeDeleted)
async def purge_deleted(call: Call, request: PurgeDeleted) -> Response:
    """The collector frees the space at its next step."""
    await trash.purge(call.ctx, request.bucket_name, request.deletion_id)
    return Response()


@handles(SetUndeleteWindow)
async def set_undelete_window(call: Call, request: SetUndeleteWindow) -> Response:
    """Of an own bucket."""
    await trash.set_window(call.ctx, request.bucket_name, None if request.days is None else request.days * DAY)
    return Response()
