"""Handlers of api/buckets.py."""

from entrepot.actions.run import Call, handles
from entrepot.api.buckets import (
    BucketScope,
    CreateDockerImageBucket,
    GetImageBucketList,
    ImageBucketListSet,
    ImageBuckets,
)
from entrepot.api.declare import ACTIONS, Response
from entrepot.model import policy
from entrepot.ops import buckets, permits
from entrepot.store.sql import listing as sql

_SCOPES = {
    BucketScope.ALL: (sql.OWN_PRIVATE, sql.PUBLIC, sql.GRANTED),
    BucketScope.USER: (sql.OWN,),
    BucketScope.SHARE: (sql.SHARED, sql.GRANTED),
}


def scopes_of(call: Call, wanted: BucketScope) -> tuple[sql.Scope, ...]:
    """The ranges of buckets that the caller may list."""
    if call.projects is None:
        return _SCOPES[wanted]
    if wanted is BucketScope.SHARE:
        return (sql.SHARED,)
    private_only = wanted is BucketScope.ALL
    return (*sql.in_projects(call.projects, private_only=private_only), *((sql.PUBLIC,) if private_only else ()))


@handles(GetImageBucketList)
async def get_image_bucket_list(call: Call, request: GetImageBucketList) -> ImageBuckets:
    """One page of what the caller can see; TotalCount counts buckets."""
    total, page = await call.ctx.hub.db.read(
        sql.buckets,
        account_id=call.ctx.who.account_id,
        region=request.region,
        name=request.bucket_name,
        scopes=scopes_of(call, request.bucket_type),
        limit=request.limit,
        offset=request.offset,
    )
    who, action = call.ctx.who, ACTIONS["GetImageBucketList"].policy_name
    if permits.denied_in_lists(who, action):
        # A page is cut first: what is denied leaves it shorter, and TotalCount counts it.
        page = [row for row in page if policy.decide(who.policies, action, permits.target_of(who, row)) is not False]
    return ImageBuckets(
        total_count=total,
        image_set=[
            ImageBucketListSet(
                bucket_name=row.name,
                bucket_type="Public" if row.is_public else "Private",
                image_count=row.image_count,
                create_time=row.created_at,
            )
            for row in page
        ],
    )


@handles(CreateDockerImageBucket)
async def create_docker_image_bucket(call: Call, request: CreateDockerImageBucket) -> Response:
    """Make a private bucket in the default project: UGC knows no projects."""
    await buckets.create(call.ctx, request.bucket_name, region=request.region)
    return Response()
