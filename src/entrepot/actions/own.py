"""Handlers of api/own.py."""

from entrepot.actions.run import Call, handles
from entrepot.api.declare import Response
from entrepot.api.own import (
    BucketGrant,
    BucketGrants,
    BucketNetworks,
    GetBucketNetworkPolicy,
    GrantBucket,
    ListBucketGrants,
    ListQuotas,
    Permission,
    Quota,
    Quotas,
    RevokeBucketGrant,
    SetBucketNetworkPolicy,
)
from entrepot.ops import buckets, quotas
from entrepot.store.db import Rows
from entrepot.store.sql import grants as grants_sql


@handles(GrantBucket)
async def grant_bucket(call: Call, request: GrantBucket) -> Response:
    """Again with another permission changes it."""
    may_write = request.permission is Permission.WRITE
    await buckets.grant(call.ctx, request.bucket_name, request.grantee_id, may_write=may_write)
    return Response()


@handles(RevokeBucketGrant)
async def revoke_bucket_grant(call: Call, request: RevokeBucketGrant) -> Response:
    """From now on no new token."""
    await buckets.revoke(call.ctx, request.bucket_name, request.grantee_id)
    return Response()


@handles(ListBucketGrants)
async def list_bucket_grants(call: Call, request: ListBucketGrants) -> BucketGrants:
    """All of them: there are at most a few hundred."""

    def load(rows: Rows) -> list[grants_sql.Grant]:
        return grants_sql.of_bucket(rows, buckets.own(call.ctx, rows, request.bucket_name).id)

    return BucketGrants(
        grant_set=[
            BucketGrant(
                grantee_id=one.account_id,
                permission=(Permission.WRITE if one.may_write else Permission.READ).value,
                create_time=one.created_at,
            )
            for one in await call.ctx.hub.db.read(load)
        ]
    )


@handles(GetBucketNetworkPolicy)
async def get_bucket_network_policy(call: Call, request: GetBucketNetworkPolicy) -> BucketNetworks:
    """Of an own bucket."""
    bucket = await call.ctx.hub.db.read(lambda rows: buckets.own(call.ctx, rows, request.bucket_name))
    return BucketNetworks(
        is_out_side="true" if bucket.is_outside else "false",
        network_set=bucket.networks.split(",") if bucket.networks else [],
    )


@handles(SetBucketNetworkPolicy)
async def set_bucket_network_policy(call: Call, request: SetBucketNetworkPolicy) -> Response:
    """What was sent."""
    await buckets.set_networks(call.ctx, request.bucket_name, is_outside=request.is_out_side, allowed=request.network)
    return Response()


@handles(ListQuotas)
async def list_quotas(call: Call, request: ListQuotas) -> Quotas:
    """As they hold now."""
    shown = await call.ctx.hub.db.read(
        lambda rows: quotas.show(call.ctx, rows, request.project_id, request.bucket_name, request.image_name)
    )
    return Quotas(quota_set=[Quota(scope=one.scope, kind=one.kind, most=one.most, used=one.used) for one in shown])
